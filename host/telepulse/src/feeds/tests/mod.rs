//! Feeds against a reference, and how lagging ends.

mod crowd;
mod lag;
mod model;
mod sequence;
mod visibility;

use super::*;
use crate::bus::{Bus, LocalBus};
use proptest::prelude::*;
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};
use telepulse_language::{Details, Event, Filter, Other, Principal, SmolStr, Timestamp};

/// What a connection got.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Out {
    Event(u64),
    Reply(String),
    Lagged(u64),
}

/// An outlet that remembers, and takes as much as it is told to.
#[derive(Default)]
struct Memory(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    out: Vec<Out>,
    /// How many more events it takes; `None` is all of them.
    room: Option<usize>,
    hungry: bool,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn out(&self) -> Vec<Out> {
        self.lock().out.clone()
    }
}

impl Outlet for Memory {
    fn take(&self, events: &mut Vec<Arc<Entry>>, pace: Pace) {
        let mut memory = self.lock();
        let count = memory.room.map_or(events.len(), |room| room.min(events.len()));
        memory.room = memory.room.map(|room| room - count);
        memory.out.extend(events.drain(..count).map(|entry| Out::Event(entry.seq)));
        memory.hungry |= !events.is_empty() && pace == Pace::CatchUp;
    }

    fn reply(&self, frame: Frame) {
        let Frame::Text(text) = frame else { panic!("replies are text") };
        self.lock().out.push(Out::Reply(text));
    }

    fn lagged(&self, missed: u64) {
        self.lock().out.push(Out::Lagged(missed));
    }
}

fn text(text: &str) -> Frame {
    Frame::Text(text.to_owned())
}

fn event(kind: &str, server: &str, agent: Option<&str>, queue: Option<&str>) -> Event {
    Event {
        server: server.into(),
        time: Timestamp(0),
        agent: agent.map(SmolStr::new),
        queue: queue.map(SmolStr::new),
        details: Details::Other(Other { kind: kind.into(), fields: serde_json::Map::new() }),
    }
}

fn anybody() -> Arc<Principal> {
    Arc::new(Principal { name: "ann".into(), ..Principal::default() })
}

/// Lets the hub do all that it can.
fn drain(hub: &Hub) {
    while hub.turn() {}
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(words)
}

fn some_of(words: &'static [&'static str]) -> impl Strategy<Value = Option<BTreeSet<String>>> {
    let list = prop::sample::subsequence(words, 0..=words.len());
    prop::option::of(list.prop_map(|list| list.into_iter().map(str::to_owned).collect()))
}

const KINDS: &[&str] = &["activeLines", "queueCount", "serverStatus", "resync", "originateFailed"];
const SERVERS: &[&str] = &["pbx1", "pbx2"];
const AGENTS: &[&str] = &["201", "202", "203"];
const QUEUES: &[&str] = &["sales", "support"];

fn events() -> impl Strategy<Value = Event> {
    let agent = prop::option::of(word(AGENTS));
    (word(KINDS), word(SERVERS), agent, prop::option::of(word(QUEUES)))
        .prop_map(|(kind, server, agent, queue)| event(kind, server, agent, queue))
}

fn filters() -> impl Strategy<Value = Filter> {
    (some_of(KINDS), some_of(SERVERS), some_of(AGENTS), some_of(QUEUES))
        .prop_map(|(events, servers, agents, queues)| Filter { events, servers, agents, queues })
}

fn principals() -> impl Strategy<Value = Principal> {
    let extension = prop::option::of(word(AGENTS));
    (extension, some_of(SERVERS), some_of(AGENTS), some_of(QUEUES)).prop_map(
        |(extension, servers, agents, queues)| Principal {
            name: "ann".into(),
            extension: extension.map(str::to_owned),
            agents,
            queues,
            servers,
            allow: BTreeSet::new(),
        },
    )
}
