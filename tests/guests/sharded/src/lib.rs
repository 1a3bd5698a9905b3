//! Tells of each event which instance had it, and how many it had of that call; keeps its counts through
//! swaps. A payload may tell it to trap.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:sharded;
        world guest {
            include telepulse:plugin/basics@0.1.0;
            export telepulse:plugin/lifecycle@0.1.0;
            export telepulse:plugin/handoff@0.1.0;
            export telepulse:plugin/framed-subscriber@0.1.0;
        }
    ",
    world: "test:sharded/guest",
    generate_all,
});

use exports::telepulse::plugin::{framed_subscriber, handoff, lifecycle};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
};
use telepulse::plugin::{bus, types::Failure};

struct Sharded;

thread_local! {
    /// Events of each call.
    static COUNTS: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
    /// Another one in each instance.
    static NAME: RandomState = RandomState::new();
}

impl lifecycle::Guest for Sharded {
    fn init(info: lifecycle::StartInfo) -> Result<(), String> {
        let text = format!("started {} {:?}", info.incarnation, info.reason);
        bus::publish("test.log", text.as_bytes())
    }

    fn drain(_: u64) {
        let _ = bus::publish("test.log", b"drained");
    }
}

impl handoff::Guest for Sharded {
    fn save() -> Result<Vec<u8>, String> {
        let lines = COUNTS.with_borrow(|counts| {
            counts.iter().map(|(call, count)| format!("{call} {count}\n")).collect::<String>()
        });
        Ok(lines.into_bytes())
    }

    fn restore(state: Vec<u8>) -> Result<(), String> {
        let text = String::from_utf8(state).map_err(|error| error.to_string())?;
        for line in text.lines() {
            let (call, count) = line.split_once(' ').ok_or("no count")?;
            let count = count.parse().map_err(|_| "no number")?;
            COUNTS.with_borrow_mut(|counts| counts.insert(call.to_owned(), count));
        }
        Ok(())
    }
}

impl framed_subscriber::Guest for Sharded {
    fn handle(offsets: Vec<u32>, bytes: Vec<u8>) -> Result<u32, (u32, Failure)> {
        for (done, at) in offsets.windows(2).enumerate() {
            let event = &bytes[at[0] as usize..at[1] as usize];
            one(event).map_err(|failure| (done as u32, failure))?;
        }
        Ok(offsets.len() as u32 - 1)
    }
}

/// Payloads are `{"call":"c1"}` and `{"call":"c1","do":"trap"}`.
fn one(event: &[u8]) -> Result<(), Failure> {
    let number = |at: usize| u16::from_le_bytes([event[at], event[at + 1]]);
    let server = if number(20) == u16::MAX { 0 } else { number(20) };
    let texts = usize::from(number(16)) + usize::from(number(18)) + usize::from(server);
    let seq = u64::from_le_bytes(event[..8].try_into().expect("eight bytes"));
    let payload = String::from_utf8_lossy(&event[24 + texts..]);
    assert!(!payload.contains("trap"), "told to");
    let call = payload.split('"').nth(3).unwrap_or("none").to_owned();
    let count = COUNTS.with_borrow_mut(|counts| {
        let count = counts.entry(call.clone()).or_default();
        *count += 1;
        *count
    });
    let name = NAME.with(|name| name.hash_one(0));
    let text = format!("{seq} {call} {count} {name:x}");
    bus::publish("test.out", text.as_bytes()).map_err(Failure::Fatal)
}

export!(Sharded);
