//! Any stream of bytes: the same frames however it is cut, and the same as the plainest reading of
//! it gives; no byte lost, memory bounded.

use ami_proto::{AmiVersion, DecodeError, Decoder, Frame, Limits};

use super::reference;

/// Small enough that short inputs break them.
const SMALL: Limits = Limits { banner: 96, line: 160, lines: 12, message: 640 };
/// Above this, single bytes are only a matter of patience.
const SINGLE_BYTES: usize = 4096;

/// The first byte chooses (bit 0: a banner comes first; bit 1: small limits), the second how the
/// stream is cut; the rest is the stream.
pub fn run(data: &[u8]) {
    let [options, seed, stream @ ..] = data else { return };
    let limits = if options & 2 == 0 { Limits::default() } else { SMALL };
    let decoder = || match options & 1 {
        0 => Decoder::without_banner(limits),
        _ => Decoder::new(limits),
    };
    let whole = frames(decoder(), limits, std::iter::once(stream));
    assert_eq!(whole, frames(decoder(), limits, Cuts { rest: stream, seed: *seed }), "cut");
    if stream.len() <= SINGLE_BYTES {
        assert_eq!(whole, frames(decoder(), limits, stream.chunks(1)), "single bytes");
    }
    assert_agrees_with_reference(&whole, stream, limits, options & 1 != 0);
    if whole.iter().all(Result::is_ok) {
        assert_no_byte_lost(&whole, stream);
    }
    for frame in whole.into_iter().flatten() {
        assert_reads_as_json(&frame);
    }
}

/// Everything that comes out, and what was held meanwhile.
fn frames<'a>(
    mut decoder: Decoder,
    limits: Limits,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Vec<Result<Frame, DecodeError>> {
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.buffer().extend_from_slice(piece);
        frames.extend(decoder.by_ref().map(|frame| frame.map_err(without_excerpt_of_greeting)));
        // A CR that may be half of the blank line is not counted.
        let most = limits.message.max(limits.banner) + 1;
        assert!(decoder.buffered() <= most, "{} bytes are held", decoder.buffered());
    }
    frames
}

/// How much of a wrong greeting is shown depends on how much has come; nothing else does.
fn without_excerpt_of_greeting(error: DecodeError) -> DecodeError {
    let excerpt = if error.is_fatal() { String::new() } else { error.excerpt.clone() };
    DecodeError { excerpt, ..error }
}

/// Pieces of one to 64 bytes, by a small generator.
struct Cuts<'a> {
    rest: &'a [u8],
    seed: u8,
}

impl<'a> Iterator for Cuts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.seed = self.seed.wrapping_mul(29).wrapping_add(71);
        let (piece, rest) =
            self.rest.split_at(self.rest.len().min(usize::from(self.seed >> 2) + 1));
        self.rest = rest;
        (!piece.is_empty()).then_some(piece)
    }
}

fn assert_agrees_with_reference(
    frames: &[Result<Frame, DecodeError>],
    stream: &[u8],
    limits: Limits,
    has_banner: bool,
) {
    let (messages, stream, raw) = match frames {
        [Ok(Frame::Banner(banner)), messages @ ..] => {
            let end = stream.iter().position(|byte| *byte == b'\n').expect("a line");
            let raw = banner.version().is_none_or(AmiVersion::command_output_is_raw);
            (messages, &stream[end + 1..], raw)
        }
        messages if !has_banner => (messages, stream, true),
        _ => return,
    };
    let Some(expected) = reference::read(stream, limits, raw) else { return };
    let read = messages.iter().map(|frame| match frame {
        Ok(Frame::Message(message)) => {
            Ok(message.fields().map(|(key, value)| (key.to_vec(), value.to_vec())).collect())
        }
        Ok(Frame::Banner(banner)) => panic!("a second {banner:?}"),
        Err(error) => Err(error.fault),
    });
    assert_eq!(read.collect::<Vec<reference::Read>>(), expected, "as the reference reads it");
}

/// The messages are the stream, but for blank lines between them and an unfinished end.
fn assert_no_byte_lost(frames: &[Result<Frame, DecodeError>], stream: &[u8]) {
    let mut rest = stream;
    for frame in frames.iter().flatten() {
        match frame {
            Frame::Banner(banner) => {
                let end = rest.iter().position(|byte| *byte == b'\n').expect("a line");
                let text = String::from_utf8_lossy(&rest[..end]);
                assert!(text.trim_end().ends_with(banner.text()), "{banner:?} of {text:?}");
                rest = &rest[end + 1..];
            }
            Frame::Message(message) => {
                rest = without_blank_lines(rest);
                rest = rest.strip_prefix(message.as_bytes()).expect("a message of the stream");
                assert!(message.as_bytes().ends_with(b"\n"), "{message:?}");
            }
        }
    }
}

fn without_blank_lines(mut stream: &[u8]) -> &[u8] {
    while let Some(rest) = stream.strip_prefix(b"\n").or_else(|| stream.strip_prefix(b"\r\n")) {
        stream = rest;
    }
    stream
}

fn assert_reads_as_json(frame: &Frame) {
    if let Frame::Message(message) = frame {
        let mut text = Vec::new();
        message.write_json("pbx1", &mut text);
        let read: Result<serde_json::Value, _> = serde_json::from_slice(&text);
        assert!(read.is_ok(), "{message:?} gives {}", String::from_utf8_lossy(&text));
    }
}
