//! Requests in, answers and what went over the bus out.

use crate::api::{Outside, handle};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use telepulse_plugin_sdk::{
    http::{BodyError, Request, Response},
    language::{Code, Refusal},
};

/// A host that remembers what was asked and answers always the same.
struct Recorder {
    asked: Vec<(String, Value)>,
    answer: Result<Value, Refusal>,
    memory: BTreeMap<String, Vec<u8>>,
}

impl Recorder {
    fn new(answer: Result<Value, Refusal>) -> Self {
        Self { asked: Vec::new(), answer, memory: BTreeMap::new() }
    }
}

impl Outside for Recorder {
    fn ask(&mut self, address: &str, payload: &Value) -> Result<Value, Refusal> {
        self.asked.push((address.to_owned(), payload.clone()));
        self.answer.clone()
    }

    fn remembered(&mut self, key: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.memory.get(key).cloned())
    }

    fn remember(
        &mut self,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        _: Duration,
    ) -> Result<bool, String> {
        let is_so = self.memory.get(key).map(Vec::as_slice) == expected;
        if is_so {
            self.memory.insert(key.to_owned(), value.to_vec());
        }
        Ok(is_so)
    }

    fn forget(&mut self, key: &str) -> Result<(), String> {
        self.memory.remove(key);
        Ok(())
    }

    fn origins(&mut self) -> Vec<String> {
        vec!["https://panel.example".to_owned()]
    }
}

fn run(request: &Request, answer: Result<Value, Refusal>) -> (Response, Vec<(String, Value)>) {
    let mut host = Recorder::new(answer);
    let response = handle(request, &mut host);
    (response, host.asked)
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_default()
}

fn with_json(method: &str, target: &str, body: &Value) -> Request {
    Request::new(method, target)
        .with_header("Content-Type", "application/json; charset=utf-8")
        .with_body(body.to_string())
}

/// A request becomes just this command, and the answer has this status.
fn commands(request: &Request, expected: &Value, status: u16) -> Response {
    let result = json!({"call": "pbx1-1 a/b", "actionId": "x"});
    let (response, asked) = run(request, Ok(result));
    assert_eq!(asked, [("telepulse.command".to_owned(), expected.clone())], "{request:?}");
    assert_eq!(response.status, status, "{request:?}: {:?}", body(&response));
    response
}

/// A request is refused before anything goes over the bus.
fn refused(request: &Request, status: u16, code: &str, field: Option<&str>) -> Response {
    let (response, asked) = run(request, Ok(Value::Null));
    assert_eq!(asked, [], "{request:?}");
    let problem = body(&response);
    assert_eq!(response.status, status, "{request:?}: {problem}");
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    assert_eq!(problem["status"], status);
    assert_eq!(problem["code"], code, "{problem}");
    assert_eq!(problem["field"].as_str(), field, "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    response
}

#[test]
fn dial_is_accepted_and_says_where_the_call_is() {
    let dial = json!({"from": "101", "to": "102", "timeout": 20});
    let expected = json!({"action": "dial", "from": "101", "to": "102", "timeout": 20});
    let response = commands(&with_json("POST", "/v1/calls", &dial), &expected, 202);
    assert_eq!(response.header("location"), Some("/v1/calls/pbx1-1%20a%2Fb"));
    assert_eq!(body(&response)["actionId"], "x");
}

#[test]
fn a_path_names_what_a_command_is_about() {
    let nothing = json!({});
    let table = [
        ("DELETE", "/v1/calls/pbx1-1", &nothing, json!({"action":"hangup","call":"pbx1-1"}), 204),
        (
            "POST",
            "/v1/calls/a%2Fb/transfer",
            &json!({"to": "103"}),
            json!({"action":"transfer","call":"a/b","to":"103","kind":"blind"}),
            202,
        ),
        (
            "POST",
            "/v1/calls/a/record",
            &json!({"change": "start"}),
            json!({"action":"record","call":"a","change":"start"}),
            202,
        ),
        (
            "POST",
            "/v1/calls/a/park",
            &json!({"timeout": 30}),
            json!({"action":"park","call":"a","timeout":30}),
            202,
        ),
        (
            "POST",
            "/v1/calls/a/whisper",
            &json!({"agent": "300"}),
            json!({"action":"whisper","agent":"300","target":"a"}),
            202,
        ),
        (
            "PUT",
            "/v1/queues/sales%20de/members/201",
            &json!({"penalty": 2, "server": "pbx1"}),
            json!({"action":"queueAdd","queue":"sales de","agent":"201","penalty":2,"server":"pbx1"}),
            200,
        ),
        (
            "PATCH",
            "/v1/queues/sales/members/201",
            &json!({"paused": true, "reason": "lunch"}),
            json!({"action":"queuePause","queue":"sales","agent":"201","reason":"lunch"}),
            200,
        ),
        (
            "PATCH",
            "/v1/queues/sales/members/201",
            &json!({"paused": false}),
            json!({"action":"queueUnpause","queue":"sales","agent":"201"}),
            200,
        ),
        (
            "DELETE",
            "/v1/queues/sales/members/201",
            &nothing,
            json!({"action":"queueRemove","queue":"sales","agent":"201"}),
            204,
        ),
    ];
    for (method, target, body, expected, status) in table {
        commands(&with_json(method, target, body), &expected, status);
    }
    // No body is as good as an empty object.
    let bare = Request::new("PUT", "/v1/queues/sales/members/201");
    commands(&bare, &json!({"action": "queueAdd", "queue": "sales", "agent": "201"}), 200);
}

#[test]
fn any_command_may_be_posted_and_answers_in_the_language() {
    let command = json!({"action": "hangup", "id": 7, "agent": "201"});
    let response = commands(&with_json("POST", "/v1/commands", &command), &command, 200);
    assert_eq!(
        body(&response),
        json!({"id": 7, "ok": true, "result": {"call": "pbx1-1 a/b", "actionId": "x"}})
    );
    // What is not known here, a plugin may know.
    let note = json!({"action": "note", "call": "c1", "text": "angry"});
    commands(&with_json("POST", "/v1/commands", &note), &note, 200);
    let refuse = |body: Value, field| {
        refused(&with_json("POST", "/v1/commands", &body), 400, "badRequest", Some(field));
    };
    refuse(json!({"to": "1"}), "action");
    refuse(json!({"action": "dial", "from": "101", "to": "102\r\nAction: Command"}), "to");
}

#[test]
fn lists_are_queries_with_a_filter() {
    let table = [
        ("/v1/calls", "calls", json!({})),
        ("/v1/extensions?agents=201,202", "users", json!({"agents": ["201", "202"]})),
        (
            "/v1/queues?servers=pbx1&queues=a+b",
            "queues",
            json!({"servers": ["pbx1"], "queues": ["a b"]}),
        ),
        ("/v1/servers", "servers", json!({})),
    ];
    for (target, kind, filter) in table {
        let result = json!({"seq": 9, "epoch": "e", "items": [{"a": 1}]});
        let (response, asked) = run(&Request::new("GET", target), Ok(result));
        let expected = json!({"query": kind, "filter": filter});
        assert_eq!(asked, [("telepulse.query".to_owned(), expected)]);
        assert_eq!(
            (response.status, body(&response)),
            (200, json!({"items": [{"a": 1}], "seq": 9}))
        );
    }
    refused(&Request::new("GET", "/v1/calls?agent=201"), 400, "badRequest", Some("agent"));
    refused(&Request::new("GET", "/v1/calls?agents=1&agents=2"), 400, "badRequest", Some("agents"));
}

#[test]
fn ended_calls_come_in_parts_that_link_to_each_other() {
    let target =
        "/v1/calls?ended=true&agents=201&number=030+123&since=2026-11-20T22:08:00Z&limit=2";
    let result = json!({"seq": 9, "epoch": "e", "items": [{"a": 1}], "next": "5-7"});
    let (response, asked) = run(&Request::new("GET", target), Ok(result));
    let page = json!({"number": "030 123", "since": "2026-11-20T22:08:00.000Z", "limit": 2});
    let expected = json!({"query": "endedCalls", "filter": {"agents": ["201"]}, "page": page});
    assert_eq!(asked, [("telepulse.query".to_owned(), expected)]);
    assert_eq!(body(&response), json!({"items": [{"a": 1}], "seq": 9, "next": "5-7"}));
    let link = response.header("link").unwrap();
    let next =
        link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
    let last = json!({"seq": 9, "epoch": "e", "items": []});
    let (response, asked) = run(&Request::new("GET", next), Ok(last));
    assert_eq!(asked[0].1["page"]["before"], "5-7", "{link}");
    assert_eq!(asked[0].1["page"]["number"], "030 123", "{link}");
    assert_eq!((body(&response), response.header("link")), (json!({"items": [], "seq": 9}), None));

    let refuse = |target: &str, field| {
        refused(&Request::new("GET", target), 400, "badRequest", Some(field));
    };
    refuse("/v1/calls?ended=yes", "ended");
    refuse("/v1/calls?since=2026-11-20T22:08:00Z", "since");
    refuse("/v1/calls?limit=0", "limit");
    refuse("/v1/calls?ended=true&limit=0", "limit");
    refuse("/v1/calls?ended=true&limit=1001", "limit");
    refuse("/v1/calls?ended=true&since=yesterday", "since");
    refuse("/v1/calls?ended=true&page=2", "page");
    refuse("/v1/queues?ended=true", "ended");
}

#[test]
fn a_call_that_is_over_is_still_at_its_place() {
    // The first question finds nothing under that id, the second finds this.
    let items = json!({"seq": 1, "items": [{"call": "another", "cause": 16}]});
    let (response, asked) = run(&Request::new("GET", "/v1/calls/a%20b"), Ok(items));
    assert_eq!((response.status, body(&response)["cause"].clone()), (200, json!(16)));
    assert_eq!(asked[1].1, json!({"query": "endedCalls", "page": {"call": "a b"}}));
    let none = json!({"seq": 1, "items": []});
    assert_eq!(run(&Request::new("GET", "/v1/calls/c"), Ok(none)).0.status, 404);
}

#[test]
fn one_item_is_found_or_not_or_could_be_two() {
    let items = json!({"seq": 1, "items": [
        {"agent": "201", "server": "pbx1"},
        {"agent": "202", "server": "pbx1"},
        {"agent": "202", "server": "pbx2"},
    ]});
    let get = |target: &str| run(&Request::new("GET", target), Ok(items.clone()));
    let (response, asked) = get("/v1/extensions/201?servers=pbx1");
    assert_eq!(asked[0].1["filter"], json!({"agents": ["201"], "servers": ["pbx1"]}));
    assert_eq!(body(&response), json!({"agent": "201", "server": "pbx1"}));
    for (agent, status, code) in [("203", 404, "notFound"), ("202", 409, "conflict")] {
        let (response, _) = get(&format!("/v1/extensions/{agent}"));
        assert_eq!((response.status, &body(&response)["code"]), (status, &json!(code)));
    }
    let head = run(&Request::new("HEAD", "/v1/extensions/201"), Ok(items.clone())).0;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn a_refusal_from_the_bus_becomes_its_status() {
    let table = [
        (Code::Unauthorized, 401),
        (Code::Forbidden, 403),
        (Code::NotFound, 404),
        (Code::Conflict, 409),
        (Code::TooManyRequests, 429),
        (Code::RejectedByServer, 502),
        (Code::ServerUnavailable, 503),
        (Code::UnknownOutcome, 504),
    ];
    for (code, status) in table {
        let refusal = Refusal::new(code, "because").with_field("call");
        let (response, _) = run(&Request::new("DELETE", "/v1/calls/x"), Err(refusal));
        assert_eq!(response.status, status);
        assert_eq!(
            (&body(&response)["detail"], &body(&response)["field"]),
            (&json!("because"), &json!("call"))
        );
        assert_eq!(response.header("www-authenticate").is_some(), status == 401);
    }
}

#[test]
fn paths_and_methods_that_are_not_there_are_told() {
    for path in ["/", "/v1", "/v1/", "/v1/calls/", "/v2/calls", "/v1/calls/a/b", "/v1/calls/%ff"] {
        refused(&Request::new("GET", path), 404, "notFound", None);
    }
    for (method, path, allow) in [
        ("PUT", "/v1/calls", "GET, HEAD, POST"),
        ("POST", "/v1/queues/a/members/1", "PUT, PATCH, DELETE"),
        ("GET", "/v1/commands", "POST"),
        ("BREW", "/v1/servers", "GET, HEAD"),
    ] {
        let response = refused(&Request::new(method, path), 405, "badRequest", None);
        assert_eq!(response.header("allow"), Some(allow));
        let (options, _) = run(&Request::new("OPTIONS", path), Ok(Value::Null));
        assert_eq!((options.status, options.header("allow")), (204, Some(allow)));
    }
}

#[test]
fn bodies_that_cannot_be_used_are_told() {
    let post = Request::new("POST", "/v1/calls");
    let too_long = Request { body: Err(BodyError::TooLong(64 << 10)), ..post.clone() };
    refused(&too_long, 413, "badRequest", None);
    refused(&post.clone().with_body("{}"), 415, "badRequest", None);
    refused(
        &post.clone().with_header("content-type", "text/plain").with_body("{}"),
        415,
        "badRequest",
        None,
    );
    let json = post.clone().with_header("content-type", "application/json");
    refused(&json.with_body("{\"from\":"), 400, "badRequest", None);
    refused(&post, 400, "badRequest", Some("from"));
    let patch = |body| with_json("PATCH", "/v1/queues/a/members/1", &body);
    refused(&patch(json!({})), 400, "badRequest", Some("paused"));
    refused(&patch(json!({"paused": "yes"})), 400, "badRequest", Some("paused"));
    refused(&patch(json!({"paused": true, "queue": "b"})), 400, "badRequest", Some("queue"));
    refused(&patch(json!({"paused": true, "until": 3})), 400, "badRequest", Some("until"));
    refused(
        &with_json("POST", "/v1/calls", &json!({"action": "hangup"})),
        400,
        "badRequest",
        Some("action"),
    );
}

#[test]
fn lists_come_in_parts_in_a_fixed_order() {
    let items = [("pbx2", "201"), ("pbx1", "203"), ("pbx1", "201"), ("pbx1", "202")];
    let items = items.map(|(server, agent)| json!({"server": server, "agent": agent}));
    let result = json!({"seq": 9, "items": items});
    let mut target = "/v1/extensions?servers=pbx1,pbx2&limit=3".to_owned();
    let mut seen = Vec::new();
    loop {
        let (response, _) = run(&Request::new("GET", &target), Ok(result.clone()));
        let body = body(&response);
        let agents = body["items"].as_array().unwrap().iter();
        seen.push(
            agents.map(|item| format!("{}/{}", item["server"], item["agent"])).collect::<Vec<_>>(),
        );
        let Some(link) = response.header("link") else {
            assert_eq!(body.get("next"), None);
            break;
        };
        target =
            link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
    let pbx1 = ["201", "202", "203"].map(|agent| format!("\"pbx1\"/\"{agent}\""));
    assert_eq!(seen, [pbx1.to_vec(), vec!["\"pbx2\"/\"201\"".to_owned()]]);
}

#[test]
fn who_has_the_answer_already_gets_it_not_again() {
    let result =
        |seq: u64, count: u64| json!({"seq": seq, "items": [{"queue": "a", "count": count}]});
    let get = |known: &str, result: Value| {
        let request = Request::new("GET", "/v1/queues").with_header("If-None-Match", known);
        run(&request, Ok(result)).0
    };
    let first = get("", result(1, 2));
    let tag = first.header("etag").unwrap().to_owned();
    // Other events went by, none about this.
    let same = get(&format!("\"x\", {tag}"), result(7, 2));
    assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, Some(&*tag)));
    let other = get(&tag, result(7, 3));
    assert_eq!(other.status, 200);
    assert_ne!(other.header("etag"), Some(&*tag));
}

#[test]
fn a_post_that_comes_again_is_answered_and_not_done_again() {
    let dial = |key: &str, user: &str, to: &str| {
        with_json("POST", "/v1/calls", &json!({"from": "101", "to": to}))
            .with_header("Idempotency-Key", key)
            .with_header("telepulse-user", user)
    };
    let mut host = Recorder::new(Ok(json!({"call": "pbx1-1", "actionId": "x"})));
    let first = handle(&dial("k1", "ana", "102"), &mut host);
    let again = handle(&dial("k1", "ana", "102"), &mut host);
    assert_eq!((first.status, again.status, host.asked.len()), (202, 202, 1));
    assert_eq!((&first.body, first.header("location")), (&again.body, again.header("location")));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(handle(&dial("k1", "ana", "103"), &mut host).status, 422, "another request");
    assert_eq!(handle(&dial("k1", "ivan", "102"), &mut host).status, 202, "another user");
    assert_eq!(handle(&dial("k2", "ana", "102"), &mut host).status, 202, "another key");
    assert_eq!(host.asked.len(), 3);
    for bad in ["", "two words", &"x".repeat(256)] {
        assert_eq!(handle(&dial(bad, "ana", "102"), &mut host).status, 400, "{bad}");
    }

    // What was refused may come again; what may have been done may not.
    host.answer = Err(Refusal::new(Code::ServerUnavailable, "gone"));
    assert_eq!(handle(&dial("k3", "ana", "102"), &mut host).status, 503);
    host.answer = Err(Refusal::new(Code::UnknownOutcome, "who knows"));
    assert_eq!(handle(&dial("k3", "ana", "102"), &mut host).status, 504);
    host.answer = Ok(json!({"call": "pbx1-2"}));
    let asked = host.asked.len();
    let still = handle(&dial("k3", "ana", "102"), &mut host);
    assert_eq!((still.status, host.asked.len()), (504, asked), "not a second call");

    // The instance died while the first one was carried out.
    let place = host.memory.keys().find(|key| key.ends_with("/k1")).unwrap().clone();
    let mut noted: Value = serde_json::from_slice(&host.memory[&place]).unwrap();
    noted["answer"] = Value::Null;
    host.memory.insert(place.clone(), noted.to_string().into_bytes());
    let user_of = |user: &str| {
        handle(
            &dial("k1", user, "102"),
            &mut Recorder { memory: host.memory.clone(), ..Recorder::new(Ok(Value::Null)) },
        )
    };
    let statuses = [user_of("ana").status, user_of("ivan").status];
    assert!(statuses.contains(&409) && statuses.contains(&202), "{statuses:?}");
}

#[test]
fn pages_of_listed_origins_are_let_in() {
    let ask = |method: &str, origin: &str| {
        let request = Request::new(method, "/v1/calls")
            .with_header("Origin", origin)
            .with_header("Access-Control-Request-Method", "POST");
        run(&request, Ok(json!({"seq": 1, "items": []}))).0
    };
    let allowed = ask("OPTIONS", "https://panel.example");
    assert_eq!(allowed.status, 204);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://panel.example"));
    assert_eq!(allowed.header("access-control-allow-methods"), Some("GET, HEAD, POST"));
    assert!(allowed.header("access-control-allow-headers").unwrap().contains("authorization"));
    assert_eq!(allowed.header("access-control-allow-credentials"), None);
    let answer = ask("GET", "https://panel.example");
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://panel.example"));
    for other in ["https://evil.example", "null", "https://panel.example.evil.example"] {
        for method in ["OPTIONS", "GET"] {
            let answer = ask(method, other);
            assert_eq!(answer.header("access-control-allow-origin"), None, "{other}");
            assert_eq!(answer.header("vary"), Some("origin"));
        }
    }
}

#[test]
fn the_description_is_served() {
    let (response, asked) = run(&Request::new("GET", "/v1/openapi.json"), Ok(Value::Null));
    assert_eq!((response.status, asked), (200, vec![]));
    let description = body(&response);
    assert_eq!(description["openapi"], "3.1.1");
    let paths = description["paths"].as_object().unwrap();
    let operations: usize = paths.values().map(|path| path.as_object().unwrap().len()).sum();
    // And `/v1/events`, which is the WebSocket gateway's.
    assert_eq!(operations, crate::operations::OPERATIONS.len() + 1);
}
