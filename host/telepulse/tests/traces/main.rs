//! Traces of commands, as a collector gets them, and what becomes of commands where it takes none.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod collector;
mod rig;

use collector::{Collector, Seen};
use http::StatusCode;
use rig::{Rig, SOON};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, time::timeout};

const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const ABOVE: &str = "b7ad6b7169203331";

fn traceparent(is_followed: bool) -> String {
    format!("00-{TRACE}-{ABOVE}-0{}", u8::from(is_followed))
}

/// What one says of itself, and under which it is.
#[track_caller]
fn check(span: &Seen, below: &str, kind: i32, said: &[(&str, &str)]) {
    assert_eq!((&*span.parent, span.kind), (below, kind), "{span:#?}");
    for (key, value) in said {
        let found = span.said.get(*key).map(String::as_str);
        assert_eq!(found, Some(*value), "{key} of {span:#?}");
    }
    assert!(span.begin <= span.end, "{span:#?}");
}

/// The attributes that the book lists.
fn listed() -> BTreeSet<&'static str> {
    let page = include_str!("../../../../docs/observe.md");
    let (_, below) = page.split_once("\n### Attributes\n").unwrap();
    below.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_over_rest_is_one_trace_from_the_client_to_what_came_of_it() {
    let collector = Collector::start().await;
    let rig = Rig::traced(&collector).await;
    let dial = json!({"from": "101", "to": "102", "callerId": "Petra <0385991234567>"});
    let (status, body) = rig.rest("POST", "/v1/calls", dial, Some(&traceparent(true))).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");

    let outcome = collector.span("AMI OriginateResponse", |_| true).await;
    let request = collector.span("POST", |_| true).await;
    let command = collector.span("command dial", |_| true).await;
    let policy = collector.span("policy warden", |_| true).await;
    let plan = collector.span("plan dial", |_| true).await;
    let originate = collector.span("AMI Originate", |_| true).await;
    let spans = collector.spans();
    assert_eq!(spans.len(), 6, "{spans:#?}");
    for span in &spans {
        assert_eq!(span.trace, TRACE, "{span:#?}");
        assert_eq!(span.failure, None, "{span:#?}");
        let unlisted: Vec<_> =
            span.said.keys().filter(|key| !listed().contains(key.as_str())).collect();
        assert!(unlisted.is_empty(), "{unlisted:?} of {span:#?}");
        let text = format!("{span:?}");
        assert!(!text.contains("385991234567") && !text.contains("Petra"), "{text}");
        assert!(!text.contains("all-powerful") && !text.contains("simulated"), "{text}");
    }

    let of_request = [
        ("http.request.method", "POST"),
        ("http.response.status_code", "202"),
        ("url.scheme", "http"),
        ("user.name", "ana"),
        ("telepulse.plugin", "rest"),
    ];
    check(&request, ABOVE, SERVER, &of_request);
    let call = body["call"].as_str().unwrap();
    let of_command = [
        ("telepulse.action", "dial"),
        ("telepulse.plugin", "rest"),
        ("user.name", "ana"),
        ("telepulse.server", "pbx1"),
        ("telepulse.outcome", "done"),
        ("telepulse.call", call),
    ];
    check(&command, &request.id, INTERNAL, &of_command);
    let of_policy = [("telepulse.plugin", "warden"), ("telepulse.verdict", "allow")];
    check(&policy, &command.id, INTERNAL, &of_policy);
    let of_plan = [("telepulse.server", "pbx1"), ("telepulse.actions", "1")];
    check(&plan, &command.id, INTERNAL, &of_plan);
    let port = rig.simulator.address().port().to_string();
    let of_originate = [
        ("telepulse.server", "pbx1"),
        ("server.address", "127.0.0.1"),
        ("server.port", &port),
        ("telepulse.ami.response", "Success"),
    ];
    check(&originate, &command.id, CLIENT, &of_originate);
    let of_outcome = [("telepulse.ami.response", "Success"), ("telepulse.ami.reason", "4")];
    check(&outcome, &originate.id, INTERNAL, &of_outcome);
    let id = "telepulse.ami.action_id";
    assert!(originate.said[id].starts_with("tp"), "{originate:?}");
    assert_eq!(originate.said[id], outcome.said[id]);
    // One after the other, and the phone rings after the answer.
    assert!(request.begin <= command.begin && command.end <= request.end);
    assert!(policy.end <= plan.begin && plan.end <= originate.begin);
    assert!(originate.end <= command.end && originate.end <= outcome.end);

    assert_eq!(collector.resource("service.name").as_deref(), Some("telepulse"));
    assert_eq!(collector.resource("service.instance.id").as_deref(), Some("here"));
    assert_eq!(collector.header("api-key").as_deref(), Some("k"));
    // It is counted when the collector's answer has come, and so after that one knows.
    let counted = async { while rig.figure("telepulse_spans_sent_total").await < 6.0 {} };
    timeout(SOON, counted).await.unwrap();
    rig.app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_has_failed_and_says_where() {
    let collector = Collector::start().await;
    let rig = Rig::traced(&collector).await;
    // By a policy.
    let dial = |from: &str, to: &str| json!({"from": from, "to": to});
    let (status, _) = rig.rest("POST", "/v1/calls", dial("101", "666"), None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let refused = collector.span("command dial", |it| it.said["telepulse.outcome"] != "done").await;
    assert_eq!(refused.failure.as_deref(), Some("ana does not call 666"));
    check(&refused, &refused.parent, INTERNAL, &[("error.type", "refusedByPolicy")]);
    let policy = collector.span("policy warden", |it| it.trace == refused.trace).await;
    check(&policy, &refused.id, INTERNAL, &[("telepulse.verdict", "refuse")]);
    assert_eq!(policy.failure, None, "it did what it is there for");
    // That the client is told 403 is no failure of the request.
    let request = collector.span("POST", |it| it.id == refused.parent).await;
    check(&request, "", SERVER, &[("http.response.status_code", "403")]);
    assert_eq!(request.failure, None);

    // By what is known of the calls: there is none to hang up.
    let hangup = json!({"action": "hangup", "agent": "103"});
    assert_eq!(rig.ask("telepulse.command", hangup).await["ok"], false);
    let refused = collector.span("command hangup", |_| true).await;
    check(&refused, "", SERVER, &[("error.type", "conflict"), ("telepulse.outcome", "conflict")]);
    let plan = collector.span("plan hangup", |_| true).await;
    check(&plan, &refused.id, INTERNAL, &[("error.type", "conflict")]);
    assert!(plan.failure.is_some());

    // By a phone that is not there, after Asterisk's yes.
    let (status, _) = rig.rest("POST", "/v1/calls", dial("104", "102"), None).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let outcome = collector.span("AMI OriginateResponse", |_| true).await;
    assert!(outcome.failure.as_ref().is_some_and(|why| why.contains("Failure")), "{outcome:?}");
    let dialled = collector.span("command dial", |it| it.trace == outcome.trace).await;
    assert_eq!(dialled.failure, None);

    // What clients make up is no span's name, and what plugins may not do is in the trace, too.
    assert_eq!(rig.ask("telepulse.command", json!({"action": "x1"})).await["ok"], false);
    let unknown = collector.span("command unknown", |_| true).await;
    check(&unknown, "", SERVER, &[("telepulse.action", "x1"), ("error.type", "badRequest")]);
    rig.app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_actions_and_orders_about_servers_are_traced() {
    let collector = Collector::start().await;
    let rig = Rig::bare(&format!("[telemetry]\notlp = \"http://{}\"\n", collector.address)).await;
    let ping = json!({"ServerId": "pbx1", "Action": "Ping"});
    assert_eq!(rig.ask("telepulse.proxy.action", ping).await["Response"], "Success");
    let listed = rig.ask("telepulse.proxy.command", json!({"command": "list"})).await;
    assert_eq!(listed["ok"], true);
    let stop = json!({"command": "stop", "server": "pbx1"});
    assert_eq!(rig.ask("telepulse.proxy.command", stop).await["ok"], true);
    // Nothing waits for the next request to the collector when we stop.
    rig.app.shutdown().await;
    let raw = collector.span("command proxy.action", |_| true).await;
    check(&raw, "", SERVER, &[("telepulse.action", "proxy.action:Ping")]);
    let action = collector.span("AMI Ping", |_| true).await;
    check(&action, &raw.id, CLIENT, &[("telepulse.ami.response", "Success")]);
    let order = collector.span("command proxy.command", |_| true).await;
    let of_order = [("telepulse.action", "proxy.command:stop"), ("telepulse.outcome", "done")];
    check(&order, "", SERVER, &of_order);
    assert_eq!(collector.spans().len(), 3, "a list is no order: {:#?}", collector.spans());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_wants_to_follow_is_not_sent() {
    let collector = Collector::start().await;
    // The client has decided.
    let rig = Rig::traced(&collector).await;
    let dial = json!({"from": "101", "to": "102"});
    let (status, _) = rig.rest("POST", "/v1/calls", dial.clone(), Some(&traceparent(false))).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    // Who only looks is not followed.
    let (status, _) = rig.rest("GET", "/v1/calls", Value::Null, Some(&traceparent(true))).await;
    assert_eq!(status, StatusCode::OK);
    // Nor is who has not logged in, whatever they say.
    let told = traceparent(true);
    let (status, _) = rig.rest_as(None, "POST", "/v1/calls", dial.clone(), Some(&told)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    rig.app.shutdown().await;
    assert_eq!(collector.requests(), 0, "{:#?}", collector.spans());

    // Nothing is configured: what the client sends is as good as nothing.
    let rig = Rig::with("").await;
    let (status, _) = rig.rest("POST", "/v1/calls", dial, Some(&traceparent(true))).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    rig.app.shutdown().await;
    assert_eq!(collector.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_do_not_wait_for_a_collector() {
    // Nobody listens; and somebody who never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = closed.local_addr().unwrap();
    drop(closed);
    for address in [nobody, silent.local_addr().unwrap()] {
        let rig = Rig::bare(&format!("[telemetry]\notlp = \"http://{address}\"\n")).await;
        // More than may wait, at two spans each.
        let dropped = rig.figure("telepulse_spans_dropped_total").await;
        let begun = Instant::now();
        for _ in 0..1_400 {
            let ping = json!({"ServerId": "pbx1", "Action": "Ping"});
            assert_eq!(rig.ask("telepulse.proxy.action", ping).await["Response"], "Success");
        }
        let dialled = timeout(SOON, rig.dial()).await.unwrap();
        assert_eq!(dialled["ok"], true, "{dialled}");
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
        assert!(rig.figure("telepulse_spans_dropped_total").await > dropped);
        let begun = Instant::now();
        rig.app.shutdown().await;
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    }
}
