//! An event as a subscriber gets it, and the reading of framed batches (`framed-subscriber` in
//! `wit/bus.wit`). Pure.

use serde::de::DeserializeOwned;
use telepulse_language::{Refusal, Stamped};
use thiserror::Error;

/// What comes before an event's texts, in bytes.
const HEADER: usize = 24;
/// Stands for "no server" where its length would be.
const NO_SERVER: u16 = u16::MAX;

/// A message from the bus. Borrowed from the batch that it came in: what shall outlive the handler
/// has to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its number in the event stream; 0 for messages outside `telepulse.event`.
    pub seq: u64,
    /// When it was published: nanoseconds since 1970, UTC.
    pub time_ns: u64,
    /// The address that it was published to, like `telepulse.event.activeLines`.
    pub address: &'a str,
    /// The last token of the address, unescaped: the event's type.
    pub kind: &'a str,
    /// The Asterisk server that it is about.
    pub server: Option<&'a str>,
    /// JSON, as written by the publisher.
    pub payload: &'a [u8],
}

impl<'a> Event<'a> {
    /// The payload as `T`: a type of your own, with the fields that you need. The refusal names the
    /// field that did not fit.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        crate::json::read(self.payload)
    }

    /// The payload as an event of the language; for messages under `telepulse.event`.
    pub fn typed(&self) -> Result<Stamped, Refusal> {
        self.json()
    }

    /// Reads one event of the framed layout.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(FrameError::Short)?;
        let short = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let (seq, time) = (long(&header[..8]), long(&header[8..16]));
        let (address, rest) = text(rest, short(16))?;
        let (kind, rest) = text(rest, short(18))?;
        let (server, payload) = match short(20) {
            NO_SERVER => (None, rest),
            length => text(rest, length).map(|(server, rest)| (Some(server), rest))?,
        };
        Ok(Self { seq, time_ns: time, address, kind, server, payload })
    }

    /// Writes the event in the framed layout: the opposite of [`Event::decode`], for tests. Texts of
    /// 65,535 bytes and more do not fit and are refused.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let length = |text: &str| match u16::try_from(text.len()) {
            Ok(length) if length != NO_SERVER => Ok(length),
            _ => Err(FrameError::TooLong),
        };
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&self.time_ns.to_le_bytes());
        out.extend_from_slice(&length(self.address)?.to_le_bytes());
        out.extend_from_slice(&length(self.kind)?.to_le_bytes());
        let server = self.server.map(length).transpose()?;
        out.extend_from_slice(&server.unwrap_or(NO_SERVER).to_le_bytes());
        out.extend_from_slice(&[0, 0]);
        for text in [self.address, self.kind, self.server.unwrap_or_default()] {
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(self.payload);
        Ok(())
    }
}

/// The events of a framed batch, in order: event `i` is `bytes[offsets[i]..offsets[i+1]]`.
pub fn batch<'a>(
    offsets: &'a [u32],
    bytes: &'a [u8],
) -> impl Iterator<Item = Result<Event<'a>, FrameError>> {
    offsets.windows(2).map(move |at| {
        let [from, to] = [at[0], at[1]].map(|offset| usize::try_from(offset).unwrap_or(usize::MAX));
        Event::decode(bytes.get(from..to).ok_or(FrameError::Short)?)
    })
}

/// Why bytes are no framed event.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FrameError {
    /// A length or an offset points past the end.
    #[error("a framed event is cut short")]
    Short,
    /// A text is not UTF-8.
    #[error("a framed event has a text that is not UTF-8")]
    NotUtf8,
    /// A text does not fit its length field.
    #[error("an address, kind or server is longer than a frame can hold")]
    TooLong,
}

fn long(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn text(bytes: &[u8], length: u16) -> Result<(&str, &[u8]), FrameError> {
    let (text, rest) = bytes.split_at_checked(length.into()).ok_or(FrameError::Short)?;
    Ok((str::from_utf8(text).map_err(|_| FrameError::NotUtf8)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Mine {
        agent: String,
    }

    const EVENT: Event<'_> = Event {
        seq: 0x0102_0304_0506_0708,
        time_ns: 9,
        address: "telepulse.event.phoneNumber",
        kind: "phoneNumber",
        server: Some("pbx1"),
        payload: br#"{"event":"phoneNumber","server":"pbx1","seq":7,"time":"2026-11-20T22:08:00.000Z","agent":"201","number":null}"#,
    };

    fn framed(event: &Event<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        event.encode(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_layout_is_that_of_the_interface() {
        let event = Event { server: None, address: "a.b", kind: "b", payload: b"{}", ..EVENT };
        let expected: [&[u8]; 8] = [
            &[8, 7, 6, 5, 4, 3, 2, 1],
            &[9, 0, 0, 0, 0, 0, 0, 0],
            &[3, 0],
            &[1, 0],
            &[255, 255],
            &[0, 0],
            b"a.bb",
            b"{}",
        ];
        assert_eq!(framed(&event), expected.concat());
        assert_eq!(Event::decode(&expected.concat()), Ok(event));
    }

    #[test]
    fn a_batch_is_read_in_order() {
        let other = Event { seq: 8, server: None, payload: b"", ..EVENT };
        let (one, two) = (framed(&EVENT), framed(&other));
        let ends = [0, one.len(), one.len() + two.len()].map(|end| u32::try_from(end).unwrap());
        let bytes = [one, two].concat();
        let events: Result<Vec<_>, _> = batch(&ends, &bytes).collect();
        assert_eq!(events, Ok(vec![EVENT, other]));
        assert_eq!(batch(&[0], b"").count(), 0);
        assert_eq!(batch(&[0, 999], &bytes).next(), Some(Err(FrameError::Short)));
        assert_eq!(batch(&[9, 3], &bytes).next(), Some(Err(FrameError::Short)));
    }

    #[test]
    fn bytes_cut_anywhere_in_the_texts_are_refused() {
        let bytes = framed(&EVENT);
        let texts = HEADER + EVENT.address.len() + EVENT.kind.len() + "pbx1".len();
        for end in 0..texts {
            assert_eq!(Event::decode(&bytes[..end]), Err(FrameError::Short), "cut at {end}");
        }
        let mut bytes = bytes;
        bytes[HEADER] = 0xff;
        assert_eq!(Event::decode(&bytes), Err(FrameError::NotUtf8));
    }

    #[test]
    fn the_payload_is_read_as_the_language_or_as_ones_own_type() {
        let stamped = EVENT.typed().unwrap();
        assert_eq!((stamped.seq, stamped.event.agent.as_deref()), (7, Some("201")));
        assert_eq!(EVENT.json::<Mine>().unwrap().agent, "201");
        let refusal = Event { payload: br#"{"agent":3}"#, ..EVENT }.json::<Mine>().unwrap_err();
        assert_eq!(refusal.field.as_deref(), Some("agent"));
    }
}
