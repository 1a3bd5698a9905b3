//! The plugin on the fake host: calls come, the CRM answers or does not, people write notes.

mod api;
mod clients;
mod notes;
mod popups;
mod settings;

use crate::crm::Crm;
use serde_json::{Value, json};
use std::{rc::Rc, time::Duration};
use telepulse_plugin_sdk::{
    Event, Failure,
    testing::{FakeHost, Fetch, Stage},
};

/// Who calls, as Asterisk has it, and as everybody does.
const WRITTEN: &str = "014812345";
const NUMBER: &str = "+38514812345";
const MAJA: &str = "Maja Horvat";

struct Scene {
    host: Rc<FakeHost>,
    stage: Stage<Crm>,
}

/// A host with a CRM that is asked by HTTP.
fn host() -> Rc<FakeHost> {
    let host = FakeHost::install();
    for (key, value) in [
        ("country", json!("HR")),
        ("lookup", json!("http")),
        ("adapter", json!("custom")),
        ("url", json!("https://crm.example/")),
        ("retries", json!(1)),
        (
            "request",
            json!({
                "auth": {"kind": "bearer", "secret": "token"},
                "lookup": {
                    "method": "GET", "url": "{url}/contacts?phone={number}", "found": "/items/0",
                    "info": {"id": "/id", "name": ["/first", "/last"]},
                },
                "log": {
                    "method": "POST", "url": "{url}/calls",
                    "body": {"who": "{id}", "seconds": "{seconds}", "agent": "{agent}", "text": "{text}"},
                },
                "note": {"method": "POST", "url": "{url}/notes", "body": {"who": "{id}", "text": "{text}"}},
            }),
        ),
    ] {
        host.set(key, value);
    }
    host.set_secret("token", "t0k3n");
    host
}

impl Scene {
    fn new() -> Self {
        Self::on(host())
    }

    fn on(host: Rc<FakeHost>) -> Self {
        let stage = host.start::<Crm>().unwrap();
        drop((host.published(), host.submitted()));
        Self { host, stage }
    }

    fn event(&mut self, kind: &str, fields: &Value) -> Result<(), Failure> {
        let mut fields = fields.clone();
        for (key, value) in [("event", json!(kind)), ("server", json!("pbx1")), ("seq", json!(1))] {
            fields[key] = value;
        }
        fields["time"] = json!("2026-11-22T01:00:00.000Z");
        self.raw(kind, &fields)
    }

    /// The API has changed something.
    fn changed(&mut self, changed: &Value) {
        self.raw("changed", changed).unwrap();
    }

    fn raw(&mut self, kind: &str, payload: &Value) -> Result<(), Failure> {
        let payload = payload.to_string();
        let time_ns = telepulse_plugin_sdk::clock::now_ns();
        let address = "telepulse.event";
        let server = Some("pbx1");
        self.stage.event(Event {
            seq: 1,
            time_ns,
            address,
            kind,
            server,
            payload: payload.as_bytes(),
        })
    }

    /// An extension has these lines now: call, state, number.
    fn lines(&mut self, agent: &str, lines: &[(&str, &str, &str)]) {
        let lines: Vec<Value> = lines
            .iter()
            .map(|(call, state, number)| {
                json!({
                    "call": call, "channel": format!("PJSIP/{agent}-1"), "state": state,
                    "direction": if *state == "dialing" { "out" } else { "in" },
                    "number": number, "name": "", "recording": false, "recordingPaused": false,
                    "muted": false, "since": "2026-11-22T01:00:00.000Z",
                })
            })
            .collect();
        self.event("activeLines", &json!({"agent": agent, "lines": lines})).unwrap();
    }

    fn rings(&mut self, agent: &str, call: &str) {
        self.lines(agent, &[(call, "ringing", WRITTEN)]);
    }

    fn talks(&mut self, agent: &str, call: &str) {
        self.lines(agent, &[(call, "up", WRITTEN)]);
    }

    fn ends(&mut self, call: &str, agent: &str) {
        self.ended(call, agent).unwrap();
    }

    fn ended(&mut self, call: &str, agent: &str) -> Result<(), Failure> {
        let end = json!({
            "agent": agent, "call": call, "from": WRITTEN, "to": "600",
            "started": "2026-11-22T00:59:00.000Z", "answered": "2026-11-22T00:59:10.000Z",
            "duration": 60, "talkTime": 50, "disposition": "answered", "cause": 16,
            "causeText": "Normal Clearing", "recordings": [],
        });
        self.event("callEnded", &end)
    }

    /// What was published at an address since the last look at anything.
    fn told(&self) -> Vec<(String, Value)> {
        let published = self.host.published().into_iter();
        published
            .map(|it| {
                let kind = it.address.rsplit('.').next().unwrap_or_default().to_owned();
                (kind, serde_json::from_slice(&it.payload).unwrap())
            })
            .collect()
    }

    /// Of `callerInfo`: whom, what, whether it was known before.
    fn infos(&self) -> Vec<(String, Value, bool)> {
        let told = self.told().into_iter().filter(|(kind, _)| kind == "callerInfo");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        told.map(|(_, it)| (text(&it["agent"]), it["info"].clone(), it["cached"] == true)).collect()
    }

    fn only_fetch(&self) -> Fetch {
        let mut fetches = self.host.fetches();
        assert_eq!(fetches.len(), 1, "{fetches:?}");
        fetches.remove(0)
    }
}

fn maja() -> Value {
    json!({"id": 7, "name": MAJA})
}

fn record() -> Value {
    json!({"items": [{"id": 7, "first": "Maja", "last": "Horvat", "secret": "x"}]})
}

#[test]
fn twelve_phones_ring_and_the_crm_is_asked_once() {
    let mut scene = Scene::new();
    let agents: Vec<String> = (101..113).map(|agent| agent.to_string()).collect();
    for agent in &agents {
        scene.rings(agent, "c1");
    }
    let fetch = scene.only_fetch();
    assert_eq!(fetch.request.url, "https://crm.example/contacts?phone=%2B38514812345");
    let token = ("authorization".to_owned(), "Bearer t0k3n".to_owned());
    assert!(fetch.request.headers.contains(&token));
    assert_eq!(scene.infos(), []);
    scene.stage.fetched(&fetch, Ok((200, record())));
    let all: Vec<_> = agents.iter().map(|agent| (agent.clone(), maja(), false)).collect();
    assert_eq!(scene.infos(), all);
    // Who comes later hears of it, and so does whoever gets the next call from there.
    scene.talks("200", "c1");
    assert_eq!(scene.infos(), [("200".to_owned(), maja(), true)]);
    scene.rings("201", "c2");
    assert_eq!(scene.infos(), [("201".to_owned(), maja(), true)]);
    assert_eq!(scene.host.fetches(), []);
    assert_eq!(scene.host.counted("queries", &[]), 1);
}

#[test]
fn two_calls_from_one_number_are_one_question() {
    let mut scene = Scene::new();
    scene.rings("101", "c1");
    scene.rings("102", "c2");
    let fetch = scene.only_fetch();
    scene.stage.fetched(&fetch, Ok((200, record())));
    assert_eq!(scene.infos().len(), 2);
}

#[test]
fn a_number_that_nobody_knows_is_not_asked_about_again_at_once() {
    for answer in [(404, Value::Null), (204, Value::Null), (200, json!({"items": []}))] {
        let mut scene = Scene::new();
        scene.rings("101", "c1");
        let fetch = scene.only_fetch();
        scene.stage.fetched(&fetch, Ok(answer));
        assert_eq!(scene.infos(), [("101".to_owned(), Value::Null, false)]);
        scene.rings("102", "c2");
        assert_eq!((scene.host.fetches().len(), scene.infos().len()), (0, 1));
        scene.stage.advance(Duration::from_secs(61));
        scene.rings("103", "c3");
        assert_eq!(scene.host.fetches().len(), 1);
    }
}

#[test]
fn a_failure_is_tried_again_and_then_given_up() {
    let mut scene = Scene::new();
    scene.rings("101", "c1");
    for answer in [Ok((503, Value::Null)), Err("no answer within 2000 ms")] {
        let fetch = scene.only_fetch();
        scene.stage.fetched(&fetch, answer);
        assert_eq!(scene.host.fetches(), []);
        scene.stage.advance(Duration::from_secs(1));
    }
    assert_eq!((scene.host.fetches().len(), scene.infos().len()), (0, 0));
    assert_eq!(scene.host.counted("lookups", &[("outcome", "failed")]), 1);
    // Whoever joins the call may have more luck.
    scene.rings("102", "c1");
    let fetch = scene.only_fetch();
    scene.stage.fetched(&fetch, Ok((200, record())));
    assert_eq!(scene.infos().len(), 2);
}

#[test]
fn a_crm_that_is_down_is_left_alone_for_a_while() {
    let host = host();
    host.set("retries", 0);
    let mut scene = Scene::on(host);
    for call in 0..8 {
        let number = format!("01481{call}345");
        scene.lines("101", &[(&format!("c{call}"), "ringing", &number)]);
        for fetch in scene.host.fetches() {
            scene.stage.fetched(&fetch, Err("connecting: refused"));
        }
    }
    assert_eq!(scene.host.counted("lookups", &[("outcome", "failed")]), 8);
    scene.lines("101", &[("c9", "ringing", WRITTEN)]);
    assert_eq!(scene.host.fetches(), [], "nobody asks");
    scene.stage.advance(Duration::from_secs(16));
    scene.rings("102", "c9");
    let fetch = scene.only_fetch();
    scene.stage.fetched(&fetch, Ok((200, record())));
    assert_eq!(scene.infos().len(), 2);
}

#[test]
fn extensions_and_those_who_dial_are_no_callers() {
    let mut scene = Scene::new();
    scene.lines("101", &[("c1", "ringing", "102")]);
    scene.lines("103", &[("c2", "dialing", WRITTEN)]);
    scene.lines("104", &[("c3", "ringing", "")]);
    assert_eq!((scene.told().len(), scene.host.fetches().len()), (0, 0));
    // Somebody answers whom 103 has called.
    scene.talks("103", "c2");
    assert_eq!(scene.host.fetches().len(), 1);
}

#[test]
fn what_comes_from_an_outage_is_no_news() {
    let mut scene = Scene::new();
    scene.stage.advance(Duration::from_mins(1));
    let lines = json!({"agent": "101", "server": "pbx1", "lines": [{
        "call": "c1", "channel": "PJSIP/101-1", "state": "ringing", "direction": "in",
        "number": WRITTEN, "name": "", "recording": false, "recordingPaused": false, "muted": false,
        "since": "2026-11-22T01:00:00.000Z",
    }]});
    let payload = lines.to_string();
    let event = Event {
        seq: 1,
        time_ns: 1,
        address: "telepulse.event.activeLines",
        kind: "activeLines",
        server: Some("pbx1"),
        payload: payload.as_bytes(),
    };
    scene.stage.event(event).unwrap();
    assert_eq!((scene.told().len(), scene.host.fetches().len()), (0, 0));
}

#[test]
fn a_new_build_goes_on_where_the_one_before_was() {
    let mut scene = Scene::new();
    scene.rings("101", "c1");
    let fetch = scene.only_fetch();
    scene.stage.swap().unwrap();
    scene.rings("102", "c1");
    assert_eq!(scene.host.fetches(), []);
    drop(scene.told());
    scene.stage.fetched(&fetch, Ok((200, record())));
    assert_eq!(scene.infos().len(), 2);
}

#[test]
fn after_a_crash_calls_in_progress_are_found_again() {
    let mut scene = Scene::new();
    scene.rings("101", "c1");
    let fetch = scene.only_fetch();
    scene.stage.crash().unwrap();
    drop(scene.told());
    let asked = scene.host.submitted();
    assert_eq!(asked[0].json(), json!({"query": "lines", "filter": {}}));
    let line = json!({
        "call": "c1", "channel": "PJSIP/101-1", "state": "up", "direction": "in",
        "number": WRITTEN, "name": "", "recording": false, "recordingPaused": false, "muted": false,
        "since": "2026-11-22T01:00:00.000Z",
    });
    let items = json!([{"agent": "101", "server": "pbx1", "lines": [line]}]);
    let reply = json!({"id": null, "ok": true, "result": {"seq": 1, "epoch": "e", "items": items}});
    // The answer to the instance before is as good as one to this.
    scene.stage.fetched(&fetch, Ok((200, record())));
    scene.stage.answer(&asked[0], Ok(reply.to_string().into_bytes()));
    assert_eq!(scene.infos(), [("101".to_owned(), maja(), true)]);
    assert_eq!(scene.host.fetches(), []);
}

#[test]
fn a_token_is_asked_for_once_and_again_when_it_is_over() {
    let host = host();
    host.set("values", json!({"clientId": "c 1"}));
    let auth = json!({
        "kind": "oauth2", "tokenUrl": "{url}/token", "grant": "client_credentials",
        "clientId": "{clientId}", "clientSecret": "token",
    });
    let lookup = json!({"method": "GET", "url": "{url}/{digits}"});
    host.set("request", json!({"auth": auth, "lookup": lookup}));
    let mut scene = Scene::on(host);
    scene.rings("101", "c1");
    scene.lines("102", &[("c2", "ringing", "+12025550147")]);
    let token = scene.only_fetch();
    assert_eq!(token.request.url, "https://crm.example/token");
    let form = String::from_utf8(token.request.body.clone()).unwrap();
    assert_eq!(form, "client_id=c%201&client_secret=t0k3n&grant_type=client%5Fcredentials");
    let granted = json!({"access_token": "abc", "expires_in": 100});
    scene.stage.fetched(&token, Ok((200, granted.clone())));
    let fetches = scene.host.fetches();
    assert_eq!(fetches.len(), 2);
    let bearer = ("authorization".to_owned(), "Bearer abc".to_owned());
    assert!(fetches.iter().all(|fetch| fetch.request.headers.contains(&bearer)));
    // The CRM does not take it any more: it is asked for anew.
    scene.stage.fetched(&fetches[0], Ok((401, Value::Null)));
    scene.stage.fetched(&fetches[1], Ok((200, json!({"a": 1}))));
    assert_eq!(scene.infos(), [("102".to_owned(), json!({"a": 1}), false)]);
    scene.stage.advance(Duration::from_secs(1));
    let token = scene.only_fetch();
    assert_eq!(token.request.url, "https://crm.example/token");
    scene.stage.fetched(&token, Ok((200, granted)));
    let again = scene.only_fetch();
    scene.stage.fetched(&again, Ok((200, json!({"b": 2}))));
    assert_eq!(scene.infos(), [("101".to_owned(), json!({"b": 2}), false)]);
    let lines = scene.host.lines();
    assert!(
        lines.iter().all(|line| !line.message.contains("t0k3n") && !line.message.contains("abc"))
    );
}

#[test]
fn a_breaker_that_lets_one_through_lets_its_token_through_as_well() {
    let host = host();
    host.set("retries", 0);
    host.set("values", json!({"clientId": "c"}));
    let auth = json!({
        "kind": "oauth2", "tokenUrl": "{url}/token", "grant": "client_credentials",
        "clientId": "{clientId}", "clientSecret": "token",
    });
    let lookup = json!({"method": "GET", "url": "{url}/{digits}"});
    host.set("request", json!({"auth": auth, "lookup": lookup}));
    let mut scene = Scene::on(host);
    for call in 0..5 {
        scene.lines("101", &[(&format!("c{call}"), "ringing", &format!("01481{call}345"))]);
        let token = scene.only_fetch();
        scene.stage.fetched(&token, Ok((503, Value::Null)));
    }
    scene.stage.advance(Duration::from_secs(16));
    scene.lines("102", &[("c9", "ringing", WRITTEN)]);
    let token = scene.only_fetch();
    // A token that is over at once is good for what waited for it.
    scene.stage.fetched(&token, Ok((200, json!({"access_token": "abc", "expires_in": 31}))));
    let fetch = scene.only_fetch();
    scene.stage.fetched(&fetch, Ok((200, json!({"a": 1}))));
    assert_eq!(scene.infos().len(), 1);
}

#[test]
fn an_answer_that_was_under_way_does_not_undo_what_was_pushed() {
    let mut scene = Scene::new();
    scene.rings("101", "c1");
    let fetch = scene.only_fetch();
    crate::cache::set(NUMBER, &json!({"name": "new"}), Duration::from_mins(5)).unwrap();
    scene.changed(&json!({"number": {"number": NUMBER, "info": {"name": "new"}}}));
    assert_eq!(scene.infos().len(), 1);
    scene.stage.fetched(&fetch, Ok((200, record())));
    assert_eq!(scene.infos(), []);
    scene.rings("102", "c2");
    assert_eq!(scene.infos(), [("102".to_owned(), json!({"name": "new"}), true)]);
}

#[test]
fn lines_that_were_asked_for_do_not_undo_what_came_since() {
    let mut scene = Scene::new();
    scene.stage.crash().unwrap();
    let asked = scene.host.submitted();
    scene.rings("101", "c1");
    scene.lines("101", &[]);
    drop(scene.told());
    let line = json!({
        "call": "c1", "channel": "PJSIP/101-1", "state": "ringing", "direction": "in",
        "number": WRITTEN, "name": "", "recording": false, "recordingPaused": false, "muted": false,
        "since": "2026-11-22T01:00:00.000Z",
    });
    let items = json!([{"agent": "101", "server": "pbx1", "lines": [line]}]);
    let reply = json!({"id": null, "ok": true, "result": {"seq": 1, "epoch": "e", "items": items}});
    scene.stage.answer(&asked[0], Ok(reply.to_string().into_bytes()));
    assert_eq!(scene.told(), []);
}
