//! A recording as something to be served again: its live events in their time, and its answers for
//! whoever asks what was asked then.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{RecordingError, chunks};
use crate::codec::{Decoder, Frame, Limits};
use crate::message::{Kind, Message};
use crate::version::Banner;

/// Whoever serves a script answers these by itself.
const OWN: [&str; 6] = ["Challenge", "Login", "Logoff", "Ping", "Events", "Filter"];

/// Nothing of a recording is left out for its size.
const LIMITS: Limits =
    Limits { banner: 1024, line: usize::MAX, lines: usize::MAX, message: usize::MAX };

/// A recorded session, ready to be served: see [`Playback`].
#[derive(Debug, Clone)]
pub struct Script {
    banner: String,
    entries: Vec<Entry>,
    /// Where in `entries` the answers to a question are.
    answers: HashMap<Question, Vec<usize>>,
}

/// Why a recording cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// What the server sent is no recording.
    #[error("{0}")]
    Received(RecordingError),
    /// What the client sent is no recording.
    #[error("of what the client sent: {0}")]
    Sent(RecordingError),
    /// It does not begin with Asterisk's greeting.
    #[error("byte 0 of the stream: expected `Asterisk Call Manager/`: this is no recorded link")]
    NoBanner,
}

/// What was asked for: an action without its `ActionID`, whatever the order of its headers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question(BTreeMap<String, Vec<Vec<u8>>>);

impl Question {
    /// The question that an action asks.
    pub fn of(action: &Message) -> Self {
        let mut headers: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for (key, value) in action.fields() {
            let key = String::from_utf8_lossy(key).to_ascii_lowercase();
            if key != "actionid" {
                let value =
                    if key == "action" { value.to_ascii_lowercase() } else { value.to_vec() };
                headers.entry(key).or_default().push(value);
            }
        }
        Self(headers)
    }
}

#[derive(Debug, Clone)]
enum Entry {
    /// A live event, at this time after the login.
    Event { at_ms: u64, message: Message },
    /// The answer to what the client asked here: its response, and the items of a list.
    Answer { messages: Vec<Message> },
}

impl Script {
    /// Reads a recording: what the server sent, and what the client did (empty where nobody knows:
    /// then no question has an answer).
    pub fn new(received: &[u8], sent: &[u8]) -> Result<Self, ScriptError> {
        let asked = questions(sent).map_err(ScriptError::Sent)?;
        let mut reading = Reading { asked, login_ms: 0, entries: vec![], open: HashMap::new() };
        let mut banner = None;
        let mut decoder = Decoder::new(LIMITS);
        for chunk in chunks(received) {
            let chunk = chunk.map_err(ScriptError::Received)?;
            decoder.buffer().extend_from_slice(chunk.bytes);
            for frame in decoder.by_ref() {
                match frame {
                    Ok(Frame::Banner(found)) => banner = Some(found.text().to_owned()),
                    Ok(Frame::Message(message)) => reading.take(chunk.at_ms, message),
                    // With these limits only a stream that does not begin as it should.
                    Err(_) => return Err(ScriptError::NoBanner),
                }
            }
        }
        let banner = banner.ok_or(ScriptError::NoBanner)?;
        let mut answers: HashMap<Question, Vec<usize>> = HashMap::new();
        for (question, index) in reading.open.into_values() {
            answers.entry(question).or_default().push(index);
        }
        for places in answers.values_mut() {
            places.sort_unstable();
        }
        Ok(Self { banner, entries: reading.entries, answers })
    }

    /// The line that opens the link, with its end.
    pub fn greeting(&self) -> Bytes {
        let mut line = Banner::PREFIX.to_vec();
        line.extend_from_slice(self.banner.as_bytes());
        line.extend_from_slice(b"\r\n");
        line.into()
    }

    /// How many live events there are.
    pub fn event_count(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry, Entry::Event { .. })).count()
    }

    /// How many questions it has answers to.
    pub fn question_count(&self) -> usize {
        self.answers.len()
    }

    /// Milliseconds from the login to the last live event.
    pub fn length_ms(&self) -> u64 {
        let times = self.entries.iter().filter_map(|entry| match entry {
            Entry::Event { at_ms, .. } => Some(*at_ms),
            Entry::Answer { .. } => None,
        });
        times.max().unwrap_or(0)
    }
}

/// A script in the making.
struct Reading {
    /// By `ActionID`.
    asked: HashMap<String, Question>,
    login_ms: u64,
    entries: Vec<Entry>,
    /// The answers so far, by `ActionID`: to what, and where.
    open: HashMap<String, (Question, usize)>,
}

impl Reading {
    fn take(&mut self, at_ms: u64, message: Message) {
        match message.kind() {
            Kind::Response(_) => self.response(at_ms, message),
            Kind::Event(_) | Kind::Other => {
                // Only the ActionID tells an item of a list from a live event, but some live events
                // (OriginateResponse) have that of an action which has its whole answer.
                let answer = message.action_id().and_then(|id| self.open.get(id));
                if let Some((_, index)) = answer
                    && let Some(Entry::Answer { messages }) = self.entries.get_mut(*index)
                    && is_unfinished_list(messages)
                {
                    messages.push(message);
                } else {
                    let at_ms = at_ms.saturating_sub(self.login_ms);
                    self.entries.push(Entry::Event { at_ms, message });
                }
            }
        }
    }

    fn response(&mut self, at_ms: u64, message: Message) {
        let Some(id) = message.action_id().map(str::to_owned) else { return };
        let Some(question) = self.asked.remove(&id) else { return };
        if question.is("Login") {
            self.login_ms = at_ms;
        }
        if !OWN.iter().any(|own| question.is(own)) {
            self.open.insert(id, (question, self.entries.len()));
            self.entries.push(Entry::Answer { messages: vec![message] });
        }
    }
}

impl Question {
    fn is(&self, name: &str) -> bool {
        let names = self.0.get("action").map_or(&[][..], Vec::as_slice);
        names.first().is_some_and(|action| action.eq_ignore_ascii_case(name.as_bytes()))
    }
}

/// Whether more items belong to this answer.
fn is_unfinished_list(messages: &[Message]) -> bool {
    let says = |message: Option<&Message>, word: &str| {
        let said = message.and_then(|message| message.get("EventList"));
        said.is_some_and(|said| said.eq_ignore_ascii_case(word))
    };
    says(messages.first(), "start")
        && !says(messages.last(), "Complete")
        && !says(messages.last(), "cancelled")
}

/// What a client asked, by `ActionID`.
fn questions(sent: &[u8]) -> Result<HashMap<String, Question>, RecordingError> {
    let mut asked = HashMap::new();
    let mut decoder = Decoder::without_banner(LIMITS);
    for chunk in chunks(sent) {
        decoder.buffer().extend_from_slice(chunk?.bytes);
        for frame in decoder.by_ref() {
            if let Ok(Frame::Message(action)) = frame
                && let Some(id) = action.action_id()
            {
                asked.insert(id.to_owned(), Question::of(&action));
            }
        }
    }
    Ok(asked)
}

/// One client's way through a script, from its login on.
///
/// An event that came after the answer to a question waits until the client has asked that too, so
/// that a client which asks what was asked then sees everything in the order of then. Whoever serves
/// it says when that has taken too long: see [`Playback::go_on`].
#[derive(Debug, Clone)]
pub struct Playback {
    script: Arc<Script>,
    next: usize,
    /// Answers that were given ahead of their place.
    given: HashSet<usize>,
}

/// What comes next for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// This, so many milliseconds after the login.
    Event(u64, &'a [u8]),
    /// Nothing before the client has asked something.
    Question,
    /// Nothing any more.
    End,
}

impl Playback {
    /// From the beginning.
    pub fn new(script: Arc<Script>) -> Self {
        Self { script, next: 0, given: HashSet::new() }
    }

    /// What comes next.
    pub fn step(&mut self) -> Step<'_> {
        while self.given.remove(&self.next) {
            self.next += 1;
        }
        match self.script.entries.get(self.next) {
            Some(Entry::Event { at_ms, message }) => Step::Event(*at_ms, message.as_bytes()),
            Some(Entry::Answer { .. }) => Step::Question,
            None => Step::End,
        }
    }

    /// The event of this step was sent, or the question is not waited for any longer.
    pub fn go_on(&mut self) {
        self.next += 1;
    }

    /// The answer to what a client asks: the next one that was given to the same question then, or
    /// the last one; `None` where it was not asked.
    pub fn answer(&mut self, action: &Message) -> Option<Bytes> {
        let places = self.script.answers.get(&Question::of(action))?;
        let ahead = places.iter().find(|place| **place >= self.next && !self.given.contains(place));
        let place = *ahead.or(places.last())?;
        if place >= self.next {
            self.given.insert(place);
        }
        let Some(Entry::Answer { messages }) = self.script.entries.get(place) else { return None };
        let id = action.get_bytes("ActionID");
        let mut answer = BytesMut::new();
        for message in messages {
            readdress(message.as_bytes(), id, &mut answer);
        }
        Some(answer.freeze())
    }
}

/// A message with another `ActionID`, or without.
fn readdress(message: &[u8], id: Option<&[u8]>, out: &mut BytesMut) {
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        let key = line.get(.."ActionID:".len());
        if !key.is_some_and(|key| key.eq_ignore_ascii_case(b"ActionID:")) {
            out.put_slice(line);
        } else if let Some(id) = id {
            out.put_slice(b"ActionID: ");
            out.put_slice(id);
            out.put_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::write_chunk;

    const SENT: &str = "Action: Login\r\nActionID: 1\r\nUsername: u\r\n\r\n\
        Action: Status\r\nActionID: 2\r\n\r\nAction: BridgeInfo\r\nActionID: 3\r\nBridgeUniqueid: b\r\n\r\n\
        Action: Originate\r\nActionID: 4\r\n\r\nAction: Status\r\nActionID: 5\r\n\r\n";

    fn chunk(file: &mut Vec<u8>, at_ms: u64, text: &str) {
        write_chunk(file, at_ms, text.as_bytes()).unwrap();
    }

    fn script() -> Script {
        let (mut received, mut sent) = (Vec::new(), Vec::new());
        chunk(&mut sent, 0, &SENT[..30]);
        chunk(&mut sent, 0, &SENT[30..]);
        chunk(&mut received, 0, "Asterisk Call Manager/11.0.0\r\n");
        chunk(&mut received, 500, "Response: Success\r\nActionID: 1\r\n\r\nEvent: FullyBo");
        chunk(
            &mut received,
            501,
            "oted\r\n\r\nResponse: Success\r\nActionID: 2\r\nEventList: start\r\n\r\n",
        );
        let item = "Event: Status\r\nActionID: 2\r\nUniqueid: 7\r\n\r\n";
        let end = "Event: StatusComplete\r\nActionID: 2\r\nEventList: Complete\r\n\r\n";
        chunk(&mut received, 502, &(item.to_owned() + end));
        chunk(&mut received, 600, "Event: Hangup\r\nUniqueid: 7\r\n\r\n");
        chunk(
            &mut received,
            700,
            "Response: Error\r\nActionID: 3\r\n\r\nResponse: Success\r\nActionID: 4\r\n\r\n",
        );
        chunk(&mut received, 800, "Event: OriginateResponse\r\nActionID: 4\r\n\r\n");
        chunk(&mut received, 900, "Response: Error\r\nActionID: 5\r\nMessage: none\r\n\r\n");
        Script::new(&received, &sent).unwrap()
    }

    fn action(text: &str) -> Message {
        Message::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn events_keep_their_time_and_their_place_among_answers() {
        let script = Arc::new(script());
        assert_eq!(
            (script.event_count(), script.question_count(), script.length_ms()),
            (3, 3, 300)
        );
        assert_eq!(script.greeting(), "Asterisk Call Manager/11.0.0\r\n");
        let mut playback = Playback::new(script);
        assert_eq!(playback.step(), Step::Event(1, b"Event: FullyBooted\r\n\r\n"));
        playback.go_on();
        assert_eq!(playback.step(), Step::Question, "it is waited for");
        let answer = playback.answer(&action("Action: status\r\nActionID: mine")).unwrap();
        assert_eq!(
            answer,
            "Response: Success\r\nActionID: mine\r\nEventList: start\r\n\r\n\
             Event: Status\r\nActionID: mine\r\nUniqueid: 7\r\n\r\n\
             Event: StatusComplete\r\nActionID: mine\r\nEventList: Complete\r\n\r\n"
        );
        assert_eq!(playback.step(), Step::Event(100, b"Event: Hangup\r\nUniqueid: 7\r\n\r\n"));
        playback.go_on();
        assert_eq!(playback.step(), Step::Question);
        assert!(playback.answer(&action("Action: BridgeInfo\r\nBridgeUniqueid: c")).is_none());
        let refused = playback.answer(&action("BridgeUniqueid: b\r\nAction: BridgeInfo"));
        assert_eq!(refused.unwrap(), "Response: Error\r\n\r\n");
        assert_eq!(playback.step(), Step::Question, "nobody originates");
        playback.go_on();
        let live = b"Event: OriginateResponse\r\nActionID: 4\r\n\r\n";
        assert_eq!(playback.step(), Step::Event(300, live));
        // The second answer comes at its place, and from then on.
        for id in ["a", "b"] {
            let again = playback.answer(&action(&format!("Action: Status\r\nActionID: {id}")));
            assert_eq!(
                again.unwrap(),
                format!("Response: Error\r\nActionID: {id}\r\nMessage: none\r\n\r\n")
            );
        }
        playback.go_on();
        assert_eq!(playback.step(), Step::End);
    }

    #[test]
    fn what_is_no_recording_is_refused_with_the_place() {
        let error = Script::new(b"Event: X\r\n", b"").unwrap_err();
        let place = "byte 0 of the recording: expected a line `@<milliseconds> <length>`";
        assert_eq!(error.to_string(), place);
        let error = Script::new(b"@0 2\nhi\n", b"@0 2\nhi\n@1").unwrap_err();
        assert!(error.to_string().starts_with("of what the client sent: byte 8"), "{error}");
        assert_eq!(Script::new(b"@0 4\nSSH-\n", b"").unwrap_err(), ScriptError::NoBanner);
        assert_eq!(Script::new(b"", b"").unwrap_err(), ScriptError::NoBanner);
    }
}
