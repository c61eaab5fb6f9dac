#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| signed_session_fuzz::beside::law(data));
