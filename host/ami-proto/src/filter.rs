//! Filters that a server applies to a session's events before it sends them.

use std::collections::BTreeSet;

/// Bytes of a regular expression that still fits in one line of an action.
const MAX_PATTERN: usize = 900;

/// One filter for the `Filter` action: a session without filters gets every event of its mask, one
/// with including filters only what these let in; what an excluding one matches is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilter {
    exclude: bool,
    subject: Match,
}

/// What a filter looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// The event's name, with its case.
    Name(String),
    /// One of these names, with their case: one action for all of them. Made by
    /// [`EventFilter::include_names`] and [`EventFilter::exclude_names`], which mind the length.
    Names(BTreeSet<String>),
    /// Every event.
    Anything,
    /// Events of this name whose header has exactly this value.
    Header {
        /// The event's name, with its case.
        event: String,
        /// The header's key, as Asterisk writes it.
        key: String,
        /// The header's whole value.
        value: String,
    },
}

impl EventFilter {
    /// Lets matching events in.
    pub fn include(subject: Match) -> Self {
        Self { exclude: false, subject }
    }

    /// Leaves matching events out.
    pub fn exclude(subject: Match) -> Self {
        Self { exclude: true, subject }
    }

    /// Lets events of these names in, with as few filters as Asterisk's line length allows.
    pub fn include_names(names: impl IntoIterator<Item = String>) -> Vec<Self> {
        pieces(names).into_iter().map(|names| Self::include(Match::Names(names))).collect()
    }

    /// Leaves events of these names out, with as few filters as Asterisk's line length allows.
    pub fn exclude_names(names: impl IntoIterator<Item = String>) -> Vec<Self> {
        pieces(names).into_iter().map(|names| Self::exclude(Match::Names(names))).collect()
    }

    /// Whether every event of this name matches.
    pub(crate) fn has_name(&self, event: &str) -> bool {
        match &self.subject {
            Match::Name(name) => name == event,
            Match::Names(names) => names.contains(event),
            Match::Header { .. } => false,
            Match::Anything => true,
        }
    }

    /// Whether it lets events in, so that everything that no filter lets in stays out.
    pub fn is_include(&self) -> bool {
        !self.exclude
    }

    /// For a message to an operator: which events.
    pub fn describe(&self) -> String {
        let verb = if self.exclude { "leave out" } else { "let in" };
        match &self.subject {
            Match::Name(name) => format!("{verb} {name}"),
            Match::Names(names) => {
                format!("{verb} {}", names.iter().cloned().collect::<Vec<_>>().join(", "))
            }
            Match::Anything => format!("{verb} everything"),
            Match::Header { event, key, value } => {
                format!("{verb} {event} where {key} is {value}")
            }
        }
    }

    /// `MatchCriteria` of the newer form.
    pub(crate) fn criteria(&self) -> String {
        let action = if self.exclude { "exclude" } else { "include" };
        match &self.subject {
            Match::Name(name) => format!("action({action}),name({name}),method(none)"),
            Match::Names(_) | Match::Anything => format!("action({action}),method(regex)"),
            Match::Header { event, key, .. } => {
                format!("action({action}),name({event}),header({key}),method(exact)")
            }
        }
    }

    /// `Filter` of the newer form.
    pub(crate) fn pattern(&self) -> String {
        match &self.subject {
            Match::Name(_) => String::new(),
            Match::Header { value, .. } => value.clone(),
            Match::Names(names) => any_of(names),
            Match::Anything => ANYTHING.to_owned(),
        }
    }

    /// `Filter` of the old form: a regular expression over the whole event as text, whose lines
    /// end with CRLF; `!` in front excludes.
    pub(crate) fn old_form(&self) -> String {
        let sign = if self.exclude { "!" } else { "" };
        match &self.subject {
            Match::Name(name) => format!("{sign}^Event: {}[[:cntrl:]]", quoted(name)),
            Match::Names(names) => format!("{sign}{}", any_of(names)),
            Match::Anything => format!("{sign}{ANYTHING}"),
            Match::Header { event, key, value } => format!(
                "{sign}^Event: {}[[:cntrl:]].*[[:cntrl:]]{}: {}[[:cntrl:]]",
                quoted(event),
                quoted(key),
                quoted(value)
            ),
        }
    }
}

/// Every event as text.
const ANYTHING: &str = "^Event: ";

/// Every event of one of these names as text.
fn any_of(names: &BTreeSet<String>) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    format!("^Event: ({})[[:cntrl:]]", names.join("|"))
}

/// Sets of names whose pattern fits in a line each.
fn pieces(names: impl IntoIterator<Item = String>) -> Vec<BTreeSet<String>> {
    let mut pieces: Vec<BTreeSet<String>> = Vec::new();
    let mut room = 0;
    for name in names {
        let length = quoted(&name).len() + 1;
        if pieces.is_empty() || length > room {
            pieces.push(BTreeSet::new());
            room = MAX_PATTERN;
        }
        room = room.saturating_sub(length);
        pieces.last_mut().map(|piece| piece.insert(name));
    }
    pieces
}

/// Text that stands for itself in a POSIX extended regular expression.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        if r".[]*^$+?(){}|\".contains(character) {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_share_filters_as_far_as_a_line_goes() {
        let names: Vec<String> = (0..200).map(|n| format!("Event-{n}.x")).collect();
        let filters = EventFilter::include_names(names.clone());
        assert_eq!(filters.len(), 3);
        for filter in &filters {
            assert!(filter.old_form().len() < crate::action::MAX_LINE - "Filter: \r\n".len());
        }
        assert!(names.iter().all(|name| filters.iter().any(|filter| filter.has_name(name))));
        assert_eq!(EventFilter::include_names([]), []);
    }

    #[test]
    fn several_names_are_one_pattern() {
        let names = ["Hangup".to_owned(), "AOC-D".to_owned()];
        let filter = &EventFilter::exclude_names(names)[0];
        assert_eq!(filter.old_form(), "!^Event: (AOC-D|Hangup)[[:cntrl:]]");
        assert_eq!(filter.criteria(), "action(exclude),method(regex)");
        assert_eq!(filter.pattern(), "^Event: (AOC-D|Hangup)[[:cntrl:]]");
        assert_eq!(filter.describe(), "leave out AOC-D, Hangup");
    }
}
