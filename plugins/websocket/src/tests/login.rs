//! Who gets in: by header (the host's word), by the first message in time, or not at all.

use super::*;
use std::time::Duration;
use telepulse_plugin_sdk::Frame;

fn stranger() -> Scene {
    let mut scene = Scene::new();
    scene.stage.leave(CLIENT);
    scene.open(CLIENT, None);
    scene
}

#[test]
fn a_login_by_message_answers_who_it_is() {
    let mut scene = stranger();
    let reply = scene.reply(&json!({"action": "login", "id": 1, "token": "good"}));
    let expected =
        json!({"user": "wallboard", "extension": "201", "allow": ["dial", "hangup:own"]});
    assert_eq!(reply, json!({"id": 1, "ok": true, "result": expected}));
    scene.stage.advance(Duration::from_mins(1));
    assert_eq!(scene.close_code(), None);
    assert_eq!(scene.reply(&json!({"action": "ping"}))["ok"], true);
}

#[test]
fn who_is_in_can_ask_what_they_may() {
    let mut scene = Scene::new();
    let reply = scene.reply(&json!({"action": "whoami", "id": 7}));
    let expected =
        json!({"user": "wallboard", "extension": "201", "allow": ["dial", "hangup:own"]});
    assert_eq!(reply, json!({"id": 7, "ok": true, "result": expected}));
    let mut stranger = stranger();
    let reply = stranger.reply(&json!({"action": "whoami"}));
    assert_eq!(reply["error"]["code"], "unauthorized");
}

#[test]
fn a_client_that_says_nothing_is_closed_after_five_seconds() {
    let mut scene = stranger();
    scene.stage.advance(Duration::from_millis(4999));
    assert_eq!(scene.close_code(), None);
    scene.stage.advance(Duration::from_millis(1));
    assert_eq!(scene.close_code(), Some(4401));
    assert_eq!(scene.host.timers(), [0; 0]);
}

#[test]
fn a_first_message_that_is_no_good_login_is_answered_and_closes() {
    for (message, code) in [
        (r#"{"action":"login","token":"bad"}"#, "unauthorized"),
        (r#"{"action":"login"}"#, "badRequest"),
        (r#"{"action":"ping"}"#, "unauthorized"),
        (r#"{"action":"dial","from":"1","to":"2"}"#, "unauthorized"),
        (r"{", "badRequest"),
    ] {
        let mut scene = stranger();
        scene.stage.text(CLIENT, message);
        let replies = scene.host.sent_json(CLIENT);
        assert_eq!(replies.len(), 1);
        assert_eq!(
            (&replies[0]["ok"], &replies[0]["error"]["code"]),
            (&json!(false), &json!(code))
        );
        assert!(!replies[0].to_string().contains("bad\""), "the token came back");
        assert_eq!(scene.close_code(), Some(4401), "{message}");
        assert_eq!(scene.host.submitted(), []);
        // What it still sends is not heard.
        assert_eq!(scene.say(&json!({"action": "login", "token": "good"})), Vec::<Value>::new());
    }
}

#[test]
fn who_is_in_is_in() {
    let mut scene = Scene::new();
    scene.stage.advance(Duration::from_mins(1));
    assert_eq!(scene.close_code(), None);
    let reply = scene.reply(&json!({"action": "login", "id": 2, "token": "good"}));
    assert_eq!(reply["error"]["code"], "conflict");
    assert_eq!(scene.close_code(), None);
}

#[test]
fn a_binary_frame_is_refused_and_nothing_else_happens() {
    let mut scene = Scene::new();
    scene.stage.frame(CLIENT, Frame::Binary(b"{}".to_vec()));
    assert_eq!(scene.host.sent_json(CLIENT)[0]["error"]["code"], "badRequest");
    assert_eq!(scene.close_code(), None);
}
