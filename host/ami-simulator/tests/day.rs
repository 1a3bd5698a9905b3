//! A simulated day: what begins ends, nothing piles up, and what the events tell is what the
//! lists show.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use ami_proto::Message;
use ami_simulator::{Centre, Session, Settings};

const NOW_MS: u64 = 1_795_215_886_000;

/// Lets the demo run for an hour; returns it with everything that it said.
fn hour(seed: u64) -> (Centre, Vec<Message>) {
    minutes(60, seed)
}

fn minutes(count: u64, seed: u64) -> (Centre, Vec<Message>) {
    let mut centre = Centre::new(Settings::demo(20, 3, 60), seed, NOW_MS);
    centre.advance(NOW_MS + count * 60_000);
    let events = centre.take_events();
    let said = events.iter().map(|event| Message::parse(event.text().as_bytes()).unwrap());
    (centre, said.collect())
}

fn ask(centre: &mut Centre, action: &str) -> Vec<Message> {
    let mut session = Session::default();
    let mut act =
        |text: String| session.act(centre, &Message::parse(text.as_bytes()).unwrap()).text;
    act("Action: Login\r\nUsername: telepulse\r\nSecret: simulated\r\n\r\n".to_owned());
    let answer = act(format!("Action: {action}\r\n\r\n"));
    answer.split_inclusive("\r\n\r\n").map(|m| Message::parse(m.as_bytes()).unwrap()).collect()
}

/// Values of a key in the events of a name.
fn all<'a>(said: &'a [Message], event: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    said.iter().filter(move |m| m.event() == Some(event)).filter_map(move |m| m.get(key))
}

#[test]
fn channels_end_once_and_those_that_did_not_are_listed() {
    let (mut centre, said) = hour(1);
    let mut alive = BTreeSet::new();
    for message in &said {
        let Some(id) = message.get("Uniqueid") else { continue };
        match message.event() {
            Some("Newchannel") => assert!(alive.insert(id.to_owned()), "{id} is made twice"),
            Some("Hangup") => assert!(alive.remove(id), "{id} ends without being there"),
            Some(_) => assert!(alive.contains(id), "{message:?} about what is not there"),
            None => {}
        }
    }
    let listed = ask(&mut centre, "CoreShowChannels");
    assert_eq!(
        all(&listed, "CoreShowChannel", "Uniqueid").collect::<BTreeSet<_>>().len(),
        alive.len()
    );
    assert!(
        alive.iter().all(|id| all(&listed, "CoreShowChannel", "Uniqueid").any(|one| one == id))
    );
    assert!(alive.len() < 100, "{} channels piled up", alive.len());
    assert!(all(&said, "Newchannel", "Uniqueid").count() > 2_000, "it is a busy hour");
}

#[test]
fn device_states_that_were_told_last_are_those_in_the_list() {
    let (mut centre, said) = hour(2);
    let mut told = BTreeMap::new();
    for message in said.iter().filter(|message| message.event() == Some("DeviceStateChange")) {
        let (device, state) = (message.get("Device").unwrap(), message.get("State").unwrap());
        let before = told.insert(device.to_owned(), state.to_owned());
        assert_ne!(before.as_deref(), Some(state), "{device} is told to be {state} again");
    }
    let listed = ask(&mut centre, "DeviceStateList");
    for message in listed.iter().filter(|message| message.event() == Some("DeviceStateChange")) {
        let (device, state) = (message.get("Device").unwrap(), message.get("State").unwrap());
        assert_eq!(told.get(device).map_or(state, String::as_str), state, "{device}");
    }
}

#[test]
fn queues_serve_and_count_their_callers() {
    let (mut centre, said) = hour(3);
    let mut waiting: BTreeMap<String, usize> = BTreeMap::new();
    for message in &said {
        let (Some(queue), Some(count)) = (message.get("Queue"), message.get("Count")) else {
            continue;
        };
        let count: usize = count.parse().unwrap();
        let before = waiting.insert(queue.to_owned(), count).unwrap_or(0);
        assert_eq!(before.abs_diff(count), 1, "{message:?}");
    }
    let listed = ask(&mut centre, "QueueStatus");
    for message in listed.iter().filter(|message| message.event() == Some("QueueParams")) {
        let queue = message.get("Queue").unwrap();
        let calls = message.get("Calls").unwrap();
        assert_eq!(waiting.get(queue).copied().unwrap_or(0).to_string(), calls, "{queue}");
        let completed =
            |m: &&Message| m.event() == Some("AgentComplete") && m.get("Queue") == Some(queue);
        let count = said.iter().filter(completed).count();
        assert_eq!(message.get("Completed"), Some(count.to_string().as_str()), "{queue}");
        assert!(count > 100, "{queue} served {count} callers only");
    }
    let kinds: BTreeSet<&str> = said.iter().filter_map(Message::event).collect();
    for kind in ["QueueCallerAbandon", "AgentRingNoAnswer", "QueueMemberPause", "Hold", "Unhold"] {
        assert!(kinds.contains(kind), "an hour without {kind}");
    }
}

#[test]
fn equal_seeds_give_equal_days() {
    assert_eq!(minutes(5, 4).1, minutes(5, 4).1);
    assert_ne!(minutes(5, 4).1, minutes(5, 5).1);
}
