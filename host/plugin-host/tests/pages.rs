//! HTTP requests by `http-handler`: handed over whole, answered whole, files sent by the host.

mod support;

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use plugin_host::{
    State,
    ports::{Body, BodyError, BodyFailure, HttpFailure},
};
use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};
use support::{
    PATIENCE, Rig,
    guests::{guest, variant},
    world::World,
};

const GRANTS: &str = r#"
[grants]
request = ["test.ask"]
routes = [{ listen = "127.0.0.1:8083", path = "/" }]
FILES
[limits]
callMs = 200
"#;

async fn rig(name: &str) -> Rig {
    Rig::with(&[(name, &guest(name), &GRANTS.replace("FILES", ""))]).await
}

async fn rig_with(folder: &Path) -> Rig {
    let files = format!("files = [{{ path = \"{}\" }}]", folder.display());
    Rig::with(&[("page", &guest("page"), &GRANTS.replace("FILES", &files))]).await
}

async fn send(rig: &Rig, request: Request<Body>) -> Result<Response<Body>, HttpFailure> {
    rig.world.exchange("tester", "/", request).await
}

fn asking(method: Method, target: &str, body: &'static str) -> Request<Body> {
    Request::builder().method(method).uri(target).body(World::body(body)).expect("a request")
}

fn get(target: &str) -> Request<Body> {
    asking(Method::GET, target, "")
}

/// Status, a header, and the body as text.
async fn read(response: Response<Body>, header: &str) -> (u16, Option<String>, String) {
    let (head, body) = response.into_parts();
    let header = head.headers.get(header).map(|value| value.to_str().expect("text").to_owned());
    let body = body.collect().await.expect("a whole body").to_bytes();
    (head.status.as_u16(), header, String::from_utf8_lossy(&body).into_owned())
}

fn file(from: u64, length: u64, path: &Path) -> Request<Body> {
    get(&format!("/file/{from}/{length}{}", path.display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_handed_over_as_it_came() {
    let rig = rig("page").await;
    let request = Request::put("/a%20b/c?d=e&f")
        .header("Host", "test")
        .header("x-twice", "a")
        .header("x-twice", "b")
        .header("x-bytes", &b"\xff\xfe"[..])
        .body(World::body("hello"))
        .unwrap();
    let answer = read(send(&rig, request).await.unwrap(), "x-page").await;
    let expected = "PUT /a%20b/c?d=e&f\nhost: test\nx-twice: a\nx-twice: b\n\
                    x-bytes: \u{fffd}\u{fffd}\nhello";
    assert_eq!(answer, (200, Some("yes".to_owned()), expected.to_owned()));
    let pieces = ["in ", "pieces"].map(|piece| Ok(Frame::data(Bytes::from(piece))));
    let body: Body = StreamBody::new(stream::iter(pieces)).boxed_unsync();
    let request = Request::post("/x").body(body).unwrap();
    let answer = read(send(&rig, request).await.unwrap(), "x-page").await;
    assert_eq!(answer.2, "POST /x\nin pieces");
    assert_eq!(rig.world.get("/", "/ask").await, Ok((200, "page asks for tester".to_owned())));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn some_answers_have_no_content() {
    let rig = rig("page").await;
    let answer = send(&rig, asking(Method::HEAD, "/x", "")).await.unwrap();
    assert_eq!(read(answer, "content-length").await, (200, Some("8".to_owned()), String::new()));
    for status in [204, 304] {
        let answer = send(&rig, get(&format!("/status/{status}"))).await.unwrap();
        assert_eq!(read(answer, "content-length").await, (status, None, String::new()));
    }
    let answer = send(&rig, get("/status/599")).await.unwrap();
    assert_eq!(read(answer, "content-length").await, (599, None, "some".to_owned()));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_is_the_plugins_failure() {
    let rig = rig("page").await;
    for target in ["/status/42", "/status/101", "/status/1000", "/trap", "/loop"] {
        let failed = send(&rig, get(target)).await.map(|_| ());
        assert_eq!(failed, Err(HttpFailure::Failed), "{target}");
    }
    let odd = [
        "a b=c",
        "x=a\r\nb: c",
        "transfer-encoding=chunked",
        "Connection=close",
        "content-length=4",
    ];
    for header in odd {
        let failed = send(&rig, asking(Method::POST, "/header", header)).await.map(|_| ());
        assert_eq!(failed, Err(HttpFailure::Failed), "{header}");
    }
    for header in ["X-Good=yes", "content-length=5"] {
        let answer = send(&rig, asking(Method::POST, "/header", header)).await.unwrap();
        assert_eq!(read(answer, "x-good").await.2, "hello");
    }
    let figures = rig.figures("page", |it| it.request_failures == 10).await;
    assert_eq!((figures.requests, figures.timeouts, figures.restarts), (12, 1, 0));
    assert_eq!(rig.host.show("page").unwrap().state, State::Running);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_all_there_reaches_no_guest() {
    let rig = rig("page").await;
    let (long, slow) = (BodyFailure::TooLong(9), BodyFailure::TooSlow(Duration::from_secs(1)));
    let gone: BodyError = std::io::Error::other("reset").into();
    let cases = [(long.into(), long), (slow.into(), slow), (gone, BodyFailure::Broken)];
    for (error, expected) in cases {
        let pieces = [Ok(Frame::data(Bytes::from("he"))), Err(error)];
        let body: Body = StreamBody::new(stream::iter(pieces)).boxed_unsync();
        let failed = send(&rig, Request::post("/trap").body(body).unwrap()).await.map(|_| ());
        assert_eq!(failed, Err(HttpFailure::Body(expected)));
    }
    // Many who never send theirs keep nobody from being served.
    let slow = (0..100).map(|_| {
        let body: Body = StreamBody::new(stream::pending()).boxed_unsync();
        let (world, request) = (rig.world.clone(), Request::post("/x").body(body).unwrap());
        tokio::spawn(async move { world.exchange("tester", "/", request).await.is_ok() })
    });
    let slow: Vec<_> = slow.collect();
    assert_eq!(rig.world.get("/", "/count").await, Ok((200, "0".to_owned())));
    slow.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!(rig.figures("page", |it| it.requests >= 4).await.request_failures, 0);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_serves_again_and_acts_for_whoever_asks() {
    let rig = rig("page").await;
    for count in 0..3 {
        assert_eq!(rig.world.get("/", "/count").await, Ok((200, count.to_string())));
    }
    for name in ["ana", "bob"] {
        let answer = rig.world.get_as(name, "/", "/ask").await;
        assert_eq!(answer, Ok((200, format!("page asks for {name}"))));
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_file_is_sent_if_the_plugin_could_open_it() {
    let dir = tempfile::tempdir().unwrap();
    let inside = dir.path().join("inside");
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join("a"), "0123456789").unwrap();
    fs::write(dir.path().join("secret"), "the secret").unwrap();
    symlink("a", inside.join("link")).unwrap();
    symlink("../secret", inside.join("relative")).unwrap();
    symlink(dir.path().join("secret"), inside.join("absolute")).unwrap();
    let rig = rig_with(&inside).await;
    for (from, length, path, expected) in
        [(2, 3, "a", "head:234"), (0, 10, "link", "head:0123456789"), (10, 0, "a", "head:")]
    {
        let answer = send(&rig, file(from, length, &inside.join(path))).await.unwrap();
        let told = Some(expected.len().to_string());
        assert_eq!(read(answer, "content-length").await, (200, told, expected.to_owned()));
    }
    let head = Request::head(format!("/file/0/4{}", inside.join("a").display()));
    let answer = send(&rig, head.body(World::body("")).unwrap()).await.unwrap();
    assert_eq!(read(answer, "content-length").await, (200, Some("9".to_owned()), String::new()));

    let below = ["../secret", "relative", "absolute", "missing", "."].map(|it| inside.join(it));
    let elsewhere = [dir.path().join("secret"), "/etc/passwd".into()];
    for path in below.into_iter().chain(elsewhere) {
        let answer = send(&rig, file(0, 1, &path)).await.unwrap();
        assert_eq!(read(answer, "x-page").await, (404, None, String::new()), "{path:?}");
    }
    let failed = send(&rig, file(5, 6, &inside.join("a"))).await.map(|_| ());
    assert_eq!(failed, Err(HttpFailure::Failed), "so much is not there");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_downloads_slowly_keeps_nobody_waiting() {
    const LENGTH: u64 = 300_000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large");
    fs::write(&path, vec![b'x'; 300_000]).unwrap();
    let rig = rig_with(dir.path()).await;
    let mut downloads = Vec::new();
    // More than are handled at a time, and none of them is read.
    for _ in 0..100 {
        downloads.push(send(&rig, file(0, LENGTH, &path)).await.unwrap());
    }
    let asked = tokio::time::timeout(PATIENCE, rig.world.get("/", "/count")).await;
    assert_eq!(asked, Ok(Ok((200, "0".to_owned()))));
    // What was opened is sent, whatever becomes of it.
    fs::remove_file(&path).unwrap();
    for download in downloads {
        assert_eq!(read(download, "x-page").await.2.len(), 300_005);
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_go_on_through_swaps() {
    let rig = rig("page").await;
    let (world, wasm) = (rig.world.clone(), guest("page"));
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let load = tokio::spawn(async move {
        let mut answers = 0;
        while stopped.try_recv().is_err() {
            assert_eq!(world.get("/", "/status/200").await, Ok((200, "some".to_owned())));
            answers += 1;
        }
        answers
    });
    for number in 1..=5 {
        let next = variant(&wasm, number);
        rig.put("page.wasm", &next);
        rig.runs("page", &next).await;
    }
    stop.send(()).unwrap();
    assert!(load.await.unwrap() > 0);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_both_is_called_whole() {
    let rig = rig("both").await;
    assert_eq!(rig.world.get("/", "/").await, Ok((200, "whole".to_owned())));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_grant_it_waits() {
    let rig = Rig::with(&[("page", &guest("page"), "[grants]\nrequest = [\"test.ask\"]\n")]).await;
    let status = rig.host.show("page").unwrap();
    assert_eq!((status.state, status.missing), (State::Waiting, vec!["routes".to_owned()]));
    rig.stop().await;
}
