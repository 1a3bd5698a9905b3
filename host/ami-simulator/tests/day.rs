//! A simulated day: what begins ends, nothing piles up, and what the events tell is what the
//! lists show.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, Mutex, PoisonError};

use ami_proto::Message;
use ami_simulator::{Centre, Scale, Session, Settings};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

const NOW_MS: u64 = 1_795_215_886_000;

/// The first server of the demo, busier than usual.
fn site() -> Settings {
    let scale = Scale { servers: 2, agents: 40, phones: 50, queues: 5, calls_per_minute: 100 };
    Settings::sites(&scale).swap_remove(0)
}

/// An hour of it with everything that it said: made once, as all look at it.
static HOUR: LazyLock<Mutex<(Centre, Vec<Message>)>> = LazyLock::new(|| Mutex::new(minutes(60, 1)));

fn minutes(count: u64, seed: u64) -> (Centre, Vec<Message>) {
    let mut centre = Centre::new(site(), seed, NOW_MS);
    centre.advance(NOW_MS + count * 60_000);
    let said = said(&mut centre);
    (centre, said)
}

fn said(centre: &mut Centre) -> Vec<Message> {
    let events = centre.take_events();
    events.iter().map(|event| Message::parse(event.text().as_bytes()).unwrap()).collect()
}

fn ask(centre: &mut Centre, action: &str) -> Vec<Message> {
    let mut session = Session::default();
    let mut act =
        |text: String| session.act(centre, &Message::parse(text.as_bytes()).unwrap()).text;
    act("Action: Login\r\nUsername: telepulse\r\nSecret: simulated\r\n\r\n".to_owned());
    let answer = act(format!("Action: {action}\r\n\r\n"));
    // Asterisk ends some of its answers twice.
    let messages = answer.split_inclusive("\r\n\r\n").filter(|message| *message != "\r\n");
    messages.map(|message| Message::parse(message.as_bytes()).unwrap()).collect()
}

/// Values of a key in the events of a name.
fn all<'a>(said: &'a [Message], event: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    said.iter().filter(move |m| m.event() == Some(event)).filter_map(move |m| m.get(key))
}

/// The channels that were made and did not end; each once.
fn alive(said: &[Message]) -> BTreeSet<String> {
    let mut alive = BTreeSet::new();
    hear(&mut alive, said);
    alive
}

fn hear(alive: &mut BTreeSet<String>, said: &[Message]) {
    for message in said {
        let Some(id) = message.get("Uniqueid") else { continue };
        match message.event() {
            Some("Newchannel") => assert!(alive.insert(id.to_owned()), "{id} is made twice"),
            Some("Hangup") => assert!(alive.remove(id), "{id} ends without being there"),
            Some("OriginateResponse") | None => {}
            Some(_) => assert!(alive.contains(id), "{message:?} about what is not there"),
        }
    }
}

#[test]
fn channels_end_once_and_those_that_did_not_are_listed() {
    let (centre, said) = &mut *HOUR.lock().unwrap_or_else(PoisonError::into_inner);
    let alive = alive(said);
    let listed = ask(centre, "CoreShowChannels");
    assert_eq!(
        all(&listed, "CoreShowChannel", "Uniqueid").collect::<BTreeSet<_>>().len(),
        alive.len()
    );
    assert!(
        alive.iter().all(|id| all(&listed, "CoreShowChannel", "Uniqueid").any(|one| one == id))
    );
    assert!(alive.len() < 100, "{} channels piled up", alive.len());
    assert!(all(said, "Newchannel", "Uniqueid").count() > 2_000, "it is a busy hour");
}

#[test]
fn device_states_that_were_told_last_are_those_in_the_list() {
    let (centre, said) = &mut *HOUR.lock().unwrap_or_else(PoisonError::into_inner);
    let mut told = BTreeMap::new();
    for message in said.iter().filter(|message| message.event() == Some("DeviceStateChange")) {
        let (device, state) = (message.get("Device").unwrap(), message.get("State").unwrap());
        let before = told.insert(device.to_owned(), state.to_owned());
        assert_ne!(before.as_deref(), Some(state), "{device} is told to be {state} again");
    }
    let listed = ask(centre, "DeviceStateList");
    for message in listed.iter().filter(|message| message.event() == Some("DeviceStateChange")) {
        let (device, state) = (message.get("Device").unwrap(), message.get("State").unwrap());
        assert_eq!(told.get(device).map_or(state, String::as_str), state, "{device}");
    }
}

#[test]
fn queues_serve_and_count_their_callers() {
    let (centre, said) = &mut *HOUR.lock().unwrap_or_else(PoisonError::into_inner);
    let mut waiting: BTreeMap<String, usize> = BTreeMap::new();
    for message in &*said {
        let (Some(queue), Some(count)) = (message.get("Queue"), message.get("Count")) else {
            continue;
        };
        let count: usize = count.parse().unwrap();
        let before = waiting.insert(queue.to_owned(), count).unwrap_or(0);
        assert_eq!(before.abs_diff(count), 1, "{message:?}");
    }
    let listed = ask(centre, "QueueStatus");
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
    for kind in [
        "QueueCallerAbandon",
        "AgentRingNoAnswer",
        "QueueMemberPause",
        "Hold",
        "Unhold",
        "MixMonitorStart",
        "ParkedCall",
        "UnParkedCall",
        "ParkedCallTimeOut",
        "ConfbridgeJoin",
        "ConfbridgeTalking",
        "ConfbridgeEnd",
        "PresenceStatus",
    ] {
        assert!(kinds.contains(kind), "an hour without {kind}");
    }
}

/// Whatever is asked for, of whatever channel: what the lists say goes together, and once everybody
/// has hung up nothing is left.
#[test]
fn whatever_is_asked_for_nothing_is_left_over() {
    let mut centre = Centre::new(site(), 9, NOW_MS);
    let mut chance = StdRng::seed_from_u64(9);
    let mut alive = BTreeSet::new();
    for moment in 1..=800 {
        centre.advance(NOW_MS + moment * 300);
        let listed = ask(&mut centre, "CoreShowChannels");
        let channels: Vec<&str> = all(&listed, "CoreShowChannel", "Channel").collect();
        let mut one = || channels.choose(&mut chance).copied().unwrap_or("PJSIP/101-00000000");
        let (channel, other) = (one(), one());
        let extension = [103, 108, 112, 600, 602, 700, 750, 751, 753, 800, 801]
            .choose(&mut chance)
            .map(i32::to_string)
            .unwrap_or_default();
        let spot =
            format!("Channel: {channel}\r\nContext: internal\r\nExten: {extension}\r\nPriority: 1");
        let action = match chance.random_range(0..14) {
            0 => format!("Hangup\r\nChannel: {channel}"),
            1 => format!("Redirect\r\n{spot}"),
            2 => format!("Redirect\r\n{spot}\r\nExtraChannel: {other}\r\nExtraExten: 700"),
            3 => format!("BlindTransfer\r\n{spot}"),
            4 | 5 => format!("Atxfer\r\n{spot}"),
            6 => format!("Park\r\nChannel: {channel}\r\nTimeoutChannel: {other}\r\nTimeout: 4000"),
            7 => format!("MixMonitor\r\nChannel: {channel}\r\nFile: x.wav"),
            8 => format!("StopMixMonitor\r\nChannel: {channel}"),
            9 => format!("ConfbridgeKick\r\nConference: 700\r\nChannel: {channel}"),
            10 => "ConfbridgeKick\r\nConference: 700\r\nChannel: all".to_owned(),
            11 => format!(
                "Originate\r\nChannel: PJSIP/105\r\nApplication: ChanSpy\r\nData: {channel},qEu"
            ),
            12 => format!(
                "Originate\r\nChannel: PJSIP/106\r\nApplication: PickupChan\r\nData: {channel}"
            ),
            _ => format!(
                "Originate\r\nChannel: Local/950@internal\r\nApplication: ChanSpy\r\nData: {channel},qEuB"
            ),
        };
        ask(&mut centre, &action);
        hear(&mut alive, &said(&mut centre));
        if moment % 5 == 0 {
            lists_agree(&mut centre, &alive, &action);
        }
    }
    centre.befall(ami_simulator::Disaster::Calls(0));
    for moment in 0..2_000 {
        let listed = ask(&mut centre, "CoreShowChannels");
        let Some(channel) = all(&listed, "CoreShowChannel", "Channel").next() else { break };
        ask(&mut centre, &format!("Hangup\r\nChannel: {channel}"));
        centre.advance(NOW_MS + 600_000 + moment * 200);
    }
    centre.advance(NOW_MS + 1_200_000);
    hear(&mut alive, &said(&mut centre));
    assert_eq!(alive, BTreeSet::new());
    let lists =
        ["BridgeList", "ParkedCalls", "ConfbridgeListRooms", "QueueStatus", "DeviceStateList"];
    let left: Vec<Message> = lists.iter().flat_map(|list| ask(&mut centre, list)).collect();
    assert!(all(&left, "BridgeListItem", "BridgeType").all(|kind| kind == "parking"), "{left:?}");
    for kind in ["ParkedCall", "ConfbridgeListRooms", "QueueEntry"] {
        assert_eq!(all(&left, kind, "Event").count(), 0, "{kind} is left");
    }
    let phones = left
        .iter()
        .filter(|message| message.get("Device").is_some_and(|device| device.starts_with("PJSIP/")));
    for phone in phones {
        let state = phone.get("State").unwrap();
        assert!(["NOT_INUSE", "UNAVAILABLE"].contains(&state), "{phone:?}");
    }
}

/// Channels, bridges and spaces know of each other.
fn lists_agree(centre: &mut Centre, alive: &BTreeSet<String>, after: &str) {
    let lists = ["Status", "BridgeList", "ParkedCalls"];
    let listed: Vec<Message> = lists.iter().flat_map(|list| ask(centre, list)).collect();
    let channels: BTreeSet<&str> = all(&listed, "Status", "Uniqueid").collect();
    assert_eq!(channels, alive.iter().map(String::as_str).collect());
    let bridges: BTreeSet<&str> = all(&listed, "BridgeListItem", "BridgeUniqueid").collect();
    let mut filled: BTreeMap<&str, usize> = BTreeMap::new();
    for bridge in all(&listed, "Status", "BridgeID").filter(|bridge| !bridge.is_empty()) {
        assert!(bridges.contains(bridge), "a channel is in a bridge that is not there");
        *filled.entry(bridge).or_default() += 1;
    }
    for bridge in listed.iter().filter(|message| message.event() == Some("BridgeListItem")) {
        let count: usize = bridge.get("BridgeNumChannels").unwrap().parse().unwrap();
        let announcer = usize::from(bridge.get("BridgeType") == Some("base"));
        let id = bridge.get("BridgeUniqueid").unwrap();
        let filled = filled.get(id).copied().unwrap_or(0) + announcer;
        assert_eq!(filled, count, "{bridge:?} after {after}");
    }
    for parked in all(&listed, "ParkedCall", "ParkeeUniqueid") {
        assert!(alive.contains(parked), "{parked} is parked and not there");
    }
}

/// Whoever starts the demo finds a call centre at work.
#[test]
fn it_is_alive_from_the_first_moment() {
    let scale = Scale { servers: 2, agents: 40, phones: 50, queues: 5, calls_per_minute: 30 };
    let mut now_and_then: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 1..=5 {
        let mut seen = Vec::new();
        for site in Settings::sites(&scale) {
            let open_since_ms = site.open_since_ms;
            let mut centre = Centre::new(site, seed, NOW_MS - open_since_ms);
            centre.advance(NOW_MS);
            let lists = [
                "Status",
                "QueueStatus",
                "PresenceStateList",
                "ParkedCalls",
                "ConfbridgeListRooms",
            ];
            seen.extend(lists.iter().flat_map(|list| ask(&mut centre, list)));
        }
        let count = |event: &str, is_so: &dyn Fn(&Message) -> bool| {
            seen.iter().filter(|one| one.event() == Some(event) && is_so(one)).count()
        };
        let is = |key: &'static str, value: &'static str| {
            move |one: &Message| one.get(key) == Some(value)
        };
        let isnt = |key: &'static str, value: &'static str| {
            move |one: &Message| one.get(key) != Some(value)
        };
        for (what, count) in [
            ("channels", count("Status", &|_| true)),
            ("breaks with a reason", count("QueueMember", &isnt("PausedReason", ""))),
            ("agents who have worked", count("QueueMember", &isnt("CallsTaken", "0"))),
            ("queues with a service level", count("QueueParams", &is("ServiceLevel", "20"))),
            (
                "people who say something",
                count("PresenceStateChange", &isnt("Status", "available")),
            ),
        ] {
            assert!(count > 0, "seed {seed}: no {what}");
        }
        for (what, count) in [
            ("callers waiting", count("QueueEntry", &|_| true)),
            ("queues that lost somebody", count("QueueParams", &isnt("Abandoned", "0"))),
            ("parked calls", count("ParkedCall", &|_| true)),
            ("conferences", count("ConfbridgeListRooms", &|_| true)),
            ("do not disturb", count("PresenceStateChange", &is("Status", "dnd"))),
        ] {
            *now_and_then.entry(what).or_default() += count;
        }
    }
    for (what, count) in now_and_then {
        assert!(count > 0, "never any {what}");
    }
}

#[test]
fn equal_seeds_give_equal_days() {
    assert_eq!(minutes(5, 4).1, minutes(5, 4).1);
    assert_ne!(minutes(5, 4).1, minutes(5, 5).1);
}
