//! Fuzz target: see `ami_proto_fuzz::codec`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ami_proto_fuzz::codec::run(data));
