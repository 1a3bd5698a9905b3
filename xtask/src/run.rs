//! `build` and `run`: plugins and host built, and the tree of them assembled.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::console::step;
use crate::tree::Tree;
use crate::{components, tools};

/// Leaves the tree in `target/telepulse`.
pub(crate) fn build(profile: &str) -> Result<()> {
    let host = assemble(profile, tools::target_dir().join("telepulse"))?;
    let tree = host.ancestors().nth(2).unwrap_or(&host);
    eprintln!("\nStart it:  cd {} && bin/telepulse run", tree.display());
    Ok(())
}

/// Starts `telepulse demo`, in a tree apart from the one that `build` leaves.
pub(crate) fn demo(profile: &str, args: &[OsString]) -> Result<()> {
    let host = assemble(profile, tools::target_dir().join("telepulse-demo"))?;
    let mut demo = std::process::Command::new(host);
    demo.arg("demo").args(args);
    // In our place, so that Ctrl-C is waited for by whoever waits for us.
    let error = demo.exec();
    Err(error).with_context(|| format!("starting {}", demo.get_program().display()))
}

/// Builds everything into the tree at `root`; returns the host's program there.
fn assemble(profile: &str, root: PathBuf) -> Result<PathBuf> {
    step("Rust for plugins", tools::ensure_wasm_target)?;
    let plugins = step("Plugins", components::plugins)?;
    step(&format!("Host, profile {profile} (the first build takes some minutes)"), || {
        let mut build = tools::cargo();
        build.args(["build", "--package", "telepulse", "--bin", "telepulse", "--profile", profile]);
        tools::run(&mut build, "the compiler's own words are above")
    })?;
    let place = root.display().to_string();
    step(&format!("Tree in {place}"), || {
        let tree = Tree::at(root);
        tree.program(&tools::profile_dir(profile).join("telepulse"), "bin/telepulse")?;
        for plugin in &plugins {
            // Grants first: a component without them would wait for an operator.
            tree.settings(&plugin.grants, &format!("plugins.d/{}.toml", plugin.name))?;
            tree.program(&plugin.wasm, &format!("plugins.d/{}.wasm", plugin.name))?;
        }
        for file in configuration()? {
            let name = file.strip_prefix(tools::root()).unwrap_or(&file).display();
            tree.settings(&file, &name.to_string())?;
        }
        Ok(tree.path("bin/telepulse"))
    })
}

/// The files in `config/`, and the examples below it.
fn configuration() -> Result<Vec<PathBuf>> {
    let dir = tools::root().join("config");
    let mut files = Vec::new();
    for dir in [dir.clone(), dir.join("examples")] {
        let entries = fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))?;
        for entry in entries {
            let path = entry.with_context(|| format!("reading {}", dir.display()))?.path();
            if path.is_file() {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
