//! Counts events and publishes the count for each; an event's payload may tell it to misbehave.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:counter;
        world guest {
            include telepulse:plugin/basics@0.1.0;
            export telepulse:plugin/lifecycle@0.1.0;
            export telepulse:plugin/handoff@0.1.0;
            export telepulse:plugin/framed-subscriber@0.1.0;
        }
    ",
    world: "test:counter/guest",
    generate_all,
});

use exports::telepulse::plugin::{framed_subscriber, handoff, lifecycle};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use telepulse::plugin::{bus, config, types::Failure};

struct Counter;

static COUNT: AtomicU64 = AtomicU64::new(0);
static RETRIES: AtomicU64 = AtomicU64::new(0);

impl lifecycle::Guest for Counter {
    fn init(info: lifecycle::StartInfo) -> Result<(), String> {
        match config::get("init") {
            Some(why) => Err(why),
            None => {
                let text = format!("started {} {:?}", info.incarnation, info.reason);
                let _ = bus::publish("test.log", text.as_bytes());
                Ok(())
            }
        }
    }

    fn drain(_: u64) {
        let _ = bus::publish("test.log", b"drained");
    }
}

impl handoff::Guest for Counter {
    fn save() -> Result<Vec<u8>, String> {
        Ok(COUNT.load(Relaxed).to_le_bytes().to_vec())
    }

    fn restore(state: Vec<u8>) -> Result<(), String> {
        let bytes = state.try_into().map_err(|_| "not eight bytes".to_owned())?;
        COUNT.store(u64::from_le_bytes(bytes), Relaxed);
        Ok(())
    }
}

impl framed_subscriber::Guest for Counter {
    fn handle(offsets: Vec<u32>, bytes: Vec<u8>) -> Result<u32, (u32, Failure)> {
        for (done, at) in offsets.windows(2).enumerate() {
            let event = &bytes[at[0] as usize..at[1] as usize];
            one(event).map_err(|failure| (done as u32, failure))?;
        }
        Ok(offsets.len() as u32 - 1)
    }
}

fn one(event: &[u8]) -> Result<(), Failure> {
    let seq = u64::from_le_bytes(event[..8].try_into().expect("eight bytes"));
    let number = |at: usize| u16::from_le_bytes([event[at], event[at + 1]]);
    let server = if number(20) == u16::MAX { 0 } else { number(20) };
    let payload =
        &event[24 + usize::from(number(16)) + usize::from(number(18)) + usize::from(server)..];
    match payload {
        b"trap" => panic!("told to"),
        b"loop" => loop {
            std::hint::black_box(());
        },
        b"hog" => {
            let mut hog = Vec::new();
            loop {
                hog.push(std::hint::black_box(vec![1u8; 1 << 20]));
            }
        }
        b"skip" => return Err(Failure::Skip("told to".into())),
        b"fatal" => return Err(Failure::Fatal("told to".into())),
        b"retry" if RETRIES.fetch_add(1, Relaxed) < 2 => {
            return Err(Failure::Retry("told to".into()));
        }
        b"trespass" => {
            if let Err(why) = bus::publish("telepulse.event.forged", b"{}") {
                let _ = bus::publish("test.log", why.as_bytes());
            }
        }
        _ => {}
    }
    let count = COUNT.fetch_add(1, Relaxed) + 1;
    bus::publish("test.out", format!("{seq} {count}").as_bytes()).map_err(Failure::Fatal)
}

export!(Counter);
