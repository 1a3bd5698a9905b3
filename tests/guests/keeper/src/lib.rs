//! Keeps what it is told to keep, and says what it has: `set KEY VALUE`, `get KEY`, `take KEY`,
//! `count KEY` (one more, if nobody else counts at once), `keys PREFIX`, `trap`.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:keeper;
        world guest {
            import telepulse:plugin/bus@0.1.0;
            import telepulse:plugin/kv@0.1.0;
            export telepulse:plugin/subscriber@0.1.0;
        }
    ",
    world: "test:keeper/guest",
    generate_all,
});

use exports::telepulse::plugin::subscriber::{Event, Failure, Guest};
use telepulse::plugin::{bus, kv};

struct Keeper;

impl Guest for Keeper {
    fn handle(batch: Vec<Event>) -> Result<u32, (u32, Failure)> {
        let done = batch.len() as u32;
        for event in batch {
            let order = String::from_utf8_lossy(&event.payload).into_owned();
            let answer = obey(&order).unwrap_or_else(|why| format!("refused: {why}"));
            if let Err(why) = bus::publish("test.out", answer.as_bytes()) {
                return Err((0, Failure::Fatal(why)));
            }
        }
        Ok(done)
    }
}

fn obey(order: &str) -> Result<String, String> {
    let mut words = order.split(' ');
    let (what, key) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let shown = |value: Option<Vec<u8>>| match value {
        Some(value) => String::from_utf8_lossy(&value).into_owned(),
        None => "nothing".to_owned(),
    };
    match what {
        "set" => kv::set(key, words.next().unwrap_or_default().as_bytes(), None)
            .map(|()| "set".to_owned()),
        "get" => kv::get(key).map(shown),
        "take" => kv::take(key).map(shown),
        "count" => {
            let before = kv::get(key)?;
            let number: u64 = shown(before.clone()).parse().unwrap_or(0);
            let next = (number + 1).to_string();
            let is_set = kv::compare_and_swap(key, before.as_deref(), next.as_bytes(), None)?;
            Ok(if is_set { next } else { "again".to_owned() })
        }
        "keys" => Ok(kv::keys(key, None, 10)?.join(",")),
        _ => panic!("told to"),
    }
}

export!(Keeper);
