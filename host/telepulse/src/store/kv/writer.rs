//! The thread that writes: takes changes, carries those that wait out in one transaction, answers.

use super::{
    recent::{Place, Recent},
    tables::{Outcome, Tables},
};
use crate::{clock::now_ms, store::Disk};
use plugin_host::ports::{KvChange, KvDone};
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};
use tokio::sync::oneshot;

/// Changes in one transaction.
const BATCH: usize = 256;
/// How often what is over is removed while nothing else happens.
const SWEEP: Duration = Duration::from_secs(5);
/// At most so much of it with each transaction.
const SWEPT: usize = 1_000;

/// What the thread is given.
pub(super) enum Job {
    Change(Change),
    Stop,
}

/// A change that is asked for.
pub(super) struct Change {
    pub(super) place: Place,
    pub(super) room: u64,
    pub(super) what: KvChange,
    pub(super) reply: oneshot::Sender<Result<KvDone, String>>,
}

pub(super) struct Writer {
    disk: Arc<Disk>,
    recent: Arc<Recent>,
}

impl Writer {
    pub(super) fn new(disk: Arc<Disk>, recent: Arc<Recent>) -> Self {
        Self { disk, recent }
    }

    pub(super) fn run(self, work: &Receiver<Job>) {
        loop {
            let first = match work.recv_timeout(SWEEP) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(error) = self.sweep(now_ms()) {
                        tracing::error!(%error, "plugins' values cannot be written");
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut changes = Vec::new();
            let mut is_last = false;
            for job in [first].into_iter().chain(work.try_iter().take(BATCH - 1)) {
                match job {
                    Job::Change(change) => changes.push(change),
                    Job::Stop => is_last = true,
                }
            }
            self.carry_out(changes);
            if is_last {
                return;
            }
        }
    }

    /// Removes some of what is over; nothing is written where there is none.
    pub(super) fn sweep(&self, now: u64) -> Result<(), redb::Error> {
        self.disk.write(|database| {
            let transaction = database.begin_write()?;
            let mut tables = Tables::open(&transaction, now)?;
            let swept = tables.sweep(SWEPT)?;
            tables.finish()?;
            if swept > 0 {
                transaction.commit()?;
            } else {
                transaction.abort()?;
            }
            Ok(())
        })
    }

    fn carry_out(&self, changes: Vec<Change>) {
        match self.commit(&changes) {
            Ok(outcomes) => {
                for (change, outcome) in changes.into_iter().zip(outcomes) {
                    self.recent.note(change.place, outcome.left);
                    // Whoever asked may have gone.
                    let _ = change.reply.send(outcome.done);
                }
            }
            Err(error) => {
                tracing::error!(%error, "plugins' values cannot be written");
                self.recent.forget();
                for change in changes {
                    let why = format!("the disk: {error}; nothing was changed");
                    let _ = change.reply.send(Err(why));
                }
            }
        }
    }

    /// All of them, or none.
    fn commit(&self, changes: &[Change]) -> Result<Vec<Outcome>, redb::Error> {
        self.disk.write(|database| {
            let transaction = database.begin_write()?;
            let mut tables = Tables::open(&transaction, now_ms())?;
            let mut outcomes = Vec::with_capacity(changes.len());
            for Change { place, room, what, .. } in changes {
                outcomes.push(tables.apply(&place.plugin, *room, what)?);
            }
            tables.sweep(SWEPT)?;
            tables.finish()?;
            transaction.commit()?;
            Ok(outcomes)
        })
    }
}
