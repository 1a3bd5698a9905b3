//! The list of all who are there: told when somebody comes or goes, and not too often.
#![allow(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

mod model;

use ami_proto::Message;
use call_model::Pbx;
use model::config;
use std::time::Duration;
use telepulse_language::{Details, Event, Timestamp};

const NOW: Timestamp = Timestamp(1_795_215_840_000);
const HALF_A_SECOND: Duration = Duration::from_millis(500);

fn pbx() -> Pbx {
    let mut pbx = Pbx::new(config());
    pbx.begin_sync(NOW);
    pbx.finish_sync(NOW, &mut Vec::new());
    pbx
}

fn after(ms: u64) -> Timestamp {
    Timestamp(NOW.0 + ms)
}

/// A phone of this extension is there from now on; answers what is told of the list.
fn comes(pbx: &mut Pbx, extension: u16, now: Timestamp) -> Vec<String> {
    let text =
        format!("Event: DeviceStateChange\r\nDevice: PJSIP/{extension}\r\nState: NOT_INUSE\r\n");
    let mut events = Vec::new();
    pbx.apply(&Message::parse(text.as_bytes()).unwrap(), now, &mut events);
    lists(&events)
}

fn tick(pbx: &mut Pbx, now: Timestamp) -> Vec<String> {
    let mut events = Vec::new();
    pbx.tick(now, &mut events);
    lists(&events)
}

fn lists(events: &[Event]) -> Vec<String> {
    let list = |event: &Event| match &event.details {
        Details::ActiveUsers(list) => Some(list.users.join(" ")),
        _ => None,
    };
    events.iter().filter_map(list).collect()
}

#[test]
fn many_who_come_at_once_are_told_in_one_list() {
    let mut pbx = pbx();
    assert_eq!(pbx.due_in(NOW), None, "nobody came");
    assert_eq!(comes(&mut pbx, 101, after(600)), ["101"]);
    assert_eq!(comes(&mut pbx, 102, after(700)), [""; 0]);
    assert_eq!(comes(&mut pbx, 103, after(800)), [""; 0]);
    assert_eq!(pbx.due_in(after(800)), Some(Duration::from_millis(300)));
    assert_eq!(tick(&mut pbx, after(1_099)), [""; 0]);
    assert_eq!(tick(&mut pbx, after(1_100)), ["101 102 103"]);
    assert_eq!(pbx.due_in(after(1_100)), None);
}

#[test]
fn a_clock_that_was_set_back_keeps_nobody_waiting() {
    let mut pbx = pbx();
    assert_eq!(comes(&mut pbx, 101, after(600)), ["101"]);
    let before = Timestamp(NOW.0 - 3_600_000);
    assert_eq!(pbx.due_in(before), None);
    assert_eq!(comes(&mut pbx, 102, before), ["101 102"]);
    assert_eq!(comes(&mut pbx, 103, before), [""; 0]);
    assert_eq!(pbx.due_in(before), Some(HALF_A_SECOND), "from when it was told last");
}
