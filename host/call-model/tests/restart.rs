//! Asterisk is restarted between two links: ids of before may come back and mean another channel.
#![allow(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

mod model;

use ami_proto::Message;
use call_model::{Listing, Pbx};
use model::config;
use serde_json::{Value, json};
use telepulse_language::{Stamped, Timestamp};

const NOW: Timestamp = Timestamp(1_795_215_840_000);

/// Fills the model with one channel that bears the Uniqueid `1.0`, by listing or by live event.
fn sync(pbx: &mut Pbx, started: &str, listed: &str, live: &str) -> Vec<Value> {
    let mut events = Vec::new();
    let message = |text: &str| Message::parse(text.as_bytes()).unwrap();
    pbx.begin_sync(NOW);
    if !live.is_empty() {
        let event = format!(
            "Event: Newchannel\nChannel: {live}\nChannelState: 6\nUniqueid: 1.0\nLinkedid: 1.0\n"
        );
        pbx.apply(&message(&event), NOW, &mut events);
    }
    let start =
        format!("Response: Success\nCoreStartupDate: 2026-11-21\nCoreStartupTime: {started}\n");
    pbx.fold(&Listing::Start, &message(&start), &[], NOW, &mut events);
    let status = format!(
        "Event: Status\nChannel: {listed}\nChannelState: 6\nUniqueid: 1.0\nLinkedid: 1.0\nSeconds: 1\n"
    );
    let success = message("Response: Success\n");
    pbx.fold(&Listing::Channels, &success, &[message(&status)], NOW, &mut events);
    pbx.finish_sync(NOW, &mut events);
    events
        .into_iter()
        .map(|event| serde_json::to_value(Stamped { seq: 1, event }).unwrap())
        .collect()
}

fn pbx() -> Pbx {
    Pbx::new(config())
}

/// Which agents' calls ended, and who has lines after each event.
fn told(events: &[Value]) -> (Vec<&str>, Vec<(&str, usize)>) {
    let ended = events.iter().filter(|event| event["event"] == "callEnded");
    let lines = events.iter().filter(|event| event["event"] == "activeLines");
    (
        ended.map(|event| event["agent"].as_str().unwrap()).collect(),
        lines
            .map(|event| {
                (event["agent"].as_str().unwrap(), event["lines"].as_array().unwrap().len())
            })
            .collect(),
    )
}

#[test]
fn an_id_that_came_back_is_another_channel() {
    for live in ["", "PJSIP/103-00000000"] {
        let mut pbx = pbx();
        sync(&mut pbx, "02:32:46", "PJSIP/101-00000000", "");
        let events = sync(&mut pbx, "02:32:48", "PJSIP/103-00000000", live);
        let (ended, lines) = told(&events);
        assert_eq!(ended, ["101"], "{live:?}: {events:#?}");
        let last = |agent| lines.iter().rfind(|(who, _)| *who == agent).map(|(_, count)| *count);
        assert_eq!((last("101"), last("103")), (Some(0), Some(1)), "{live:?}: {events:#?}");
        assert_eq!(pbx.counts().channels, 1);
    }
}

#[test]
fn an_id_that_came_back_within_the_second_is_another_channel() {
    let mut pbx = pbx();
    sync(&mut pbx, "02:32:46", "PJSIP/101-00000000", "");
    let events = sync(&mut pbx, "02:32:46", "PJSIP/103-00000000", "");
    assert_eq!(told(&events).0, ["101"], "{events:#?}");
}

#[test]
fn the_same_start_keeps_the_call() {
    let mut pbx = pbx();
    sync(&mut pbx, "02:32:46", "PJSIP/101-00000000", "");
    let events = sync(&mut pbx, "02:32:46", "PJSIP/101-00000000", "");
    assert_eq!(events, Vec::<Value>::new(), "{}", json!(events));
}

#[test]
fn a_call_that_begins_after_the_end_of_one_with_its_id_has_another() {
    let mut pbx = pbx();
    sync(&mut pbx, "02:32:46", "PJSIP/101-00000000", "");
    let mut ids = Vec::new();
    for (start, channel) in [("02:32:46", "PJSIP/103-00000000"), ("02:32:48", "PJSIP/103-00000000")]
    {
        for event in sync(&mut pbx, start, channel, "") {
            if event["event"] == "callStarted" {
                ids.push(event["call"].as_str().unwrap().to_owned());
            }
        }
    }
    assert_eq!(ids, ["pbx1-1.0~~2", "pbx1-1.0~~3"]);
}
