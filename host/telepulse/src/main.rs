//! The TelePulse program.
fn main() {}
