//! One event of the stream as everybody shares it: its scope, and its bytes, encoded once.

use super::Address;
use bytes::Bytes;
use std::sync::Arc;
use telepulse_language::Event;

/// The longest header of an unmasked WebSocket frame.
const HEADER_ROOM: usize = 10;
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
    pub agent: Option<Box<str>>,
    /// Scope: the queue concerned.
    pub queue: Option<Box<str>>,
    address: Address,
    /// The JSON with the header of a WebSocket text frame before it: what most readers need is
    /// the frame, and so it is made once for all of them.
    frame: Bytes,
    header: usize,
}

impl Entry {
    /// Encodes `event`; `scratch` is a buffer to reuse.
    pub(super) fn encode(
        seq: u64,
        event: Event,
        address: Address,
        server: Arc<str>,
        scratch: &mut Vec<u8>,
    ) -> Self {
        scratch.clear();
        scratch.resize(HEADER_ROOM, 0);
        event.write_json(seq, scratch);
        let header = write_header(scratch);
        Self {
            seq,
            server,
            agent: event.agent.map(String::into_boxed_str),
            queue: event.queue.map(String::into_boxed_str),
            address,
            frame: Bytes::copy_from_slice(&scratch[HEADER_ROOM - header..]),
            header,
        }
    }

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
