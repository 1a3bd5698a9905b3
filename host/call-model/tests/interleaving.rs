//! The model does not depend on when a listing comes: a random PBX, its events and its listings, in
//! any order that they could take.
#![allow(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

mod model;
mod world;

use ami_proto::Message;
use call_model::{Listing, Pbx};
use proptest::prelude::*;
use serde_json::{Value, json};
use telepulse_language::{Filter, Query, QueryKind, Timestamp};

use model::config;
use world::{Op, World};

/// What is listed in these tests, in an order in which each finds what it refers to.
const KINDS: [Listing; 5] =
    [Listing::Bridges, Listing::Channels, Listing::Queues, Listing::Parked, Listing::Rooms];

fn pbx() -> Pbx {
    Pbx::new(config())
}

fn apply(pbx: &mut Pbx, event: &str, at: usize) {
    let message = Message::parse(event.as_bytes()).unwrap();
    pbx.apply(&message, time(at), &mut Vec::new());
}

fn time(at: usize) -> Timestamp {
    Timestamp(1_795_215_840_000 + at as u64)
}

fn fold(pbx: &mut Pbx, listing: &Listing, items: &[String], at: usize) {
    let items: Vec<Message> =
        items.iter().map(|item| Message::parse(item.as_bytes()).unwrap()).collect();
    let response = Message::parse(b"Response: Success\r\nEventList: start\r\n").unwrap();
    let more = pbx.fold(listing, &response, &items, time(at), &mut Vec::new());
    assert_eq!(more, []);
}

/// Folds a listing, and what is to be listed because of it, as they were written after `written` events.
fn list(pbx: &mut Pbx, world: &World, kind: &Listing, written: usize, at: usize) {
    let items = world.listing(kind, written);
    if *kind != Listing::Rooms {
        return fold(pbx, kind, &items, at);
    }
    let items: Vec<Message> =
        items.iter().map(|item| Message::parse(item.as_bytes()).unwrap()).collect();
    let response = Message::parse(b"Response: Success\r\nEventList: start\r\n").unwrap();
    for room in pbx.fold(kind, &response, &items, time(at), &mut Vec::new()) {
        fold(pbx, &room, &world.listing(&room, written), at);
    }
}

/// Everything that a client can see, but for moments and for what only the past could tell.
fn seen(pbx: &Pbx) -> Value {
    let query = Query::new(QueryKind::Snapshot, Filter::default());
    let mut seen = json!(pbx.query(&query));
    forget(&mut seen);
    let calls = seen["calls"].as_array_mut().unwrap();
    for call in calls.iter_mut() {
        for key in ["from", "to"] {
            call.as_object_mut().unwrap().remove(key);
        }
        let channels = call["channels"].as_array().unwrap();
        if channels.iter().all(|channel| channel["state"] != "up") {
            // Who answered has gone: that somebody did is in no listing.
            call.as_object_mut().unwrap().remove("state");
        }
        call["channels"].as_array_mut().unwrap().sort_by_key(Value::to_string);
    }
    calls.sort_by_key(Value::to_string);
    for extension in seen["lines"].as_array_mut().unwrap() {
        extension["lines"].as_array_mut().unwrap().sort_by_key(Value::to_string);
    }
    for room in seen["conferences"].as_array_mut().unwrap() {
        room["members"].as_array_mut().unwrap().sort_by_key(Value::to_string);
    }
    // An extension that nobody lists and that is in no call any more may or may not be remembered.
    seen.as_object_mut().unwrap().remove("users");
    seen
}

fn forget(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(forget),
        Value::Object(fields) => {
            for key in ["since", "started", "answered"] {
                fields.remove(key);
            }
            // A call has come through a queue: no listing tells that later.
            if fields.contains_key("call") {
                fields.remove("queue");
            }
            // That its id had been another call's before is in no listing either.
            if let Some(Value::String(id)) = fields.get_mut("call")
                && let Some(numbered) = id.find("~~")
            {
                id.truncate(numbered);
            }
            fields.values_mut().for_each(forget);
        }
        _ => {}
    }
}

fn finish(pbx: &mut Pbx, at: usize) {
    pbx.finish_sync(time(at), &mut Vec::new());
}

/// The model that saw everything from the start, when there were the queues and nothing else.
fn whole(world: &World) -> Pbx {
    let mut pbx = pbx();
    pbx.begin_sync(time(0));
    fold(&mut pbx, &Listing::Queues, &world.listing(&Listing::Queues, 0), 0);
    finish(&mut pbx, 0);
    for (at, event) in world.events.iter().enumerate() {
        apply(&mut pbx, event, at);
    }
    pbx
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// The link comes up at some moment; each listing is written at one moment and read at another.
    #[test]
    fn listings_and_events_in_any_order_give_the_same_model(
        ops in prop::collection::vec(any::<Op>(), 1..60),
        login in any::<prop::sample::Index>(),
        moments in prop::array::uniform5((any::<prop::sample::Index>(), any::<prop::sample::Index>())),
    ) {
        let world = World::run(&ops);
        let end = world.events.len();
        let login = login.index(end + 1);
        let within = |index: &prop::sample::Index| login + index.index(end + 1 - login);
        let mut lists: Vec<(usize, usize, Listing)> = KINDS
            .into_iter()
            .zip(&moments)
            .map(|(kind, (written, read))| (within(read), within(written), kind))
            // The order in a queue is the listing's: it is never older than an event before it.
            .map(|(read, written, kind)| match kind {
                Listing::Queues => (read, written.max(read), kind),
                _ => (read, written, kind),
            })
            .collect();
        // Asterisk answers in the order of asking: channels are known before what tells of them.
        let channels = lists[1].0;
        for (read, written, _) in &mut lists[3..] {
            *read = channels.max(*read);
            // And a session writes no event before a listing that does not have it.
            *written = (*written).max(*read);
        }
        lists.sort_by_key(|(read, ..)| *read);
        let mut pbx = pbx();
        pbx.begin_sync(time(login));
        for at in login..=end {
            for (_, written, kind) in lists.iter().filter(|(read, ..)| *read == at) {
                list(&mut pbx, &world, kind, *written, at);
            }
            if let Some(event) = world.events.get(at) {
                apply(&mut pbx, event, at);
            }
        }
        finish(&mut pbx, end);
        let (ours, theirs) = (seen(&pbx), seen(&whole(&world)));
        for (key, theirs) in theirs.as_object().unwrap() {
            prop_assert_eq!(&ours[key], theirs, "{}", key);
        }
    }

    /// The link was lost for a while: calls that ended meanwhile end, the others are the same.
    #[test]
    fn an_outage_is_mended_by_the_listings(
        ops in prop::collection::vec(any::<Op>(), 1..60),
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
    ) {
        let world = World::run(&ops);
        let end = world.events.len();
        let from = from.index(end + 1);
        let to = from + to.index(end + 1 - from);
        let mut pbx = pbx();
        for (at, event) in world.events[..from].iter().enumerate() {
            apply(&mut pbx, event, at);
        }
        pbx.disconnected(time(from), &mut Vec::new());
        pbx.begin_sync(time(to));
        for kind in KINDS {
            list(&mut pbx, &world, &kind, to, to);
        }
        finish(&mut pbx, to);
        for (at, event) in world.events.iter().enumerate().skip(to) {
            apply(&mut pbx, event, at);
        }
        prop_assert_eq!(seen(&pbx), seen(&whole(&world)));
    }

    /// Events that come a second time while the model is filled anew change nothing.
    #[test]
    fn events_twice_around_a_synchronisation_do_no_harm(
        ops in prop::collection::vec(any::<Op>(), 1..60),
        again in any::<prop::sample::Index>(),
    ) {
        let world = World::run(&ops);
        let end = world.events.len();
        let mut pbx = whole(&world);
        pbx.begin_sync(time(end));
        for kind in KINDS {
            list(&mut pbx, &world, &kind, end, end);
        }
        for event in &world.events[again.index(end + 1)..] {
            apply(&mut pbx, event, end);
        }
        finish(&mut pbx, end);
        prop_assert_eq!(seen(&pbx), seen(&whole(&world)));
    }

    /// When everybody has hung up, nothing is left.
    #[test]
    fn nothing_is_left_once_all_hang_up(ops in prop::collection::vec(any::<Op>(), 1..80)) {
        let mut world = World::run(&ops);
        world.hang_up_all();
        let pbx = whole(&world);
        prop_assert!(pbx.is_empty(), "{:?}", pbx.counts());
        prop_assert_eq!(&seen(&pbx)["lines"], &json!([]));
    }

    /// Events that are lost, doubled or in any order: the model may be wrong for a while, but stands,
    /// and a synchronisation mends it.
    #[test]
    fn no_stream_breaks_the_model(
        ops in prop::collection::vec(any::<Op>(), 1..60),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..200),
        is_syncing in any::<bool>(),
    ) {
        let world = World::run(&ops);
        let mut pbx = pbx();
        if is_syncing {
            pbx.begin_sync(time(0));
        }
        for at in order.iter().filter(|_| !world.events.is_empty()) {
            apply(&mut pbx, &world.events[at.index(world.events.len())], 0);
        }
        seen(&pbx);
        let end = world.events.len();
        pbx.begin_sync(time(end));
        for kind in KINDS {
            list(&mut pbx, &world, &kind, end, end);
        }
        finish(&mut pbx, end);
        let (ours, theirs) = (seen(&pbx), seen(&whole(&world)));
        // Numbers that only a lost event told are not in question, channels and queues are.
        prop_assert_eq!(&ours["queues"], &theirs["queues"]);
        let channels = |seen: &Value| -> Vec<Value> {
            let calls = seen["calls"].as_array().unwrap();
            let mut all: Vec<Value> =
                calls.iter().flat_map(|call| call["channels"].as_array().unwrap().clone()).collect();
            all.sort_by_key(Value::to_string);
            all
        };
        prop_assert_eq!(channels(&ours), channels(&theirs));
        pbx.begin_sync(time(end));
        finish(&mut pbx, end);
        prop_assert!(pbx.is_empty(), "{:?}", pbx.counts());
    }
}
