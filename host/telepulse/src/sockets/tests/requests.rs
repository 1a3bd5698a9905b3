//! HTTP requests on their way to plugins.

use super::*;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

/// Answers what it was asked.
struct Echo(&'static str);

impl HttpHandler for Echo {
    fn handle(
        &self,
        request: http::Request<Body>,
        principal: Option<Arc<Principal>>,
    ) -> BoxFuture<'static, Result<http::Response<Body>, HttpFailure>> {
        let plugin = self.0;
        Box::pin(async move {
            match request.uri().path() {
                "/v1/stopped" => return Err(HttpFailure::NotRunning),
                "/v1/trapped" => return Err(HttpFailure::Failed),
                "/v1/stuck" => return Err(HttpFailure::TimedOut),
                "/v1/whole" => {
                    let read = request.into_body().collect().await.map(drop);
                    let error = read.expect_err("it is not whole");
                    let told = error.downcast_ref().copied().unwrap_or(BodyFailure::Broken);
                    return Err(HttpFailure::Body(told));
                }
                _ => {}
            }
            let (head, body) = request.into_parts();
            let body = match body.collect().await {
                Ok(body) => body.to_bytes().len().to_string(),
                Err(error) => error.to_string(),
            };
            let told = json!({
                "plugin": plugin,
                "path": head.uri.path(),
                "who": principal.map(|who| who.name.clone()),
                "authorization": head.headers.contains_key("authorization"),
                "body": body,
            });
            Ok(http::Response::new(super::super::problem::full(told.to_string())))
        })
    }
}

async fn start(settings: Settings) -> (Host, [Guard; 2]) {
    let host = Host::start(settings);
    let listeners = &host.ports.listeners;
    let panel = listeners.http("panel", LISTEN, "/", Arc::new(Echo("panel"))).await.unwrap();
    let rest = listeners.http("rest", LISTEN, "/v1", Arc::new(Echo("rest"))).await.unwrap();
    (host, [panel, rest])
}

/// The answer to a request: status, headers, and body as JSON where it is some.
async fn ask(host: &Host, request: &str) -> (u16, String, Value) {
    let mut tcp = host.tcp().await;
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(tcp.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head[9..12].parse().unwrap();
    (status, head.to_ascii_lowercase(), serde_json::from_str(body).unwrap_or_default())
}

async fn get(host: &Host, path: &str, headers: &str) -> (u16, String, Value) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    ask(host, &request).await
}

#[tokio::test]
async fn the_longest_path_answers_and_learns_who_asks() {
    let (host, _guards) = start(Settings::default()).await;
    let (_, _, told) = get(&host, "/", "").await;
    assert_eq!((&told["plugin"], &told["who"]), (&json!("panel"), &Value::Null));
    let basic = "Authorization: Basic YW5hOnMzY3JldA==\r\n";
    let bearer = "Authorization: Bearer s3cret\r\n";
    for login in [basic, bearer] {
        let (status, _, told) = get(&host, "/v1/calls", login).await;
        let expected = json!({
            "plugin": "rest", "path": "/v1/calls", "who": "ana",
            "authorization": false, "body": "0",
        });
        assert_eq!((status, told), (200, expected));
    }
}

#[tokio::test]
async fn a_bad_login_is_not_handed_over_and_guessing_ends() {
    let (host, _guards) = start(Settings::default()).await;
    let wrong = "Authorization: Basic YW5hOndyb25n\r\n";
    let (status, head, problem) = get(&host, "/v1/calls", wrong).await;
    assert_eq!((status, &problem["code"]), (401, &json!("unauthorized")));
    assert!(head.contains("www-authenticate: basic realm="), "{head}");
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    let mut tries = 1;
    loop {
        let (status, head, _) = get(&host, "/v1/calls", wrong).await;
        if status == 429 {
            assert!(head.contains("retry-after: "), "{head}");
            break;
        }
        assert_eq!(status, 401);
        tries += 1;
        assert!(tries < 100, "it never ends");
    }
    let (status, _, _) = get(&host, "/v1/calls", "Authorization: Bearer s3cret\r\n").await;
    assert_eq!(status, 200, "a good token is good whatever others try");
    let (status, _, _) = get(&host, "/?access_token=s3cret", "").await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn what_a_plugin_cannot_answer_the_host_does() {
    let (host, [panel, _rest]) = start(Settings::default()).await;
    for (path, status, code, comes_again) in [
        ("/v1/stopped", 503, "serverUnavailable", true),
        ("/v1/trapped", 500, "internal", false),
        ("/v1/stuck", 504, "timeout", false),
    ] {
        let (got, head, problem) = get(&host, path, "").await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{problem}");
        assert_eq!(head.contains("retry-after: "), comes_again, "{head}");
    }
    drop(panel);
    let (status, _, problem) = get(&host, "/elsewhere", "").await;
    assert_eq!((status, &problem["code"]), (404, &json!("notFound")));
}

#[tokio::test]
async fn who_comes_before_the_plugin_is_told_to_come_again() {
    let host = Host::start(Settings::default());
    let listeners = &host.ports.listeners;
    let announced = listeners.announce("rest", LISTEN, "/v1").await.unwrap();
    let _panel = listeners.http("panel", LISTEN, "/", Arc::new(Echo("panel"))).await.unwrap();
    for path in ["/v1", "/v1/calls"] {
        let (status, head, problem) = get(&host, path, "").await;
        assert_eq!((status, &problem["code"]), (503, &json!("serverUnavailable")));
        assert!(head.contains("retry-after: 5"), "{head}");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.starts_with("rest: the plugin is not running"), "{detail}");
    }
    assert_eq!(get(&host, "/", "").await.2["plugin"], "panel");
    let _rest = listeners.http("rest", LISTEN, "/v1", Arc::new(Echo("rest"))).await.unwrap();
    drop(announced);
    assert_eq!(get(&host, "/v1/calls", "").await.2["plugin"], "rest");
}

/// Answers with more than anybody reads, and says when it is let go of.
struct Endless(Arc<()>);

impl HttpHandler for Endless {
    fn handle(
        &self,
        _: http::Request<Body>,
        _: Option<Arc<Principal>>,
    ) -> BoxFuture<'static, Result<http::Response<Body>, HttpFailure>> {
        // It is held as an open file would be.
        let more = futures_util::stream::unfold(self.0.clone(), async |held| {
            let piece = hyper::body::Frame::data(Bytes::from(vec![0; 64 << 10]));
            Some((Ok(piece), held))
        });
        let body = http_body_util::StreamBody::new(more).boxed_unsync();
        Box::pin(std::future::ready(Ok(http::Response::new(body))))
    }
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_is_let_go() {
    let idle_timeout = Duration::from_secs(1);
    let host = Host::start(Settings { idle_timeout, ..Settings::default() });
    let held = Arc::new(());
    let handler = Arc::new(Endless(held.clone()));
    let _guard = host.ports.listeners.http("files", LISTEN, "/", handler).await.unwrap();
    let begin = async || {
        let mut tcp = host.tcp().await;
        tcp.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut head = [0; 12];
        soon(tcp.read_exact(&mut head)).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        tcp
    };
    let (idle, mut reader) = (begin().await, begin().await);
    assert_eq!(Arc::strong_count(&held), 4, "each answer holds it, as we and the plugin do");
    let reading = async {
        let mut some = vec![0; 64 << 10];
        loop {
            assert!(reader.read(&mut some).await.unwrap() > 0, "it reads, and is served");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let given_up = async {
        while Arc::strong_count(&held) > 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = soon(given_up) => {}
        () = reading => {}
    }
    drop(idle);
}

#[tokio::test]
async fn bodies_are_bounded_in_size_and_time() {
    let body_timeout = Duration::from_millis(200);
    let (host, _guards) =
        start(Settings { body_timeout, body_bytes: 100, ..Settings::default() }).await;
    let post = |headers: &str, body: &str| {
        format!("POST /v1/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n\r\n{body}")
    };
    let (_, _, told) = ask(&host, &post("Content-Length: 5", "hello")).await;
    assert_eq!(told["body"], "5");
    let (status, _, _) = ask(&host, &post("Content-Length: 101", "")).await;
    assert_eq!(status, 413);
    let chunk = format!("65\r\n{}\r\n0\r\n\r\n", "x".repeat(0x65));
    let (_, _, told) = ask(&host, &post("Transfer-Encoding: chunked", &chunk)).await;
    assert_eq!(told["body"], "a body may have 100 bytes");
    let (_, _, told) = ask(&host, &post("Content-Length: 5", "he")).await;
    assert_eq!(told["body"], "the body took longer than 200ms");
    // Of a plugin that is handed whole requests the client hears what was wrong with its own.
    let whole = |headers: &str, body: &str| post(headers, body).replace("/v1/x", "/v1/whole");
    for (request, expected) in [
        (whole("Transfer-Encoding: chunked", &chunk), (413, "badRequest")),
        (whole("Content-Length: 5", "he"), (408, "timeout")),
        (whole("Transfer-Encoding: chunked", "no length\r\n"), (400, "badRequest")),
    ] {
        let (status, _, problem) = ask(&host, &request).await;
        assert_eq!((status, problem["code"].as_str()), (expected.0, Some(expected.1)), "{problem}");
    }
}

#[tokio::test]
async fn a_slow_head_is_closed_in_time() {
    let head_timeout = Duration::from_millis(300);
    let (host, _guards) = start(Settings { head_timeout, ..Settings::default() }).await;
    for beginning in ["", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
        let mut tcp = host.tcp().await;
        tcp.write_all(beginning.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let closed = soon(async {
            loop {
                tokio::select! {
                    read = tcp.read_buf(&mut answer) => if matches!(read, Ok(0) | Err(_)) { return },
                    () = tokio::time::sleep(Duration::from_millis(50)) => {
                        // A byte now and then must not keep it open.
                        if !beginning.is_empty() && tcp.write_all(b"x").await.is_err() {
                            return;
                        }
                    }
                }
            }
        });
        closed.await;
    }
    let many = "X: y\r\n".repeat(200);
    assert_eq!(get(&host, "/", &many).await.0, 431);
    let long = format!("X: {}\r\n", "y".repeat(20_000));
    assert_eq!(get(&host, "/", &long).await.0, 431);
}

#[tokio::test]
async fn a_taken_address_is_told() {
    let (host, _guards) = start(Settings::default()).await;
    let taken = host.address();
    let listeners = &host.ports.listeners;
    let error = listeners.http("x", taken, "/", Arc::new(Echo("x"))).await.map(|_| ()).unwrap_err();
    assert!(error.starts_with(&format!("cannot listen on {taken}: ")), "{error}");
    let error =
        listeners.http("x", LISTEN, "/v1", Arc::new(Echo("x"))).await.map(|_| ()).unwrap_err();
    assert_eq!(error, "on 127.0.0.1:0, /v1 belongs to plugin rest: give one of them another path");
}
