//! Test components, built once a test run by cargo from `tests/guests`.

use sha2::{Digest, Sha256};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The bytes of one component.
pub fn guest(name: &str) -> Vec<u8> {
    let path = built().join(format!("{}.wasm", name.replace('-', "_")));
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The same component with other bytes: a custom section that means nothing.
pub fn variant(wasm: &[u8], number: u8) -> Vec<u8> {
    let mut wasm = wasm.to_vec();
    wasm.extend([0, 5, 3, b't', b'a', b'g', number]);
    wasm
}

/// The same component, asking for what this manifest says.
pub fn asking(wasm: &[u8], manifest: &str) -> Vec<u8> {
    const NAME: &[u8] = b"telepulse:manifest";
    let name_length = u8::try_from(NAME.len()).expect("short");
    let content = [&[name_length], NAME, manifest.as_bytes()].concat();
    let byte = |value: usize| u8::try_from(value).expect("short enough for two bytes of LEB128");
    let length = [byte(content.len() % 128 + 128), byte(content.len() / 128)];
    [wasm, &[0], &length, &content].concat()
}

/// How a status names a component.
pub fn hash(wasm: &[u8]) -> String {
    format!("{:x}", Sha256::digest(wasm))
}

fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = root.join("target/plugins");
        let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--quiet", "--locked", "--profile", "plugin"])
            .args(["--target", "wasm32-wasip2", "--target-dir"])
            .arg(&target)
            .current_dir(root.join("tests/guests"))
            // Flags and settings of the host's own build are not the guests'.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .status()
            .expect("cargo runs");
        assert!(
            status.success(),
            "tests/guests do not build; is the target there? rustup target add wasm32-wasip2"
        );
        target.join("wasm32-wasip2/plugin")
    })
}
