//! What is said of an event beside its JSON: one header, a JSON array. So a reader shares an event without
//! reading the JSON itself, whose scope only its type tells.

use super::order::Mark;
use crate::bus::entry::Arrived;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use telepulse_language::SmolStr;

/// The header's name.
pub(super) const HEADER: &str = "Telepulse-Event";

/// A label may have so many bytes: JetStream takes 64 KiB of headers, and NATS counts them to what it takes at
/// once.
pub(super) const MOST: usize = 7 << 10;
/// A character may become so many bytes in JSON.
const WIDEST: usize = 6;
/// What the numbers and the punctuation take.
const NUMBERS: usize = 192;

/// What does not change when it is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) kind: SmolStr,
    pub(super) server: SmolStr,
    pub(super) agent: Option<SmolStr>,
    pub(super) queue: Option<SmolStr>,
    /// Where in the JSON the number belongs.
    pub(super) place: usize,
    /// Events before it were lost.
    pub(super) is_after_loss: bool,
    /// Under which term its server was had by who said it; 0: no matter.
    pub(super) term: u64,
}

/// As it is written: from, number, done, floor, kind, server, agent, queue, place, is_after_loss, term.
type Written =
    (SmolStr, u64, u64, u64, SmolStr, SmolStr, Option<SmolStr>, Option<SmolStr>, usize, bool, u64);

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Line(Written);

/// The header's value: JSON, so without a line break.
pub(super) fn write(label: &Label, mark: Mark) -> String {
    let Label { kind, server, agent, queue, place, is_after_loss, term } = label.clone();
    let Mark { from, number, done, floor } = mark;
    let line = (from, number, done, floor, kind, server, agent, queue, place, is_after_loss, term);
    serde_json::to_string(&Line(line)).unwrap_or_default()
}

/// Reads it; `None` where it is none of ours.
pub(super) fn read(value: &str) -> Option<(Label, Mark)> {
    let Line(line) = serde_json::from_str(value).ok()?;
    let (from, number, done, floor, kind, server, agent, queue, place, is_after_loss, term) = line;
    let label = Label { kind, server, agent, queue, place, is_after_loss, term };
    Some((label, Mark { from, number, done, floor }))
}

impl Label {
    /// Whether the header can hold it, whatever the numbers.
    pub(super) fn fits(&self) -> bool {
        let Self { kind, server, agent, queue, .. } = self;
        let optional = [agent, queue].into_iter().flatten();
        let texts = [kind, server].into_iter().chain(optional);
        let bytes: usize = texts.map(SmolStr::len).sum();
        if bytes * WIDEST + NUMBERS <= MOST {
            return true;
        }
        let mark = Mark { from: SmolStr::default(), number: 0, done: 0, floor: 0 };
        bytes <= MOST && write(self, mark).len() + NUMBERS <= MOST
    }

    /// Whether this can be an event's JSON, into which a number can be put. Others may have written anything.
    pub(super) fn suits(&self, json: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(json) else { return false };
        let is_within =
            self.place > 0 && self.place < text.len() && text.is_char_boundary(self.place);
        is_within && text.starts_with('{') && text.ends_with('}')
    }

    /// The event with its number.
    pub(super) fn arrived(self, seq: u64, json: Bytes) -> Arrived {
        let Self { kind, server, agent, queue, place, is_after_loss, term: _ } = self;
        Arrived { seq, kind, server, agent, queue, json, place, is_after_loss }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_as_it_was_and_never_breaks_the_line() {
        let label = Label {
            kind: "phoneNumber".into(),
            server: "Köln\r\nX: y".into(),
            agent: Some("20\"1".into()),
            queue: None,
            place: 40,
            is_after_loss: true,
            term: 7 << 32,
        };
        let mark = Mark { from: "tp1-7f".into(), number: 9, done: 7, floor: 1234 };
        let written = write(&label, mark.clone());
        assert!(!written.contains(['\r', '\n']), "{written}");
        assert_eq!(read(&written), Some((label, mark)));
        for foreign in ["", "[]", "[1,2]", "{}"] {
            assert_eq!(read(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn what_is_no_event_is_known() {
        let label = |place| Label {
            kind: "phoneNumber".into(),
            server: "pbx1".into(),
            agent: None,
            queue: None,
            place,
            is_after_loss: false,
            term: u64::MAX,
        };
        let json = "{\"type\":\"phoneNumber\",\"a\":\"ä\"}";
        assert!(label(21).suits(json.as_bytes()));
        for place in [0, json.len(), usize::MAX, json.find('ä').unwrap() + 1] {
            assert!(!label(place).suits(json.as_bytes()), "{place}");
        }
        for foreign in [&b""[..], b"{", b"[1,2]", b"\"{}\"", b"{\xff\xff}", b"not JSON"] {
            assert!(!label(1).suits(foreign), "{foreign:?}");
        }
    }

    #[test]
    fn what_does_not_fit_into_the_header_is_known_before() {
        let label = |agent: String| Label {
            kind: "phoneNumber".into(),
            server: "pbx1".into(),
            agent: Some(agent.into()),
            queue: None,
            place: usize::MAX,
            is_after_loss: false,
            term: u64::MAX,
        };
        let number = u64::MAX;
        for (agent, fits) in [
            ("201".to_owned(), true),
            ("a".repeat(6_850), true),
            ("a".repeat(MOST), false),
            ("\u{1}".repeat(1_100), true),
            ("\u{1}".repeat(1_200), false),
        ] {
            let label = label(agent);
            assert_eq!(label.fits(), fits, "{}", label.agent.as_ref().map_or(0, SmolStr::len));
            let mark = Mark { from: SmolStr::default(), number, done: number, floor: number };
            assert!(!fits || write(&label, mark).len() <= MOST);
        }
    }
}
