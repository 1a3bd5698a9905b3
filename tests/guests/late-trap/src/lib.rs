//! Starts well, takes over, and traps at the first event.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:hostile;
        world guest {
            export telepulse:plugin/lifecycle@0.1.0;
            export telepulse:plugin/handoff@0.1.0;
            export telepulse:plugin/subscriber@0.1.0;
        }
    ",
    world: "test:hostile/guest",
    generate_all,
});

use exports::telepulse::plugin::{handoff, lifecycle, subscriber};

struct Hostile;

impl lifecycle::Guest for Hostile {
    fn init(_: lifecycle::StartInfo) -> Result<(), String> {
        Ok(())
    }

    fn drain(_: u64) {}
}

impl handoff::Guest for Hostile {
    fn save() -> Result<Vec<u8>, String> {
        Ok(Vec::new())
    }

    fn restore(_: Vec<u8>) -> Result<(), String> {
        Ok(())
    }
}

impl subscriber::Guest for Hostile {
    fn handle(batch: Vec<subscriber::Event>) -> Result<u32, (u32, subscriber::Failure)> {
        panic!("no good at {} events", batch.len())
    }
}

export!(Hostile);
