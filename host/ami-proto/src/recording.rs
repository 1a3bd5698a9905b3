//! Recorded streams of bytes: what a server sent, in chunks with their times.
//!
//! A recording is a sequence of `@<milliseconds> <length>\n<bytes>\n`: the time since the
//! recording began, and how many bytes follow. It reads well in an editor and holds any bytes.
//! `NAME.amirec` has what the server sent, `NAME.amisent` beside it, on the same clock, what the
//! client did. [`Mask`] keeps secrets out of both; [`Script`] makes them ready to be served again.

mod mask;
mod script;

use std::io::{self, Write};

pub use mask::Mask;
pub use script::{Playback, Question, Script, ScriptError, Step};

/// What was read from the socket at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Milliseconds since the recording began.
    pub at_ms: u64,
    /// The bytes, as they came.
    pub bytes: &'a [u8],
}

/// A place where a recording is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset} of the recording: expected {expected}")]
pub struct RecordingError {
    /// Where, counted from the start of the file.
    pub offset: usize,
    /// What should be there.
    pub expected: &'static str,
}

/// Writes one chunk.
pub fn write_chunk(out: &mut impl Write, at_ms: u64, bytes: &[u8]) -> io::Result<()> {
    writeln!(out, "@{at_ms} {}", bytes.len())?;
    out.write_all(bytes)?;
    out.write_all(b"\n")
}

/// The chunks of a recording in their order; it ends after the first error.
pub fn chunks(recording: &[u8]) -> Chunks<'_> {
    Chunks { recording, offset: 0 }
}

/// The whole stream of a recording, without the times.
pub fn stream(recording: &[u8]) -> Result<Vec<u8>, RecordingError> {
    let mut stream = Vec::with_capacity(recording.len());
    for chunk in chunks(recording) {
        stream.extend_from_slice(chunk?.bytes);
    }
    Ok(stream)
}

/// See [`chunks`].
#[derive(Debug, Clone)]
pub struct Chunks<'a> {
    recording: &'a [u8],
    offset: usize,
}

impl<'a> Chunks<'a> {
    fn take(&mut self) -> Result<Chunk<'a>, RecordingError> {
        let wrong = |offset, expected| RecordingError { offset, expected };
        let head = &self.recording[self.offset..];
        let end = memchr::memchr(b'\n', &head[..head.len().min(64)])
            .ok_or(wrong(self.offset, "a line `@<milliseconds> <length>`"))?;
        let (at_ms, length) = std::str::from_utf8(&head[..end])
            .ok()
            .and_then(|line| line.strip_prefix('@')?.split_once(' '))
            .and_then(|(at, length)| Some((at.parse().ok()?, length.parse::<usize>().ok()?)))
            .ok_or(wrong(self.offset, "a line `@<milliseconds> <length>`"))?;
        let body = self.offset + end + 1;
        let bytes = self.recording[body..]
            .get(..length)
            .ok_or(wrong(body, "as many bytes as the line before says"))?;
        let after = body + length;
        if self.recording.get(after) != Some(&b'\n') {
            return Err(wrong(after, "a line end after the bytes"));
        }
        self.offset = after + 1;
        Ok(Chunk { at_ms, bytes })
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<Chunk<'a>, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.offset >= self.recording.len() {
            return None;
        }
        let chunk = self.take();
        if chunk.is_err() {
            self.offset = self.recording.len();
        }
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut file = Vec::new();
        write_chunk(&mut file, 0, b"Asterisk Call Manager/11.0.0\r\n").unwrap();
        write_chunk(&mut file, 17, b"Event: \xff\n@1 2\nReload\r\n\r\n").unwrap();
        write_chunk(&mut file, 18, b"").unwrap();
        let read: Vec<_> = chunks(&file).map(Result::unwrap).collect();
        assert_eq!(read.len(), 3);
        assert_eq!(read[1].at_ms, 17);
        assert_eq!(read[1].bytes, b"Event: \xff\n@1 2\nReload\r\n\r\n");
        assert_eq!(stream(&file).unwrap().len(), read[0].bytes.len() + read[1].bytes.len());
    }

    #[test]
    fn a_broken_recording_names_the_place() {
        let check = |file: &[u8], offset: usize| {
            let error = chunks(file).last().expect("something").expect_err("broken");
            assert_eq!(error.offset, offset, "{error}");
        };
        check(b"Event: x\r\n", 0);
        check(b"@0 3\nabc\n@5\n", 9);
        check(b"@0 3\nabc\n@5 10\nabc\n", 15);
        check(b"@0 3\nabcd\n", 8);
        check(b"@0 99999999999999999999999\nabc\n", 0);
        check(b"@0 18446744073709551615\nabc\n", 24);
        check(&[b'@'; 100], 0);
    }
}
