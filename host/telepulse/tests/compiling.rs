//! Components that are made to hurt who compiles them: it is done in a process of its own, and the
//! host lives on, with whatever ran before.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Write as _},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Longer than the compiler may compute, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// One function in which each of `width` variables may come from anywhere in each of `depth` loops:
/// what the compiler must remember is their product.
fn bomb(depth: usize, width: usize) -> Vec<u8> {
    let mut body = String::new();
    for _ in 0..depth {
        body.push_str("(loop ");
    }
    for local in 1..=width {
        // Writing to a String cannot fail.
        let _ = write!(body, "(local.set {local} (i64.add (local.get {local}) (local.get 0)))");
    }
    for level in 0..depth {
        let _ = write!(body, "(br_if 0 (i64.eqz (local.get {})))", 1 + level % width);
        body.push(')');
    }
    let locals = "i64 ".repeat(width);
    let text = format!(
        "(component (core module (func (export \"f\") (param i64) (local {locals}) {body})))"
    );
    wat::parse_str(text).unwrap()
}

/// Compiles as a host would, under limits of ours.
fn compile(wasm: &[u8], fingerprint: &str, memory: u64, seconds: u64) -> Output {
    let folder = TempDir::new().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_telepulse"))
        .args(["compile-plugin", "--for", fingerprint, "--out", "code"])
        .args(["--memory", &memory.to_string(), "--seconds", &seconds.to_string()])
        .current_dir(folder.path())
        .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(wasm).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn compiling_ends_at_its_limits() {
    let small = bomb(1, 1);
    // Another compiler than the host's is of no use.
    let Output { status, stderr, .. } = compile(&small, "0", 1024, 10);
    let words = String::from_utf8(stderr).unwrap();
    let ours = words.strip_prefix("the compiler is not the host's: ").unwrap();
    let fingerprint = ours.trim().strip_suffix(", not 0").unwrap();
    assert_eq!(status.code(), Some(2));

    let within = compile(&small, fingerprint, 1024, 10);
    assert!(within.status.success(), "{within:?}");
    let none = compile(b"no component", fingerprint, 1024, 10);
    assert_eq!(none.status.code(), Some(1), "{none:?}");
    let large = bomb(1_500, 1_500);
    let slow = compile(&large, fingerprint, 8_192, 1);
    assert_eq!(slow.status.signal(), Some(24), "SIGXCPU: {slow:?}");
    let greedy = compile(&large, fingerprint, 64, 60);
    assert_eq!(greedy.status.signal(), Some(6), "SIGABRT: {greedy:?}");
}

/// A host with an admin API, killed when dropped.
struct Host {
    child: Child,
    admin: String,
    folder: TempDir,
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Host {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("plugins.d")).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!("[admin]\nlisten = '127.0.0.1:{port}'\n");
        fs::write(folder.path().join("x.toml"), config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_telepulse"))
            .args(["run", "--config", "x.toml"])
            .current_dir(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(log.by_ref().any(|line| line.unwrap().contains("running config=x.toml")));
        thread::spawn(move || log.for_each(drop));
        Self { child, admin: format!("http://127.0.0.1:{port}"), folder }
    }

    /// Puts a component into the plugins folder, as `cp` and `mv` do.
    fn drop_in(&self, name: &str, wasm: &[u8]) {
        let folder = self.folder.path();
        let grants = "[grants]\nsubscribe = ['telepulse.event']\n";
        fs::write(folder.join("plugins.d").join(format!("{name}.toml")), grants).unwrap();
        fs::write(folder.join("part"), wasm).unwrap();
        fs::rename(folder.join("part"), folder.join("plugins.d").join(format!("{name}.wasm")))
            .unwrap();
    }

    /// What `telepulse plugins show` says of a plugin, once it is in that state.
    fn plugin(&self, name: &str, state: &str) -> Value {
        let begun = Instant::now();
        loop {
            let told = Command::new(env!("CARGO_BIN_EXE_telepulse"))
                .args(["plugins", "show", name, "--json", "--admin", &self.admin])
                .output()
                .unwrap();
            let status: Value = serde_json::from_slice(&told.stdout).unwrap_or_default();
            if status["state"] == state {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "{name} is not {state}: {status} {told:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// KiB of memory at most, so far.
    fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse().unwrap()
    }
}

fn guest(name: &str) -> Vec<u8> {
    let guests =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/wasm32-wasip2/plugin");
    fs::read(guests.join(name)).unwrap()
}

#[test]
fn a_component_that_hurts_its_compiler_hurts_nobody_else() {
    let host = Host::start();
    host.drop_in("good", &guest("idle.wasm"));
    host.plugin("good", "running");
    let before = host.peak();
    host.drop_in("memory", &bomb(6_000, 6_000));
    let refused = host.plugin("memory", "failed");
    let error = refused["error"].as_str().unwrap();
    assert!(error.contains("compiling it takes more than 2048 MiB of memory"), "{error}");
    // It did not happen in the host.
    assert!(host.peak() < before + 64 * 1024, "{} KiB, then {}", before, host.peak());
    host.plugin("good", "running");
    // And the next one is compiled as ever.
    host.drop_in("next", &guest("idle.wasm"));
    host.plugin("next", "running");
}
