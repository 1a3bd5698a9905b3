//! Components that the benchmarks load.

use std::{fs, path::Path};

/// A component: the gateway, or one of `tests/guests`.
pub(crate) fn component(name: &str) -> Vec<u8> {
    let built =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/wasm32-wasip2/plugin");
    let path = built.join(format!("{name}.wasm"));
    fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask bench`", path.display()))
}
