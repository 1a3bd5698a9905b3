//! Builds what runs in the sandbox: the first-party plugins, and the guests that tests use.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::console::step;
use crate::page;
use crate::tools::{self, WASM};

/// A first-party plugin: a folder `plugins/NAME` with a package `telepulse-plugin-NAME`.
#[derive(Clone)]
pub(crate) struct Plugin {
    /// What it is called in the plugins folder.
    pub(crate) name: String,
    /// Its component.
    pub(crate) wasm: PathBuf,
    /// What the operator grants it unless they say otherwise.
    pub(crate) grants: PathBuf,
}

/// Builds every first-party plugin, by name.
pub(crate) fn plugins() -> Result<Vec<Plugin>> {
    let names = names()?;
    // It becomes part of its component.
    if names.iter().any(|name| name == "panel") {
        step("The panel's page", page::build)?;
    }
    let mut build = cargo_build();
    for name in &names {
        build.args(["--package", &format!("telepulse-plugin-{name}")]);
    }
    tools::run(&mut build, "the compiler's own words are above")?;
    Ok(found(names, &built()))
}

/// Every first-party plugin, by name, with components that somebody built into `dir`.
pub(crate) fn plugins_in(dir: &Path) -> Result<Vec<Plugin>> {
    let plugins = found(names()?, dir);
    if let Some(Plugin { wasm, .. }) = plugins.iter().find(|it| !it.wasm.is_file()) {
        bail!("{} is missing: `cargo xtask build` makes it", wasm.display());
    }
    Ok(plugins)
}

fn names() -> Result<Vec<String>> {
    let name = |dir: &PathBuf| Some(dir.file_name()?.to_string_lossy().into_owned());
    Ok(packages(&tools::root().join("plugins"))?.iter().filter_map(name).collect())
}

/// Builds the guests in `tests/guests`, a workspace of its own: well-behaved and hostile ones.
pub(crate) fn guests() -> Result<()> {
    let mut build = cargo_build();
    build.arg("--manifest-path").arg(tools::root().join("tests/guests/Cargo.toml"));
    tools::run(&mut build, "the compiler's own words are above")
}

/// In a target folder of their own, so that neither the host's build nor theirs undoes the other.
fn cargo_build() -> std::process::Command {
    let mut build = tools::cargo();
    build.args(["build", "--locked", "--profile", "plugin"]);
    build.args(["--target", WASM, "--target-dir"]).arg(target());
    // Flags of the host's build are not the components'.
    build.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    build
}

/// Tests look for components there, whatever `CARGO_TARGET_DIR` says.
fn target() -> PathBuf {
    tools::root().join("target/plugins")
}

/// Where Cargo leaves them.
fn built() -> PathBuf {
    target().join(WASM).join("plugin")
}

fn found(names: Vec<String>, dir: &Path) -> Vec<Plugin> {
    let plugin = |name: String| Plugin {
        wasm: dir.join(format!("telepulse_plugin_{}.wasm", name.replace('-', "_"))),
        grants: tools::root().join("plugins").join(&name).join(format!("{name}.toml")),
        name,
    };
    names.into_iter().map(plugin).collect()
}

/// The folders in `dir` that hold a package, sorted.
fn packages(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("reading {}", dir.display()))?.path();
        if path.join("Cargo.toml").is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
