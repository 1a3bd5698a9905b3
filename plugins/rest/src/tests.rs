//! Requests in, answers and what went over the bus out.

use crate::api::{Bus, handle};
use serde_json::{Value, json};
use telepulse_plugin_sdk::{
    http::{BodyError, Request, Response},
    language::{Code, Refusal},
};

/// A bus that remembers what was asked and answers always the same.
struct Recorder {
    asked: Vec<(String, Value)>,
    answer: Result<Value, Refusal>,
}

impl Bus for Recorder {
    fn ask(&mut self, address: &str, payload: &Value) -> Result<Value, Refusal> {
        self.asked.push((address.to_owned(), payload.clone()));
        self.answer.clone()
    }
}

fn run(request: &Request, answer: Result<Value, Refusal>) -> (Response, Vec<(String, Value)>) {
    let mut bus = Recorder { asked: Vec::new(), answer };
    let response = handle(request, &mut bus);
    (response, bus.asked)
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
    let refuse = |body: Value, field| {
        refused(&with_json("POST", "/v1/commands", &body), 400, "badRequest", Some(field));
    };
    refuse(json!({"action": "explode"}), "action");
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
    refuse("/v1/calls?limit=2", "limit");
    refuse("/v1/calls?ended=true&limit=0", "limit");
    refuse("/v1/calls?ended=true&limit=1001", "limit");
    refuse("/v1/calls?ended=true&since=yesterday", "since");
    refuse("/v1/calls?ended=true&page=2", "page");
    refuse("/v1/queues?ended=true", "ended");
}

#[test]
fn a_call_that_is_over_is_still_at_its_place() {
    struct Ended;
    impl Bus for Ended {
        fn ask(&mut self, _: &str, query: &Value) -> Result<Value, Refusal> {
            let is_known = query["query"] == "endedCalls" && query["page"]["call"] == "a b";
            let items = if is_known { json!([{"call": "a b", "cause": 16}]) } else { json!([]) };
            Ok(json!({"seq": 1, "items": items}))
        }
    }
    let response = handle(&Request::new("GET", "/v1/calls/a%20b"), &mut Ended);
    assert_eq!((response.status, body(&response)["cause"].clone()), (200, json!(16)));
    assert_eq!(handle(&Request::new("GET", "/v1/calls/c"), &mut Ended).status, 404);
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
    let too_long = Request { body: Err(BodyError::TooLong), ..post.clone() };
    refused(&too_long, 413, "badRequest", None);
    let broken = Request { body: Err(BodyError::Broken("reset".into())), ..post.clone() };
    refused(&broken, 400, "badRequest", None);
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
