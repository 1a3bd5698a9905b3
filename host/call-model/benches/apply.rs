//! How fast events go through the model, on what a real Asterisk sent.

use std::path::Path;

use ami_proto::{Decoder, Frame, Limits, Message, recording};
use call_model::{Pbx, PbxConfig};
use divan::{Bencher, counter::ItemsCount};
use telepulse_language::Timestamp;

fn main() {
    divan::main();
}

fn pbx() -> Pbx {
    Pbx::new(PbxConfig {
        server: "pbx1".into(),
        device: "PJSIP/{ext}".into(),
        extensions: "^[0-9]{2,6}$".parse().expect("a pattern"),
        context: "internal".into(),
        voicemail: None,
        max_calls: None,
    })
}

/// The live events of a recording.
fn events(name: &str) -> Vec<Message> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
    let file = std::fs::read(folder.join(name).with_extension("amirec")).expect("a recording");
    let mut decoder = Decoder::new(Limits::default());
    let stream = recording::stream(&file).expect("well-formed");
    decoder.buffer().extend_from_slice(&stream);
    let mut events = Vec::new();
    for frame in decoder {
        if let Ok(Frame::Message(message)) = frame
            && message.event().is_some()
            && message.action_id().is_none()
        {
            events.push(message);
        }
    }
    events
}

/// Applying and translating every event of a recording, from an empty model.
#[divan::bench(args = ["storm", "queue-call", "local-chain", "redirect"])]
fn apply(bencher: Bencher<'_, '_>, name: &str) {
    let events = events(name);
    bencher.counter(ItemsCount::new(events.len())).with_inputs(pbx).bench_local_values(
        |mut pbx| {
            let mut out = Vec::new();
            for event in &events {
                pbx.apply(event, Timestamp(1), &mut out);
                out.clear();
            }
            pbx
        },
    );
}
