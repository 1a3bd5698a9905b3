//! Who is it: tokens and passwords to principals. The host asks before any guest sees a request.

mod failed;
mod guesses;
mod jwt;
pub(crate) mod keys;
mod passwords;
mod revocations;

pub(crate) use failed::Door;
pub use failed::FailedLogins;
pub use jwt::Jwt;
pub(crate) use revocations::InForce;
#[cfg(test)]
pub(crate) use revocations::tests::Memory;
pub use revocations::{Revocation, RevocationError, Revocations, Target};

#[cfg(test)]
mod tests;

use crate::config::{TokenHash, User};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::HeaderValue;
use passwords::Passwords;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::{ConditionallySelectable, ConstantTimeEq};
use telepulse_language::Principal;
use thiserror::Error;

/// The longest token or password that is looked at, in bytes.
const MAX_SECRET: usize = 1024;

/// Why nobody is logged in. It never tells whether the user exists.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Denied {
    /// The token, or the name with its password or token, is not right.
    #[error("the token, or the user name and password, is wrong")]
    Wrong,
    /// Too many passwords are being checked already (HTTP 429).
    #[error("too many logins at once: try again in a second")]
    Busy,
}

/// All users, ready to be compared with. Immutable: a changed configuration makes a new one.
pub struct Auth {
    users: Vec<Known>,
    passwords: Passwords,
    /// Tokens of an identity provider.
    jwt: Option<Arc<Jwt>>,
    /// Whose logins are good no more.
    revoked: InForce,
}

struct Known {
    principal: Arc<Principal>,
    token: Option<TokenHash>,
}

impl Auth {
    /// Takes the users of a configuration, where everything was checked.
    pub fn new(users: &[User]) -> Self {
        let known = users
            .iter()
            .map(|user| Known { principal: Arc::new(principal(user)), token: user.token });
        let passwords = Passwords::new(users, rand::random());
        Self { users: known.collect(), passwords, jwt: None, revoked: InForce::default() }
    }

    /// Takes tokens of an identity provider, too.
    #[must_use]
    pub fn with_jwt(mut self, jwt: Option<Arc<Jwt>>) -> Self {
        self.jwt = jwt;
        self
    }

    /// Lets nobody in whose logins are revoked.
    #[must_use]
    pub(crate) fn with_revoked(mut self, revoked: InForce) -> Self {
        self.revoked = revoked;
        self
    }

    /// Whose token it is. Takes the same time whether and whereever it is found.
    pub fn bearer(&self, token: &str) -> Result<Arc<Principal>, Denied> {
        if let Some(jwt) = self.jwt.as_ref().filter(|_| Jwt::is_one(token)) {
            return jwt.verify(token);
        }
        if token.len() > MAX_SECRET {
            return Err(Denied::Wrong);
        }
        self.by_token(&hash_token(token)).and_then(|who| self.admitted(who)).ok_or(Denied::Wrong)
    }

    /// Whose name and password, or name and token, they are. A password costs tens of milliseconds,
    /// spent on a thread of its own and spent for unknown users too.
    pub async fn basic(&self, name: &str, secret: &str) -> Result<Arc<Principal>, Denied> {
        if secret.len() > MAX_SECRET {
            return Err(Denied::Wrong);
        }
        if let Some(found) = self.by_token(&hash_token(secret)).filter(|who| who.name == name) {
            return self.admitted(found).ok_or(Denied::Wrong);
        }
        if !self.passwords.verify(name, secret).await? {
            return Err(Denied::Wrong);
        }
        let found = self.users.iter().find(|user| user.principal.name == name);
        let found = found.map(|user| user.principal.clone());
        found.and_then(|who| self.admitted(who)).ok_or(Denied::Wrong)
    }

    /// Whose `Authorization` header it is (RFC 6750 and RFC 7617); `None` where there is none.
    pub async fn header(
        &self,
        value: Option<&HeaderValue>,
    ) -> Result<Option<Arc<Principal>>, Denied> {
        let Some(value) = value else { return Ok(None) };
        let value = value.to_str().map_err(|_| Denied::Wrong)?;
        let (scheme, credentials) = value.split_once(' ').ok_or(Denied::Wrong)?;
        let credentials = credentials.trim();
        let who = if scheme.eq_ignore_ascii_case("bearer") {
            self.bearer(credentials)?
        } else if scheme.eq_ignore_ascii_case("basic") {
            let (name, secret) = read_basic(credentials).ok_or(Denied::Wrong)?;
            self.basic(&name, &secret).await?
        } else {
            return Err(Denied::Wrong);
        };
        Ok(Some(who))
    }

    /// Whether it was this one that made the principal.
    pub fn holds(&self, principal: &Arc<Principal>) -> bool {
        self.users.iter().any(|user| Arc::ptr_eq(&user.principal, principal))
    }

    /// Whether there is a user of that name.
    pub(crate) fn has_user(&self, name: &str) -> bool {
        self.users.iter().any(|user| user.principal.name == name)
    }

    /// Whether any user's logins are revoked.
    pub(crate) fn has_revoked(&self) -> bool {
        self.revoked.now().has_users()
    }

    /// Whether it is a user whose logins are revoked, since when ever it has been here. An identity provider's
    /// users may have the same names.
    pub(crate) fn is_revoked(&self, who: &Principal) -> bool {
        self.revoked.now().has_user(&who.name)
            && self.users.iter().any(|user| *user.principal == *who)
    }

    fn admitted(&self, who: Arc<Principal>) -> Option<Arc<Principal>> {
        Some(who).filter(|who| !self.revoked.now().has_user(&who.name))
    }

    fn by_token(&self, hash: &TokenHash) -> Option<Arc<Principal>> {
        // All are compared, so that time tells nothing; index 0 is nobody.
        let mut found = 0_u32;
        for (index, user) in (1_u32..).zip(&self.users) {
            let equal = user.token.map_or(0.into(), |token| token.0.ct_eq(&hash.0));
            found.conditional_assign(&index, equal);
        }
        let index = usize::try_from(found.checked_sub(1)?).ok()?;
        self.users.get(index).map(|user| user.principal.clone())
    }
}

/// What the configuration holds instead of a token.
pub fn hash_token(token: &str) -> TokenHash {
    TokenHash(Sha256::digest(token.as_bytes()).into())
}

/// Whether this is the token of that hash; takes the same time either way.
pub fn token_matches(hash: &TokenHash, token: &str) -> bool {
    token.len() <= MAX_SECRET && bool::from(hash_token(token).0.ct_eq(&hash.0))
}

fn principal(user: &User) -> Principal {
    Principal {
        name: user.name.clone(),
        extension: user.extension.clone(),
        agents: user.agents.clone(),
        queues: user.queues.clone(),
        servers: user.servers.clone(),
        allow: user.allow.clone(),
    }
}

/// The name in an `Authorization` header, if it has one and a password or token.
pub(crate) fn name_in(value: &HeaderValue) -> Option<String> {
    let (scheme, credentials) = value.to_str().ok()?.split_once(' ')?;
    let basic = scheme.eq_ignore_ascii_case("basic").then(|| read_basic(credentials.trim()))?;
    basic.map(|(name, _)| name)
}

/// `base64(name:secret)`; the name ends at the first colon.
fn read_basic(credentials: &str) -> Option<(String, String)> {
    let text = String::from_utf8(BASE64.decode(credentials).ok()?).ok()?;
    let (name, secret) = text.split_once(':')?;
    Some((name.to_owned(), secret.to_owned()))
}
