//! Takes events one record each and publishes their kinds.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:records;
        world guest {
            include telepulse:plugin/basics@0.1.0;
            export telepulse:plugin/subscriber@0.1.0;
        }
    ",
    world: "test:records/guest",
    generate_all,
});

use exports::telepulse::plugin::subscriber::{Event, Failure, Guest};
use telepulse::plugin::bus;

struct Records;

impl Guest for Records {
    fn handle(batch: Vec<Event>) -> Result<u32, (u32, Failure)> {
        for event in &batch {
            if event.payload == b"say" {
                let text = format!("{} {:?}", event.kind, event.server);
                bus::publish("test.out", text.as_bytes())
                    .map_err(|why| (0, Failure::Fatal(why)))?;
            }
        }
        Ok(batch.len() as u32)
    }
}

export!(Records);
