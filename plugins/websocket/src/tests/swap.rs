//! A new instance in mid-conversation: clients notice nothing.

use super::*;
use std::time::Duration;

fn subscribe(filter: &Value, snapshot: bool) -> Value {
    json!({"action": "subscribe", "id": "s", "filter": filter, "snapshot": snapshot})
}

fn swap(scene: &mut Scene) {
    scene.stage.swap().unwrap();
    scene.stage.resume();
}

fn crash(scene: &mut Scene) {
    scene.stage.crash().unwrap();
    scene.stage.resume();
}

#[test]
fn subscriptions_outlive_the_instance() {
    for change in [swap, crash] {
        let mut scene = Scene::new();
        scene.reply(&subscribe(&json!({"agents": ["201"]}), false));
        let before = scene.host.feeds(CLIENT);
        change(&mut scene);
        assert_eq!(
            scene.host.feeds(CLIENT),
            before,
            "feeds are the host's: nothing is attached anew"
        );
        assert_eq!(scene.host.submitted(), []);
        scene.stage.lag(CLIENT, 1);
        assert_eq!(scene.only_submitted().json()["filter"], json!({"agents": ["201"]}));
        let reply = scene.reply(&json!({"action": "unsubscribe", "subscription": "s"}));
        assert_eq!(reply["ok"], true);
    }
}

#[test]
fn an_answer_meets_the_next_instance() {
    for change in [swap, crash] {
        let mut scene = Scene::new();
        let request = scene.submits(&json!({"action": "dial", "id": 3, "from": "1", "to": "2"}));
        change(&mut scene);
        let replies = scene.answer(&request, &json!({"ok": true, "result": {"call": "c"}}));
        assert_eq!(replies, [json!({"id": 3, "ok": true, "result": {"call": "c"}})]);
    }
}

#[test]
fn a_snapshot_that_was_under_way_arrives_after_a_swap() {
    let mut scene = Scene::new();
    let request = scene.submits(&subscribe(&json!({}), true));
    swap(&mut scene);
    assert_eq!(scene.host.submitted(), []);
    let replies = scene.answer(&request, &snapshot());
    assert_eq!((&replies[0]["id"], &replies[0]["ok"]), (&json!("s"), &json!(true)));
    assert!(scene.feed().released.is_some());
}

#[test]
fn a_snapshot_that_may_be_lost_is_fetched_again_after_a_crash() {
    let mut scene = Scene::new();
    let old = scene.submits(&subscribe(&json!({}), true));
    crash(&mut scene);
    let new = scene.only_submitted();
    assert_eq!(scene.answer(&old, &snapshot()), Vec::<Value>::new());
    assert_eq!(scene.answer(&new, &snapshot())[0]["id"], "s");
}

#[test]
fn places_are_counted_on_over_a_swap() {
    let mut scene = Scene::new();
    let query = json!({"action": "query", "query": "calls"});
    let requests: Vec<_> = (0..32).map(|_| scene.submits(&query)).collect();
    swap(&mut scene);
    assert_eq!(scene.reply(&query)["error"]["code"], "tooManyRequests");
    scene.answer(&requests[0], &json!({"ok": true, "result": {}}));
    scene.submits(&query);
}

#[test]
fn what_waited_its_turn_is_sent_by_the_next_instance() {
    let mut scene = Scene::new();
    let query = json!({"action": "query", "id": 1, "query": "calls"}).to_string();
    for conn in 100..132 {
        scene.open(conn, Some(wallboard()));
        (0..32).for_each(|_| scene.stage.text(conn, &query));
    }
    let sent = scene.host.submitted();
    swap(&mut scene);
    scene.answer(&sent[0], &json!({"ok": true, "result": {}}));
    assert_eq!(scene.only_submitted().on_behalf_of, Some(131));
}

#[test]
fn who_waits_his_turn_when_the_instance_crashes_is_asked_to_come_again() {
    let mut scene = Scene::new();
    let query = json!({"action": "query", "id": 1, "query": "calls"}).to_string();
    for conn in 100..133 {
        scene.open(conn, Some(wallboard()));
        (0..32).for_each(|_| scene.stage.text(conn, &query));
    }
    let sent = scene.host.submitted();
    // One of the 24 that client 131 has waiting is sent.
    scene.answer(&sent[0], &json!({"ok": true, "result": {}}));
    crash(&mut scene);
    let closed = |conn| scene.host.closed(conn).map(|reason| reason.code);
    assert_eq!((closed(100), closed(130)), (None, None), "their answers are on their way");
    assert_eq!((closed(131), closed(132)), (Some(1012), Some(1012)));
}

#[test]
fn after_a_crash_no_place_stays_taken() {
    let mut scene = Scene::new();
    let query = json!({"action": "query", "query": "calls"});
    let requests: Vec<_> = (0..31).map(|_| scene.submits(&query)).collect();
    // The tag is of now.
    scene.reply(&subscribe(&json!({}), false));
    for request in &requests {
        scene.answer(request, &json!({"ok": true, "result": {}}));
    }
    crash(&mut scene);
    for _ in 0..32 {
        scene.submits(&query);
    }
}

#[test]
fn a_session_too_long_for_its_tag_is_handed_over_and_after_a_crash_asked_to_come_again() {
    let agents: Vec<String> = (1000..2000).map(|agent| agent.to_string()).collect();
    let filter = json!({"agents": agents});
    let mut scene = Scene::new();
    scene.reply(&subscribe(&filter, false));
    swap(&mut scene);
    swap(&mut scene);
    assert_eq!(scene.close_code(), None);
    scene.stage.lag(CLIENT, 1);
    assert_eq!(scene.only_submitted().json()["filter"], filter);
    crash(&mut scene);
    assert_eq!(scene.close_code(), Some(1012));
}

#[test]
fn the_time_to_log_in_goes_on_over_a_swap() {
    let mut scene = Scene::new();
    scene.stage.leave(CLIENT);
    scene.open(CLIENT, None);
    scene.stage.advance(Duration::from_secs(3));
    swap(&mut scene);
    scene.stage.advance(Duration::from_secs(2));
    assert_eq!(scene.close_code(), Some(4401));
}

#[test]
fn after_a_rollback_the_tags_count_and_not_what_was_saved_before() {
    let mut scene = Scene::new();
    let query = json!({"action": "query", "query": "calls"});
    let requests: Vec<_> = (0..32).map(|_| scene.submits(&query)).collect();
    let saved = scene.stage.plugin.hand_over().unwrap();
    // The build that took over answered them all, and then failed.
    for request in &requests {
        scene.answer(request, &json!({"ok": true, "result": {}}));
    }
    scene.stage.crash().unwrap();
    scene.stage.plugin.take_over(&saved).unwrap();
    scene.stage.resume();
    scene.submits(&query);
}

#[test]
fn a_state_that_cannot_be_read_keeps_the_old_instance() {
    let scene = Scene::new();
    let mut next = Gateway::default();
    assert!(next.take_over(b"{\"desk\":7}").is_err());
    assert_eq!(next.take_over(b""), Ok(()));
    drop(scene);
}
