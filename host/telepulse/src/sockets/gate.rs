//! Who a client is: the users' tokens and passwords, and a limit on guessing them.

use crate::auth::{self, Auth, Denied, Door, FailedLogins};
use arc_swap::ArcSwap;
use http::HeaderValue;
use std::{net::IpAddr, sync::Arc};
use telepulse_language::Principal;

/// Asks the users of now; counts failures.
pub struct Gate {
    auth: ArcSwap<Auth>,
    failed: Arc<FailedLogins>,
}

/// Why somebody was not let in. Worded for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The token, name or password is wrong (HTTP 401, close code 4401).
    #[error("the token, or the user name and password, is wrong")]
    Wrong,
    /// Too many failures from that address, or too many logins at once (HTTP 429).
    #[error("too many logins; try again in a minute")]
    TooMany,
}

impl Gate {
    /// Asks these users.
    pub fn new(auth: Arc<Auth>) -> Arc<Self> {
        Self::counting(auth, Arc::default())
    }

    /// The same; failures are counted there.
    pub fn counting(auth: Arc<Auth>, failed: Arc<FailedLogins>) -> Arc<Self> {
        Arc::new(Self { auth: ArcSwap::new(auth), failed })
    }

    /// Asks other users from now on.
    pub fn replace(&self, auth: Arc<Auth>) {
        self.auth.store(auth);
    }

    /// Whose token it is. A good one is taken whatever others at the same address have tried:
    /// tokens cannot be guessed.
    pub fn bearer(&self, peer: IpAddr, token: &str) -> Result<Arc<Principal>, Refused> {
        self.auth.load().bearer(token).map_err(|denied| self.failed(peer, None, denied))
    }

    /// Whose `Authorization` header it is; `None` where there is none.
    pub async fn header(
        &self,
        peer: IpAddr,
        value: Option<&HeaderValue>,
    ) -> Result<Option<Arc<Principal>>, Refused> {
        let Some(value) = value else { return Ok(None) };
        let name = auth::name_in(value);
        if !is_bearer(value) && self.failed.too_many(Door::Gateway, peer, name.as_deref()) {
            return Err(Refused::TooMany);
        }
        let auth = self.auth.load_full();
        let found = auth.header(Some(value)).await;
        found.map_err(|denied| self.failed(peer, name.as_deref(), denied))
    }

    /// Whether there is a user of that name.
    pub(crate) fn has_user(&self, name: &str) -> bool {
        self.auth.load().has_user(name)
    }

    /// The users of now.
    pub(crate) fn auth(&self) -> Arc<Auth> {
        self.auth.load_full()
    }

    fn failed(&self, peer: IpAddr, name: Option<&str>, denied: Denied) -> Refused {
        if denied == Denied::Wrong && self.failed.count(Door::Gateway, peer, name) {
            Refused::Wrong
        } else {
            Refused::TooMany
        }
    }
}

fn is_bearer(value: &HeaderValue) -> bool {
    value.as_bytes().get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
}
