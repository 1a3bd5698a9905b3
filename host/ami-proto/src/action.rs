//! What is sent: the one place where an action becomes bytes, and where bad values are refused.

pub(crate) mod rules;

use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut as _, Bytes, BytesMut};

/// Bytes of one line, its CRLF included; Asterisk refuses a longer one.
pub const MAX_LINE: usize = 1024;
/// Lines of one action, `Action` and `ActionID` included; Asterisk refuses more.
pub const MAX_HEADERS: usize = 128;

/// An action on its way to a server.
///
/// Building never fails; what cannot be sent is told by [`Action::check`] and [`Action::encode`],
/// and then no byte of it leaves. `Debug` does not show secrets.
///
/// ```
/// use ami_proto::{Action, ActionError};
///
/// let action = Action::new("QueueAdd").header("Queue", "sales").header("Interface", "PJSIP/201");
/// assert_eq!(
///     action.encode("a-1")?,
///     "Action: QueueAdd\r\nActionID: a-1\r\nQueue: sales\r\nInterface: PJSIP/201\r\n\r\n"
/// );
/// let forged = Action::new("Ping").header("X", "1\r\nAction: Command");
/// assert!(matches!(forged.encode("a-2"), Err(ActionError::LineBreak { .. })));
/// # Ok::<(), ActionError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Action {
    name: Cow<'static, str>,
    headers: Vec<(Cow<'static, str>, String)>,
    is_list: bool,
    error: Option<ActionError>,
}

/// Why an action cannot be sent. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// A CR or LF would end the line and start one of the value's own; a NUL would cut it.
    #[error("{field} holds a line break or NUL, which cannot be sent to Asterisk")]
    LineBreak {
        /// The header's key.
        field: String,
    },
    /// Asterisk takes lines up to [`MAX_LINE`] bytes.
    #[error("{field} is too long: its line has {bytes} bytes, Asterisk takes {MAX_LINE}")]
    LineTooLong {
        /// The header's key.
        field: String,
        /// The line's length with its end.
        bytes: usize,
    },
    /// Asterisk takes actions up to [`MAX_HEADERS`] lines.
    #[error("the action has {0} headers, Asterisk takes {MAX_HEADERS}")]
    TooManyHeaders(usize),
    /// A key is empty, or holds a colon, a space or what is not printable ASCII.
    #[error("{0:?} is no name for an action or a header")]
    BadKey(String),
    /// `Action` and `ActionID` are written by this library alone.
    #[error("the header {0} is set by the session and cannot be given")]
    ReservedKey(String),
    /// A channel that starts with `/` is a regular expression to Asterisk: it would hit many.
    #[error("{field}: {value:?} is a pattern, not one channel; give the channel's name")]
    ChannelPattern {
        /// The header's key.
        field: String,
        /// The header's value.
        value: String,
    },
    /// Only plain variables are set or read; a dialplan function such as `SHELL()` is not.
    #[error("{0:?} is no plain variable name (letters, digits and _, not starting with a digit)")]
    VariableName(String),
    /// Without `Async: true` an Originate holds up every event and reply until it is answered.
    #[error("an Originate must have Async: true, or the link stands still until it is answered")]
    BlockingOriginate,
    /// MixMonitor could run a program of the server: by its command option, or by a comma in
    /// another value, which starts the next option.
    #[error("MixMonitor's {0} would reach its command option, which is never used")]
    RecordingCommand(String),
}

impl Action {
    /// An action without headers yet.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        let name = name.into();
        let is_list = rules::is_list(&name);
        Self { name, headers: Vec::new(), is_list, error: None }
    }

    /// Adds a header. The same key may come more than once; the order is kept.
    #[must_use]
    pub fn header(mut self, key: impl Into<Cow<'static, str>>, value: impl AsRef<str>) -> Self {
        self.headers.push((key.into(), value.as_ref().to_owned()));
        self
    }

    /// Adds a header if there is a value for it.
    #[must_use]
    pub fn optional(
        self,
        key: impl Into<Cow<'static, str>>,
        value: Option<impl AsRef<str>>,
    ) -> Self {
        match value {
            Some(value) => self.header(key, value),
            None => self,
        }
    }

    /// Says whether the answer is a list that ends with an event of its own, where this library
    /// does not know it from the name.
    #[must_use]
    pub fn list(mut self, is_list: bool) -> Self {
        self.is_list = is_list;
        self
    }

    /// Makes the action one that cannot be sent; the first reason stays.
    #[must_use]
    pub(crate) fn refuse(mut self, error: ActionError) -> Self {
        self.error.get_or_insert(error);
        self
    }

    /// The action's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first value under `key` (any case).
    pub fn get(&self, key: &str) -> Option<&str> {
        self.headers.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.as_str())
    }

    /// The headers in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(key, value)| (key.as_ref(), value.as_str()))
    }

    /// Whether the answer is a list: a response, then events up to one that says it is complete.
    pub fn is_list(&self) -> bool {
        self.is_list
    }

    /// Whether it can be sent.
    pub fn check(&self) -> Result<(), ActionError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let lines = self.headers.len() + 2;
        if lines > MAX_HEADERS {
            return Err(ActionError::TooManyHeaders(lines));
        }
        rules::check_line("Action", &self.name)?;
        rules::check_key(&self.name)?;
        for (key, value) in self.headers() {
            if ["Action", "ActionID"].iter().any(|reserved| key.eq_ignore_ascii_case(reserved)) {
                return Err(ActionError::ReservedKey(key.to_owned()));
            }
            rules::check_key(key)?;
            rules::check_line(key, value)?;
        }
        rules::check_meaning(self)
    }

    /// The bytes to send, with `action_id` to know the answer by.
    pub fn encode(&self, action_id: &str) -> Result<Bytes, ActionError> {
        self.check()?;
        rules::check_line("ActionID", action_id)?;
        let lines: usize = self.headers().map(|(key, value)| key.len() + value.len() + 4).sum();
        let mut bytes = BytesMut::with_capacity(lines + self.name.len() + action_id.len() + 32);
        put_line(&mut bytes, "Action", &self.name);
        put_line(&mut bytes, "ActionID", action_id);
        for (key, value) in self.headers() {
            put_line(&mut bytes, key, value);
        }
        bytes.put_slice(b"\r\n");
        Ok(bytes.freeze())
    }
}

fn put_line(bytes: &mut BytesMut, key: &str, value: &str) {
    bytes.put_slice(key.as_bytes());
    bytes.put_slice(b": ");
    bytes.put_slice(value.as_bytes());
    bytes.put_slice(b"\r\n");
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Action {} ", self.name)?;
        let mut shown = f.debug_map();
        for (key, value) in self.headers() {
            if rules::is_secret(key) {
                shown.entry(&key, &format_args!("…"));
            } else {
                shown.entry(&key, &value);
            }
        }
        shown.finish()
    }
}

#[cfg(test)]
mod tests;
