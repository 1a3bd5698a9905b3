//! A user of the gateways, as `[[auth.user]]` describes it.

use std::{collections::BTreeSet, fmt};

/// SHA-256 of a token: what the configuration holds instead of the token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// A password as an argon2id string in PHC form, checked when the configuration was read.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub(crate) String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Who may log in, and with what rights (contract section 8). Absent lists mean all, empty ones none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, also for HTTP Basic.
    pub name: String,
    /// Hash of the token; a user without one logs in by password.
    pub token: Option<TokenHash>,
    /// Hash of the password; a user without one logs in by token.
    pub password: Option<PasswordHash>,
    /// The extension that is the user's own.
    pub extension: Option<String>,
    /// Agents that the user may see.
    pub agents: Option<BTreeSet<String>>,
    /// Queues that the user may see.
    pub queues: Option<BTreeSet<String>>,
    /// Servers that the user may see.
    pub servers: Option<BTreeSet<String>>,
    /// Commands that the user may give: `*`, a name, or `name:own`.
    pub allow: BTreeSet<String>,
}
