#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::numbers_and_dates::law(data));
