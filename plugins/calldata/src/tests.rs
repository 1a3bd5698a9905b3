//! Both systems, and calls that come in between, against a fake host.

use crate::{CallData, api::handle};
use serde_json::{Value, json};
use std::{rc::Rc, time::Duration};
use telepulse_plugin_sdk::{
    Event,
    http::{Request, Response},
    testing::{FakeHost, Stage},
};

const ANI: &str = "1234567890";
const POOL: &str = "/cticache/DNIS-ANI";

fn host() -> Rc<FakeHost> {
    let host = FakeHost::install();
    host.set("maxBytes", 100);
    host.set("pools", json!({"DNIS-ANI": ["5550100-5550102"], "other": ["7"], "empty": []}));
    host
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_default()
}

fn post(path: &str, body: &Value) -> Request {
    Request::new("POST", path)
        .with_header("content-type", "application/json")
        .with_body(body.to_string())
}

fn store(more: &Value) -> Response {
    let mut fields = json!({"value": {"customer": 7}, "ani": ANI});
    for (key, value) in more.as_object().unwrap() {
        fields[key] = value.clone();
    }
    handle(&post(POOL, &fields))
}

fn get(path: &str) -> Response {
    handle(&Request::new("GET", path))
}

fn delete(path: &str) -> Response {
    handle(&Request::new("DELETE", path))
}

#[test]
fn what_is_stored_is_found_and_taken_once() {
    let host = host();
    let stored = store(&json!({}));
    let expected = json!({"dnis": "5550100", "ani": ANI, "value": {"customer": 7}});
    assert_eq!((stored.status, body(&stored)), (201, expected));
    let location = stored.header("location").unwrap();
    assert_eq!(location, "/cticache/DNIS-ANI/5550100:1234567890");
    let value = json!({"value": {"customer": 7}});
    for _ in 0..2 {
        let found = get(location);
        assert_eq!((found.status, body(&found)), (200, value.clone()));
    }
    let taken = delete(location);
    assert_eq!((taken.status, body(&taken)), (200, value));
    assert_eq!((delete(location).status, get(location).status), (404, 404));
    let counted = |name| host.counted(name, &[("pool", "DNIS-ANI")]);
    assert_eq!(["stored", "found", "taken", "missed"].map(counted), [1, 2, 1, 2]);
}

#[test]
fn numbers_are_handed_out_in_turn_and_those_that_are_held_left_out() {
    let host = host();
    let dnis = |response: &Response| body(response)["dnis"].as_str().unwrap_or("none").to_owned();
    let drawn: Vec<_> =
        (0..5).map(|caller| dnis(&store(&json!({"ani": caller.to_string()})))).collect();
    assert_eq!(drawn, ["5550100", "5550101", "5550102", "5550100", "5550101"]);
    // The sixth draw is due to give the third number, which then holds something for this caller.
    store(&json!({"dnis": "5550102"}));
    assert_eq!(dnis(&store(&json!({}))), "5550100");
    assert_eq!(dnis(&store(&json!({}))), "5550101");
    let none = store(&json!({}));
    assert_eq!((none.status, none.header("retry-after")), (503, Some("5")));
    assert!(body(&none)["detail"].as_str().unwrap().contains("3 were looked at"), "{none:?}");
    assert_eq!(host.counted("exhausted", &[("pool", "DNIS-ANI")]), 1);
    assert_eq!(
        store(&json!({"ani": "another"})).status,
        201,
        "held for one caller, free for the next"
    );
    // What nobody fetches is forgotten, and its number free again.
    host.pass(Duration::from_mins(5));
    assert_eq!(store(&json!({})).status, 201);
}

#[test]
fn a_number_of_ones_own_choice_is_taken_or_refused() {
    host();
    assert_eq!(store(&json!({"dnis": "+49 30".replace(' ', "")})).status, 201);
    let again = store(&json!({"dnis": "+4930"}));
    assert_eq!(
        (again.status, &body(&again)["code"], &body(&again)["field"]),
        (409, &json!("conflict"), &json!("dnis"))
    );
    assert_eq!(get("/cticache/DNIS-ANI/+4930:1234567890").status, 200);
    assert_eq!(get("/cticache/DNIS-ANI/%2B4930%3A1234567890").status, 200);
}

#[test]
fn a_value_comes_back_as_it_was_written() {
    host();
    let value = r#"{"z":123456789012345678901,"a":0.10000000000000000001,"z2":"\u00e9"}"#;
    let text = format!(r#"{{"ani":"{ANI}","value":{value}}}"#);
    let request = post(POOL, &json!(null)).with_body(text);
    let stored = String::from_utf8(handle(&request).body).unwrap();
    assert!(stored.contains(value), "{stored}");
    let found = String::from_utf8(get("/cticache/DNIS-ANI/5550100:1234567890").body).unwrap();
    assert_eq!(found, format!(r#"{{"value":{value}}}"#));
}

#[test]
fn pools_keep_to_themselves() {
    host();
    store(&json!({"dnis": "7"}));
    let elsewhere = "/cticache/other/7:1234567890";
    assert_eq!((get(elsewhere).status, delete(elsewhere).status), (404, 404));
    assert_eq!(delete("/cticache/DNIS-ANI/7:1234567890").status, 200);
}

#[test]
fn pools_tell_how_they_are_used() {
    host();
    store(&json!({}));
    store(&json!({}));
    let shown = body(&get(POOL));
    assert_eq!(shown, json!({"pool": "DNIS-ANI", "numbers": 3, "drawn": 2}));
    let listed = body(&get("/cticache"));
    assert_eq!(listed["waiting"], 2);
    assert_eq!(listed["items"][0], shown);
    assert_eq!(listed["items"].as_array().unwrap().len(), 3);
}

#[test]
fn mistakes_are_named() {
    let host = host();
    let good = json!({"value": 1, "ani": ANI});
    let with = |key: &str, value: Value| {
        let mut fields = good.clone();
        fields[key] = value;
        post(POOL, &fields)
    };
    let bare = |method: &str, path: &str| Request::new(method, path);
    let table = [
        (with("ani", json!("")), 400, "ani"),
        (with("ani", json!("1:2")), 400, "ani"),
        (with("ani", json!("1/2")), 400, "ani"),
        (with("ani", json!("1 2")), 400, "ani"),
        (with("ani", json!("1\r\n2")), 400, "ani"),
        (with("ani", json!("1\u{0}")), 400, "ani"),
        (with("ani", json!("Jörg")), 400, "ani"),
        (with("ani", json!("1".repeat(33))), 400, "ani"),
        (with("ani", json!(17)), 400, "ani"),
        (with("ani", json!(null)), 400, "ani"),
        (with("dnis", json!("")), 400, "dnis"),
        (with("dnis", json!("..%2f")), 400, "dnis"),
        (with("dnis", json!([])), 400, "dnis"),
        (with("ttl", json!(5)), 400, "ttl"),
        (with("value", json!("x".repeat(99))), 413, "value"),
        (post(POOL, &json!({"value": 1})), 400, "ani"),
        (post(POOL, &json!({"ani": ANI})), 400, "value"),
        (post(POOL, &json!([])), 400, ""),
        (post(POOL, &json!("text")), 400, ""),
        (post(POOL, &good).with_body("{"), 400, ""),
        (post(POOL, &good).with_body(b"\xff".to_vec()), 400, ""),
        (bare("POST", POOL).with_body(good.to_string()), 415, ""),
        (bare("POST", POOL), 400, "value"),
        (post("/cticache/nowhere", &good), 404, ""),
        (post("/cticache/empty", &good), 503, ""),
        (post("/cticache", &good), 405, ""),
        (post("/cticache/", &good), 404, ""),
        (bare("PUT", POOL), 405, ""),
        (bare("POST", "/cticache/DNIS-ANI/1:2"), 405, ""),
        (bare("DELETE", POOL), 405, ""),
        (bare("GET", "/cticache/DNIS-ANI/1"), 404, ""),
        (bare("GET", "/cticache/DNIS-ANI/:"), 404, ""),
        (bare("GET", "/cticache/DNIS-ANI/1:2/3"), 404, ""),
        (bare("GET", "/cticache/DNIS-ANI/1:2%0a"), 404, ""),
        (bare("GET", "/cticache/DNIS-ANI/%ff:2"), 404, ""),
        (bare("GET", "/cticache/DNIS-ANI/drawn%2FDNIS-ANI:2"), 404, ""),
        (bare("GET", "/cticache?pool=1"), 400, "query"),
        (bare("GET", "/elsewhere"), 404, ""),
    ];
    for (request, status, field) in table {
        let response = handle(&request);
        let problem = body(&response);
        assert_eq!(response.status, status, "{request:?}: {problem}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        assert_eq!(problem["field"].as_str().unwrap_or_default(), field, "{request:?}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
    assert_eq!(body(&get("/cticache"))["waiting"], 0, "nothing of it was stored");
    assert_eq!(host.counted("stored", &[("pool", "DNIS-ANI")]), 0);
}

#[test]
fn a_store_that_is_away_is_told() {
    let host = host();
    host.refuse(Some("Redis is away"));
    for response in
        [store(&json!({})), get("/cticache/DNIS-ANI/1:2"), delete("/cticache/DNIS-ANI/1:2")]
    {
        assert_eq!(response.status, 503);
        assert!(body(&response)["detail"].as_str().unwrap().contains("Redis is away"));
    }
}

#[test]
fn an_operators_mistakes_keep_it_from_starting() {
    for (key, value, why) in [
        ("ttlSeconds", json!(0), "ttlSeconds: must be 1 to"),
        ("maxBytes", json!(1_000_000), "maxBytes: must be"),
        ("variable", json!("SHELL(x)"), "variable"),
        ("pools", json!({"a b": []}), "\"a b\""),
        ("pools", json!({"a": ["1-2-3 4"]}), "1-2-3 4"),
        ("pools", json!({"a": ["10-20"], "b": ["15"]}), "15 is in a and in b"),
        ("pool", json!({}), "pool"),
    ] {
        let host = FakeHost::install();
        host.set(key, value);
        let error = host.start::<CallData>().err().unwrap_or_default();
        assert!(error.contains(why), "{key}: {error}");
    }
}

struct Arrivals {
    host: Rc<FakeHost>,
    stage: Stage<CallData>,
}

impl Arrivals {
    fn new() -> Self {
        let host = host();
        host.set("variable", "CALLDATA");
        let stage = host.start::<CallData>().unwrap();
        Self { host, stage }
    }

    fn event(&mut self, kind: &str, fields: &Value) {
        let mut fields = fields.clone();
        fields["server"] = json!("pbx1");
        let payload = fields.to_string();
        let event = Event {
            seq: 1,
            time_ns: 0,
            address: "telepulse.event",
            kind,
            server: Some("pbx1"),
            payload: payload.as_bytes(),
        };
        self.stage.event(event).unwrap();
    }

    /// What was told since the last look.
    fn told(&self) -> Vec<Value> {
        let published = self.host.published().into_iter();
        published.map(|it| serde_json::from_slice(&it.payload).unwrap()).collect()
    }
}

#[test]
fn a_call_brings_its_data_along() {
    let mut arrivals = Arrivals::new();
    arrivals.host.serve("telepulse.query", |_| {
        let channel = json!({"channel": "PJSIP/trunk-1", "number": ANI, "state": "Up"});
        let items =
            json!([{"call": "other", "channels": []}, {"call": "c1", "channels": [channel]}]);
        Ok(json!({"ok": true, "result": {"items": items}}).to_string().into_bytes())
    });
    let given = Rc::new(std::cell::RefCell::new(Vec::<Value>::new()));
    let seen = given.clone();
    arrivals.host.serve("telepulse.command", move |command| {
        seen.borrow_mut().push(serde_json::from_slice(command).unwrap());
        Ok(json!({"ok": true, "result": {}}).to_string().into_bytes())
    });
    store(&json!({}));
    let started = |call: &str, from: &str, to: &str| json!({"call": call, "from": from, "to": to});
    arrivals.event("callStarted", &started("c0", "somebody else", "5550100"));
    arrivals.event("callStarted", &started("c0", ANI, "5550101"));
    arrivals.event("callStarted", &started("c0", ANI, ""));
    assert_eq!(arrivals.told(), [] as [Value; 0]);
    for _ in 0..2 {
        arrivals.event("callStarted", &started("c1", ANI, "5550100"));
    }
    let info = json!({
        "server": "pbx1", "call": "c1", "number": ANI, "info": {"customer": 7},
        "source": "calldata", "cached": false,
    });
    assert_eq!(arrivals.told(), std::slice::from_ref(&info));
    let set = json!({
        "action": "setVariable", "server": "pbx1", "channel": "PJSIP/trunk-1", "name": "CALLDATA",
        "value": "{\"customer\":7}",
    });
    assert_eq!(*given.borrow(), [set]);
    // Who rings sees his own number; and a new instance knows what the one before knew.
    arrivals.stage.swap().unwrap();
    let mut rings = started("c1", ANI, "201");
    rings["agent"] = json!("201");
    arrivals.event("callStarted", &rings);
    let mut to_agent = info;
    to_agent["agent"] = json!("201");
    to_agent["cached"] = json!(true);
    assert_eq!(arrivals.told(), [to_agent]);
    assert_eq!(given.borrow().len(), 1, "the variable is the call's: it is set once");
    assert_eq!(arrivals.host.counted("delivered", &[("pool", "DNIS-ANI")]), 1);
    // When it is over it is forgotten.
    arrivals.event("callEnded", &started("c1", ANI, "5550100"));
    arrivals.event("callStarted", &rings);
    assert_eq!(arrivals.told(), [] as [Value; 0]);
}

#[test]
fn who_is_transferred_to_the_number_is_found_as_well() {
    let mut arrivals = Arrivals::new();
    arrivals.host.serve("telepulse.query", |_| Err("nobody answers".to_owned()));
    store(&json!({}));
    let transferred =
        json!({"call": "c1", "kind": "blind", "by": "101", "party": ANI, "to": "5550100"});
    arrivals.event("callTransferred", &transferred);
    assert_eq!(arrivals.told()[0]["info"], json!({"customer": 7}));
    let warned =
        arrivals.host.lines().into_iter().any(|line| line.message.contains("nobody answers"));
    assert!(warned, "the variable could not be set");
}
