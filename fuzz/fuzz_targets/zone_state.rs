#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::zone_state::zone_state(data));
