//! Throwing away the rest of a message that broke a limit, in bounded memory.

use bytes::{Buf as _, BytesMut};
use memchr::memchr_iter;

use super::scan::END_COMMAND;
use crate::message::trim_end;

/// Where in the unwanted message the stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Skip {
    /// Its current line has begun, and the start of it is gone.
    in_line: bool,
    /// It is a command's raw output: blank lines are part of it until its end mark.
    in_raw_output: bool,
}

impl Skip {
    /// From the start of a line on.
    pub(super) fn new(in_raw_output: bool) -> Self {
        Self { in_line: false, in_raw_output }
    }

    /// Drops what is in `buffer` up to the message's end; whether that was there.
    pub(super) fn run(&mut self, buffer: &mut BytesMut) -> bool {
        let mut line = 0;
        for newline in memchr_iter(b'\n', buffer) {
            let text = trim_end(&buffer[line..=newline]);
            let blank = text.is_empty() && !self.in_line;
            if text.ends_with(END_COMMAND) {
                self.in_raw_output = false;
            }
            self.in_line = false;
            line = newline + 1;
            if blank && !self.in_raw_output {
                buffer.advance(line);
                return true;
            }
        }
        buffer.advance(line);
        // Of an unfinished line its end is kept: it may turn out to be blank, or the end mark.
        let needless = buffer.len().saturating_sub(END_COMMAND.len() + 1);
        self.in_line |= needless > 0;
        buffer.advance(needless);
        false
    }
}
