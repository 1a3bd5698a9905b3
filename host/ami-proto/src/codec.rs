//! Bytes to messages: one pass over the read buffer finds the blank line and every line's start.

mod error;
mod scan;
mod skip;

use bytes::{Buf as _, BytesMut};

pub use error::{DecodeError, Fault};

use crate::message::{Lines, Message, trim_end};
use crate::version::{AmiVersion, Banner};
use scan::{Scan, Step};
use skip::Skip;

/// How much a server may send before it is an error. Whatever it does, the decoder holds at most
/// about [`Limits::message`] bytes and what the caller read on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the banner's line.
    pub banner: usize,
    /// Bytes of one line of a message.
    pub line: usize,
    /// Lines of one message.
    pub lines: usize,
    /// Bytes of one message.
    pub message: usize,
}

impl Default for Limits {
    /// Generous: a command's output comes as one message of many lines.
    fn default() -> Self {
        Self { banner: 256, line: 256 * 1024, lines: 64 * 1024, message: 4 * 1024 * 1024 }
    }
}

/// What the stream is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The line that opens a link.
    Banner(Banner),
    /// An event or a response.
    Message(Message),
}

/// Room that the caller finds in the buffer to read into.
const READ_ROOM: usize = 64 * 1024;
/// With less room than this left, a new piece of buffer is worth its allocation.
const LEAST_ROOM: usize = 8 * 1024;

/// Cuts a stream of bytes into frames, without copying.
///
/// Read into [`Decoder::buffer`], then take frames until there is `None`, which means that more
/// bytes are needed (so this iterator goes on after a `None`). After an error the decoder goes on
/// behind the next blank line, unless [`DecodeError::is_fatal`].
///
/// ```
/// use ami_proto::{Decoder, Frame, Limits};
///
/// let mut decoder = Decoder::new(Limits::default());
/// decoder.buffer().extend_from_slice(b"Asterisk Call Manager/11.0.0\r\nEvent: Reload\r\n\r");
/// assert!(matches!(decoder.next(), Some(Ok(Frame::Banner(_)))));
/// assert!(decoder.next().is_none());
/// decoder.buffer().extend_from_slice(b"\n");
/// assert!(matches!(decoder.next(), Some(Ok(Frame::Message(_)))));
/// ```
pub struct Decoder {
    buffer: BytesMut,
    limits: Limits,
    mode: Mode,
    scan: Scan,
}

/// What the next bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Banner,
    Messages,
    /// The rest of a message that broke a limit.
    Skipping(Skip),
    /// No AMI server: nothing more comes out.
    Failed,
}

impl Decoder {
    /// For the stream of a link from its first byte: the banner comes first.
    pub fn new(limits: Limits) -> Self {
        Self { buffer: BytesMut::new(), limits, mode: Mode::Banner, scan: Scan::new() }
    }

    /// For a stream whose banner was read already, or which has none.
    pub fn without_banner(limits: Limits) -> Self {
        Self { mode: Mode::Messages, ..Self::new(limits) }
    }

    /// Where the bytes of the stream go: append to it, and leave what is in it alone. There is
    /// always room for a good read.
    pub fn buffer(&mut self) -> &mut BytesMut {
        if self.buffer.capacity() - self.buffer.len() < LEAST_ROOM {
            self.buffer.reserve(READ_ROOM);
        }
        &mut self.buffer
    }

    /// Bytes that wait for the rest of their frame.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    fn next_banner(&mut self) -> Option<Result<Frame, DecodeError>> {
        let known = self.buffer.len().min(Banner::PREFIX.len());
        if self.buffer[..known] != Banner::PREFIX[..known] {
            return Some(Err(self.fail(Fault::NotAsterisk)));
        }
        let window = self.buffer.len().min(self.limits.banner);
        let Some(end) = memchr::memchr(b'\n', &self.buffer[..window]) else {
            let endless = self.buffer.len() >= self.limits.banner;
            return endless.then(|| Err(self.fail(Fault::BannerTooLong(self.limits.banner))));
        };
        let line = self.buffer.split_to(end + 1);
        let Some(banner) = Banner::parse(trim_end(&line)) else {
            return Some(Err(self.fail(Fault::NotAsterisk)));
        };
        // An injected `Response: Follows` would swallow the events behind it: believe it only
        // from servers that are old enough to send it.
        self.scan.raw_output = banner.version().is_none_or(AmiVersion::command_output_is_raw);
        self.mode = Mode::Messages;
        Some(Ok(Frame::Banner(banner)))
    }

    fn next_message(&mut self) -> Option<Result<Frame, DecodeError>> {
        match self.scan.run(&self.buffer, &self.limits) {
            Step::NeedMore => {
                self.buffer.advance(self.scan.leave_blank_lines());
                None
            }
            Step::Message { start, end } => {
                let lines = Lines::new(self.scan.bounds());
                let raw_from = self.scan.raw_from();
                self.scan.reset();
                let mut bytes = self.buffer.split_to(end).freeze();
                bytes.advance(start);
                Some(Ok(Frame::Message(Message::new(bytes, lines, raw_from))))
            }
            Step::TooMuch { fault, start, line, end, skip } => {
                let error = DecodeError::new(fault, &self.buffer[start..end]);
                self.buffer.advance(line);
                self.scan.reset();
                self.mode = Mode::Skipping(skip);
                Some(Err(error))
            }
        }
    }

    fn fail(&mut self, fault: Fault) -> DecodeError {
        // Whatever it is, it answers no action.
        let error = DecodeError { action_id: None, ..DecodeError::new(fault, &self.buffer) };
        self.mode = Mode::Failed;
        self.buffer = BytesMut::new();
        error
    }
}

impl Iterator for Decoder {
    type Item = Result<Frame, DecodeError>;

    /// The next frame; `None` when more bytes are needed.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match &mut self.mode {
                Mode::Banner => return self.next_banner(),
                Mode::Messages => return self.next_message(),
                Mode::Skipping(skip) => {
                    if !skip.run(&mut self.buffer) {
                        return None;
                    }
                    self.mode = Mode::Messages;
                }
                Mode::Failed => {
                    self.buffer.clear();
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
