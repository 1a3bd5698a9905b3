//! The program as it is called: what it prints, where, and how it ends.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use axum::{
    Json, Router,
    extract::Path,
    http::{HeaderMap, StatusCode},
    routing::{get, post, put},
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::{
    Message,
    handshake::server::{Request, Response},
    protocol::{CloseFrame, frame::coding::CloseCode},
};

/// The program in a folder of its own, with nothing of our environment.
fn program(folder: &TempDir, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_telepulse"));
    command.args(words).current_dir(folder.path()).env_clear().stdin(Stdio::null());
    command
}

/// Runs it to its end; the calling runtime keeps serving.
async fn output(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

async fn call(words: &[&str]) -> (Option<i32>, String, String) {
    output(program(&TempDir::new().unwrap(), words)).await
}

#[tokio::test]
async fn usage_teaches_and_exits_with_2() {
    let (code, help, _) = call(&["--help"]).await;
    assert_eq!(code, Some(0));
    for word in ["demo", "events --token demo", "Exit codes"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    for words in [&["explode"][..], &["run", "--colour"], &["servers", "add"], &[]] {
        let (code, out, error) = call(words).await;
        assert_eq!((code, out.as_str()), (Some(2), ""), "{words:?}");
        assert!(error.contains("Usage: "), "{error}");
    }
}

#[tokio::test]
async fn check_tells_all_mistakes() {
    let folder = TempDir::new().unwrap();
    let words = ["check", "--config", "config/telepulse.toml"];
    let (code, _, error) = output(program(&folder, &words)).await;
    assert_eq!(code, Some(1));
    assert!(error.contains("config/telepulse.toml: cannot be read"), "{error}");

    std::fs::create_dir(folder.path().join("config")).unwrap();
    let file = folder.path().join("config/telepulse.toml");
    std::fs::write(&file, "[log]\nlevle = 'info'\n[bus]\nhistory = 0\n").unwrap();
    let (code, out, error) = output(program(&folder, &["check"])).await;
    assert_eq!((code, out.as_str()), (Some(1), ""));
    let expected = "telepulse: the configuration has 2 mistakes\n\
        config/telepulse.toml:2: log.levle: is unknown; do you mean \"level\"?\n\
        config/telepulse.toml:4: bus.history: must be a whole number from 1 to 10000000, without quotes\n";
    assert_eq!(error, expected);

    std::fs::write(&file, "").unwrap();
    let (code, out, error) = output(program(&folder, &["check"])).await;
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert_eq!(out, "config/telepulse.toml: good; servers: 0, users: 0\n");
    let mut overridden = program(&folder, &["check"]);
    overridden.env("TELEPULSE_LOG__LEVEL", "loud");
    let (code, _, error) = output(overridden).await;
    assert_eq!(code, Some(1));
    assert!(error.contains("environment variable TELEPULSE_LOG__LEVEL: log.level"), "{error}");
}

#[tokio::test]
async fn tokens_differ() {
    let tokens = [call(&["token"]).await, call(&["token"]).await];
    assert!(tokens.iter().all(|(code, out, _)| *code == Some(0) && out.contains("\"sha256:")));
    assert_ne!(tokens[0].1, tokens[1].1);
}

#[test]
fn run_reads_again_on_sighup_and_ends_well_on_sigterm() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("plugins.d")).unwrap();
    std::fs::write(folder.path().join("x.toml"), "[admin]\nlisten = '127.0.0.1:0'\n").unwrap();
    let mut child =
        program(&folder, &["run", "--config", "x.toml"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let running = log.by_ref().any(|line| line.unwrap().contains("running config=x.toml"));
    assert!(running, "it says that it runs");
    let id = child.id().to_string();
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    };
    // Read again: once with a mistake, once well.
    for (text, told) in [
        ("[admin]\nlisten = 'x'\n", "the configuration stays as it was: "),
        (
            "[commands]\nperSecond = 5\n[admin]\nlisten = '127.0.0.1:0'\n",
            "other limits on commands",
        ),
    ] {
        std::fs::write(folder.path().join("x.toml"), text).unwrap();
        signal("-HUP");
        assert!(log.by_ref().any(|line| line.unwrap().contains(told)), "{told}");
    }
    let began = Instant::now();
    signal("-TERM");
    let rest: Vec<_> = log.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest:?}");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn without_a_running_telepulse_clients_say_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (http, ws) = (format!("http://{address}"), format!("ws://{address}/"));
    for words in [
        &["servers", "list", "--admin", &http][..],
        &["plugins", "list", "--admin", &http],
        &["events", "--token", "t", "--url", &ws],
    ] {
        let (code, out, error) = call(words).await;
        assert_eq!((code, out.as_str()), (Some(1), ""), "{error}");
        assert!(error.contains("unning?") && error.contains("Connection refused"), "{error}");
    }
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = tokio_util::sync::CancellationToken::new();
    tokio::spawn(telepulse::admin::serve(listener, router, None, shutdown));
    format!("http://{address}")
}

#[tokio::test]
async fn servers_are_added_and_listed() {
    let items =
        json!({ "items": [{ "id": "pbx1", "host": "h", "port": 5038, "state": "CONNECTED" }] });
    let router = Router::new().route(
        "/servers",
        get(async move |headers: HeaderMap| {
            assert_eq!(headers["authorization"], "Bearer the-token");
            Json(items)
        })
        .post(async |Json(body): Json<Value>| {
            let good =
                json!({ "id": "pbx1", "host": "h", "username": "u", "secret": "from outside" });
            if body == good {
                (StatusCode::CREATED, Json(json!({ "state": "CONNECTING" })))
            } else {
                let problem = json!({ "detail": "is wrong\u{1b}[2J", "field": "port" });
                (StatusCode::BAD_REQUEST, Json(problem))
            }
        }),
    );
    let url = serve(router).await;
    let folder = TempDir::new().unwrap();
    let call = async |words: &[&str]| {
        let mut command = program(&folder, words);
        command.args(["--admin", &url]).env("TELEPULSE_ADMIN_TOKEN", "the-token");
        output({
            command.env("SECRET", "from outside");
            command
        })
        .await
    };
    let (code, out, error) = call(&["servers", "list"]).await;
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let expected = "ID    HOST  PORT  STATE      ASTERISK  SINCE  REASON\n\
                    pbx1  h     5038  CONNECTED  -         -      -\n";
    assert_eq!(out, expected);
    let add = ["servers", "add", "pbx1", "--host=h", "--username=u", "--secret=env:SECRET"];
    let (code, out, _) = call(&add).await;
    let told = "server pbx1: added\nserver pbx1: it is CONNECTING\n";
    assert_eq!((code, out.as_str()), (Some(0), told));
    let (code, _, error) = call(&[&add[..], &["--port=1"]].concat()).await;
    assert_eq!((code, error.as_str()), (Some(1), "telepulse: port: is wrong\\u001b[2J\n"));
    let (code, _, error) =
        call(&["servers", "add", "x", "--host=h", "--username=u", "--secret=s"]).await;
    assert_eq!(code, Some(2), "{error}");
}

#[tokio::test]
async fn plugins_are_ordered_and_installed() {
    let router = Router::new()
        .route(
            "/plugins/{name}/reload",
            post(async |Path(name): Path<String>| {
                let failed = json!({ "name": name, "state": "failed", "error": "it traps" });
                Json(if name == "bad" {
                    failed
                } else {
                    json!({ "name": name, "state": "running" })
                })
            }),
        )
        .route(
            "/plugins/{name}",
            put(async |Path(name): Path<String>, body: axum::body::Bytes| {
                assert_eq!(&body[..], b"component");
                Json(json!({ "name": name, "state": "waiting", "missing": ["kv"] }))
            }),
        );
    let url = serve(router).await;
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("crm.wasm"), b"component").unwrap();
    for (words, code, out, error) in [
        (&["plugins", "reload", "rest"][..], 0, "plugin rest is running\n", ""),
        (&["plugins", "reload", "bad"], 1, "", "telepulse: plugin bad is failed: it traps\n"),
        (
            &["plugins", "install", "crm.wasm"],
            0,
            "plugin crm is waiting: it lacks grants: kv\n",
            "",
        ),
        // It stays one segment of the path.
        (&["plugins", "reload", "../x"], 0, "plugin ../x is running\n", ""),
    ] {
        let mut command = program(&folder, words);
        command.args(["--admin", &url]);
        let expected = (Some(code), out.to_owned(), error.to_owned());
        assert_eq!(output(command).await, expected, "{words:?}");
    }
}

/// A gateway that sends `frames` to one client once it has subscribed, then closes with `code`.
async fn gateway(frames: Vec<String>, code: u16) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "tungstenite's signature")]
        let check = |request: &Request, response: Response| {
            assert_eq!(request.headers()["authorization"], "Bearer the-token");
            Ok(response)
        };
        let mut socket = tokio_tungstenite::accept_hdr_async(stream, check).await.unwrap();
        let subscribe: Value = match socket.next().await {
            Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(subscribe["action"], "subscribe");
        assert_eq!(subscribe["filter"], json!({ "queues": ["sales"] }));
        for frame in frames {
            socket.send(Message::text(frame)).await.unwrap();
        }
        let close = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        socket.close(Some(close)).await.unwrap();
        while socket.next().await.is_some() {}
    });
    address
}

async fn tail(frames: &[&str], code: u16) -> (Option<i32>, String, String) {
    let frames = frames.iter().map(ToString::to_string).collect();
    let url = format!("ws://{}/", gateway(frames, code).await);
    let folder = TempDir::new().unwrap();
    let filter = r#"{"queues":["sales"]}"#;
    let mut command = program(&folder, &["events", "--url", &url, "--filter", filter]);
    command.env("TELEPULSE_TOKEN", "the-token");
    output(command).await
}

#[tokio::test]
async fn events_are_printed_as_they_come() {
    let reply = r#"{"id":"events","ok":true,"result":{"seq":1,"epoch":"e"}}"#;
    let event = "{\"event\":\"queueCaller\",\"name\":\"a\u{9b}b\"}";
    let (code, out, error) = tail(&[reply, event, event], 1012).await;
    let line = "{\"event\":\"queueCaller\",\"name\":\"a\\u009bb\"}\n";
    assert_eq!((code, out), (Some(1), line.repeat(2)));
    assert_eq!(error, "telepulse: TelePulse stops\n");
}

#[tokio::test]
async fn a_refused_tail_says_why() {
    let (code, out, error) = tail(&[], 4401).await;
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(error.contains("the token is wrong"), "{error}");
    let refusal = r#"{"id":"events","ok":false,"error":{"code":"forbidden","message":"not you"}}"#;
    let (code, _, error) = tail(&[refusal], 1000).await;
    assert_eq!((code, error.as_str()), (Some(1), "telepulse: the gateway refuses: not you\n"));
}
