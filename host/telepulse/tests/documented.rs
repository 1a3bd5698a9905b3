//! Every command that a page of the documentation shows, run as it stands there: on the demo, in a network of
//! its own, where the ports of the pages are free. What is run elsewhere is told in [`ELSEWHERE`].
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Lines, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
};
use tempfile::TempDir;

// Whoever takes pages apart does it in one way.
#[path = "../../../xtask/src/docs/shell.rs"]
#[allow(dead_code, reason = "words are for those who parse them")]
mod shell;

/// How a line begins that is not run here, and who runs it.
const ELSEWHERE: &[(&str, &str)] = &[
    ("cargo xtask", "builds and tests: `.ci/run` does"),
    ("cargo test", "of a plugin from the template: the test of the four languages"),
    ("telepulse plugins build", "the same"),
    ("telepulse plugins dev", "the same"),
    ("npm ", "of the panel: `cargo xtask test` builds and tests it"),
    ("PARTS=", "the panel in a browser: its end-to-end test"),
    ("cd plugins/panel/app", "the same"),
    ("cd target/dist", "packages: `cargo xtask dist --check`"),
    ("sudo ", "the same"),
    ("tar -xzf", "the same"),
    ("bin/telepulse run", "the same"),
    ("bin/telepulse check", "the same"),
    ("asterisk -rx", "on an Asterisk machine: the end-to-end tests"),
    ("telepulse servers add pbx1 --host pbx.example", "by TLS: the end-to-end tests"),
    ("telepulse servers change", "the servers of the demo stay as they are: `operating`"),
    ("telepulse reload", "of a configuration, which the demo has none of: `operating`"),
    ("telepulse tokens revoke --user", "the demo's one user runs the others: `revocations`"),
    ("curl https://", "somebody else's server"),
    ("docker run", "somebody else's image; the tests of traces have a collector of their own"),
];

/// How a line begins that goes on until somebody ends it.
const ENDLESS: &[&str] = &[
    "telepulse events",
    "telepulse replay",
    "telepulse record --server pbx1 pbx1.amirec",
    "curl --fail-with-body -sS -N",
];

/// How a line begins that says no where something is wrong, as it is with passwords of a demo.
const FINDS: &[&str] = &["telepulse doctor", "set -a;"];

/// What stands for something else in a page, and what it is here.
const MEANT: &[(&str, &str)] = &[
    ("bin/telepulse ", "telepulse "),
    ("curl --fail ", "curl "),
    ("curl ", "curl --fail-with-body -sS "),
    ("admin:SECRET", "demo:demo"),
    ("ivr:TOKEN", "demo:demo"),
    ("TOKEN", "demo"),
    (" /etc/", " etc/"),
    ("~/", ""),
    ("--for 10m", "--for 2s"),
    (" data/audit.jsonl", " ../tmp/telepulse-demo-*/data/audit.jsonl"),
    (
        "unrevoke 5d1c0b7a9e2f4431",
        "unrevoke $(curl -sS http://127.0.0.1:8082/revocations | grep -o '\"id\":\"[^\"]*' | head -1 | cut -d'\"' -f4)",
    ),
];

/// The demo, with a network for itself.
struct Demo {
    process: Child,
    /// It still says something after what it is asked to say: somebody has to listen.
    _said: Lines<BufReader<ChildStdout>>,
    folder: TempDir,
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

impl Demo {
    fn start() -> Self {
        // Below the SDK, which new plugins look for.
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let plugins = folder.path().join("plugins.d");
        fs::create_dir_all(folder.path().join("tmp")).unwrap();
        fs::create_dir_all(&plugins).unwrap();
        for name in ["websocket", "rest", "calldata", "crm"] {
            let toml = fs::read_to_string(root().join(format!("plugins/{name}/{name}.toml")));
            // As the page of the call data has it.
            let toml = toml.unwrap().replace("DNIS-ANI = []", "DNIS-ANI = [\"5550100-5550199\"]");
            fs::write(plugins.join(name).with_extension("toml"), toml).unwrap();
            let built = format!("target/plugins/wasm32-wasip2/plugin/telepulse_plugin_{name}.wasm");
            fs::copy(root().join(built), plugins.join(name).with_extension("wasm")).unwrap();
        }
        let mut demo = Command::new("unshare");
        demo.args(["--net", "bash", "-c", "ip link set lo up && exec \"$@\"", "demo"])
            .args([env!("CARGO_BIN_EXE_telepulse"), "demo", "--seed", "1", "--plugins"])
            .arg(&plugins)
            .env("TMPDIR", folder.path().join("tmp"))
            .env("PBX1_SECRET", "simulated")
            .stdout(Stdio::piped());
        let mut process = demo.spawn().unwrap();
        // It says how it is used when all of it is there.
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let is_ready = said.by_ref().any(|line| line.unwrap().contains("Ctrl-C stops it"));
        assert!(is_ready, "the demo did not start");
        Self { process, _said: said, folder }
    }

    /// Runs a line where the demo is; after so many seconds it is ended.
    fn run(&self, folder: &Path, line: &str, seconds: u32) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_telepulse")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        Command::new("nsenter")
            .arg(format!("--net=/proc/{}/ns/net", self.process.id()))
            .args(["timeout", "--signal=INT", "--kill-after=5", &seconds.to_string()])
            .args(["bash", "-o", "pipefail", "-c", line])
            .env("PATH", path)
            .env("HOME", folder)
            .env("PBX1_SECRET", "simulated")
            .current_dir(folder)
            .output()
            .unwrap()
    }

    /// Where the first simulated server listens.
    fn port(&self) -> String {
        let line = "telepulse servers list --json | jq .items[0].port";
        let port = self.run(self.folder.path(), line, 10);
        String::from_utf8(port.stdout).unwrap().trim().to_owned()
    }

    /// A page's own folder, with what stands in an installation's.
    fn desk(&self, page: &str, port: &str) -> PathBuf {
        let desk = self.folder.path().join(page);
        copied(&root().join("config"), &desk.join("config"));
        let mut config = OpenOptions::new();
        let config = config.append(true).open(desk.join("config/telepulse.toml"));
        let server = format!(
            "[[server]]\nid = 'pbx1'\nhost = '127.0.0.1'\nport = {port}\n\
             username = 'telepulse'\nsecret = 'simulated'\n"
        );
        config.unwrap().write_all(server.as_bytes()).unwrap();
        copied(&root().join("tests/asterisk"), &desk.join("etc/asterisk"));
        for folder in ["etc/bash_completion.d", ".zfunc", ".config/fish/completions"] {
            fs::create_dir_all(desk.join(folder)).unwrap();
        }
        fs::create_dir_all(desk.join("etc/telepulse")).unwrap();
        fs::write(desk.join("etc/telepulse/environment"), "PBX1_SECRET=simulated\n").unwrap();
        fs::write(desk.join("contacts.csv"), "number,name\n+15550100,Ana\n").unwrap();
        desk
    }
}

fn begins(line: &str, with: &str) -> bool {
    line.strip_prefix("bin/").unwrap_or(line).starts_with(with) || line.starts_with(with)
}

fn is_choosy(line: &str) -> bool {
    line.contains(" | ") || line.contains("--filter")
}

/// The book's pages and the first of all.
fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> = docs.filter(|path| path.extension() == Some("md".as_ref())).collect();
    pages.push(root().join("README.md"));
    pages.sort();
    pages
}

/// What a line means here: its places, names and numbers are those of the demo.
fn meant(line: &str, port: &str, pid: &str) -> String {
    let mut meant = line.replace("192.0.2.10", &format!("127.0.0.1 --port {port}"));
    for (there, here) in MEANT {
        meant = meant.replace(there, here);
    }
    // The demo has two.
    meant
        .replace("servers add pbx1", "servers add pbx3")
        .replace("-HUP PID", &format!("-HUP {pid}"))
}

#[test]
fn commands_that_pages_show_do_what_they_say() {
    let demo = Demo::start();
    let (port, pid) = (demo.port(), demo.process.id().to_string());
    let (mut run, mut wrong, mut used) = (0, Vec::new(), vec![false; ELSEWHERE.len()]);
    for page in pages() {
        let name = page.file_stem().unwrap().to_str().unwrap();
        let desk = demo.desk(name, &port);
        for line in shell::lines(&fs::read_to_string(&page).unwrap()) {
            if let Some(place) = ELSEWHERE.iter().position(|(start, _)| begins(&line, start)) {
                used[place] = true;
                continue;
            }
            let meant = meant(&line, &port, &pid);
            let is = |starts: &[&str]| starts.iter().any(|start| meant.starts_with(start));
            let (is_endless, finds) = (is(ENDLESS), is(FINDS));
            let Output { status, stdout, stderr } =
                demo.run(&desk, &meant, if is_endless { 3 } else { 30 });
            run += 1;
            let has_said = !stdout.is_empty() || !stderr.is_empty();
            let is_good = match status.code() {
                Some(0) => !is_endless,
                Some(1) => finds && has_said,
                // Ended by us; who asks for little, or through a pipe, may have heard nothing so far.
                Some(124) => is_endless && (has_said || is_choosy(&meant)),
                _ => false,
            };
            if meant.starts_with("telepulse servers add") {
                // It has the same phones as the first: nobody would know whose are meant.
                demo.run(&desk, "telepulse servers remove pbx3", 10);
            }
            if !is_good {
                let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
                wrong.push(format!(
                    "{name}: {line}\n  as: {meant}\n  {status}\n{}\n{}",
                    told(&stdout),
                    told(&stderr)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {run}:\n{}", wrong.len(), wrong.join("\n\n"));
    let unused: Vec<_> =
        ELSEWHERE.iter().zip(used).filter(|(_, used)| !used).map(|(it, _)| it.0).collect();
    assert!(unused.is_empty(), "no page shows {unused:?} any more");
    assert!(run > 30, "the pages show {run} commands: are they still found?");
}
