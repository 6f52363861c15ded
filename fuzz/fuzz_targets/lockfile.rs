#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| argus_properties::lockfile::check(bytes));
