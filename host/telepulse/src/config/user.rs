//! A user of the gateways, as `[[auth.user]]` describes it.

use super::Secret;
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

/// Rights under a name: for users and for tokens of an identity provider. Absent lists mean all, empty
/// ones none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The name.
    pub name: String,
    /// Agents that may be seen.
    pub agents: Option<BTreeSet<String>>,
    /// Queues that may be seen.
    pub queues: Option<BTreeSet<String>>,
    /// Servers that may be seen.
    pub servers: Option<BTreeSet<String>>,
    /// Commands that may be given: `*`, a name, or `name:own`.
    pub allow: BTreeSet<String>,
}

/// `[auth.jwt]`: whose JSON Web Tokens are taken, and what their claims mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSettings {
    /// The claim `iss` that a token must have.
    pub issuer: String,
    /// What its claim `aud` must name.
    pub audience: String,
    /// What its signature is checked with.
    pub keys: JwtKeys,
    /// The claim with the user's name.
    pub name: String,
    /// The claim with the user's extension; a token may be without.
    pub extension: String,
    /// The claim with the names of roles.
    pub roles: String,
}

/// What signatures are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwtKeys {
    /// HS256, with this secret.
    Secret(Secret),
    /// RS256, ES256 or EdDSA, with the JWK Set at this URL or in this file.
    At(String),
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
