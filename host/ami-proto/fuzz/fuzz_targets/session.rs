//! Fuzz target: see `ami_proto_fuzz::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ami_proto_fuzz::session::run(data));
