//! Takes framed events and looks at each one's number and length: what a call costs by itself.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:idle;
        world guest {
            export telepulse:plugin/framed-subscriber@0.1.0;
        }
    ",
    world: "test:idle/guest",
    generate_all,
});

use exports::telepulse::plugin::framed_subscriber::{Failure, Guest};

struct Idle;

impl Guest for Idle {
    fn handle(offsets: Vec<u32>, bytes: Vec<u8>) -> Result<u32, (u32, Failure)> {
        let mut sum = 0;
        for at in offsets.windows(2) {
            let event = &bytes[at[0] as usize..at[1] as usize];
            sum += u64::from(event[0]) + event.len() as u64;
        }
        std::hint::black_box(sum);
        Ok(offsets.len() as u32 - 1)
    }
}

export!(Idle);
