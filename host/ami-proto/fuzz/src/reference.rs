//! The codec again, without cleverness: all bytes at once, line after line, everything copied.

use ami_proto::{Fault, Limits};

/// Key and value of each line, or why the message was skipped.
pub(crate) type Read = Result<Vec<(Vec<u8>, Vec<u8>)>, Fault>;

/// What a stream without a banner is made of. Raw output is beyond it: where `Response: Follows`
/// opens a message and `raw` says that it counts, there is `None`.
pub(crate) fn read(stream: &[u8], limits: Limits, raw: bool) -> Option<Vec<Read>> {
    let mut read = Vec::new();
    let mut message: Vec<&[u8]> = Vec::new();
    let mut is_skipping = false;
    for line in stream.split_inclusive(|byte| *byte == b'\n') {
        let is_whole = line.ends_with(b"\n");
        if matches!(line, b"\n" | b"\r\n") {
            if !message.is_empty() {
                read.push(Ok(message.drain(..).map(field).collect()));
            }
            is_skipping = false;
        } else if is_skipping || (line == b"\r" && !is_whole) {
            // Of no message; or half of what may be a blank line.
        } else if let Some(fault) = broken_limit(&message, line, is_whole, limits) {
            read.push(Err(fault));
            message.clear();
            is_skipping = true;
        } else if is_whole {
            if raw && message.is_empty() && without_end(line).eq_ignore_ascii_case(FOLLOWS) {
                return None;
            }
            message.push(line);
        }
    }
    Some(read)
}

const FOLLOWS: &[u8] = b"Response: Follows";

/// The limit that is reached first, byte by byte; lines are counted when they end.
fn broken_limit(message: &[&[u8]], line: &[u8], is_whole: bool, limits: Limits) -> Option<Fault> {
    let before: usize = message.iter().map(|line| line.len()).sum();
    (1..=line.len())
        .find_map(|length| {
            if length > limits.line {
                Some(Fault::LineTooLong(limits.line))
            } else if before + length > limits.message {
                Some(Fault::MessageTooLong(limits.message))
            } else {
                None
            }
        })
        .or((is_whole && message.len() >= limits.lines)
            .then_some(Fault::TooManyLines(limits.lines)))
}

/// A line's key and value: at the first colon, or behind the channel that a key may name.
fn field(line: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let line = without_end(line);
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return (Vec::new(), line.to_vec());
    };
    let behind_channel = line[..colon].iter().position(|byte| *byte == b'(').and_then(|open| {
        (open..line.len()).find(|at| line[*at..].starts_with(b"):")).map(|at| at + 1)
    });
    let colon = behind_channel.unwrap_or(colon);
    let value = &line[colon + 1..];
    (line[..colon].to_vec(), value.strip_prefix(b" ").unwrap_or(value).to_vec())
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
