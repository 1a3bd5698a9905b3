//! How fast bytes become messages, lookups, JSON and outputs, on what a real Asterisk said.
//!
//! `cargo bench -p ami-proto`; the stream is `tests/recordings/storm.amirec`, or another recording
//! named by `AMI_RECORDING`.

use ami_proto::{Decoder, Frame, Limits, Message, Session, SessionConfig, recording};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};

fn main() {
    match stream() {
        Some(_) => divan::main(),
        None => eprintln!("skipped: no recording to measure with (tests/recordings/storm.amirec)"),
    }
}

/// About ten megabytes of whole messages, the recorded ones over and over.
fn stream() -> Option<Vec<u8>> {
    let path = std::env::var("AMI_RECORDING").unwrap_or_else(|_| {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/recordings/storm.amirec").to_owned()
    });
    let recorded = recording::stream(&std::fs::read(path).ok()?).ok()?;
    let banner = recorded.iter().position(|&byte| byte == b'\n')? + 1;
    Some(recorded[banner..].repeat((10_000_000 / recorded.len()).max(1)))
}

/// What a socket gives at a time.
const READ: usize = 64 * 1024;

/// Decodes the stream as it would come from a socket, and shows each message to `look`.
fn decode(stream: &[u8], mut look: impl FnMut(Message)) {
    let mut decoder = Decoder::without_banner(Limits::default());
    for read in stream.chunks(READ) {
        decoder.buffer().extend_from_slice(read);
        for frame in decoder.by_ref() {
            if let Ok(Frame::Message(message)) = frame {
                look(message);
            }
        }
    }
}

/// Runs `look` on each message, and tells bytes and messages per second.
fn measure(bencher: Bencher, look: impl Fn(Message) + Sync) {
    let stream = stream().unwrap_or_default();
    let mut messages = 0_usize;
    decode(&stream, |_| messages += 1);
    bencher
        .counter(BytesCount::new(stream.len()))
        .counter(ItemsCount::new(messages))
        .bench(|| decode(black_box(&stream), &look));
}

/// The floor: the bytes copied as from a socket, and nothing else.
#[divan::bench]
fn a_copy(bencher: Bencher) {
    let stream = stream().unwrap_or_default();
    let mut buffer = Vec::with_capacity(READ);
    bencher.counter(BytesCount::new(stream.len())).bench_local(|| {
        for read in black_box(&stream).chunks(READ) {
            buffer.clear();
            buffer.extend_from_slice(read);
            black_box(&buffer);
        }
    });
}

#[divan::bench]
fn b_parse(bencher: Bencher) {
    measure(bencher, |message| drop(black_box(message)));
}

/// What a model asks of an event about a channel.
#[divan::bench]
fn c_parse_and_8_lookups(bencher: Bencher) {
    const KEYS: [&str; 8] = [
        "Uniqueid",
        "Linkedid",
        "Channel",
        "ChannelState",
        "CallerIDNum",
        "Exten",
        "Cause",
        "NotThere",
    ];
    measure(bencher, |message| {
        black_box(message.event());
        for key in KEYS {
            black_box(message.get(key));
        }
    });
}

#[divan::bench]
fn d_parse_and_every_field(bencher: Bencher) {
    measure(bencher, |message| {
        for field in message.fields() {
            black_box(field);
        }
    });
}

#[divan::bench]
fn e_parse_and_json(bencher: Bencher) {
    measure(bencher, |message| {
        let mut json = Vec::new();
        message.write_json("pbx1", &mut json);
        black_box(json);
    });
}

/// Through the whole session, outputs taken.
#[divan::bench]
fn f_session(bencher: Bencher) {
    let stream = stream().unwrap_or_default();
    let mut messages = 0_usize;
    decode(&stream, |_| messages += 1);
    bencher
        .counter(BytesCount::new(stream.len()))
        .counter(ItemsCount::new(messages))
        .with_inputs(ready)
        .bench_values(|mut session| {
            for read in black_box(&stream).chunks(READ) {
                session.buffer().extend_from_slice(read);
                session.handle_input(0);
                while let Some(output) = session.poll_output() {
                    black_box(output);
                }
            }
        });
}

/// A session that is logged in.
fn ready() -> Session {
    let config = SessionConfig {
        auth: ami_proto::Auth::Plain,
        learn_version: false,
        ..SessionConfig::new("bench", "secret", "bench")
    };
    let mut session = Session::new(config, 0);
    session.buffer().extend_from_slice(
        b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: bench-1\r\n\r\n\
          Event: FullyBooted\r\n\r\n",
    );
    session.handle_input(0);
    session
}
