//! Every recording from a real Asterisk can be served again: each live event in its order, and each
//! question that was asked then with its answer.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ami_proto::recording::{self, Playback, Script, Step};
use ami_proto::{Decoder, Frame, Limits, Message};

/// The actions of a client, in their order.
fn actions(sent: &[u8]) -> Vec<Message> {
    let mut decoder = Decoder::without_banner(Limits::default());
    decoder.buffer().extend_from_slice(&recording::stream(sent).unwrap());
    let messages = decoder.map(|frame| match frame.unwrap() {
        Frame::Message(action) => action,
        Frame::Banner(_) => panic!("a client greets nobody"),
    });
    messages.collect()
}

/// Plays it to a client that asks what was asked then, and gives back all that it was sent.
fn served(script: Script, asked: &[Message]) -> Vec<u8> {
    let mut playback = Playback::new(Arc::new(script));
    let mut asked = asked.iter();
    let mut stream = Vec::new();
    loop {
        match playback.step() {
            Step::Event(_, event) => {
                stream.extend_from_slice(event);
                playback.go_on();
            }
            Step::Question => {
                let answer = asked.find_map(|action| playback.answer(action));
                stream.extend_from_slice(&answer.expect("what was asked has an answer"));
            }
            Step::End => return stream,
        }
    }
}

#[test]
fn what_a_client_saw_is_what_the_next_one_sees() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "amirec") {
            continue;
        }
        let received = fs::read(&path).unwrap();
        let sent = fs::read(path.with_extension("amisent")).unwrap();
        let script = Script::new(&received, &sent).unwrap();
        assert!(script.event_count() > 0 && script.question_count() > 0, "{}", path.display());
        let stream = served(script, &actions(&sent));
        // All that was received, but for the answers that whoever serves gives by itself; lists are
        // served in one piece, so the order is that of the messages' beginnings.
        let own = ["Challenge", "Authentication accepted", "Thanks for all the fish."];
        let limits = Limits::default();
        let mut expected = messages(Decoder::new(limits), &recording::stream(&received).unwrap());
        expected.retain(|message| !own.iter().any(|own| message.contains(own)));
        let mut stream = messages(Decoder::without_banner(limits), &stream);
        expected.sort_unstable();
        stream.sort_unstable();
        let difference = stream.iter().zip(&expected).find(|(one, other)| one != other);
        assert_eq!(difference, None, "{}", path.display());
        assert_eq!(stream.len(), expected.len(), "{}", path.display());
        count += 1;
    }
    assert!(count > 25, "{count} recordings");
}

/// The messages of a stream, each as one text.
fn messages(mut decoder: Decoder, stream: &[u8]) -> Vec<String> {
    decoder.buffer().extend_from_slice(stream);
    let messages = decoder.filter_map(|frame| match frame.unwrap() {
        Frame::Message(message) => Some(format!("{message:?}")),
        Frame::Banner(_) => None,
    });
    messages.collect()
}
