//! Filters that a server applies to a session's events before it sends them.

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

    /// Whether it lets events in, so that everything that no filter lets in stays out.
    pub fn is_include(&self) -> bool {
        !self.exclude
    }

    /// For a message to an operator: which events.
    pub fn describe(&self) -> String {
        let verb = if self.exclude { "leave out" } else { "let in" };
        match &self.subject {
            Match::Name(name) => format!("{verb} {name}"),
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
            Match::Header { event, key, .. } => {
                format!("action({action}),name({event}),header({key}),method(exact)")
            }
        }
    }

    /// `Filter` of the newer form.
    pub(crate) fn pattern(&self) -> &str {
        match &self.subject {
            Match::Name(_) => "",
            Match::Header { value, .. } => value,
        }
    }

    /// `Filter` of the old form: a regular expression over the whole event as text, whose lines
    /// end with CRLF; `!` in front excludes.
    pub(crate) fn old_form(&self) -> String {
        let sign = if self.exclude { "!" } else { "" };
        match &self.subject {
            Match::Name(name) => format!("{sign}^Event: {}[[:cntrl:]]", quoted(name)),
            Match::Header { event, key, value } => format!(
                "{sign}^Event: {}[[:cntrl:]].*[[:cntrl:]]{}: {}[[:cntrl:]]",
                quoted(event),
                quoted(key),
                quoted(value)
            ),
        }
    }
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
