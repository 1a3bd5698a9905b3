//! What a terminal is given: colours where somebody sees them and wants them, and text from elsewhere
//! that must not command it.

use crate::logging::disturbs;
use std::{fmt::Write as _, io::IsTerminal};

/// Paints text, or leaves it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    is_on: bool,
}

impl Paint {
    /// No colours.
    pub const OFF: Self = Self { is_on: false };
    /// Colours, whoever looks.
    pub const ON: Self = Self { is_on: true };

    /// Colours for what is written to `out`: on a terminal that can, unless `NO_COLOR` is set
    /// (no-color.org).
    pub fn for_output(out: &impl IsTerminal) -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let is_dumb = variable("TERM").is_none_or(|term| term == "dumb");
        Self { is_on: out.is_terminal() && !is_dumb && variable("NO_COLOR").is_none() }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.is_on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// For what is bad.
    pub fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    /// For what is good, and for lines to paste.
    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    /// For what is not so good.
    pub fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    /// For what is told besides.
    pub fn cyan(self, text: &str) -> String {
        self.with("36", text)
    }

    /// For heads.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// For what need not be read.
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }
}

/// Text with control characters as `\uXXXX`, which JSON understands too; line ends may be kept.
pub(crate) fn inert(text: &str, keep_lines: bool) -> String {
    let mut inert = String::with_capacity(text.len());
    for c in text.chars() {
        if disturbs(c) && !(keep_lines && c == '\n') {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = write!(inert, "\\u{unit:04x}");
            }
        } else {
            inert.push(c);
        }
    }
    inert
}
