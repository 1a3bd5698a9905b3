//! AMI text as Asterisk writes it.

use std::fmt::{Display, Write as _};

/// A message in the making.
pub(crate) struct Text(String);

impl Text {
    /// An event as it comes by itself: with its class, and the name of the system.
    pub(crate) fn event(name: &str, class: Class, system: &str) -> Self {
        Self(String::with_capacity(768))
            .field("Event", name)
            .field("Privilege", format_args!("{},all", class.word()))
            .field("SystemName", system)
    }

    /// An item of a list: no class, no system; the `ActionID` is told by whoever asked.
    pub(crate) fn item(name: &str) -> Self {
        Self(String::with_capacity(768)).field("Event", name)
    }

    /// The answer to an action.
    pub(crate) fn response(verdict: &str, action_id: Option<&str>) -> Self {
        Self(String::with_capacity(128)).field("Response", verdict).action_id(action_id)
    }

    /// Lines that are to become part of a message.
    pub(crate) fn part() -> Self {
        Self(String::new())
    }

    /// The lines so far, for [`Text::append`].
    pub(crate) fn lines(self) -> String {
        self.0
    }

    /// Adds lines that were made before.
    pub(crate) fn append(mut self, lines: &str) -> Self {
        self.0.push_str(lines);
        self
    }

    /// Success or error, and why.
    pub(crate) fn answer(verdict: &str, action_id: Option<&str>, message: &str) -> Self {
        Self::response(verdict, action_id).field("Message", message)
    }

    /// One line. What would end it early becomes a blank.
    pub(crate) fn field(mut self, key: &str, value: impl Display) -> Self {
        let start = self.0.len();
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{key}: {value}");
        if self.0[start..].contains(['\r', '\n', '\0']) {
            let line = self.0.split_off(start).replace(['\r', '\n', '\0'], " ");
            self.0.push_str(&line);
        }
        self.0.push_str("\r\n");
        self
    }

    /// The lines that begin with a role, such as `Dest`.
    pub(crate) fn role(self, role: &str, key: &str, value: impl Display) -> Self {
        if role.is_empty() {
            self.field(key, value)
        } else {
            self.field(&format!("{role}{key}"), value)
        }
    }

    /// Whose question this answers.
    pub(crate) fn action_id(self, action_id: Option<&str>) -> Self {
        match action_id {
            Some(id) => self.field("ActionID", id),
            None => self,
        }
    }

    /// The whole message.
    pub(crate) fn end(mut self) -> String {
        self.0.push_str("\r\n");
        self.0
    }
}

/// What a manager user has to be allowed, and to have switched on, to get an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Call,
    Agent,
    System,
    User,
}

impl Class {
    /// As in `manager.conf`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Agent => "agent",
            Self::System => "system",
            Self::User => "user",
        }
    }
}

/// An event for every session that wants its class.
#[derive(Debug, Clone)]
pub struct Event {
    pub(crate) class: Class,
    pub(crate) text: String,
}

impl Event {
    /// The message as it goes over the wire, its blank line included.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Names of people are C-escaped.
pub(crate) fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '\'' | '"' | '\\' | '?') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_begin_a_line_of_its_own() {
        let text = Text::item("X").field("Data", "a\r\nEvent: Y\0").end();
        assert_eq!(text, "Event: X\r\nData: a  Event: Y \r\n\r\n");
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(escaped(r#"O'Brien "\""#), r#"O\'Brien \"\\\""#);
    }
}
