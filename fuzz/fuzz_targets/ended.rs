#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::ended::law(data, signed_session::Revocations::new));
