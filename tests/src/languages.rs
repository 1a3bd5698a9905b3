//! The tools of other languages than Rust, in a folder of their own: what the README of each template
//! tells its reader to install, in the versions that it names.

use anyhow::{Context as _, Result, bail};
use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// The root of the project.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A `PATH` on which the tools of all languages are. Installs them where they are missing, which
/// takes half a minute and the registries of Python and Node.js.
pub fn path() -> Result<OsString> {
    let folder = root().join("target/languages");
    fs::create_dir_all(&folder)?;
    // One test at a time.
    let lock = File::create(folder.join(".lock"))?;
    lock.lock()?;
    let (python, node) = (folder.join("python"), folder.join("node"));
    if !folder.join("python.done").exists() {
        install_python(&python)?;
        File::create(folder.join("python.done"))?;
    }
    if !folder.join("node.done").exists() {
        install_node(&node)?;
        File::create(folder.join("node.done"))?;
    }
    let own = [python.join("bin"), node.join("node_modules/.bin")];
    let path = env::var_os("PATH").unwrap_or_default();
    Ok(env::join_paths(own.into_iter().chain(env::split_paths(&path)))?)
}

/// Installs all of it ahead of the tests; answers what failed.
pub fn prepare() -> Vec<(&'static str, anyhow::Error)> {
    let outcomes = [
        ("a browser", browser().map(drop)),
        ("redis-server", redis_server()),
        ("nats-server", nats_server()),
        ("curl, jq and ip", documented()),
        ("schemathesis", schemathesis().map(drop)),
        ("the TypeScript client", typescript_client().map(drop)),
        ("the panel's tools", panel().map(drop)),
        ("the tools of other languages", path().map(drop)),
    ];
    outcomes.into_iter().filter_map(|(what, outcome)| Some((what, outcome.err()?))).collect()
}

/// What checks that an HTTP API answers as its description says. Installs it where it is missing.
pub fn schemathesis() -> Result<PathBuf> {
    let folder = root().join("target/languages");
    fs::create_dir_all(&folder)?;
    let lock = File::create(folder.join(".lock"))?;
    lock.lock()?;
    let to = folder.join("schemathesis");
    if !folder.join("schemathesis.done").exists() {
        make_venv(&to)?;
        run(Command::new(to.join("bin/pip")).args(["install", "-q", "schemathesis==4.32.5"]))?;
        File::create(folder.join("schemathesis.done"))?;
    }
    Ok(to.join("bin/schemathesis"))
}

fn make_venv(to: &Path) -> Result<()> {
    let venv = |to: &Path| run(Command::new("python3").args(["-m", "venv"]).arg(to));
    if venv(to).is_err() {
        run(Command::new("apt-get").args(["-q", "update"]))?;
        run(Command::new("apt-get").args(["-q", "install", "-y", "python3-venv"]))?;
        venv(to)?;
    }
    Ok(())
}

fn install_python(to: &Path) -> Result<()> {
    make_venv(to)?;
    let componentize = root().join("plugin-sdk/templates/python/requirements.txt");
    let pip = to.join("bin/pip");
    run(Command::new(pip).args(["install", "-q", "ziglang", "-r"]).arg(componentize))
}

fn install_node(to: &Path) -> Result<()> {
    need_npm()?;
    fs::create_dir_all(to)?;
    fs::copy(root().join("plugin-sdk/templates/javascript/package.json"), to.join("package.json"))?;
    run(Command::new("npm").args(["install", "--no-audit", "--no-fund"]).current_dir(to))
}

fn run(command: &mut Command) -> Result<()> {
    let name = format!("{command:?}");
    let output = command.output().with_context(|| format!("{name} did not start"))?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// The TypeScript client, compiled, with what its test needs beside it; answers its folder.
pub fn typescript_client() -> Result<PathBuf> {
    let to = root().join("target/languages/typescript");
    fs::create_dir_all(&to)?;
    let lock = File::create(root().join("target/languages/.lock"))?;
    lock.lock()?;
    let from = root().join("clients/typescript");
    for file in [
        "package.json",
        "tsconfig.json",
        "telepulse.d.ts",
        "src/client.ts",
        "test/live.mjs",
        "test/page.mjs",
    ] {
        let target = to.join(file);
        fs::create_dir_all(target.parent().context("a folder")?)?;
        fs::copy(from.join(file), target)?;
    }
    if !to.join("node_modules/.done").exists() {
        need_npm()?;
        run(Command::new("npm").args(["install", "--no-audit", "--no-fund"]).current_dir(&to))?;
        File::create(to.join("node_modules/.done"))?;
    }
    run(Command::new(to.join("node_modules/.bin/tsc")).current_dir(&to))?;
    Ok(to)
}

/// The folder of the panel's page, with what its tests need. `cargo xtask` has built the page itself.
pub fn panel() -> Result<PathBuf> {
    let folder = root().join("plugins/panel/app").canonicalize()?;
    fs::create_dir_all(root().join("target/languages"))?;
    let lock = File::create(root().join("target/languages/.lock"))?;
    lock.lock()?;
    if !folder.join("node_modules/playwright-core").exists() {
        need_npm()?;
        let install = ["install", "--no-save", "--ignore-scripts"];
        run(Command::new("npm").args(install).current_dir(&folder))?;
    }
    if !folder.join("dist/index.html").exists() {
        run(Command::new("npm").args(["run", "build"]).current_dir(&folder))?;
    }
    Ok(folder)
}

/// A browser, installed if there is none; the tests start it without a window.
pub fn browser() -> Result<PathBuf> {
    let program = PathBuf::from("/usr/bin/chromium");
    fs::create_dir_all(root().join("target/languages"))?;
    let lock = File::create(root().join("target/languages/.lock"))?;
    lock.lock()?;
    if !program.exists() {
        run(Command::new("apt-get").args(["-q", "update"]))?;
        run(Command::new("apt-get").args([
            "-q",
            "install",
            "-y",
            "--no-install-recommends",
            "chromium",
        ]))?;
    }
    Ok(program)
}

/// Redis, for the tests of what plugins keep. Installs it where it is missing.
pub fn redis_server() -> Result<()> {
    need("redis-server", "redis-server")
}

/// NATS, for the tests of the bus between several nodes. Installs it where it is missing.
pub fn nats_server() -> Result<()> {
    need("nats-server", "nats-server")
}

/// What the commands of the documentation are typed with, and the network that they are typed in.
fn documented() -> Result<()> {
    need("curl", "curl").and_then(|()| need("jq", "jq")).and_then(|()| need("ss", "iproute2"))
}

/// A program that tells its version, from a package of Debian where it is missing.
fn need(program: &str, package: &str) -> Result<()> {
    if run(Command::new(program).arg("--version")).is_err() {
        run(Command::new("apt-get").args(["-q", "update"]))?;
        let install = ["-q", "install", "-y", "--no-install-recommends", package];
        run(Command::new("apt-get").args(install))?;
    }
    Ok(())
}

fn need_npm() -> Result<()> {
    if run(Command::new("npm").arg("--version")).is_err() {
        run(Command::new("apt-get").args(["-q", "update"]))?;
        run(Command::new("apt-get").args(["-q", "install", "-y", "npm"]))?;
    }
    Ok(())
}
