//! One AMI message: shared bytes, and where its lines start.

mod lines;
mod lookup;

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use memchr::{memchr, memmem};

pub(crate) use lines::{Lines, trim_end};
pub use lookup::{Key, Lookup};

use crate::codec::{DecodeError, Decoder, Limits};

/// One AMI message, an event or a response, as it came.
///
/// A clone shares the bytes. Nothing is decoded until it is asked for: framing notes where each
/// line starts, and [`Message::get`] compares keys on the wire's own bytes.
///
/// A message keeps the read buffer alive in which it came (some tens of KiB). To keep one for
/// long, keep [`Message::detached`].
#[derive(Clone)]
pub struct Message {
    /// From the first line's first byte to the end of the blank line.
    bytes: Bytes,
    lines: Lines,
    /// From this line on it is raw output of a command (`Response: Follows`, Asterisk 13 and
    /// older), to be read as if each line were `Output: <line>`.
    raw_from: u32,
}

/// What a message is, by its first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// `Event: <name>`
    Event(&'a str),
    /// `Response: <Success, Error, Follows, Goodbye…>`
    Response(&'a str),
    /// Neither: a stray fragment, or a first line that is not UTF-8.
    Other,
}

/// The key under which a command's raw output is shown, as Asterisk 14 and newer name it.
const OUTPUT: &[u8] = b"Output";

impl Message {
    pub(crate) fn new(bytes: Bytes, lines: Lines, raw_from: Option<u32>) -> Self {
        Self { bytes, lines, raw_from: raw_from.unwrap_or(u32::MAX) }
    }

    /// Reads one message from text, as a server would send it; the blank line at the end may be
    /// left out. What comes after the first message is ignored.
    pub fn parse(text: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::without_banner(Limits::default());
        decoder.buffer().extend_from_slice(text);
        decoder.buffer().extend_from_slice(b"\r\n\r\n");
        match decoder.next() {
            Some(Ok(crate::Frame::Message(message))) => Ok(message),
            Some(Err(error)) => Err(error),
            Some(Ok(crate::Frame::Banner(_))) | None => Err(DecodeError::empty()),
        }
    }

    /// Event or response, and its name.
    pub fn kind(&self) -> Kind<'_> {
        if self.lines.count() == 0 {
            return Kind::Other;
        }
        // As Asterisk writes it, which is nearly always.
        let (_, line) = self.lines.line(&self.bytes, 0);
        if let Some(name) = line.strip_prefix(b"Event: ").filter(|_| self.raw_from > 0) {
            return std::str::from_utf8(name).map_or(Kind::Other, Kind::Event);
        }
        let Field { key, value, .. } = self.field(0, true);
        let Ok(value) = std::str::from_utf8(value) else { return Kind::Other };
        if key.eq_ignore_ascii_case(b"Event") {
            Kind::Event(value)
        } else if key.eq_ignore_ascii_case(b"Response") {
            Kind::Response(value)
        } else {
            Kind::Other
        }
    }

    /// The event's name, if this is an event.
    pub fn event(&self) -> Option<&str> {
        match self.kind() {
            Kind::Event(name) => Some(name),
            Kind::Response(_) | Kind::Other => None,
        }
    }

    /// The response's verdict (`Success`, `Error`, `Goodbye`, `Follows`), if this is a response.
    pub fn response(&self) -> Option<&str> {
        match self.kind() {
            Kind::Response(verdict) => Some(verdict),
            Kind::Event(_) | Kind::Other => None,
        }
    }

    /// Whether this is a response that refuses (`Response: Error`).
    pub fn is_error(&self) -> bool {
        self.response().is_some_and(|verdict| verdict.eq_ignore_ascii_case("Error"))
    }

    /// The first value under `key` (any case). An empty value is `Some("")`; a value that is not
    /// UTF-8 is `None` here: see [`Message::get_bytes`] and [`Message::get_lossy`].
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_bytes(key).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The first value under `key` (any case), byte for byte.
    pub fn get_bytes(&self, key: &str) -> Option<&[u8]> {
        let key = key.as_bytes();
        if self.raw_from != u32::MAX || !is_plain_key(key) {
            return self
                .fields()
                .find(|(k, _)| k.eq_ignore_ascii_case(key))
                .map(|(_, value)| value);
        }
        let (_, line) = self.lines.find(&self.bytes, key)?;
        Some(value_after_colon(&line[key.len() + 1..]))
    }

    /// Looks up keys that stand together in the order in which they are asked for, such as those of
    /// a channel's snapshot; see [`Lookup`].
    pub fn lookup(&self) -> Lookup<'_> {
        Lookup::new(self)
    }

    /// The first value under `key` (any case), with U+FFFD for what is not UTF-8.
    pub fn get_lossy(&self, key: &str) -> Option<Cow<'_, str>> {
        self.get_bytes(key).map(String::from_utf8_lossy)
    }

    /// Every value under `key` (any case), in the order of the wire.
    pub fn get_all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let key = key.as_bytes();
        self.fields().filter(move |(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    /// Every field in the order of the wire: key and value, without the one space between them.
    ///
    /// A line without a colon is a value under the empty key. A line of a command's raw output
    /// (`Response: Follows`) is a value under `Output`.
    pub fn fields(&self) -> Fields<'_> {
        let parentheses = memchr(b'(', &self.bytes).is_some();
        Fields { message: self, next: 0, parentheses }
    }

    /// The `ActionID` that ties this message to the action that asked for it.
    pub fn action_id(&self) -> Option<&str> {
        self.get("ActionID")
    }

    /// The message as it came, blank line included.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same message in memory of its own, so that keeping it keeps no read buffer alive.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { bytes: Bytes::copy_from_slice(&self.bytes), ..self.clone() }
    }

    /// Writes the message as one JSON object: `{"ServerId":"pbx1","Event":"Newchannel",…}`; how
    /// repeated keys and bytes that are not UTF-8 come out is told in [`crate::json`].
    pub fn write_json(&self, server_id: &str, out: &mut Vec<u8>) {
        crate::json::write_message(self, server_id, out);
    }

    /// The key of one field.
    pub(crate) fn key(&self, index: usize) -> &[u8] {
        self.field(index, true).key
    }

    fn field(&self, index: usize, parentheses: bool) -> Field<'_> {
        let (start, line) = self.lines.line(&self.bytes, index);
        if u32::try_from(index).is_ok_and(|index| index >= self.raw_from) {
            return Field { key: OUTPUT, value: line, line };
        }
        // A search in a longer piece is faster, even if most of it is not the line's.
        let piece = &self.bytes[start..self.bytes.len().min(start + line.len().max(64))];
        let colon = memchr(b':', piece).filter(|&colon| colon < line.len());
        match colon {
            Some(colon) if parentheses => Field::split(line, behind_channel(line, colon)),
            Some(colon) => Field::split(line, colon),
            None => Field { key: b"", value: line, line },
        }
    }
}

/// One line of a message.
pub(crate) struct Field<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    /// Both and what is between them.
    pub(crate) line: &'a [u8],
}

impl<'a> Field<'a> {
    fn split(line: &'a [u8], colon: usize) -> Self {
        Self { key: &line[..colon], value: value_after_colon(&line[colon + 1..]), line }
    }
}

/// Where the key ends: at the first colon, but for `ChanVariable(<channel>): k=v`, where the
/// channel's name may itself hold one.
fn behind_channel(line: &[u8], colon: usize) -> usize {
    memchr(b'(', &line[..colon])
        .and_then(|open| Some(open + memmem::find(&line[open..], b"):")? + 1))
        .unwrap_or(colon)
}

/// Asterisk writes one space after the colon; more than that is the value's own.
#[inline]
fn value_after_colon(rest: &[u8]) -> &[u8] {
    rest.strip_prefix(b" ").unwrap_or(rest)
}

/// Whether a line that starts with `key` and a colon surely has that key.
const fn is_plain_key(key: &[u8]) -> bool {
    let mut at = 0;
    while at < key.len() {
        if matches!(key[at], b':' | b'(' | b'\n') {
            return false;
        }
        at += 1;
    }
    !key.is_empty()
}

/// The fields of a message, in the order of the wire.
#[derive(Clone)]
pub struct Fields<'a> {
    message: &'a Message,
    next: usize,
    /// Whether some line may have a channel's name in its key.
    parentheses: bool,
}

impl<'a> Fields<'a> {
    /// The same with the whole lines.
    pub(crate) fn parts(self) -> impl Iterator<Item = Field<'a>> {
        (self.next..self.len()).map(move |index| self.message.field(index, self.parentheses))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        (self.next < self.message.lines.count()).then(|| {
            let field = self.message.field(self.next, self.parentheses);
            self.next += 1;
            (field.key, field.value)
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.message.lines.count() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.fields().map(|(key, value)| {
                    (String::from_utf8_lossy(key), String::from_utf8_lossy(value))
                }),
            )
            .finish()
    }
}

/// Two messages are equal when their fields are, whatever ended the lines.
impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.fields().eq(other.fields())
    }
}

impl Eq for Message {}
