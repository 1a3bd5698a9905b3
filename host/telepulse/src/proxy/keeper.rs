//! Keeps what was changed over the admin API: in a file, or where several nodes share it, in NATS.

use super::{
    Goal,
    keep::{KeepError, Kept},
};
use crate::{
    cluster::{Outcome, SharedValue, Version},
    config::Server,
};
use bytes::Bytes;
use std::{path::PathBuf, time::Duration};
use telepulse_language::{Code, Refusal};
use tokio::time::sleep;

/// So often a change is tried that another node's comes before.
const ATTEMPTS: usize = 5;
/// How long to wait before what the nodes share is read again.
const AGAIN: Duration = Duration::from_secs(1);

/// The servers of the configuration, and what differs from it.
pub(super) struct Keeper {
    pub(super) kept: Kept,
    pub(super) configured: Vec<Server>,
    at: At,
    /// Another node's change came in between ours, and is not in force here yet.
    is_behind: bool,
}

/// Which version is known: when its store was made, and its revision there.
type Stand = (i128, u64);

/// Where it is kept.
pub(super) enum At {
    File(PathBuf),
    Shared { value: Box<SharedValue>, known: Stand },
}

impl Keeper {
    /// Reads what is kept.
    pub(super) async fn load(at: At, configured: Vec<Server>) -> Result<Self, KeepError> {
        let kept = match &at {
            At::File(path) => Kept::load(path)?,
            At::Shared { .. } => Kept::default(),
        };
        let mut keeper = Self { kept, configured, at, is_behind: false };
        // NATS may be away for a moment, also just now.
        while let Err(why) = keeper.read_again().await {
            tracing::error!("waiting for the servers that were changed over the admin API: {why}");
            sleep(AGAIN).await;
        }
        Ok(keeper)
    }

    /// The servers to run.
    pub(super) fn wanted(&self) -> Vec<Server> {
        self.kept.over(&self.configured)
    }

    /// What the operator wants of a server.
    pub(super) fn goal(&self, id: &str) -> Goal {
        if self.kept.stopped.contains(id) { Goal::Stop } else { Goal::Run(0) }
    }

    /// Changes what is kept. Nothing is changed where that cannot be written.
    pub(super) async fn update(&mut self, change: impl Fn(&mut Kept)) -> Result<(), Refusal> {
        for _ in 0..ATTEMPTS {
            let mut kept = self.kept.clone();
            change(&mut kept);
            match &mut self.at {
                At::File(path) => {
                    kept.save(path).map_err(|error| unchanged(&error))?;
                    self.kept = kept;
                    return Ok(());
                }
                At::Shared { value, known } => {
                    let json = serde_json::to_vec(&kept).map_err(|error| unchanged(&error))?;
                    match value.write(json.into(), known.1).await {
                        Ok(Outcome::Written(written)) => {
                            (self.kept, known.1) = (kept, written);
                            return Ok(());
                        }
                        Ok(_) => {}
                        Err(why) => return Err(unknown(&value.name(), &why)),
                    }
                    self.read_again().await.map_err(|why| unchanged(&why))?;
                }
            }
        }
        let why = "other nodes change the servers at this moment; nothing was changed: try again";
        Err(Refusal::new(Code::Conflict, why))
    }

    /// Takes what was changed; whether something of it is not in force here yet.
    pub(super) fn take(&mut self, version: &Version) -> Result<bool, String> {
        self.learn(version)?;
        Ok(std::mem::take(&mut self.is_behind))
    }

    /// What comes late is older than what is known by now.
    fn learn(&mut self, Version { since, revision, bytes }: &Version) -> Result<(), String> {
        let At::Shared { known, .. } = &mut self.at else { return Ok(()) };
        if (*since, *revision) <= *known {
            return Ok(());
        }
        let kept = read(bytes)?;
        *known = (*since, *revision);
        // Where NATS has lost all of it, this node still knows.
        if let Some(kept) = kept {
            self.is_behind |= kept != self.kept;
            self.kept = kept;
        }
        Ok(())
    }

    /// Servers of which another configuration says something else, in vain.
    pub(super) fn overruled_in(&self, configured: &[Server]) -> Vec<String> {
        let of = |list: &[Server], id: &str| list.iter().find(|it| it.id == id).cloned();
        let differs = |id: &String| of(&self.configured, id) != of(configured, id);
        self.kept.overruled().into_iter().filter(differs).collect()
    }

    async fn read_again(&mut self) -> Result<(), String> {
        let At::Shared { value, .. } = &self.at else { return Ok(()) };
        let version = value.read().await?;
        self.learn(&version)
    }
}

fn read(bytes: &Bytes) -> Result<Option<Kept>, String> {
    if bytes.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(bytes).map(Some).map_err(|error| {
        format!("what is kept in NATS of changed servers is not understood: {error}")
    })
}

fn unchanged(why: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(Code::Internal, format!("nothing was changed: {why}"))
}

fn unknown(name: &str, why: &str) -> Refusal {
    let message = format!("NATS did not confirm the change of {name}: {why}; look what is there");
    Refusal::new(Code::UnknownOutcome, message)
}
