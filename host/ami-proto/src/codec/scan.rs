//! The pass over the bytes: lines, the blank line, and the limits; it resumes where it stopped.

use memchr::memchr_iter;

use super::skip::Skip;
use super::{Fault, Limits};
use crate::message::trim_end;

/// What ends a command's raw output (Asterisk 13 and older).
pub(super) const END_COMMAND: &[u8] = b"--END COMMAND--";

/// How far the message at hand has been read. Every offset counts from the buffer's start.
pub(super) struct Scan {
    /// Where the message starts, behind blank lines that belong to none.
    start: usize,
    /// Where the line at hand starts.
    line: usize,
    /// Up to here there is no line end that has not been seen.
    seen: usize,
    /// Starts of the lines so far, counted from `start`; when complete, then also the end.
    bounds: Vec<u32>,
    /// Whether to believe in `Response: Follows`.
    pub(super) raw_output: bool,
    raw: Raw,
}

/// Where a command's raw output stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Raw {
    /// This message has none.
    No,
    /// `Response: Follows` was read, and only headers since.
    Headers,
    /// It began at this line.
    From(u32),
    /// The same, and its last line has been read.
    Ended(u32),
}

/// What a pass ended with.
pub(super) enum Step {
    /// The message is not complete.
    NeedMore,
    /// It is, from `start` to `end` of the buffer.
    Message { start: usize, end: usize },
    /// It breaks a limit within the line at `line`, where what is to be skipped starts. It started
    /// at `start`; `end` is behind the byte that is too many.
    TooMuch { fault: Fault, start: usize, line: usize, end: usize, skip: Skip },
}

impl Scan {
    pub(super) fn new() -> Self {
        Self {
            start: 0,
            line: 0,
            seen: 0,
            bounds: Vec::with_capacity(64),
            raw_output: true,
            raw: Raw::No,
        }
    }

    /// Forgets the message at hand: the buffer now starts with the next.
    pub(super) fn reset(&mut self) {
        (self.start, self.line, self.seen) = (0, 0, 0);
        self.bounds.clear();
        self.raw = Raw::No;
    }

    /// How many bytes lie before the message at hand; from now on the buffer starts behind them.
    pub(super) fn leave_blank_lines(&mut self) -> usize {
        let blank = std::mem::take(&mut self.start);
        self.line -= blank;
        self.seen -= blank;
        blank
    }

    /// The boundaries of the complete message's lines.
    pub(super) fn bounds(&self) -> &[u32] {
        &self.bounds
    }

    /// The first line of raw output, if the complete message has such.
    pub(super) fn raw_from(&self) -> Option<u32> {
        match self.raw {
            Raw::From(line) | Raw::Ended(line) => Some(line),
            Raw::No | Raw::Headers => None,
        }
    }

    /// Reads on to the end of the message or of the buffer.
    pub(super) fn run(&mut self, buffer: &[u8], limits: &Limits) -> Step {
        let from = self.seen;
        for newline in memchr_iter(b'\n', &buffer[from..]) {
            let newline = from + newline;
            let line = self.line;
            self.line = newline + 1;
            let blank = newline == line || (newline == line + 1 && buffer[line] == b'\r');
            if blank && self.bounds.is_empty() {
                self.start = self.line;
                continue;
            }
            if blank && !self.raw_goes_on() {
                self.end_at(line, buffer);
                return Step::Message { start: self.start, end: self.line };
            }
            // In this order: the other limits may have been seen to break before the line's end.
            if let Some((fault, end)) = self.broken_limit(line, self.line, limits) {
                return self.too_much(fault, line, end);
            }
            if self.bounds.len() >= limits.lines {
                return self.too_much(Fault::TooManyLines(limits.lines), line, self.line);
            }
            self.bounds.push(offset(line - self.start));
            if self.bounds.len() == 1 || self.raw != Raw::No {
                self.follow_raw_output(&buffer[line..self.line]);
            }
        }
        self.seen = buffer.len();
        // A lone CR may be half of the blank line, which no limit counts.
        let rest = if buffer[self.line..] == *b"\r" { self.line } else { buffer.len() };
        match self.broken_limit(self.line, rest, limits) {
            Some((fault, end)) => self.too_much(fault, self.line, end),
            None => Step::NeedMore,
        }
    }

    /// The limit that the message breaks with a line from `line` to `end`, if any, and the
    /// end of what breaks it: what its bytes reach first, however many of them have come.
    fn broken_limit(&self, line: usize, end: usize, limits: &Limits) -> Option<(Fault, usize)> {
        if end - line <= limits.line && end - self.start <= limits.message {
            return None;
        }
        let line_ends = line.saturating_add(limits.line);
        let message_ends = self.start.saturating_add(limits.message);
        Some(if line_ends <= message_ends {
            (Fault::LineTooLong(limits.line), line_ends + 1)
        } else {
            (Fault::MessageTooLong(limits.message), message_ends + 1)
        })
    }

    /// Gives up on the message, whose line at `line` breaks a limit with the byte before `end`.
    fn too_much(&self, fault: Fault, line: usize, end: usize) -> Step {
        Step::TooMuch { fault, start: self.start, line, end, skip: Skip::new(self.raw_goes_on()) }
    }

    /// Whether a blank line is part of a command's raw output, not the message's end.
    fn raw_goes_on(&self) -> bool {
        matches!(self.raw, Raw::Headers | Raw::From(_))
    }

    /// Notes that the message's last line ends where the blank line starts; of a command's raw
    /// output, where its end mark starts.
    fn end_at(&mut self, blank: usize, buffer: &[u8]) {
        let mut end = offset(blank - self.start);
        if let (Raw::Ended(_), Some(&last)) = (self.raw, self.bounds.last()) {
            let line = trim_end(&buffer[self.start + last as usize..blank]);
            end = last + offset(line.len().saturating_sub(END_COMMAND.len()));
            if end == last {
                self.bounds.pop();
            }
        }
        self.bounds.push(end);
    }

    /// Follows a `Response: Follows` message: headers ended by CRLF, then output up to the line
    /// that ends with `--END COMMAND--`, which itself is not kept.
    fn follow_raw_output(&mut self, line: &[u8]) {
        let number = offset(self.bounds.len() - 1);
        match self.raw {
            Raw::No => {
                let follows = trim_end(line).eq_ignore_ascii_case(b"Response: Follows");
                if self.raw_output && follows {
                    self.raw = Raw::Headers;
                }
            }
            Raw::Headers if is_command_header(line) => {}
            Raw::Headers => {
                self.raw = Raw::From(number);
                self.end_raw_output(line, number);
            }
            Raw::From(first) | Raw::Ended(first) => {
                self.raw = Raw::From(first);
                self.end_raw_output(line, first);
            }
        }
    }

    fn end_raw_output(&mut self, line: &[u8], first: u32) {
        if trim_end(line).ends_with(END_COMMAND) {
            self.raw = Raw::Ended(first);
        }
    }
}

/// The headers that Asterisk puts before a command's raw output.
fn is_command_header(line: &[u8]) -> bool {
    let key = line.split(|&byte| byte == b':').next().unwrap_or_default();
    line.ends_with(b"\r\n")
        && (key.eq_ignore_ascii_case(b"Privilege") || key.eq_ignore_ascii_case(b"ActionID"))
}

/// An offset within a message; limits keep messages far below 4 GiB.
fn offset(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
