//! What operators call: doctor, top, reload, schema, completions; as it is printed, and how it ends.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Runs the program in a folder, with nothing of our environment.
fn call(folder: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_telepulse"));
    command.args(words).current_dir(folder).env_clear().stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

async fn call_beside(folder: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let (folder, words) = (folder.to_owned(), words.iter().map(ToString::to_string).collect());
    let work = move || {
        let words: Vec<String> = words;
        call(&folder, &words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// A port where nobody listens.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn what_is_printed_for_programs_is_json() {
    let folder = TempDir::new().unwrap();
    let json = |words: &[&str], code: i32| -> Value {
        let (ended, out, error) = call(folder.path(), words);
        assert_eq!((ended, error.as_str()), (Some(code), ""), "{words:?} {out}");
        serde_json::from_str(&out).unwrap()
    };
    std::fs::write(folder.path().join("good.toml"), "").unwrap();
    std::fs::write(folder.path().join("bad.toml"), "[log]\nlevle = 'x'\n").unwrap();
    assert_eq!(json(&["check", "--json", "--config", "good.toml"], 0)["ok"], true);
    let bad = json(&["check", "--json", "--config", "bad.toml"], 1);
    assert_eq!(bad["mistakes"][0]["where"], "bad.toml:2");
    let token = json(&["token", "--json"], 0);
    assert!(token["line"].as_str().is_some_and(|line| line.starts_with("sha256:")));
    let schema = json(&["schema"], 0);
    assert_eq!(schema["properties"]["log"]["additionalProperties"], false);
    let report = json(&["doctor", "--json", "--config", "bad.toml"], 1);
    assert_eq!(report["ok"], false);
    assert_eq!(report["findings"][0]["code"], "configuration");
}

#[test]
fn a_doctor_names_the_line_and_uses_no_colours_here() {
    let folder = TempDir::new().unwrap();
    let (port, admin) = (free_port(), free_port());
    let text = format!(
        "[[server]]\nid='pbx1'\nhost='127.0.0.1'\nport={port}\nusername='tp'\nsecret='amp111'\n\
         [admin]\nlisten='127.0.0.1:{admin}'\n"
    );
    std::fs::write(folder.path().join("x.toml"), text).unwrap();
    let (code, out, error) = call(folder.path(), &["doctor", "--config", "x.toml"]);
    assert_eq!((code, error.as_str()), (Some(1), ""));
    for expected in ["connection-refused", "enabled = yes", "guessable-secret", "no-plugins-folder"]
    {
        assert!(out.contains(expected), "{expected}: {out}");
    }
    assert!(!out.contains('\u{1b}') && !out.contains("amp111"), "{out}");
    let (code, _, error) =
        call(folder.path(), &["doctor", "--config", "x.toml", "--server", "other"]);
    assert_eq!((code, error.as_str()), (Some(1), "telepulse: x.toml has no server \"other\"\n"));
}

#[test]
fn shells_get_their_scripts() {
    let folder = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = call(folder.path(), &["completions", shell]);
        assert!(code == Some(0) && out.contains("doctor"), "{shell}");
    }
    assert_eq!(call(folder.path(), &["completions", "cmd"]).0, Some(2));
}

#[tokio::test]
async fn top_tells_it_once_where_no_terminal_is() {
    let figures = json!({
        "time": "2026-11-22T10:00:00.000Z", "version": "9", "events": 5, "clients": 1, "calls": 2,
        "servers": [{ "id": "pbx1", "state": "CONNECTED", "calls": 2, "eventsPerSecond": 1.5,
            "latencyMs": 2, "reconnects": 0, "eventsLeftOut": 0 }],
        "queues": [], "plugins": [],
    });
    let router = Router::new().route("/figures", get(async || Json(figures)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let shutdown = tokio_util::sync::CancellationToken::new();
    tokio::spawn(telepulse::admin::serve(listener, router, None, shutdown));
    let folder = TempDir::new().unwrap();
    let (code, out, _) = call_beside(folder.path(), &["top", "--admin", &url]).await;
    assert_eq!(code, Some(0));
    assert!(out.starts_with("TelePulse 9  calls 2  clients 1\n"), "{out}");
    assert!(out.contains("pbx1    CONNECTED  2      1.5       2 ms"), "{out}");
    let (_, out, _) = call_beside(folder.path(), &["top", "--json", "--admin", &url]).await;
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["calls"], 2);
}

/// Ended whatever becomes of the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that runs in a folder of its own, whose configuration is written anew.
struct Bench {
    folder: TempDir,
    port: u16,
    url: String,
}

impl Bench {
    /// Not started yet.
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("plugins.d")).unwrap();
        let port = free_port();
        Self { folder, port, url: format!("http://127.0.0.1:{port}") }
    }

    fn write(&self, more: &str) {
        let text = format!("[admin]\nlisten = '127.0.0.1:{}'\n{more}", self.port);
        std::fs::write(self.folder.path().join("x.toml"), text).unwrap();
    }

    fn start(&self) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_telepulse"));
        command.args(["run", "--config", "x.toml"]).current_dir(self.folder.path()).env_clear();
        let running = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let running = Running(running);
        let began = Instant::now();
        while self.admin(&["top"]).0 != Some(0) {
            assert!(began.elapsed() < Duration::from_secs(30), "it runs");
        }
        running
    }

    fn admin(&self, words: &[&str]) -> (Option<i32>, String, String) {
        call(self.folder.path(), &[words, &["--admin", &self.url]].concat())
    }
}

#[test]
fn a_reload_is_tried_then_used_and_a_bad_file_changes_nothing() {
    let bench = Bench::new();
    bench.write("");
    let _running = bench.start();
    let tried = bench.admin(&["reload", "--dry-run"]);
    assert_eq!(tried, (Some(0), "nothing differs\n".to_owned(), String::new()));
    let server = "[[server]]\nid='a'\nhost='127.0.0.1'\nport=1\nusername='u'\nsecret='a canary'\n";
    bench.write(&format!("{server}[log]\nlevel='debug'\n"));
    let (code, tried, _) = bench.admin(&["reload", "--dry-run"]);
    assert_eq!(code, Some(0));
    for expected in [
        "+ server.a.host: \"127.0.0.1\"\n",
        "+ server.a.secret: (hidden)\n",
        "~ log.level: \"info\" -> \"debug\"  (after a restart)\n",
        "nothing was changed: this was a trial\n",
    ] {
        assert!(tried.contains(expected), "{expected}: {tried}");
    }
    assert!(!tried.contains("canary"));
    let listed = || bench.admin(&["servers", "list"]).1;
    assert!(!listed().contains("127.0.0.1"), "a trial changes nothing");
    let (code, done, _) = bench.admin(&["reload"]);
    assert!(code == Some(0) && done.contains("in force: servers added: a"), "{done}");
    assert!(listed().contains("127.0.0.1"));
    bench.write("[log]\nlevel='loud'\n[bus]\nhistory=0\n");
    let (code, refused, _) = bench.admin(&["reload"]);
    assert_eq!(code, Some(1));
    assert!(
        refused.starts_with("nothing was changed; the configuration has mistakes:\n"),
        "{refused}"
    );
    assert!(refused.contains("x.toml:4: log.level") && refused.contains("x.toml:6: bus.history"));
    assert!(listed().contains("127.0.0.1"), "what was in force stays so");
}

#[test]
fn a_reload_says_which_servers_stay_as_the_admin_api_left_them() {
    let bench = Bench::new();
    let server = |id: &str, host: &str| {
        format!("[[server]]\nid='{id}'\nhost='{host}'\nport=1\nusername='u'\nsecret='s'\n")
    };
    // Over the admin API `a` was changed and `b` removed; `old` is of a version that took such patterns.
    let kept = |id: &str, extensions: &str| {
        json!({ "id": id, "host": "127.0.0.9", "port": 1, "username": "u", "secret": "s",
            "extensions": extensions })
    };
    let kept = json!({ "servers": [kept("a", "^1"), kept("old", "(")], "removed": ["b"] });
    let data = bench.folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("servers.json"), kept.to_string()).unwrap();
    bench.write(&server("a", "127.0.0.1"));
    let _running = bench.start();

    let more = ["a", "b", "c"].map(|id| server(id, "127.0.0.2")).concat();
    bench.write(&more);
    for words in [&["reload", "--dry-run"][..], &["reload"]] {
        let (code, told, _) = bench.admin(words);
        assert_eq!(code, Some(0), "{told}");
        for expected in [
            "~ server.a.host: \"127.0.0.1\" -> \"127.0.0.2\"  (no effect: servers.json holds)\n",
            "+ server.b.host: \"127.0.0.2\"  (no effect: servers.json holds)\n",
            "+ server.c.host: \"127.0.0.2\"\n",
        ] {
            assert!(told.contains(expected), "{expected}: {told}");
        }
    }
    let (_, listed, _) = bench.admin(&["servers", "list"]);
    assert!(listed.contains("127.0.0.9") && listed.contains("127.0.0.2"), "{listed}");
    assert!(!listed.lines().any(|line| line.starts_with("b ")), "{listed}");
    // What the two say of others is told, too.
    bench.write(&(more.replace("127.0.0.2", "127.0.0.3") + "[commands]\nperSecond = 5\n"));
    let (_, told, _) = bench.admin(&["reload"]);
    let done = "in force: servers changed: c; as the admin API left them, whatever the file says: \
                a, b; other limits on commands\n";
    assert!(told.ends_with(done), "{told}");
}

#[test]
fn a_server_is_changed_in_what_is_given_and_nothing_else() {
    let bench = Bench::new();
    bench.write("");
    let _running = bench.start();
    let secret = bench.folder.path().join("secret");
    std::fs::write(&secret, "a canary\n").unwrap();
    let secret = format!("--secret=file:{}", secret.display());
    let add = ["servers", "add", "a", "--host=127.0.0.1", "--port=1", "--username=u", &secret];
    let (code, told, wrong) = bench.admin(&add);
    assert_eq!(code, Some(0), "{wrong}");
    assert!(told.starts_with("server a: added\nserver a: it is "), "{told}");
    assert!(wrong.contains("telepulse servers change a --") || wrong.contains("manager.conf"));

    let change = ["servers", "change", "a", "--context=from-internal", "--max-calls=7"];
    let (code, told, wrong) = bench.admin(&change);
    assert!(code == Some(0) && told.starts_with("server a: changed; it is "), "{told}{wrong}");
    let (_, listed, _) = bench.admin(&["servers", "list", "--json"]);
    let server = &serde_json::from_str::<Value>(&listed).unwrap()["items"][0];
    for (key, expected) in [
        ("host", json!("127.0.0.1")),
        ("port", json!(1)),
        ("context", json!("from-internal")),
        ("maxCalls", json!(7)),
        ("device", json!("PJSIP/{ext}")),
    ] {
        assert_eq!(server[key], expected, "{key}");
    }
    // What is kept goes nowhere else.
    let (code, _, wrong) = bench.admin(&["servers", "change", "a", "--host=127.0.0.2"]);
    assert_eq!(code, Some(1));
    assert!(wrong.contains("secret: is needed") && !wrong.contains("canary"), "{wrong}");
    let (code, _, wrong) = bench.admin(&["servers", "change", "b", "--port=2"]);
    assert!(code == Some(1) && wrong.contains("there is no server"), "{wrong}");
}
