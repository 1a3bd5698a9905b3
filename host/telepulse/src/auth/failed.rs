//! Failed logins, of users and of operators: counted, so that guessing does not pay, and noted in the audit log.

use super::guesses::Guesses;
use crate::audit::{Audit, Entry};
use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use telepulse_language::Code;

/// Where logins failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// A gateway, where users are.
    Gateway,
    /// The admin API, where operators are.
    Admin,
}

impl Door {
    /// The audit log's word.
    fn action(self) -> &'static str {
        match self {
            Self::Gateway => "login",
            Self::Admin => "adminLogin",
        }
    }
}

/// All failures of late. Each door has a count of its own: who forgot a new admin token shuts no user out.
#[derive(Default)]
pub struct FailedLogins {
    audit: Option<Audit>,
    of_users: Mutex<Guesses>,
    of_operators: Mutex<Guesses>,
}

impl FailedLogins {
    /// Notes them in a log.
    pub(crate) fn audited(audit: Audit) -> Self {
        Self { audit: Some(audit), ..Self::default() }
    }

    /// Whether this address has failed too often, or too many have failed with this name.
    pub(crate) fn too_many(&self, door: Door, peer: IpAddr, name: Option<&str>) -> bool {
        self.guesses(door).too_many(peer, name, Instant::now())
    }

    /// Counts a failure and notes it; `false`: address or name are past their guesses, and this one is
    /// neither counted nor noted.
    pub(crate) fn count(&self, door: Door, peer: IpAddr, name: Option<&str>) -> bool {
        let now = Instant::now();
        let mut guesses = self.guesses(door);
        if guesses.too_many(peer, name, now) {
            return false;
        }
        guesses.failed(peer, name, now);
        drop(guesses);
        if let Some(audit) = &self.audit {
            audit.record(Entry {
                time: crate::clock::now(),
                user: None,
                plugin: None,
                peer: Some(peer.to_string()),
                action: door.action().to_owned(),
                server: None,
                about: serde_json::Map::new(),
                outcome: serde_json::json!(Code::Unauthorized),
                message: None,
            });
        }
        true
    }

    fn guesses(&self, door: Door) -> MutexGuard<'_, Guesses> {
        let guesses = match door {
            Door::Gateway => &self.of_users,
            Door::Admin => &self.of_operators,
        };
        guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
