//! Falls asleep over the first event, without computing.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:sleeper;
        world guest {
            export telepulse:plugin/lifecycle@0.1.0;
            export telepulse:plugin/subscriber@0.1.0;
        }
    ",
    world: "test:sleeper/guest",
    generate_all,
});

use exports::telepulse::plugin::{lifecycle, subscriber};

struct Sleeper;

impl lifecycle::Guest for Sleeper {
    fn init(_: lifecycle::StartInfo) -> Result<(), String> {
        Ok(())
    }

    fn drain(_: u64) {}
}

impl subscriber::Guest for Sleeper {
    fn handle(batch: Vec<subscriber::Event>) -> Result<u32, (u32, subscriber::Failure)> {
        std::thread::sleep(std::time::Duration::from_secs(3_600));
        Ok(batch.len() as u32)
    }
}

export!(Sleeper);
