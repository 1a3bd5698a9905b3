//! What the CRM is told of calls.

use super::{Scene, host, record};
use serde_json::{Value, json};
use std::time::Duration;
use telepulse_plugin_sdk::language::{Code, Principal, Refusal};

impl Scene {
    fn note(&mut self, call: &str, text: &str) -> Result<Value, Refusal> {
        let ann = Principal {
            name: "ann".into(),
            extension: Some("101".into()),
            allow: ["note:own".into()].into(),
            ..Principal::default()
        };
        self.stage.serve(&json!({"action": "note", "call": call, "text": text}), Some(&ann))
    }

    /// A call with a caller that the CRM knows, talked at 101.
    fn call(&mut self, id: &str) {
        self.talks("101", id);
        for fetch in self.host.fetches() {
            self.stage.fetched(&fetch, Ok((200, record())));
        }
    }
}

#[test]
fn a_call_is_told_with_its_notes_and_later_ones_follow_in_order() {
    let mut scene = Scene::new();
    scene.call("c1");
    assert_eq!(scene.note("c1", "wants a refund"), Ok(json!({})));
    assert_eq!(scene.note("c1", "is angry\nvery"), Ok(json!({})));
    assert_eq!(scene.host.fetches(), [], "it goes with the call");
    // Its end is told once for each extension.
    scene.ends("c1", "101");
    scene.ends("c1", "102");
    let told = scene.only_fetch();
    assert_eq!((&*told.request.method, &*told.request.url), ("POST", "https://crm.example/calls"));
    let text = "ann: wants a refund\nann: is angry\nvery";
    assert_eq!(told.json(), json!({"who": 7, "seconds": 50, "agent": "101", "text": text}));
    assert_eq!(scene.note("c1", "third"), Ok(json!({})));
    assert_eq!(scene.note("c1", "fourth"), Ok(json!({})));
    assert_eq!(scene.host.fetches(), [], "one after the other");
    scene.stage.fetched(&told, Ok((201, json!({}))));
    for text in ["ann: third", "ann: fourth"] {
        let note = scene.only_fetch();
        assert_eq!(note.request.url, "https://crm.example/notes");
        assert_eq!(note.json(), json!({"who": 7, "text": text}));
        scene.stage.fetched(&note, Ok((200, json!({}))));
    }
    scene.ends("c1", "101");
    assert_eq!(scene.host.fetches(), [], "told again, and known");
    assert_eq!(scene.host.gauge("notes_waiting", &[]), Some(0.0));
}

#[test]
fn what_fails_is_tried_again_and_survives_a_crash() {
    let mut scene = Scene::new();
    scene.call("c1");
    scene.note("c1", "important").unwrap();
    scene.ends("c1", "101");
    let mut attempt = scene.only_fetch();
    for answer in [Ok((500, Value::Null)), Ok((429, Value::Null)), Err("no answer within 2000 ms")]
    {
        scene.stage.fetched(&attempt, answer);
        assert_eq!(scene.host.fetches(), []);
        scene.stage.advance(Duration::from_secs(5));
        attempt = scene.only_fetch();
    }
    scene.stage.crash().unwrap();
    scene.stage.advance(Duration::from_secs(1));
    let again = scene.only_fetch();
    assert_eq!(again.json()["text"], "ann: important");
    scene.stage.fetched(&again, Ok((201, json!({}))));
    scene.stage.advance(Duration::from_mins(10));
    assert_eq!(scene.host.fetches(), []);
}

#[test]
fn a_new_build_does_not_tell_twice_what_is_on_its_way() {
    let mut scene = Scene::new();
    scene.call("c1");
    scene.ends("c1", "101");
    let told = scene.only_fetch();
    scene.stage.swap().unwrap();
    scene.stage.advance(Duration::from_secs(2));
    assert_eq!(scene.host.fetches(), []);
    scene.stage.fetched(&told, Ok((201, json!({}))));
    scene.stage.advance(Duration::from_mins(10));
    assert_eq!(scene.host.fetches(), []);
}

#[test]
fn what_is_refused_for_good_is_set_aside_where_people_see_it() {
    let mut scene = Scene::new();
    scene.call("c1");
    scene.note("c1", "odd").unwrap();
    scene.ends("c1", "101");
    let told = scene.only_fetch();
    scene.stage.fetched(&told, Ok((422, json!({"error": "no such owner"}))));
    scene.stage.advance(Duration::from_mins(10));
    assert_eq!(scene.host.fetches(), []);
    assert_eq!(scene.host.counted("told", &[("outcome", "refused")]), 1);
    let asides = crate::outbox::asides(10).unwrap();
    assert_eq!(asides.len(), 2, "the note, and the call");
    assert!(asides[0].1.why.contains("no such owner"), "{}", asides[0].1.why);
    // Mended, it is tried again.
    for (id, _) in asides {
        crate::outbox::aside(&id).unwrap();
    }
    scene.changed(&json!({"call": "c1"}));
    let again = scene.only_fetch();
    assert_eq!(again.json()["text"], "ann: odd");
}

#[test]
fn a_note_needs_a_call_that_one_may_see() {
    let mut scene = Scene::new();
    assert_eq!(scene.note("c9", "x").unwrap_err().code, Code::Timeout, "nobody serves the history");
    scene.host.serve("telepulse.query", |_| {
        Ok(br#"{"id":null,"ok":true,"result":{"seq":1,"epoch":"e","items":[]}}"#.to_vec())
    });
    assert_eq!(scene.note("c9", "x").unwrap_err().code, Code::NotFound);
    scene.rings("102", "c2");
    assert_eq!(scene.note("c2", "x").unwrap_err().code, Code::Forbidden);
    scene.rings("101", "c2");
    assert_eq!(scene.note("c2", "x"), Ok(json!({})));
    for text in ["", " \n", "\u{0}"] {
        assert_eq!(scene.note("c2", text).unwrap_err().field.as_deref(), Some("text"));
    }
    let blind = Principal {
        name: "bob".into(),
        agents: Some(["105".to_owned()].into()),
        allow: ["*".into()].into(),
        ..Principal::default()
    };
    let note = json!({"action": "note", "call": "c2", "text": "x"});
    assert_eq!(scene.stage.serve(&note, Some(&blind)).unwrap_err().code, Code::NotFound);
    scene.host.refuse(Some("the disk is full"));
    assert_eq!(scene.note("c2", "y").unwrap_err().code, Code::ServerUnavailable);
}

#[test]
fn a_note_on_a_call_of_yesterday_finds_it_in_the_history() {
    let mut scene = Scene::new();
    let ended = json!({
        "server": "pbx1", "ended": "2026-11-21T10:01:00.000Z", "agents": ["101"], "call": "old",
        "from": super::WRITTEN, "to": "600", "started": "2026-11-21T10:00:00.000Z", "duration": 60,
        "talkTime": 50, "disposition": "answered", "cause": 16, "causeText": "x", "recordings": [],
    });
    scene.host.serve("telepulse.query", move |query| {
        let query: Value = serde_json::from_slice(query).unwrap();
        assert_eq!(query["page"]["call"], "old");
        let result = json!({"seq": 1, "epoch": "e", "items": [ended]});
        Ok(json!({"id": null, "ok": true, "result": result}).to_string().into_bytes())
    });
    assert_eq!(scene.note("old", "late"), Ok(json!({})));
    assert_eq!(scene.only_fetch().json(), json!({"text": "ann: late"}));
}

#[test]
fn without_a_crm_nobody_takes_notes() {
    let host = host();
    host.set("log", false);
    let mut scene = Scene::on(host);
    scene.rings("101", "c1");
    assert_eq!(scene.note("c1", "x").unwrap_err().code, Code::Conflict);
}

#[test]
fn an_answer_to_an_instance_that_failed_takes_nothing_with_it() {
    let mut scene = Scene::new();
    scene.call("c1");
    scene.ends("c1", "101");
    let first = scene.only_fetch();
    scene.stage.crash().unwrap();
    scene.stage.advance(Duration::from_secs(1));
    let second = scene.only_fetch();
    scene.stage.fetched(&first, Ok((201, json!({}))));
    assert_eq!(scene.note("c1", "later"), Ok(json!({})));
    let note = scene.only_fetch();
    scene.stage.fetched(&second, Ok((201, json!({}))));
    assert_eq!(crate::outbox::count_entries(), Ok(1), "the note is still to be told");
    scene.stage.fetched(&note, Ok((201, json!({}))));
    assert_eq!(crate::outbox::count_entries(), Ok(0));
}

#[test]
fn a_call_that_is_merged_takes_its_notes_along() {
    let mut scene = Scene::new();
    scene.call("c1");
    scene.note("c1", "before").unwrap();
    scene.talks("101", "c0");
    let merged = json!({
        "agent": "101", "call": "c1", "from": super::WRITTEN, "to": "600", "mergedInto": "c0",
        "started": "2026-11-22T00:59:00.000Z", "duration": 60, "talkTime": 50,
        "disposition": "merged", "cause": 16, "causeText": "x", "recordings": [],
    });
    scene.event("callEnded", &merged).unwrap();
    assert_eq!(scene.host.fetches(), []);
    scene.ends("c0", "101");
    assert_eq!(scene.only_fetch().json()["text"], "ann: before");
}

#[test]
fn whose_phone_only_rang_may_write_of_it_too() {
    let mut scene = Scene::new();
    scene.rings("101", "c1");
    for fetch in scene.host.fetches() {
        scene.stage.fetched(&fetch, Ok((200, record())));
    }
    scene.ends("c1", "101");
    assert_eq!(scene.note("c1", "call back"), Ok(json!({})));
}

#[test]
fn a_store_that_fails_for_a_moment_loses_nothing_of_a_call() {
    let mut scene = Scene::new();
    scene.call("c1");
    scene.host.refuse(Some("no answer within 2 s"));
    let end = scene.ended("c1", "102");
    assert!(matches!(end, Err(telepulse_plugin_sdk::Failure::Retry(_))));
    scene.host.refuse(None);
    scene.ends("c1", "102");
    let told = scene.only_fetch().json();
    assert_eq!((&told["who"], &told["agent"]), (&json!(7), &json!("101")));
}

#[test]
fn without_a_crm_what_waits_keeps_still() {
    let mut scene = Scene::new();
    scene.call("c1");
    scene.ends("c1", "101");
    scene.stage.fetched(&scene.host.fetches()[0].clone(), Ok((500, Value::Null)));
    scene.host.set("log", false);
    scene.stage.crash().unwrap();
    for timer in scene.host.timers() {
        telepulse_plugin_sdk::clock::cancel(timer);
    }
    scene.stage.crash().unwrap();
    assert_eq!(scene.host.timers(), [0; 0]);
}
