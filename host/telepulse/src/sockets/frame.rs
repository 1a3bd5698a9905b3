//! WebSocket frames from server to client (RFC 6455, section 5): whole, not masked, ready to share.

use bytes::{BufMut, Bytes, BytesMut};
use plugin_host::ports::{CloseReason, Frame};

/// A ping without data.
pub(super) const PING: Bytes = Bytes::from_static(&[0x89, 0]);
/// The first byte of a pong.
pub(super) const PONG: u8 = 0x8A;
/// The largest text of a close frame, in bytes.
const CLOSE_TEXT: usize = 123;

/// The first reserved bit: the message is compressed (RFC 7692).
pub(super) const COMPRESSED: u8 = 0x40;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;

/// A message as one frame.
pub(crate) fn message(frame: &Frame) -> Bytes {
    match frame {
        Frame::Text(text) => encode(TEXT, text.as_bytes()),
        Frame::Binary(bytes) => encode(BINARY, bytes),
    }
}

/// The text of a frame that was made here; `None`: it is no text frame.
pub(super) fn text_of(frame: &[u8]) -> Option<&[u8]> {
    parts(frame).and_then(|(first, text)| (first == TEXT).then_some(text))
}

/// The first byte and the payload of a message's frame that was made here; `None`: it is no message.
pub(super) fn parts(frame: &[u8]) -> Option<(u8, &[u8])> {
    let (&first, rest) = frame.split_first()?;
    let extended = match rest.first()? {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let payload = rest.get(1 + extended..)?;
    matches!(first, TEXT | BINARY).then_some((first, payload))
}

/// `{"event":"lagged","missed":N}` (contract section 3).
pub(super) fn lagged(missed: u64) -> Bytes {
    encode(TEXT, format!(r#"{{"event":"lagged","missed":{missed}}}"#).as_bytes())
}

/// A close frame; codes that must not be sent (section 7.4.1) become an empty one.
pub(super) fn close(reason: &CloseReason) -> Bytes {
    if matches!(reason.code, 1005 | 1006 | 1015) || reason.code < 1000 {
        return encode(CLOSE, &[]);
    }
    let mut end = reason.text.len().min(CLOSE_TEXT);
    while !reason.text.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = reason.code.to_be_bytes().to_vec();
    payload.extend_from_slice(&reason.text.as_bytes()[..end]);
    encode(CLOSE, &payload)
}

/// A frame with this first byte.
pub(super) fn encode(first: u8, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(10 + payload.len());
    out.put_u8(first);
    match payload.len() {
        length @ 0..=125 => out.put_uint(length as u64, 1),
        length @ 126..=0xFFFF => {
            out.put_u8(126);
            out.put_uint(length as u64, 2);
        }
        length => {
            out.put_u8(127);
            out.put_u64(length as u64);
        }
    }
    out.put_slice(payload);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_as_the_rfc_draws_them() {
        assert_eq!(message(&Frame::Text("Hello".into())), b"\x81\x05Hello"[..]);
        let medium = message(&Frame::Binary(vec![7; 256].into()));
        assert_eq!(&medium[..5], [0x82, 126, 1, 0, 7]);
        let large = message(&Frame::Text("x".repeat(65_536)));
        assert_eq!(&large[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(lagged(7), b"\x81\x1d{\"event\":\"lagged\",\"missed\":7}"[..]);
    }

    #[test]
    fn a_close_reason_is_cut_between_characters() {
        let check = |code: u16, text: &str, payload: &[u8]| {
            let frame = close(&CloseReason { code, text: text.into() });
            assert_eq!(frame[0], 0x88);
            assert_eq!(&frame[2..], payload, "{code} {text}");
        };
        check(4401, "log in", b"\x11\x31log in");
        check(1006, "never sent", b"");
        let long = "ä".repeat(80);
        check(1000, &long, &[b"\x03\xe8", &long.as_bytes()[..122]].concat());
    }
}
