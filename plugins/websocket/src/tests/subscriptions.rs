//! Feeds: held until the reply with its snapshot goes out, replayed, replaced, refreshed.

use super::*;

fn subscribe(more: &Value) -> Value {
    let mut message = json!({"action": "subscribe", "id": "s", "filter": {"agents": ["201"]}});
    for (key, value) in more.as_object().unwrap() {
        message[key] = value.clone();
    }
    message
}

#[test]
fn without_a_snapshot_events_flow_at_once() {
    let mut scene = Scene::new();
    let reply = scene.reply(&subscribe(&json!({})));
    assert_eq!(reply, json!({"id": "s", "ok": true, "result": {"seq": 200, "epoch": "e1"}}));
    let feed = scene.feed();
    assert_eq!(json!(feed.filter), json!({"agents": ["201"]}));
    assert_eq!(feed.released, Some(vec![]));
    assert_eq!(scene.host.submitted(), []);
}

#[test]
fn with_a_snapshot_the_feed_is_held_until_it_has_come() {
    let mut scene = Scene::new();
    let request = scene.submits(&subscribe(&json!({"snapshot": true})));
    assert_eq!(scene.feed().released, None);
    assert_eq!(request.address, "telepulse.query");
    assert_eq!(request.json(), json!({"query": "snapshot", "filter": {"agents": ["201"]}}));
    assert_eq!(request.on_behalf_of, Some(CLIENT));
    let replies = scene.answer(&request, &snapshot());
    let item = snapshot()["result"]["items"][0].clone();
    let result = json!({"seq": 200, "epoch": "e1", "snapshot": item});
    assert_eq!(replies, [json!({"id": "s", "ok": true, "result": result})]);
    let parts = vec![("pbx1".to_owned(), 207), ("pbx2".to_owned(), 203)];
    assert_eq!(scene.feed().released, Some(parts));
}

#[test]
fn since_goes_on_where_the_history_reaches_and_resynchronises_where_it_does_not() {
    for (since, replayed) in [
        (json!({"epoch": "e1", "seq": 150}), true),
        (json!({"epoch": "e1", "seq": 99}), false),
        (json!({"epoch": "e0", "seq": 150}), false),
        (json!({"epoch": "e1", "seq": 201}), false),
    ] {
        let mut scene = Scene::new();
        let message = subscribe(&json!({"since": since, "snapshot": replayed}));
        if replayed {
            assert_eq!(scene.reply(&message)["result"], json!({"seq": 150, "epoch": "e1"}));
            assert_eq!(scene.host.submitted(), []);
        } else {
            let request = scene.submits(&message);
            let result = scene.answer(&request, &snapshot())[0]["result"].clone();
            assert_eq!(result["resync"], true, "{since}");
            assert_eq!(result["snapshot"]["calls"][0]["call"], "c1");
        }
        assert!(scene.feed().released.is_some());
    }
}

#[test]
fn a_snapshot_that_fails_ends_the_subscription() {
    let mut scene = Scene::new();
    let request = scene.submits(&subscribe(&json!({"snapshot": true})));
    let reply = scene.answer(&request, &refusal("serverUnavailable"));
    assert_eq!(
        (&reply[0]["id"], &reply[0]["error"]["code"]),
        (&json!("s"), &json!("serverUnavailable"))
    );
    assert!(scene.host.feeds(CLIENT).is_empty());
    let reply = scene.reply(&json!({"action": "unsubscribe", "id": 1, "subscription": "s"}));
    assert_eq!(reply["error"]["code"], "notFound");
}

#[test]
fn unsubscribing_ends_the_feed() {
    let mut scene = Scene::new();
    scene.reply(&subscribe(&json!({})));
    let reply = scene.reply(&json!({"action": "unsubscribe", "id": 2, "subscription": "s"}));
    assert_eq!(reply, json!({"id": 2, "ok": true, "result": {}}));
    assert!(scene.host.feeds(CLIENT).is_empty());

    // Whoever waits for the reply to a subscribe gets one, and the snapshot comes to nothing.
    let request = scene.submits(&subscribe(&json!({"snapshot": true})));
    let replies = scene.say(&json!({"action": "unsubscribe", "id": 3, "subscription": "s"}));
    assert_eq!(
        (&replies[0]["id"], &replies[0]["error"]["code"]),
        (&json!("s"), &json!("conflict"))
    );
    assert_eq!(replies[1], json!({"id": 3, "ok": true, "result": {}}));
    assert_eq!(scene.answer(&request, &snapshot()), Vec::<Value>::new());
}

#[test]
fn the_same_id_replaces_and_a_late_snapshot_is_not_mistaken() {
    let mut scene = Scene::new();
    let first = scene.submits(&subscribe(&json!({"snapshot": true})));
    let replies = scene.say(&subscribe(&json!({"snapshot": true, "filter": {"agents": ["202"]}})));
    assert_eq!(replies[0]["error"]["code"], "conflict");
    let second = scene.only_submitted();
    assert_eq!(scene.answer(&first, &snapshot()), Vec::<Value>::new());
    assert_eq!(scene.feed().released, None);
    assert_eq!(scene.answer(&second, &snapshot())[0]["ok"], true);
    assert_eq!(json!(scene.feed().filter), json!({"agents": ["202"]}));
}

#[test]
fn ids_name_subscriptions_and_one_is_invented_where_there_is_none() {
    let mut scene = Scene::new();
    for id in [json!(1), json!("1")] {
        assert_eq!(scene.reply(&subscribe(&json!({"id": id})))["ok"], true);
    }
    assert_eq!(scene.host.feeds(CLIENT).len(), 2);
    let reply = scene.reply(&json!({"action": "subscribe"}));
    let name = reply["result"]["subscription"].clone();
    assert!(reply["id"].is_null() && name.is_string(), "{reply}");
    let reply = scene.reply(&json!({"action": "unsubscribe", "subscription": name}));
    assert_eq!(reply["ok"], true);
    let long = scene.reply(&subscribe(&json!({"id": "x".repeat(200)})));
    assert_eq!(long["error"]["field"], "id");
}

#[test]
fn a_client_has_sixty_four_subscriptions() {
    let mut scene = Scene::new();
    for id in 0..64 {
        assert_eq!(scene.reply(&subscribe(&json!({"id": id})))["ok"], true);
    }
    let reply = scene.reply(&subscribe(&json!({"id": 64})));
    assert_eq!(reply["error"]["code"], "tooManyRequests");
    assert_eq!(scene.reply(&subscribe(&json!({"id": 63})))["ok"], true);
}

#[test]
fn a_client_that_lagged_gets_a_fresh_snapshot_for_each_subscription() {
    let mut scene = Scene::new();
    scene.reply(&subscribe(&json!({"id": "a"})));
    scene.reply(&subscribe(&json!({"id": "b"})));
    let before: Vec<u64> = scene.host.feeds(CLIENT).into_keys().collect();
    scene.host.stream("e1", 100, 300);
    scene.stage.lag(CLIENT, 5);
    let requests = scene.host.submitted();
    let feeds = scene.host.feeds(CLIENT);
    assert_eq!((requests.len(), feeds.len()), (2, 2));
    assert!(feeds.iter().all(|(feed, now)| !before.contains(feed) && now.released.is_none()));
    let item = snapshot()["result"]["items"][0].clone();
    let expected = json!({"event": "snapshot", "subscription": "b", "seq": 300, "snapshot": item});
    assert_eq!(scene.answer(&requests[1], &snapshot()), [expected]);
    // Without its snapshot a client would stay wrong: it has to connect again.
    scene.answer(&requests[0], &refusal("timeout"));
    assert_eq!(scene.close_code(), Some(1013));
}

#[test]
fn a_lag_before_the_snapshot_came_still_ends_in_one_reply() {
    let mut scene = Scene::new();
    let first = scene.submits(&subscribe(&json!({"snapshot": true})));
    scene.stage.lag(CLIENT, 1);
    let second = scene.only_submitted();
    assert_eq!(scene.answer(&first, &snapshot()), Vec::<Value>::new());
    let replies = scene.answer(&second, &snapshot());
    assert_eq!((replies.len(), &replies[0]["id"]), (1, &json!("s")));
}
