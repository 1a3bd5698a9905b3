//! Wrong inputs: each is refused, and named.

use super::{
    Desk,
    http::{body, get},
};
use crate::{Recording, api::handle};
use serde_json::{Value, json};
use telepulse_plugin_sdk::{Event, Failure, http::Request, testing::FakeHost};

#[test]
fn wrong_requests_are_refused_and_named() {
    let mut desk =
        Desk::with(&[("folders", json!([{"path": "/srv/nowhere", "asterisk": "/spool"}]))]);
    desk.recording("c1", "started", "/spool/gone.wav", None);
    desk.recording("c2", "started", "/spool/../etc/passwd", None);
    desk.recording("c3", "started", "/etc/passwd", None);
    desk.recording("c4", "started", "../../etc/passwd", None);
    let method = |method: &str, target: &str| Request { method: method.to_owned(), ..get(target) };
    let table = [
        (get("/v1/recordings?colour=red"), 400, "colour"),
        (get("/v1/recordings?agent=1&agent=2"), 400, "agent"),
        (get("/v1/recordings?agent="), 400, "agent"),
        (get("/v1/recordings?agent=%00"), 400, "agent"),
        (get("/v1/recordings?agent=%ff"), 400, "agent"),
        (get("/v1/recordings?agent=a%0d%0ab"), 400, "agent"),
        (get("/v1/recordings?since=yesterday"), 400, "since"),
        (get("/v1/recordings?since=2026-13-01T00:00:00Z"), 400, "since"),
        (get("/v1/recordings?until=1795212480"), 400, "until"),
        (get("/v1/recordings?limit=0"), 400, "limit"),
        (get("/v1/recordings?limit=201"), 400, "limit"),
        (get("/v1/recordings?limit=-1"), 400, "limit"),
        (get("/v1/recordings?limit=many"), 400, "limit"),
        (get("/v1/recordings?after=x"), 400, "after"),
        (get("/v1/recordings?after=../id/c1"), 400, "after"),
        (get("/v1/recordings/"), 404, ""),
        (get("/v1/recordings/c9"), 404, ""),
        (get("/v1/recordings/c1?agent=1"), 400, "query"),
        (get("/v1/recordings/%ff"), 404, ""),
        (get("/v1/recordings/c1%0a"), 404, ""),
        (get("/v1/recordings/c1/sound"), 404, ""),
        (get("/v1/recordings/c1/audio/0"), 404, ""),
        (get("/v1/recordings/c1/audio?file=1"), 404, "file"),
        (get("/v1/recordings/c1/audio?file=-1"), 400, "file"),
        (get("/v1/recordings/c1/audio?file=%2B0"), 400, "file"),
        (get("/v1/recordings/c1/audio?file=0&file=0"), 400, "file"),
        (get("/v1/recordings/c1/audio?file=..%2F..%2Fetc%2Fpasswd"), 400, "file"),
        (get("/v1/recordings/c1/audio?path=/etc/passwd"), 400, "path"),
        (get("/v1/recordings/c1/audio"), 404, ""),
        (get("/v1/recordings/c2/audio"), 404, ""),
        (get("/v1/recordings/c3/audio"), 404, ""),
        (get("/v1/recordings/c4/audio"), 404, ""),
        (get("/v1/recordings/../../etc/passwd"), 404, ""),
        (get("/v1/recordings/..%2F..%2Fetc%2Fpasswd/audio"), 404, ""),
        (get("/v1/recordings/%2E%2E/audio"), 404, ""),
        (get("/v1/calls"), 404, ""),
        (method("POST", "/v1/recordings"), 405, ""),
        (method("DELETE", "/v1/recordings/c1"), 405, ""),
        (method("PUT", "/v1/recordings/c1/audio"), 405, ""),
    ];
    for (request, status, field) in table {
        let response = handle(&request);
        let problem = body(&response);
        assert_eq!(response.status, status, "{request:?}: {problem}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        assert_eq!(problem["field"].as_str().unwrap_or_default(), field, "{request:?}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        assert_eq!(response.file, None, "{request:?}");
    }
}

#[test]
fn an_operators_mistakes_keep_it_from_starting() {
    let rule = |fields: Value| {
        let mut rule = json!({"name": "r"});
        rule.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        ("rules", json!([rule]))
    };
    let consent = |fields: Value| {
        let mut consent = json!({"variable": "C"});
        consent.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        rule(json!({"consent": consent}))
    };
    for ((key, value), why) in [
        (("rule", json!([])), "rule"),
        (("pauseSeconds", json!(0)), "pauseSeconds: must be 1 to"),
        (("keepDays", json!(0)), "keepDays: must be 1 to"),
        (("keepDays", json!("long")), "keepDays"),
        (("timeZone", json!("Europe/Vienna")), "timeZone"),
        (("rules", json!({})), "rules"),
        (("rules", json!([{}])), "name"),
        (rule(json!({"name": ""})), "name: must be"),
        (("rules", json!([{"name": "a"}, {"name": "a"}])), "there is a rule \"a\" already"),
        (rule(json!({"queue": "sales"})), "queue"),
        (rule(json!({"queues": "sales"})), "queues"),
        (rule(json!({"queues": [""]})), "queues[0]"),
        (rule(json!({"directions": ["up"]})), "directions[0]"),
        (rule(json!({"hours": ["always"]})), "hours[0]"),
        (rule(json!({"percent": 101})), "percent: must be"),
        (rule(json!({"percent": -1})), "percent: must be"),
        (rule(json!({"start": "later"})), "start"),
        (rule(json!({"mode": "quad"})), "mode"),
        (rule(json!({"mode": "stereo", "file": "{call}.wav"})), "file: must end in .raw"),
        (rule(json!({"file": "{call}.raw"})), "file: must end in .raw"),
        (rule(json!({"file": "../{call}.wav"})), "file"),
        (rule(json!({"file": "/tmp/{call}.wav"})), "file"),
        (rule(json!({"file": "{number}.wav"})), "must have {call}"),
        (rule(json!({"file": "{call}.wav|rm"})), "file"),
        (rule(json!({"announcement": "950@elsewhere"})), "announcement"),
        (rule(json!({"beepSeconds": 1})), "beepSeconds: must be"),
        (rule(json!({"pauseSeconds": 0})), "pauseSeconds: must be"),
        (rule(json!({"retentionDays": 0})), "retentionDays: must be"),
        (rule(json!({"delete": true})), "delete: needs retentionDays"),
        (rule(json!({"consent": {}})), "consent.variable"),
        (consent(json!({"variable": "SHELL(x)"})), "consent.variable"),
        (consent(json!({"info": "consent"})), "consent.info"),
        (consent(json!({"is": []})), "consent.is"),
        (consent(json!({"deadlineMs": 1})), "consent.deadlineMs"),
        (consent(json!({"deadlineMs": 30_001})), "consent.deadlineMs"),
        (consent(json!({"fallback": "maybe"})), "fallback"),
        (("folders", json!([{"path": "monitor"}])), "folders[0].path"),
        (("folders", json!([{"path": "/a/../b"}])), "folders[0].path"),
        (("folders", json!([{"path": "/a", "asterisk": "b/"}])), "folders[0].asterisk"),
        (("folders", json!([{"path": "/a", "mode": "rw"}])), "folders[0]"),
    ] {
        let host = FakeHost::install();
        host.set(key, value.clone());
        let error = host.start::<Recording>().err().unwrap_or_default();
        assert!(error.contains(why) && error.contains("[settings]"), "{key} {value}: {error}");
    }
}

#[test]
fn all_mistakes_come_at_once() {
    let host = FakeHost::install();
    host.set("pauseSeconds", 0);
    host.set("rules", json!([{"name": "a", "percent": 200}, {"name": "a", "delete": true}]));
    let error = host.start::<Recording>().err().unwrap_or_default();
    for why in ["pauseSeconds", "rules[0] \"a\": percent", "rules[1] \"a\": delete", "already"] {
        assert!(error.contains(why), "{why}: {error}");
    }
}

#[test]
fn events_that_cannot_be_understood_are_left_out() {
    let mut desk = Desk::new(&json!([{"name": "r"}]));
    desk.records("c1");
    for (kind, payload) in [
        ("callStarted", json!({})),
        ("recording", json!({"call": "c1", "change": "exploded"})),
        ("cardData", json!({"server": "pbx1", "change": "start"})),
        ("cardData", json!({"server": "pbx1", "call": "c1", "agent": "201", "change": "start"})),
        ("cardData", json!({"server": "pbx1", "call": "c1", "change": "pause"})),
        ("cardData", json!({"server": "pbx1", "call": "c9", "change": "start"})),
        ("cardData", json!({"server": "pbx1", "agent": "299", "change": "start"})),
        ("cardData", json!([])),
    ] {
        let payload = payload.to_string();
        let event = Event {
            seq: 1,
            time_ns: 0,
            address: "telepulse.event",
            kind,
            server: Some("pbx1"),
            payload: payload.as_bytes(),
        };
        let failure = desk.stage.event(event).unwrap_err();
        assert!(matches!(failure, Failure::Skip(_)), "{kind} {payload}: {failure:?}");
    }
    assert_eq!(desk.ordered(), []);
}

#[test]
fn with_a_full_store_calls_are_recorded_and_card_data_pauses_all_the_same() {
    let consent = json!({"variable": "CONSENT"});
    let rules = json!([
        {"name": "asks", "queues": ["billing"], "consent": consent},
        {"name": "rest"},
    ]);
    let mut desk = Desk::new(&rules);
    desk.host.fill_values(true);
    desk.rings("c1", "201", "billing");
    desk.answers("c1", "201", "billing");
    let (order, command) = desk.command();
    assert_eq!(command["action"], "getVariable");
    desk.does(&order, &json!({"value": "yes"}));
    let (order, command) = desk.command();
    assert_eq!(command["action"], "record");
    desk.does(&order, &json!({}));
    assert_eq!(desk.told()[0]["decision"], "record", "what is decided is told");

    let file = desk.records("c2");
    desk.event("cardData", &json!({"call": "c2", "change": "start"}));
    assert_eq!(desk.command().1["change"], "pause");
    // And so does what begins meanwhile.
    desk.recording("c2", "started", &file, None);
    assert_eq!(desk.command().1["change"], "pause");
    desk.recording("c2", "paused", &file, None);
    desk.advance(120_000);
    assert_eq!(desk.command().1["change"], "resume");
    desk.ends("c2", &[&file]);
    assert!(desk.host.counted("unkept", &[]) > 0);
    let lines = desk.host.lines();
    assert!(lines.iter().any(|line| line.message.contains("raise kv")), "{lines:?}");
}
