//! What is listed, found and heard.

use super::Desk;
use crate::api::handle;
use serde_json::{Value, json};
use std::{fs, path::PathBuf, time::Duration};
use telepulse_plugin_sdk::http::{Request, Response};

/// A folder of recordings, for one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("recordings-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn settings(&self) -> (&'static str, Value) {
        ("folders", json!([{"path": self.0, "asterisk": "/spool"}]))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn get(target: &str) -> Request {
    asked_by(&json!({"name": "ann", "allow": ["recordings"]}), target)
}

fn asked_by(who: &Value, target: &str) -> Request {
    Request::new("GET", target).with_header("telepulse-principal", &who.to_string())
}

pub(super) fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_default()
}

fn found(target: &str) -> Vec<String> {
    let response = handle(&get(target));
    let body = body(&response);
    assert_eq!(response.status, 200, "{target}: {body}");
    let items = body["items"].as_array().unwrap();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn recordings_are_found_by_what_is_known_of_them() {
    let mut desk = Desk::new(&json!([{"name": "sales rule", "queues": ["sales"]}]));
    let file = desk.records("c1");
    desk.ends("c1", &[&file]);
    desk.advance(60_000);
    desk.rings("c2", "202", "support");
    desk.answers("c2", "202", "support");
    desk.recording("c2", "started", "/spool/other.wav", Some("sup-7"));
    for (query, expected) in [
        ("", &["c2", "c1"][..]),
        ("?call=c1", &["c1"]),
        ("?agent=202", &["c2"]),
        ("?agent=201&queue=sales", &["c1"]),
        ("?queue=support", &["c2"]),
        ("?number=%2B4930123", &["c2", "c1"]),
        ("?number=600&agent=202", &["c2"]),
        ("?server=pbx2", &[]),
        ("?rule=sales+rule", &["c1"]),
        ("?text=SUP-7", &["c2"]),
        ("?text=other.wav", &["c2"]),
        ("?since=2026-11-20T22:08:30Z", &["c2"]),
        ("?until=2026-11-20T22:08:30Z", &["c1"]),
        ("?since=2026-11-20T22:08:00Z&until=2026-11-20T22:09:01Z", &["c2", "c1"]),
        ("?limit=1", &["c2"]),
    ] {
        assert_eq!(found(&format!("/v1/recordings{query}")), expected, "{query}");
    }
    let one = handle(&get("/v1/recordings/c1"));
    assert_eq!((one.status, &body(&one)["files"][0]["file"]), (200, &json!(file)));
    let head = handle(&Request { method: "HEAD".to_owned(), ..get("/v1/recordings") });
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn a_long_list_comes_in_parts() {
    let mut desk = Desk::new(&json!([]));
    let all: Vec<String> = (0..450).map(|number| format!("c{number}")).collect();
    for call in &all {
        desk.recording(call, "started", &format!("/spool/{call}.wav"), None);
        desk.advance(1_000);
    }
    let mut seen = Vec::new();
    let mut target = "/v1/recordings?limit=200".to_owned();
    for part in [200, 200, 50] {
        let answer = body(&handle(&get(&target)));
        let items = answer["items"].as_array().unwrap();
        assert_eq!(items.len(), part);
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match answer["next"].as_str() {
            Some(next) => target = format!("/v1/recordings?limit=200&after={next}"),
            None => assert_eq!(part, 50),
        }
    }
    seen.reverse();
    assert_eq!(seen, all);
}

#[test]
fn who_is_limited_finds_and_hears_their_own() {
    let folder = Folder::new("limited");
    folder.write("a.wav", b"sound");
    let mut desk = Desk::with(&[folder.settings()]);
    // The queue calls two; one of them talks.
    desk.rings("c1", "203", "sales");
    desk.rings("c1", "201", "sales");
    desk.answers("c1", "201", "sales");
    desk.recording("c1", "started", "/spool/a.wav", None);
    desk.ends_for("c1", "203", &["/spool/a.wav"]);
    desk.ends_for("c1", "201", &["/spool/a.wav"]);
    let ann = |limits: Value| {
        let mut who = json!({"name": "ann", "allow": ["recordings"]});
        who.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
        who
    };
    let statuses = |who: &Value| {
        let list = body(&handle(&asked_by(who, "/v1/recordings")));
        let count = list["items"].as_array().map_or(0, Vec::len);
        let status = |target: &str| handle(&asked_by(who, target)).status;
        (count, status("/v1/recordings/c1"), status("/v1/recordings/c1/audio"))
    };
    assert_eq!(statuses(&ann(json!({}))), (1, 200, 200));
    assert_eq!(statuses(&ann(json!({"agents": ["201"], "queues": ["sales"]}))), (1, 200, 200));
    assert_eq!(statuses(&ann(json!({"agents": ["202"]}))), (0, 404, 404));
    assert_eq!(statuses(&ann(json!({"agents": ["203"]}))), (0, 404, 404), "it only rang there");
    assert_eq!(statuses(&ann(json!({"queues": []}))), (0, 404, 404));
    assert_eq!(statuses(&ann(json!({"allow": ["dial"]}))), (0, 403, 403));
    assert_eq!(statuses(&ann(json!({"allow": ["recordings:own"]}))), (0, 403, 403));
    assert_eq!(statuses(&json!({"name": ""})), (0, 401, 401));
    assert_eq!(statuses(&json!("nonsense")), (0, 401, 401));
    assert_eq!(handle(&Request::new("GET", "/v1/recordings")).status, 401);
}

#[test]
fn a_recording_is_heard_whole_and_in_parts() {
    let folder = Folder::new("audio");
    folder.write("2026/a.wav", b"0123456789");
    folder.write("b.raw", &[7; 8]);
    let rules = json!([{"name": "r", "mode": "stereo", "file": "{call}.raw"}]);
    let mut desk = Desk::with(&[folder.settings(), ("rules", rules)]);
    desk.rings("b", "201", "sales");
    desk.answers("b", "201", "sales");
    let (order, _) = desk.command();
    desk.does(&order, &json!({}));
    desk.recording("b", "started", "/spool/b.raw", None);
    desk.recording("b", "started", "/spool/2026/a.wav", None);
    let files = &body(&handle(&get("/v1/recordings/b")))["files"];
    assert_eq!(files[0]["audio"], "/v1/recordings/b/audio?file=0");
    let heard = |target: &str, range: Option<&str>| {
        let request = get(target);
        let request = range.map_or(request.clone(), |range| request.with_header("range", range));
        handle(&request)
    };
    let second = heard("/v1/recordings/b/audio?file=1", Some("bytes=2-4"));
    let part = second.file.as_ref().unwrap();
    assert_eq!((second.status, part.from, part.length), (206, 2, 3));
    assert_eq!(second.header("content-type"), Some("audio/wav"));
    assert_eq!(second.header("content-disposition"), Some("inline; filename=\"a.wav\""));
    // Bare samples come as what players know.
    let stereo = heard("/v1/recordings/b/audio", None);
    assert_eq!((stereo.status, &stereo.body[..4], stereo.body.len()), (200, &b"RIFF"[..], 44));
    assert_eq!(stereo.header("content-length"), Some("52"));
    assert_eq!(stereo.header("content-disposition"), Some("inline; filename=\"b.wav\""));
    let samples = heard("/v1/recordings/b/audio", Some("bytes=44-"));
    assert_eq!((samples.body.len(), samples.file.unwrap().length), (0, 8));
    assert_eq!(heard("/v1/recordings/b/audio", Some("bytes=52-")).status, 416);
    let tag = stereo.header("etag").unwrap();
    let known = handle(&get("/v1/recordings/b/audio").with_header("if-none-match", tag));
    assert_eq!((known.status, known.file, known.body.len()), (304, None, 0));
}

#[test]
fn after_its_time_a_recording_is_gone_and_its_audio_where_the_rule_says_so() {
    let folder = Folder::new("retention");
    let rules = json!([
        {"name": "short", "queues": ["sales"], "retentionDays": 1, "delete": true, "file": "{call}.wav"},
        {"name": "kept", "retentionDays": 1, "file": "{call}.wav"},
    ]);
    let mut desk = Desk::with(&[folder.settings(), ("rules", rules)]);
    for (call, queue) in [("c1", "sales"), ("c2", "support")] {
        desk.rings(call, "201", queue);
        desk.answers(call, "201", queue);
        let (order, _) = desk.command();
        desk.does(&order, &json!({}));
        let file = format!("{call}.wav");
        folder.write(&file, b"sound");
        desk.recording(call, "started", &format!("/spool/{file}"), None);
        desk.ends(call, &[&format!("/spool/{file}")]);
    }
    desk.stage.advance(Duration::from_mins(24 * 60 - 20));
    assert_eq!(found("/v1/recordings").len(), 2);
    desk.stage.advance(Duration::from_mins(40));
    assert_eq!(found("/v1/recordings"), [""; 0]);
    assert!(!folder.0.join("c1.wav").exists() && folder.0.join("c2.wav").exists());
    assert_eq!(desk.host.counted("removed", &[]), 1);
}

/// Calls that a rule records whose recordings are removed after a day; the files lie below this.
fn removing(folder: &Folder, calls: &[(String, &str)]) -> Desk {
    let rules =
        json!([{"name": "short", "retentionDays": 1, "delete": true, "file": "{call}.wav"}]);
    let mut desk = Desk::with(&[folder.settings(), ("rules", rules)]);
    for (call, below) in calls {
        desk.advance(1);
        desk.rings(call, "201", "sales");
        desk.answers(call, "201", "sales");
        let (order, _) = desk.command();
        desk.does(&order, &json!({}));
        folder.write(&format!("{call}.wav"), b"sound");
        desk.recording(call, "started", &format!("{below}/{call}.wav"), None);
    }
    desk
}

#[test]
fn what_cannot_be_removed_does_not_keep_the_rest() {
    let folder = Folder::new("many");
    // That folder is not known here.
    let mut calls: Vec<_> = (0..250).map(|at| (format!("a{at}"), "/elsewhere")).collect();
    calls.extend((0..150).map(|at| (format!("b{at}"), "/spool")));
    let mut desk = removing(&folder, &calls);
    desk.stage.advance(Duration::from_mins(24 * 60 + 10));
    desk.advance(10_000);
    assert_eq!(desk.host.counted("removed", &[]), 150);
    assert_eq!(desk.host.counted("unremoved", &[]), 250);
    assert!(calls.iter().all(|(call, below)| {
        folder.0.join(format!("{call}.wav")).exists() == (*below == "/elsewhere")
    }));
    // They are tried again, later.
    desk.stage.advance(Duration::from_mins(10));
    assert_eq!(desk.host.counted("unremoved", &[]), 500);
}

#[test]
fn a_recording_is_removed_though_nobody_told_that_its_call_ended() {
    let folder = Folder::new("unended");
    let calls = [("c1".to_owned(), "/spool"), ("c2".to_owned(), "/spool")];
    let mut desk = removing(&folder, &calls);
    crate::index::take("c2").unwrap();
    desk.stage.advance(Duration::from_mins(24 * 60 + 20));
    assert!(!folder.0.join("c1.wav").exists());
    assert_eq!(found("/v1/recordings"), [""; 0]);
    assert_eq!(desk.host.counted("removed", &[]), 1, "of the other nothing was known any more");
    assert_eq!(telepulse_plugin_sdk::kv::keys("due/", None, 10), Ok(vec![]));
}

#[test]
fn one_file_that_cannot_be_removed_does_not_keep_the_others() {
    let folder = Folder::new("others");
    let mut desk = removing(&folder, &[("c1".to_owned(), "/elsewhere")]);
    folder.write("other.wav", b"sound");
    desk.recording("c1", "started", "/spool/other.wav", None);
    desk.stage.advance(Duration::from_mins(24 * 60 + 20));
    assert!(folder.0.join("c1.wav").exists() && !folder.0.join("other.wav").exists());
    assert_eq!(desk.host.counted("removed", &[]), 0);
}

#[test]
fn a_store_that_is_away_is_told() {
    let desk = Desk::new(&json!([]));
    desk.host.refuse(Some("Redis is away"));
    for target in ["/v1/recordings", "/v1/recordings/c1", "/v1/recordings/c1/audio"] {
        let response = handle(&get(target));
        let detail = body(&response)["detail"].as_str().unwrap_or_default().to_owned();
        assert!(response.status == 503 && detail.contains("Redis is away"), "{target}: {detail}");
    }
}
