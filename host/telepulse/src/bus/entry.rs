//! One event of the stream as everybody shares it: its scope, and its bytes, encoded once.

use super::Address;
use bytes::Bytes;
use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};
use telepulse_language::{Event, SmolStr};

/// The longest header of an unmasked WebSocket frame.
const HEADER_ROOM: usize = 10;
/// The longest number with its key.
const SEQ_ROOM: usize = 27;
/// Final fragment, opcode text (RFC 6455, section 5.2).
const FINAL_TEXT: u8 = 0x81;

/// An event with its number, ready to be sent: what is needed to match it, and its bytes.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number in the stream.
    pub seq: u64,
    /// The Asterisk server that it is about; empty for a plugin's event without one.
    pub server: Arc<str>,
    /// Scope: the extension concerned.
    pub agent: Option<SmolStr>,
    /// Scope: the queue concerned.
    pub queue: Option<SmolStr>,
    /// What was told before it may be wrong: whoever is told it begins anew after it.
    pub begins_anew: bool,
    address: Address,
    /// The JSON with the header of a WebSocket text frame before it: what most readers need is
    /// the frame, and so it is made once for all of them.
    frame: Bytes,
    header: usize,
    /// The frame as some readers need it otherwise.
    other: OnceLock<Bytes>,
}

/// An event that stands encoded in the buffer of its batch.
pub(super) struct Draft {
    /// Its frame lies here.
    place: Range<usize>,
    entry: Entry,
}

impl Draft {
    /// Encodes `event` at the end of `batch`.
    pub(super) fn encode(
        seq: u64,
        event: Event,
        address: Address,
        server: Arc<str>,
        batch: &mut Vec<u8>,
    ) -> Self {
        let start = batch.len();
        batch.resize(start + HEADER_ROOM, 0);
        event.write_json(seq, batch);
        let header = write_header(&mut batch[start..]);
        let Event { agent, queue, .. } = event;
        let (frame, other) = Default::default();
        Self {
            place: start + HEADER_ROOM - header..batch.len(),
            entry: Entry {
                seq,
                server,
                agent,
                queue,
                begins_anew: false,
                address,
                frame,
                header,
                other,
            },
        }
    }

    /// The entry, whose bytes are a part of its batch's: one allocation serves all of them.
    pub(super) fn finish(self, batch: &Bytes) -> Entry {
        Entry { frame: batch.slice(self.place), ..self.entry }
    }
}

/// An event that got its number elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrived {
    pub(super) seq: u64,
    pub(super) kind: SmolStr,
    pub(super) server: SmolStr,
    pub(super) agent: Option<SmolStr>,
    pub(super) queue: Option<SmolStr>,
    /// Its JSON without the number.
    pub(super) json: Bytes,
    /// Where in it the number belongs.
    pub(super) place: usize,
    /// Events before it were lost: nobody may read on from before it, and who was told all that there was
    /// does not know enough either.
    pub(super) is_after_loss: bool,
}

impl Arrived {
    /// The entry, with the number in its place.
    pub(super) fn entry(self, address: Address, server: Arc<str>) -> Entry {
        let Self { seq, agent, queue, json, place, is_after_loss: begins_anew, .. } = self;
        let (before, after) = json.split_at(place.min(json.len()));
        let mut frame = Vec::with_capacity(HEADER_ROOM + json.len() + SEQ_ROOM);
        frame.resize(HEADER_ROOM, 0);
        frame.extend_from_slice(before);
        frame.extend_from_slice(format!(",\"seq\":{seq}").as_bytes());
        frame.extend_from_slice(after);
        let header = write_header(&mut frame);
        let frame = Bytes::from(frame).slice(HEADER_ROOM - header..);
        let other = OnceLock::new();
        Entry { seq, server, agent, queue, begins_anew, address, frame, header, other }
    }
}

impl Entry {
    /// The event's type, like `activeLines`.
    pub fn kind(&self) -> &str {
        self.address.kind()
    }

    /// Where it was published: `telepulse.event.<type>`.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The event as JSON.
    pub fn json(&self) -> Bytes {
        self.frame.slice(self.header..)
    }

    /// The event as a whole WebSocket text frame from server to client (not masked).
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The frame in another form, made by whoever needs it first and kept for the others. There is one
    /// such form: `make` must always make the same.
    pub fn frame_made(&self, make: impl FnOnce(&Bytes) -> Bytes) -> &Bytes {
        self.other.get_or_init(|| make(&self.frame))
    }
}

/// Writes the frame's header right before the payload, at the end of the room kept for it; answers
/// its length.
fn write_header(buffer: &mut [u8]) -> usize {
    let (room, payload) = buffer.split_at_mut(HEADER_ROOM);
    let length = payload.len() as u64;
    let extended = length.to_be_bytes();
    let (second, extended) = match length {
        0..=125 => (extended[7], &extended[8..]),
        126..=0xFFFF => (126, &extended[6..]),
        _ => (127, &extended[..]),
    };
    let start = HEADER_ROOM - 2 - extended.len();
    room[start] = FINAL_TEXT;
    room[start + 1] = second;
    room[start + 2..].copy_from_slice(extended);
    2 + extended.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(length: usize, expected: &[u8]) {
        let mut buffer = vec![0; HEADER_ROOM + length];
        let header = write_header(&mut buffer);
        assert_eq!(&buffer[HEADER_ROOM - header..HEADER_ROOM], expected, "{length}");
    }

    #[test]
    fn the_header_says_the_length() {
        check(0, &[0x81, 0]);
        check(125, &[0x81, 125]);
        check(126, &[0x81, 126, 0, 126]);
        check(300, &[0x81, 126, 1, 44]);
        check(65_535, &[0x81, 126, 255, 255]);
        check(65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
