//! What a session tells its owner.

use std::fmt;

use crate::action::ActionError;
use crate::codec::DecodeError;
use crate::message::Message;
use crate::version::AmiVersion;

/// Names an action that was submitted; its outcome bears the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// Counts every action of the session, from 1.
    pub(super) number: u64,
    /// Whether its answer is a list; part of the `ActionID`, so that a late item is known as one.
    pub(super) list: bool,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Connected, and nothing heard yet.
    AwaitingBanner,
    /// Proving who we are.
    Authenticating,
    /// Logged in; the server is still starting, or filters are being set.
    AwaitingBoot,
    /// Actions flow.
    Ready,
    /// Said goodbye.
    Closing,
    /// Over; only outputs are left to be taken.
    Closed,
}

/// What happened, in the order of the wire.
#[derive(Debug)]
pub enum Output {
    /// Logged in, and the server is up (or did not say so in time): actions flow from here.
    Ready {
        /// From the banner, if it was made of numbers.
        ami_version: Option<AmiVersion>,
    },
    /// A live event. Items of lists that were asked for are not among these.
    Event(Message),
    /// The one outcome of a submitted action.
    Reply {
        /// Which.
        id: RequestId,
        /// What became of it.
        outcome: Outcome,
    },
    /// A response that nobody waits for: late, doubled, or to nobody's action.
    Unclaimed(Message),
    /// Something went wrong, but the link goes on.
    Problem(Problem),
    /// The server refused name or secret; trying again with the same ones makes it ban us.
    /// [`Output::Closed`] follows.
    Rejected {
        /// In the server's words.
        reason: String,
    },
    /// The session is over; this is the last output.
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

/// What became of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server answered, if only by an error: see [`Message::is_error`].
    Response {
        /// The response itself.
        response: Message,
        /// The list's events, the one that completes it included; empty for other actions.
        items: Vec<Message>,
    },
    /// It never left.
    NotSent,
    /// It was sent, and then the link died or the answer could not be read.
    Unknown,
    /// It was sent, and no answer came in time.
    TimedOut,
    /// The list is longer than allowed ([`super::SessionConfig::max_list_items`]), or too much for
    /// what other lists hold already ([`super::SessionConfig::max_list_bytes`]).
    ListTooLong,
}

impl Outcome {
    /// Whether the answer is all that was asked for: not a list that was cancelled, nor one that an
    /// error ended after it had begun. What such a list leaves out may be there all the same.
    pub fn is_whole(&self) -> bool {
        let Self::Response { response, items } = self else { return false };
        let cancelled = |last: &Message| {
            last.get("EventList").is_some_and(|mark| mark.eq_ignore_ascii_case("cancelled"))
        };
        items.last().is_none_or(|last| !response.is_error() && !cancelled(last))
    }
}

/// Why an action was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// It cannot be sent at all.
    #[error(transparent)]
    Invalid(#[from] ActionError),
    /// As many as are allowed are waiting already.
    #[error("{0} actions are waiting for this server already")]
    QueueFull(usize),
    /// The session is closing or closed.
    #[error("the link to the server is closed")]
    Closed,
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// It was asked to.
    #[error("closed on request")]
    Requested,
    /// The connection ended or failed.
    #[error("the connection was lost")]
    Disconnected,
    /// The connection ended before a word was said: Asterisk does so when too many are connected
    /// that have not logged in (`authlimit`), or an access list forbids us.
    #[error("the server closed the connection without a greeting (authlimit or an access list?)")]
    ClosedBeforeBanner,
    /// A ping stayed without an answer.
    #[error("the server did not answer for {0} ms")]
    Dead(u64),
    /// Login took too long.
    #[error("the login was not answered within {0} ms")]
    LoginTimeout(u64),
    /// Name or secret were refused; see [`Output::Rejected`].
    #[error("the server refused the login: {0}")]
    Rejected(String),
    /// The login failed for another reason, in the server's words; trying again may help.
    #[error("the login failed: {0}")]
    LoginFailed(String),
    /// What came is not AMI.
    #[error(transparent)]
    Protocol(DecodeError),
    /// The configuration cannot be sent.
    #[error("the login cannot be sent: {0}")]
    BadConfig(ActionError),
}

/// What went wrong without ending the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A piece of the stream could not be read.
    Decode(DecodeError),
    /// The server did not take a filter: events come that were not wanted.
    FilterRefused {
        /// Which, in words.
        filter: String,
        /// In the server's words.
        reason: String,
    },
    /// A list has another number of items than its end says; it is given on as it came.
    ListCount {
        /// Of the action that asked for it.
        action_id: String,
        /// Its `ListItems`.
        said: String,
        /// How many came.
        came: usize,
    },
    /// `FullyBooted` did not come in time; the session went on.
    NoFullyBooted {
        /// How long it was waited for.
        waited_ms: u64,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::FilterRefused { filter, reason } => {
                write!(f, "the server refused the filter to {filter}: {reason}")
            }
            Self::ListCount { action_id, said, came } => {
                write!(
                    f,
                    "the list that answers {action_id} has {came} items, and says it has {said}"
                )
            }
            Self::NoFullyBooted { waited_ms } => write!(
                f,
                "no FullyBooted within {waited_ms} ms (does the user have the read right system?)"
            ),
        }
    }
}

/// Figures of a session since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes handed out to be sent.
    pub bytes_out: u64,
    /// Messages received.
    pub messages: u64,
    /// Live events that were left out: see [`super::Session::shed`].
    pub shed: u64,
    /// Actions handed out to be sent, the session's own included.
    pub actions: u64,
    /// How long the latest response took to come, in milliseconds.
    pub latency_ms: Option<u64>,
}
