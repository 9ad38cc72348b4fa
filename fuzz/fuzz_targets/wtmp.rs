#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| utempter_fuzz_bodies::wtmp::check(input));
