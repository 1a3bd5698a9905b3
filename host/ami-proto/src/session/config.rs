//! How a session logs in, and its patience and bounds.

use crate::codec::Limits;
use crate::filter::EventFilter;
use crate::secret::Secret;

/// How the secret is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Auth {
    /// By MD5 over a challenge; the secret does not cross the wire.
    #[default]
    Md5,
    /// By the secret itself.
    Plain,
}

/// Everything a session has to know before the first byte. The defaults suit a production link;
/// [`SessionConfig::new`] takes what has none.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// The manager user's name, as in `manager.conf`.
    pub username: String,
    /// Its secret.
    pub secret: Secret,
    /// How the secret is proven.
    pub auth: Auth,
    /// What every `ActionID` of this link starts with: short, of letters and digits, and best
    /// random, so that nobody can guess the ids of answers.
    pub action_prefix: String,
    /// The classes of events: `on`, `off`, or a list such as `call,agent,system`. Without
    /// `system` no `FullyBooted` comes, and login waits for it in vain.
    pub event_mask: String,
    /// Filters that the server applies, set at login.
    pub filters: Vec<EventFilter>,
    /// Whether to ask for Asterisk's version at login, at the price of one action.
    pub learn_version: bool,
    /// A ping goes out when nothing but live events was received for so long.
    pub ping_every_ms: u64,
    /// The link is dead when a ping is followed by nothing but live events for so long: what we
    /// send does not arrive, or what comes is that old. Also how long the session waits for answers
    /// to what it asks by itself after login.
    pub reply_deadline_ms: u64,
    /// From the start of the session to the accepted login.
    pub login_deadline_ms: u64,
    /// How long to wait for `FullyBooted` after login before going on without it.
    pub fully_booted_wait_ms: u64,
    /// How long to wait for the server's goodbye.
    pub close_deadline_ms: u64,
    /// Actions that may be without an answer at a time; more wait in a queue.
    pub max_in_flight: usize,
    /// Actions that may wait; more are refused.
    pub max_queued: usize,
    /// Items that one list may have.
    pub max_list_items: usize,
    /// Bytes that all lists in flight may have together.
    pub max_list_bytes: usize,
    /// What a server may send at all.
    pub limits: Limits,
}

impl SessionConfig {
    /// The defaults for this user.
    pub fn new(
        username: impl Into<String>,
        secret: impl Into<Secret>,
        action_prefix: impl Into<String>,
    ) -> Self {
        Self {
            username: username.into(),
            secret: secret.into(),
            action_prefix: action_prefix.into(),
            ..Self::default()
        }
    }
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            username: String::new(),
            secret: Secret::default(),
            auth: Auth::default(),
            action_prefix: "tp".to_owned(),
            event_mask: "on".to_owned(),
            filters: Vec::new(),
            learn_version: true,
            ping_every_ms: 15_000,
            reply_deadline_ms: 10_000,
            login_deadline_ms: 15_000,
            fully_booted_wait_ms: 10_000,
            close_deadline_ms: 2_000,
            max_in_flight: 32,
            max_queued: 1_024,
            max_list_items: 100_000,
            max_list_bytes: 64 * 1024 * 1024,
            limits: Limits::default(),
        }
    }
}
