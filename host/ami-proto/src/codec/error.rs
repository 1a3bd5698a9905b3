//! What can be wrong with a stream of bytes.

use crate::message::trim_end;

/// A piece of the stream that is no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}: {excerpt}")]
pub struct DecodeError {
    /// What is wrong.
    pub fault: Fault,
    /// How the piece starts, escaped and shortened, for a log.
    pub excerpt: String,
    /// The action that this would have answered, if that was still to be seen.
    pub action_id: Option<String>,
}

/// The ways in which a stream of bytes goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The first line is not an Asterisk's.
    #[error("this is no Asterisk manager port (host and port right?); it greets with")]
    NotAsterisk,
    /// The first line does not end within so many bytes.
    #[error("the greeting is longer than {0} bytes")]
    BannerTooLong(usize),
    /// A line is longer than so many bytes.
    #[error("skipped a message with a line of more than {0} bytes")]
    LineTooLong(usize),
    /// A message has more than so many lines.
    #[error("skipped a message of more than {0} lines")]
    TooManyLines(usize),
    /// A message is longer than so many bytes.
    #[error("skipped a message of more than {0} bytes")]
    MessageTooLong(usize),
    /// There is no message in what was to be parsed.
    #[error("there is no message")]
    Empty,
}

/// How much of the offending bytes an error shows.
const EXCERPT: usize = 80;
/// How far into the offending bytes the `ActionID` is looked for.
const HEAD: usize = 4096;

impl DecodeError {
    pub(super) fn new(fault: Fault, bytes: &[u8]) -> Self {
        let excerpt = bytes[..bytes.len().min(EXCERPT)].escape_ascii().to_string();
        let action_id =
            bytes[..bytes.len().min(HEAD)].split_inclusive(|&b| b == b'\n').find_map(|line| {
                let (key, value) = line.split_at_checked(b"ActionID:".len())?;
                let found = key.eq_ignore_ascii_case(b"ActionID:") && value.ends_with(b"\n");
                found.then(|| String::from_utf8_lossy(trim_end(value)).trim().to_owned())
            });
        Self { fault, excerpt, action_id }
    }

    /// For text that holds no message at all.
    pub(crate) fn empty() -> Self {
        Self { fault: Fault::Empty, excerpt: String::new(), action_id: None }
    }

    /// Whether nothing more will come out of the decoder: the peer is no AMI server. After the
    /// other errors it goes on behind the next blank line.
    pub fn is_fatal(&self) -> bool {
        matches!(self.fault, Fault::NotAsterisk | Fault::BannerTooLong(_))
    }
}
