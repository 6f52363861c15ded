#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| argus_properties::frames::check(bytes));
