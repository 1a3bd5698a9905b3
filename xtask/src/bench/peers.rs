//! The clients that are compared: ours at each depth, the floors, and other people's, each pinned to a
//! version and installed under `target/peers`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use serde::de::DeserializeOwned;

use super::result::Measured;
use crate::console::step;
use crate::{components, tools};

pub(super) const MEMORY: &str = "ours: parse, from memory";
pub(super) const MODEL: &str = "ours: model, language, bus";
pub(super) const PLUGIN: &str = "ours: and a plugin gets every event";
pub(super) const OFFENDERS: &str = "ours: beside eight offending plugins";
pub(super) const FLOOR: &str = "floor: parse, JSON, channel map";

/// One that is measured.
pub(super) struct Client {
    pub(super) name: &'static str,
    pub(super) is_ours: bool,
    pub(super) is_peer: bool,
    /// Why it cannot run here.
    pub(super) missing: Option<String>,
    how: How,
}

enum How {
    /// A program of the peers' workspace, and what follows the port.
    Rust(&'static str, Option<&'static str>),
    /// Our own program, at a depth.
    Ours(PathBuf, &'static str),
    Node(&'static str),
    Python(&'static str),
}

impl Client {
    /// Has it take the stream once.
    pub(super) fn run(&self, port: u16, events: u64) -> Result<Measured> {
        let mut command = match self.how {
            How::Rust(program, depth) => {
                let mut command = Command::new(rust_program(program));
                command.arg(port.to_string()).args(depth).arg(events.to_string());
                command
            }
            How::Ours(ref program, depth) => {
                let mut command = Command::new(program);
                command.args([&port.to_string(), depth]);
                command
            }
            How::Node(script) => {
                let mut command = Command::new("node");
                command.arg(sources().join("node").join(script)).arg(port.to_string());
                command.env("NODE_PATH", installed().join("node/node_modules"));
                command
            }
            How::Python(script) => {
                let mut command = Command::new(installed().join("python/bin/python"));
                command.arg(sources().join("python").join(script)).arg(port.to_string());
                command.env("PYTHONDONTWRITEBYTECODE", "1");
                command
            }
        };
        let output = command.stdin(Stdio::null()).output().context("starting it")?;
        let text = String::from_utf8_lossy(&output.stdout);
        Measured::read(&text).with_context(|| {
            let error = String::from_utf8_lossy(&output.stderr);
            error.lines().last().unwrap_or("it ended without a word").to_owned()
        })
    }
}

/// Builds and installs them all; whose tools are missing here is told in its row.
pub(super) fn clients() -> Result<Vec<Client>> {
    step("Floors and Rust peers", build_rust)?;
    step("Guests", components::guests)?;
    let program = step("Ours", || tools::bench_program("telepulse", "ami"))?;
    let node = step("Node peers", || Ok(install_node().err()))?;
    let python = step("Python peers", || Ok(install_python().err()))?;
    let client = |name, how| Client { name, is_ours: false, is_peer: false, missing: None, how };
    let floor = |name, depth| client(name, How::Rust("floor", Some(depth)));
    let ours =
        |name, depth| Client { is_ours: true, ..client(name, How::Ours(program.clone(), depth)) };
    let peer = |name, how| {
        let missing = match how {
            How::Node(_) => &node,
            How::Python(_) => &python,
            How::Rust(..) | How::Ours(..) => &None,
        };
        let missing = missing.as_ref().map(|error| format!("cannot be had here: {error:#}"));
        Client { is_peer: true, missing, ..client(name, how) }
    };
    Ok(vec![
        floor("floor: read", "raw"),
        floor("floor: framing", "framing"),
        floor("floor: offsets of lines and values", "offsets"),
        floor(FLOOR, "json"),
        ours(MEMORY, "memory"),
        ours("ours: parse", "parse"),
        ours("ours: parse, JSON", "json"),
        ours(MODEL, "model"),
        ours("ours: the same, and every event raw", "raw"),
        ours(PLUGIN, "plugin"),
        ours(OFFENDERS, "offenders"),
        peer("Rust: asterisk-ami 0.1.8", How::Rust("asterisk-ami", None)),
        peer("Rust: asterisk-rs-ami 0.8.0", How::Rust("asterisk-rs-ami", None)),
        peer("Rust: asterisk-manager 2.1.3", How::Rust("asterisk-manager", None)),
        peer("Node: yana 0.3.0", How::Node("yana.js")),
        peer("Node: asterisk-manager 0.2.0", How::Node("asterisk-manager.js")),
        peer("Python: panoramisk 1.4", How::Python("panoramisk_client.py")),
        peer("Python: asterisk-ami 0.1.7", How::Python("asterisk_ami_client.py")),
    ])
}

/// Runs a load generator; answers what its line `result {…}` tells.
pub(super) fn told<T: DeserializeOwned>(load: &mut Command) -> Result<T> {
    let output = load.stdin(Stdio::null()).output().context("starting the load generator")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let result = text.lines().find_map(|line| line.strip_prefix("result "));
    let result = result.with_context(|| {
        let error = String::from_utf8_lossy(&output.stderr);
        error.lines().last().unwrap_or("it ended without a word").to_owned()
    })?;
    serde_json::from_str(result).with_context(|| format!("the result was {result}"))
}

/// Where the peers' programs are written.
fn sources() -> PathBuf {
    tools::root().join("xtask/peers")
}

/// Where they are built and installed.
fn installed() -> PathBuf {
    tools::target_dir().join("peers")
}

/// A program of the peers' workspace.
pub(super) fn rust_program(name: &str) -> PathBuf {
    installed().join("release").join(name)
}

/// Builds the floors, the Rust peers, and the servers that feed them.
pub(super) fn build_rust() -> Result<()> {
    let mut build = tools::cargo();
    build.args(["build", "--release", "--locked", "--manifest-path"]);
    build.arg(sources().join("rust/Cargo.toml")).arg("--target-dir").arg(installed());
    tools::run(&mut build, "the compiler's own words are above")
}

/// Installs the WebSocket servers from npm; answers the folder.
pub(super) fn install_servers() -> Result<PathBuf> {
    install_npm("fanout")
}

/// Where their modules are.
pub(super) fn servers_modules() -> PathBuf {
    installed().join("fanout/node_modules")
}

fn install_node() -> Result<()> {
    install_npm("node").map(drop)
}

/// Installs what a folder's `package.json` names.
fn install_npm(name: &str) -> Result<PathBuf> {
    if !tools::works(Command::new("npm").arg("--version")) {
        bail!("there is no npm");
    }
    let folder = installed().join(name);
    copy(&sources().join(name), &folder, &["package.json", "package-lock.json"])?;
    let mut install = Command::new("npm");
    install.args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(&folder);
    tools::run(&mut install, "is registry.npmjs.org in reach?")?;
    Ok(folder)
}

fn install_python() -> Result<()> {
    let folder = installed().join("python");
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(&folder);
    tools::run(&mut make, "Debian has it in python3-venv")?;
    let mut install = Command::new(folder.join("bin/pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    install.arg(sources().join("python/requirements.txt"));
    tools::run(&mut install, "is pypi.org in reach?")
}

fn copy(from: &Path, to: &Path, names: &[&str]) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for name in names {
        fs::copy(from.join(name), to.join(name)).with_context(|| format!("copying {name}"))?;
    }
    Ok(())
}
