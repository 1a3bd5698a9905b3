//! What a real Asterisk said, recorded: every byte is understood, and every action is answered.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ami_proto::{
    Action, Decoder, Frame, Kind, Limits, Message, Outcome, Output, Session, SessionConfig, json,
    recording,
};
use proptest::prelude::*;

/// The recordings, which the end-to-end tests make; an empty list would test nothing.
fn recordings() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
    let files = std::fs::read_dir(&folder).expect("tests/recordings");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "amirec"));
    files.sort();
    assert!(!files.is_empty(), "no recordings in {}", folder.display());
    files
}

fn stream(file: &Path) -> Vec<u8> {
    let bytes = std::fs::read(file).expect("a recording");
    recording::stream(&bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The messages of a stream, which has nothing else in it.
fn messages(mut decoder: Decoder, stream: &[u8], file: &Path) -> Vec<Message> {
    decoder.buffer().extend_from_slice(stream);
    let frames = decoder.by_ref().filter_map(|frame| match frame {
        Ok(Frame::Message(message)) => Some(message),
        Ok(Frame::Banner(_)) => None,
        Err(error) => panic!("{}: {error}", file.display()),
    });
    let messages = frames.collect();
    assert_eq!(decoder.buffered(), 0, "{} ends within a message", file.display());
    messages
}

#[test]
fn every_byte_is_understood() {
    for file in recordings() {
        for message in messages(Decoder::new(Limits::default()), &stream(&file), &file) {
            assert_ne!(message.kind(), Kind::Other, "{}: {message:?}", file.display());
            let mut text = Vec::new();
            message.write_json("pbx1", &mut text);
            let read: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
            for (key, value) in message.fields() {
                let json = &read[std::str::from_utf8(key).expect("a plain key")];
                let has = |json: &serde_json::Value| {
                    json.as_str().is_some_and(|text| json::original_bytes(text) == value)
                };
                let found = has(json) || json.as_array().is_some_and(|all| all.iter().any(has));
                assert!(found, "{}: {message:?} as {read}", file.display());
            }
        }
    }
}

#[test]
fn chunks_as_they_came_give_the_same_messages() {
    for file in recordings() {
        let whole = messages(Decoder::new(Limits::default()), &stream(&file), &file);
        let bytes = std::fs::read(&file).expect("a recording");
        let mut decoder = Decoder::new(Limits::default());
        let mut in_chunks = Vec::new();
        for chunk in recording::chunks(&bytes) {
            decoder.buffer().extend_from_slice(chunk.expect("a chunk").bytes);
            in_chunks.extend(decoder.by_ref().filter_map(|frame| match frame.expect("a frame") {
                Frame::Message(message) => Some(message),
                Frame::Banner(_) => None,
            }));
        }
        assert_eq!(whole, in_chunks, "{}", file.display());
    }
}

/// The same action, to be sent by a session of ours.
fn action(recorded: &Message) -> Action {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let name = text(recorded.get_bytes("Action").expect("an action"));
    recorded
        .fields()
        .skip(1)
        .filter(|(key, _)| !key.eq_ignore_ascii_case(b"ActionID"))
        .fold(Action::new(name), |action, (key, value)| action.header(text(key), text(value)))
}

/// What a recorded client asked and heard, for a session of ours that asks the same.
struct Replay {
    actions: Vec<Action>,
    /// What the server said, with our `ActionID`s.
    stream: Vec<u8>,
}

impl Replay {
    fn of(file: &Path) -> Self {
        let sent = stream(&file.with_extension("amisent"));
        let sent = messages(Decoder::without_banner(Limits::default()), &sent, file);
        // Ours submits before it logs in, so the challenge and the login have the last numbers.
        let actions: Vec<Action> = sent[2..].iter().map(action).collect();
        let mark = |action: &Action| if action.is_list() { "l" } else { "" };
        let own = actions.iter().enumerate().map(|(i, a)| format!("replay-{}{}", i + 1, mark(a)));
        let count = actions.len();
        let login = [1, 2].map(|number| format!("replay-{}", count + number));
        let recorded = sent.iter().map(|action| action.action_id().expect("an id").to_owned());
        let ids: HashMap<String, String> = recorded.zip(login.into_iter().chain(own)).collect();
        let mut stream_of_ours = b"Asterisk Call Manager/11.0.0\r\n".to_vec();
        for message in messages(Decoder::new(Limits::default()), &stream(file), file) {
            let text = std::str::from_utf8(message.as_bytes()).expect("UTF-8");
            let text = match message.action_id().and_then(|id| Some((id, ids.get(id)?))) {
                Some((id, own)) => {
                    text.replace(&format!("ActionID: {id}\r"), &format!("ActionID: {own}\r"))
                }
                None => text.to_owned(),
            };
            stream_of_ours.extend_from_slice(text.as_bytes());
        }
        Self { actions, stream: stream_of_ours }
    }

    /// The stream, read in these pieces; what the session told.
    fn play<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> (Session, Vec<Output>) {
        let config = SessionConfig {
            learn_version: false,
            max_in_flight: usize::MAX,
            max_queued: usize::MAX,
            ..SessionConfig::new("telepulse", "secret", "replay")
        };
        let mut session = Session::new(config, 0);
        for action in &self.actions {
            session.submit(action.clone(), 60_000, 0).expect("taken");
        }
        let mut outputs = Vec::new();
        for piece in pieces {
            session.buffer().extend_from_slice(piece);
            session.handle_input(0);
            outputs.extend(std::iter::from_fn(|| session.poll_output()));
            while session.poll_transmit().is_some() {}
        }
        (session, outputs)
    }
}

/// What was told, to be compared.
fn told(outputs: &[Output]) -> Vec<String> {
    outputs.iter().map(|output| format!("{output:?}")).collect()
}

#[test]
fn a_session_gets_every_answer_and_keeps_every_live_event() {
    for file in recordings() {
        let replay = Replay::of(&file);
        let (session, outputs) = replay.play(std::iter::once(&replay.stream[..]));
        let name = file.display();
        let (mut live, mut items, mut responses) = (0, 0, 2);
        for output in &outputs {
            match output {
                Output::Ready { .. } => {}
                Output::Event(event) => {
                    assert_eq!(event.get("EventList"), None, "{name}: {event:?}");
                    live += 1;
                }
                Output::Reply { outcome: Outcome::Response { response, items: list }, .. } => {
                    responses += 1;
                    items += list.len();
                    if let Some(last) = list.last() {
                        assert_eq!(last.get("EventList"), Some("Complete"), "{name}: {response:?}");
                    }
                }
                other => panic!("{name}: {other:?}"),
            }
        }
        assert_eq!(session.pending(), (0, 0), "{name}: actions without an answer");
        let heard = messages(Decoder::new(Limits::default()), &stream(&file), &file);
        let events = heard.iter().filter(|message| message.event().is_some()).count();
        assert_eq!(live + items, events, "{name}: events");
        assert_eq!(responses, heard.len() - events, "{name}: responses");
    }
}

#[test]
fn a_session_that_reads_single_bytes_tells_the_same() {
    for file in recordings() {
        let replay = Replay::of(&file);
        let whole = told(&replay.play(std::iter::once(&replay.stream[..])).1);
        assert_eq!(told(&replay.play(replay.stream.chunks(1)).1), whole, "{}", file.display());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_cut_of_a_recorded_stream_tells_the_same(
        file in prop::sample::select(recordings()),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..64),
    ) {
        let replay = Replay::of(&file);
        let stream = &replay.stream;
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]);
        let whole = told(&replay.play(std::iter::once(&stream[..])).1);
        prop_assert_eq!(told(&replay.play(pieces).1), whole);
    }
}
