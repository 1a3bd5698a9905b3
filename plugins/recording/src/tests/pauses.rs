//! Pauses: whoever asks for them, they end by themselves, and all of it is known afterwards.

use super::{Desk, listed};
use serde_json::{Value, json};
use telepulse_plugin_sdk::log::Level;

fn desk() -> (Desk, String) {
    let mut desk = Desk::with(&[
        ("rules", json!([{"name": "r", "pauseSeconds": 60}])),
        ("pauseSeconds", json!(10)),
    ]);
    let file = desk.records("c1");
    (desk, file)
}

/// Who did what, as it is listed.
fn trail() -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let steps = listed("c1")["trail"].as_array().unwrap().clone();
    let steps =
        steps.iter().map(|step| (text(&step["change"]), text(&step["by"]), text(&step["why"])));
    steps.collect()
}

fn step(change: &str, by: &str, why: &str) -> (String, String, String) {
    (change.to_owned(), by.to_owned(), why.to_owned())
}

#[test]
fn a_pause_by_command_ends_by_itself() {
    let (mut desk, file) = desk();
    desk.advance(1_000);
    desk.recording("c1", "paused", &file, Some("201"));
    desk.advance(59_999);
    assert_eq!(desk.ordered(), []);
    desk.advance(1);
    let (order, command) = desk.command();
    let expected = json!({"action": "record", "server": "pbx1", "call": "c1", "change": "resume"});
    assert_eq!(command, expected);
    desk.does(&order, &json!({}));
    desk.recording("c1", "resumed", &file, None);
    desk.advance(600_000);
    assert_eq!(desk.ordered(), []);
    let expected = [
        step("started", "recording", "rule r"),
        step("paused", "201", "-"),
        step("resumed", "recording", "the pause has lasted"),
    ];
    assert_eq!(trail(), expected);
    let times = listed("c1")["trail"].clone();
    assert_eq!(times[1]["time"], "2026-11-20T22:08:01.000Z");
    assert_eq!(times[2]["time"], "2026-11-20T22:09:01.000Z");
}

#[test]
fn who_resumes_in_time_is_left_alone() {
    let (mut desk, file) = desk();
    desk.recording("c1", "paused", &file, Some("ann"));
    desk.advance(5_000);
    desk.recording("c1", "resumed", &file, Some("ann"));
    desk.advance(600_000);
    assert_eq!(desk.ordered(), []);
    assert_eq!(trail()[2], step("resumed", "ann", "-"));
}

#[test]
fn card_data_pauses_and_its_end_resumes() {
    let (mut desk, file) = desk();
    desk.event("cardData", &json!({"agent": "201", "change": "start"}));
    let (order, command) = desk.command();
    assert_eq!((&command["call"], &command["change"]), (&json!("c1"), &json!("pause")));
    desk.does(&order, &json!({}));
    desk.recording("c1", "paused", &file, None);
    desk.event("cardData", &json!({"call": "c1", "change": "end", "by": "crm-7"}));
    let (order, command) = desk.command();
    assert_eq!(command["change"], "resume");
    desk.does(&order, &json!({}));
    desk.recording("c1", "resumed", &file, None);
    let expected = [
        step("paused", "201", "card data is spoken"),
        step("resumed", "crm-7", "no card data is spoken any more"),
    ];
    assert_eq!(trail()[1..], expected);
}

#[test]
fn what_begins_while_card_data_is_spoken_pauses_at_once() {
    let mut desk = Desk::new(&json!([{"name": "r"}]));
    desk.rings("c1", "201", "sales");
    desk.event("cardData", &json!({"call": "c1", "change": "start"}));
    let (order, _) = desk.command();
    desk.refuses(&order, "conflict", Some("change"));
    desk.answers("c1", "201", "sales");
    let (order, command) = desk.command();
    desk.does(&order, &json!({}));
    let file = command["file"].as_str().unwrap().to_owned();
    desk.recording("c1", "started", &file, None);
    assert_eq!(desk.command().1["change"], "pause");
}

#[test]
fn a_resumption_that_nothing_comes_of_is_ordered_again() {
    let (mut desk, file) = desk();
    desk.recording("c1", "paused", &file, Some("201"));
    desk.advance(60_000);
    let (order, _) = desk.command();
    desk.refuses(&order, "serverUnavailable", None);
    desk.advance(5_000);
    let (order, command) = desk.command();
    assert_eq!(command["change"], "resume");
    // The call is over, and nobody told us.
    desk.refuses(&order, "notFound", Some("call"));
    desk.advance(600_000);
    assert_eq!(desk.ordered(), []);
}

#[test]
fn a_pause_outlives_a_swap_and_a_crash() {
    for crash in [false, true] {
        let (mut desk, file) = desk();
        desk.recording("c1", "paused", &file, Some("201"));
        if crash {
            desk.stage.crash().unwrap();
        } else {
            desk.stage.swap().unwrap();
        }
        desk.advance(59_000);
        assert_eq!(desk.ordered(), [], "{crash}");
        desk.advance(1_000);
        assert_eq!(desk.command().1["change"], "resume", "{crash}");
    }
}

#[test]
fn with_the_call_its_pause_is_over() {
    let (mut desk, file) = desk();
    desk.recording("c1", "paused", &file, Some("201"));
    desk.ends("c1", &[&file]);
    desk.advance(600_000);
    assert_eq!(desk.ordered(), []);
    assert_eq!(telepulse_plugin_sdk::kv::keys("live/", None, 10), Ok(vec![]));
}

/// Which calls were told to change, since the last look.
fn changed(desk: &Desk, change: &str) -> Vec<String> {
    let mut calls = Vec::new();
    for order in desk.ordered() {
        let command = order.json();
        assert_eq!(command["change"], change, "{command}");
        calls.push(command["call"].as_str().unwrap().to_owned());
    }
    calls
}

#[test]
fn an_agents_card_pauses_the_calls_in_which_the_agent_talks() {
    let (mut desk, _) = desk();
    // It only rings there.
    desk.rings("c2", "201", "sales");
    desk.event("cardData", &json!({"agent": "201", "change": "start"}));
    assert_eq!(changed(&desk, "pause"), ["c1"]);
    desk.event("cardData", &json!({"agent": "201", "change": "end"}));
    assert_eq!(changed(&desk, "resume"), ["c1"]);
    // Which of the two the card is spoken in nobody knows.
    desk.answers("c2", "201", "sales");
    desk.ordered();
    desk.event("cardData", &json!({"agent": "201", "change": "start"}));
    assert_eq!(changed(&desk, "pause"), ["c2", "c1"]);
}

#[test]
fn what_is_recorded_by_hand_pauses_after_a_crash_too() {
    let mut desk = Desk::new(&json!([]));
    desk.rings("c1", "201", "sales");
    desk.answers("c1", "201", "sales");
    desk.recording("c1", "started", "/spool/by-hand.wav", Some("201"));
    desk.stage.crash().unwrap();
    desk.event("cardData", &json!({"agent": "201", "change": "start"}));
    assert_eq!(changed(&desk, "pause"), ["c1"]);
    desk.ends("c1", &["/spool/by-hand.wav"]);
    assert_eq!(telepulse_plugin_sdk::kv::keys("live/", None, 10), Ok(vec![]));
}

#[test]
fn a_pause_that_does_not_come_about_is_told() {
    let (mut desk, _) = desk();
    desk.event("cardData", &json!({"call": "c1", "change": "start"}));
    let (order, _) = desk.command();
    for (code, why) in [("conflict", "nothing"), ("forbidden", "refused")] {
        desk.host.lines();
        desk.refuses(&order, code, None);
        assert_eq!(desk.host.counted("unpaused", &[("why", why)]), 1, "{code}");
        assert!(desk.host.lines().iter().any(|line| line.level == Level::Warn), "{code}");
    }
}

#[test]
fn one_recording_that_goes_on_leaves_the_pause_of_the_others() {
    for change in ["resumed", "stopped"] {
        let (mut desk, file) = desk();
        desk.recording_on("c1", "PJSIP/201-2", "started", "/spool/other.wav");
        desk.recording("c1", "paused", &file, Some("201"));
        desk.recording_on("c1", "PJSIP/201-2", "paused", "/spool/other.wav");
        desk.recording_on("c1", "PJSIP/201-2", change, "/spool/other.wav");
        desk.advance(60_000);
        assert_eq!(changed(&desk, "resume"), ["c1"], "{change}");
        desk.recording("c1", "resumed", &file, None);
        desk.advance(600_000);
        assert_eq!(desk.ordered(), [], "{change}");
    }
}

#[test]
fn another_card_lengthens_the_pause() {
    let (mut desk, file) = desk();
    let starts = json!({"call": "c1", "change": "start"});
    desk.event("cardData", &starts);
    desk.recording("c1", "paused", &file, None);
    desk.advance(50_000);
    desk.event("cardData", &starts);
    // It is paused already: the core does nothing, and nothing more is told.
    for order in desk.ordered() {
        desk.does(&order, &json!({}));
    }
    desk.advance(59_999);
    assert_eq!(desk.ordered(), []);
    desk.advance(1);
    assert_eq!(changed(&desk, "resume"), ["c1"]);
}

#[test]
fn a_pause_that_is_refused_in_passing_is_tried_again_while_the_card_is_spoken() {
    let (mut desk, file) = desk();
    desk.event("cardData", &json!({"agent": "201", "change": "start"}));
    for code in ["serverUnavailable", "tooManyRequests", "timeout"] {
        let (order, command) = desk.command();
        assert_eq!(command["change"], "pause", "{code}");
        desk.refuses(&order, code, None);
        desk.advance(999);
        assert_eq!(desk.ordered(), [], "{code}");
        desk.advance(1);
    }
    assert_eq!(desk.host.counted("unpaused", &[("why", "refused")]), 1, "told once");
    let (order, _) = desk.command();
    desk.does(&order, &json!({}));
    desk.recording("c1", "paused", &file, None);
    assert_eq!(trail()[1], step("paused", "201", "card data is spoken"));

    desk.refuses(&order, "serverUnavailable", None);
    desk.event("cardData", &json!({"agent": "201", "change": "end"}));
    assert_eq!(changed(&desk, "resume"), ["c1"]);
    desk.advance(5_000);
    assert_eq!(desk.ordered(), [], "it is not spoken any more");
}

#[test]
fn a_card_that_found_nothing_to_pause_leaves_nothing_behind() {
    let mut desk = Desk::new(&json!([]));
    desk.rings("c1", "201", "sales");
    desk.event("cardData", &json!({"call": "c1", "change": "start"}));
    desk.event("cardData", &json!({"call": "c1", "change": "end"}));
    desk.ends("c1", &[]);
    assert_eq!(telepulse_plugin_sdk::kv::keys("live/", None, 10), Ok(vec![]));
}
