//! Commands and queries: understood strictly, sent on in the client's name, answered under its id.

use super::*;
use std::time::Duration;

#[test]
fn a_request_goes_over_the_bus_in_the_clients_name() {
    let table = [
        (
            json!({"action": "dial", "id": 1, "from": "101", "to": "102"}),
            "telepulse.command",
            json!({"action": "dial", "id": 1, "from": "101", "to": "102"}),
        ),
        (
            json!({"action": "hangup", "id": "x", "agent": "201", "server": "pbx1"}),
            "telepulse.command",
            json!({"action": "hangup", "id": "x", "agent": "201", "server": "pbx1"}),
        ),
        (
            json!({"action": "query", "id": 2, "query": "calls", "filter": {"agents": ["201"]}}),
            "telepulse.query",
            json!({"query": "calls", "filter": {"agents": ["201"]}}),
        ),
    ];
    for (message, address, payload) in table {
        let mut scene = Scene::new();
        let request = scene.submits(&message);
        assert_eq!((request.address.as_str(), request.json()), (address, payload));
        assert_eq!(request.on_behalf_of, Some(CLIENT));
        assert!(request.timeout >= Duration::from_secs(10));
        let result = json!({"items": [{"deep": [1, null]}], "seq": 4});
        let replies = scene.answer(&request, &json!({"id": null, "ok": true, "result": result}));
        assert_eq!(replies, [json!({"id": message["id"], "ok": true, "result": result})]);
    }
}

#[test]
fn a_refusal_and_a_silence_reach_the_client() {
    let mut scene = Scene::new();
    let dial = json!({"action": "dial", "id": 1, "from": "101", "to": "102"});
    let request = scene.submits(&dial);
    let replies = scene.answer(&request, &refusal("forbidden"));
    let error = json!({"code": "forbidden", "message": "because"});
    assert_eq!(replies, [json!({"id": 1, "ok": false, "error": error})]);

    let request = scene.submits(&dial);
    scene.stage.answer(&request, Err("no answer within 15 s".into()));
    assert_eq!(scene.host.sent_json(CLIENT)[0]["error"]["code"], "timeout");

    let request = scene.submits(&dial);
    assert_eq!(scene.answer(&request, &json!([]))[0]["error"]["code"], "internal");

    scene.host.refuse(Some("no grant"));
    assert_eq!(scene.reply(&dial)["error"]["code"], "internal");
}

#[test]
fn what_is_wrong_is_named() {
    let mut scene = Scene::new();
    for (message, id, field) in [
        (json!({"id": 2}), json!(2), Some("action")),
        (json!({"action": "ping", "id": [3]}), Value::Null, Some("id")),
        (json!({"action": "ping", "id": 4, "extra": 1}), json!(4), Some("extra")),
        (json!({"action": "dial", "id": 5, "from": "101"}), json!(5), Some("to")),
        (json!({"action": "dial", "id": 6, "from": "1", "to": "2\r\nX: y"}), json!(6), Some("to")),
        (json!({"action": "query", "id": 7, "query": "moods"}), json!(7), Some("query")),
        (
            json!({"action": "subscribe", "id": 8, "filter": {"agent": []}}),
            json!(8),
            Some("filter.agent"),
        ),
        (json!({"action": "subscribe", "id": 9, "snapshot": "yes"}), json!(9), Some("snapshot")),
        (json!({"action": "subscribe", "id": 10, "since": {"seq": 1}}), json!(10), Some("since")),
        (json!([]), Value::Null, None),
    ] {
        let reply = scene.reply(&message);
        assert_eq!((&reply["id"], &reply["ok"]), (&id, &json!(false)), "{reply}");
        assert_eq!(reply["error"]["code"], "badRequest", "{reply}");
        assert_eq!(reply["error"]["field"].as_str(), field, "{reply}");
    }
    // What the gateway does not know, a plugin may.
    let unknown = json!({"action": "explode", "id": 1, "what": 2});
    let submitted = scene.submits(&unknown);
    assert_eq!(submitted.json(), json!({"action": "explode", "what": 2}));
    assert_eq!(scene.answer(&submitted, &refusal("badRequest"))[0]["id"], 1);
    let huge = format!("{{\"action\":\"{}\"}}", "x".repeat(70_000));
    scene.stage.text(CLIENT, &huge);
    assert_eq!(scene.host.sent_json(CLIENT)[0]["error"]["code"], "badRequest");
    assert_eq!(scene.host.submitted(), []);
    assert_eq!(scene.close_code(), None);
}

#[test]
fn a_client_has_thirty_two_places() {
    let mut scene = Scene::new();
    let query = json!({"action": "query", "query": "calls"});
    let requests: Vec<_> = (0..32).map(|_| scene.submits(&query)).collect();
    assert_eq!(scene.reply(&query)["error"]["code"], "tooManyRequests");
    assert_eq!(scene.reply(&json!({"action": "ping"}))["ok"], true);
    scene.answer(&requests[0], &json!({"ok": true, "result": {}}));
    scene.submits(&query);
}

#[test]
fn all_clients_together_have_a_thousand_and_the_rest_waits_its_turn() {
    let mut scene = Scene::new();
    let query = json!({"action": "query", "id": 1, "query": "calls"}).to_string();
    for conn in 100..140 {
        scene.open(conn, Some(wallboard()));
        (0..32).for_each(|_| scene.stage.text(conn, &query));
    }
    let sent = scene.host.submitted();
    assert_eq!(sent.len(), 1000);
    // Client 131 has 24 of its requests waiting, client 132 all of its 32.
    scene.stage.leave(131);
    scene.answer(&sent[0], &json!({"ok": true, "result": {}}));
    assert_eq!(scene.only_submitted().on_behalf_of, Some(132));
}

#[test]
fn an_answer_for_somebody_who_left_goes_nowhere() {
    let mut scene = Scene::new();
    let request = scene.submits(&json!({"action": "query", "query": "calls"}));
    scene.stage.leave(CLIENT);
    assert_eq!(scene.answer(&request, &refusal("internal")), Vec::<Value>::new());
}

#[test]
fn a_client_that_cannot_take_a_reply_is_hung_up_on() {
    let mut scene = Scene::new();
    scene.host.fill(CLIENT);
    scene.say(&json!({"action": "ping"}));
    assert_eq!(scene.close_code(), Some(4408));
}
