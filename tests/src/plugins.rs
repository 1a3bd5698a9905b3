//! Components as `cargo xtask test` builds them, put into a host's folder; and what of them was compiled
//! by one host, for the next.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

fn root() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests have a parent")
}

/// A first-party plugin.
pub fn component(name: &str) -> Result<PathBuf> {
    built(&format!("telepulse_plugin_{name}.wasm"))
}

/// A component of `tests/guests`.
pub fn guest(name: &str) -> Result<PathBuf> {
    built(&format!("{name}.wasm"))
}

fn built(name: &str) -> Result<PathBuf> {
    let file = root()?.join("target/plugins/wasm32-wasip2/plugin").join(name);
    if !file.exists() {
        bail!(
            "{} is missing: run the tests by `cargo xtask test`, which builds it",
            file.display()
        );
    }
    Ok(file)
}

/// Copies a first-party plugin with its grants, listening on ports of its own.
/// `change` sees the grants, with the settings behind them.
pub fn install(
    name: &str,
    plugins: &Path,
    ports: &[(&str, u16)],
    change: impl FnOnce(String) -> String,
) -> Result<()> {
    let mut grants = fs::read_to_string(root()?.join(format!("plugins/{name}/{name}.toml")))?;
    for (listen, port) in ports {
        if !grants.contains(listen) {
            bail!("{name}.toml does not listen on {listen}");
        }
        grants = grants.replace(listen, &format!("127.0.0.1:{port}"));
    }
    fs::write(plugins.join(format!("{name}.toml")), change(grants))?;
    fs::copy(component(name)?, plugins.join(format!("{name}.wasm")))?;
    Ok(())
}

/// Puts what was compiled in one folder into another one, which nobody else may enter. Files are named by
/// hashes of their source and of the compiler.
pub fn share(from: &Path, to: &Path) -> Result<()> {
    for folder in [from, to] {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    for entry in fs::read_dir(from)? {
        let (file, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let target = to.join(&name);
        if name.to_string_lossy().ends_with(".bin") && !target.exists() {
            // Whole or not at all, whoever looks meanwhile; another test may have been faster.
            let part = to.join(format!(".{}-{}", std::process::id(), name.display()));
            fs::copy(&file, &part)?;
            fs::rename(&part, &target)?;
        }
    }
    Ok(())
}
