//! Who a client is: the users' tokens and passwords, and a limit on guessing them.

use super::guesses::Guesses;
use crate::{
    audit::{Audit, Entry},
    auth::{self, Auth, Denied},
};
use arc_swap::ArcSwap;
use http::HeaderValue;
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use telepulse_language::{Code, Principal};

/// Asks the users of now; counts failures.
pub struct Gate {
    auth: ArcSwap<Auth>,
    /// Where failed logins are noted.
    audit: Option<Audit>,
    guesses: Mutex<Guesses>,
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
        Self::audited(auth, None)
    }

    /// The same; failed logins are noted.
    pub(crate) fn audited(auth: Arc<Auth>, audit: Option<Audit>) -> Arc<Self> {
        Arc::new(Self { auth: ArcSwap::new(auth), audit, guesses: Mutex::default() })
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
        if !is_bearer(value) && self.guesses().too_many(peer, name.as_deref(), Instant::now()) {
            return Err(Refused::TooMany);
        }
        let auth = self.auth.load_full();
        let found = auth.header(Some(value)).await;
        found.map_err(|denied| self.failed(peer, name.as_deref(), denied))
    }

    /// Counts a failure and notes it, as long as address and name are not past their guesses.
    fn failed(&self, peer: IpAddr, name: Option<&str>, denied: Denied) -> Refused {
        let mut guesses = self.guesses();
        match denied {
            Denied::Busy => return Refused::TooMany,
            Denied::Wrong if guesses.too_many(peer, name, Instant::now()) => {
                return Refused::TooMany;
            }
            Denied::Wrong => guesses.failed(peer, name, Instant::now()),
        }
        drop(guesses);
        if let Some(audit) = &self.audit {
            audit.record(Entry {
                time: crate::clock::now(),
                user: None,
                plugin: None,
                peer: Some(peer.to_string()),
                action: "login".to_owned(),
                server: None,
                about: serde_json::Map::new(),
                outcome: serde_json::json!(Code::Unauthorized),
                message: None,
            });
        }
        Refused::Wrong
    }

    fn guesses(&self) -> MutexGuard<'_, Guesses> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_bearer(value: &HeaderValue) -> bool {
    value.as_bytes().get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
}
