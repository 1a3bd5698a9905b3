//! The programs that tasks start, where things are, and what to do when one is missing.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What plugins are compiled for.
pub(crate) const WASM: &str = "wasm32-wasip2";

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Where Cargo puts what it builds for the host.
pub(crate) fn target_dir() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) if !dir.is_empty() => root().join(dir),
        _ => root().join("target"),
    }
}

/// Where Cargo leaves the host's programs when it builds with a profile.
pub(crate) fn profile_dir(profile: &str) -> PathBuf {
    // Cargo's one irregularity: the folder of `dev` bears the name that it had before profiles.
    target_dir().join(if profile == "dev" { "debug" } else { profile })
}

/// The very Cargo that runs this task, at work in the workspace. What it told this task about itself goes no
/// further: build scripts that look at it would run anew, and all that depends on them would be compiled again.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// Starts a program and waits until it ends; it has to end well.
pub(crate) fn run(command: &mut Command, cure: &str) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{} did not start; {cure}", name(command.get_program())))?;
    if !status.success() {
        bail!("{} ended with {status}; {cure}", line(command));
    }
    Ok(())
}

/// Builds one benchmark program of a package, and says where it is: what is measured is the program,
/// without Cargo before it.
pub(crate) fn bench_program(package: &str, bench: &str) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["bench", "--package", package, "--bench", bench, "--no-run"]);
    build.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let output = build.output().context("cargo did not start")?;
    if !output.status.success() {
        bail!("{} ended with {}; the compiler's own words are above", line(&build), output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let built = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(
        |message| {
            let is_it =
                message["target"]["name"] == bench && message["target"]["kind"][0] == "bench";
            message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
        },
    );
    built.with_context(|| format!("cargo named no program for the benchmark {bench}"))
}

/// Does the program start, and end well? It is given no input and its output is not shown.
pub(crate) fn works(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Is cargo-nextest installed?
pub(crate) fn has_nextest() -> bool {
    works(cargo().args(["nextest", "--version"]))
}

/// Makes sure that Rust's standard library for plugins is there.
pub(crate) fn ensure_wasm_target() -> Result<()> {
    if has_wasm_target() {
        return Ok(());
    }
    if !works(Command::new("rustup").arg("--version")) {
        bail!(
            "Rust's library for {WASM} is missing, and there is no rustup to fetch it: install Rust \
             by https://rustup.rs, or your distribution's package with the standard library for \
             that target"
        );
    }
    eprintln!("    fetching Rust's library for {WASM}");
    run(
        Command::new("rustup").args(["target", "add", WASM]),
        "is static.rust-lang.org in reach? `rustup target add wasm32-wasip2` by hand says more",
    )?;
    if !has_wasm_target() {
        bail!(
            "rustup added {WASM} to another toolchain than the one that runs this task: say which \
             by `rustup default`, and run `cargo xtask` again"
        );
    }
    Ok(())
}

fn has_wasm_target() -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut ask = Command::new(rustc);
    ask.args(["--print", "target-libdir", "--target", WASM]).current_dir(root());
    let Ok(answer) = ask.stderr(Stdio::null()).output() else { return false };
    let dir = String::from_utf8_lossy(&answer.stdout);
    answer.status.success() && Path::new(dir.trim()).is_dir()
}

fn line(command: &Command) -> String {
    command
        .get_args()
        .fold(name(command.get_program()), |line, arg| format!("{line} {}", arg.to_string_lossy()))
}

fn name(program: &OsStr) -> String {
    let path = Path::new(program);
    path.file_name().unwrap_or(program).to_string_lossy().into_owned()
}
