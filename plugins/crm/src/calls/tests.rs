//! Calls put together from the events of their lines.

use super::*;
use telepulse_plugin_sdk::language::Timestamp;

const PLAN: Plan = Plan { country: None, internal_digits: 6 };

fn line(call: &str, state: LineState) -> Line {
    Line {
        call: call.into(),
        channel: "PJSIP/101-1".into(),
        state,
        direction: Direction::In,
        number: "+38514812345".into(),
        name: "".into(),
        queue: None,
        recording: false,
        recording_paused: false,
        muted: false,
        spied_by: Vec::new(),
        since: Timestamp(0),
    }
}

#[test]
fn calls_are_bounded() {
    let mut calls = Calls::default();
    for number in 0..MOST + 10 {
        let ringing = [line(&format!("c{number}"), LineState::Ringing)];
        calls.lines(&PLAN, ("pbx1", &number.to_string()), &ringing, true);
    }
    assert_eq!((calls.known.len(), calls.order.len()), (MOST, MOST));
    assert!(calls.get("c9").is_none() && calls.get("c10").is_some());
    // What is forgotten does no harm when it ends.
    assert_eq!(calls.lines(&PLAN, ("pbx1", "9"), &[], true), []);
    assert_eq!(calls.end("c9"), (None, Vec::new()));
}

#[test]
fn nothing_is_left_of_what_is_over() {
    let mut calls = Calls::default();
    calls.lines(
        &PLAN,
        ("pbx1", "101"),
        &[line("c1", LineState::Up), line("c2", LineState::Ringing)],
        true,
    );
    calls.end("c1");
    calls.lines(&PLAN, ("pbx1", "101"), &[], true);
    calls.end("c2");
    assert!(calls.known.is_empty() && calls.order.is_empty());
    assert!(calls.lines.values().all(BTreeMap::is_empty));
}

#[test]
fn who_talked_last_is_told_last() {
    let mut calls = Calls::default();
    for agent in ["101", "102", "101"] {
        calls.lines(&PLAN, ("pbx1", agent), &[line("c1", LineState::Ringing)], true);
        calls.lines(&PLAN, ("pbx1", agent), &[line("c1", LineState::Up)], true);
    }
    assert_eq!(calls.end("c1").0.unwrap().talked, ["102", "101"]);
}

#[test]
fn what_was_no_news_is_told_when_it_comes_again() {
    let mut calls = Calls::default();
    let ringing = [line("c1", LineState::Ringing)];
    assert_eq!(calls.lines(&PLAN, ("pbx1", "101"), &ringing, false), []);
    assert_eq!(calls.lines(&PLAN, ("pbx1", "102"), &ringing, false), []);
    let changes = calls.lines(&PLAN, ("pbx1", "101"), &ringing, true);
    assert!(matches!(changes[..], [Change::Popup { .. }, Change::LookUp { .. }]), "{changes:?}");
    // What nobody was told of ends without a word.
    assert_eq!(calls.lines(&PLAN, ("pbx1", "102"), &[], true), []);
    assert_eq!(calls.end("c1").1.len(), 1);
}
