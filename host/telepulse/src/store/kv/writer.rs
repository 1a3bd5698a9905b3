//! The thread that writes: takes changes, carries those that wait out in one transaction, answers.

use super::change::Tables;
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
    pub(super) plugin: String,
    pub(super) room: u64,
    pub(super) what: KvChange,
    pub(super) reply: oneshot::Sender<Result<KvDone, String>>,
}

pub(super) struct Writer {
    disk: Arc<Disk>,
}

impl Writer {
    pub(super) fn new(disk: Arc<Disk>) -> Self {
        Self { disk }
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
            let swept = Tables::open(&transaction, now)?.sweep(SWEPT)?;
            if swept > 0 {
                transaction.commit()?;
            } else {
                transaction.abort()?;
            }
            Ok(())
        })
    }

    fn carry_out(&self, changes: Vec<Change>) {
        let (work, replies): (Vec<_>, Vec<_>) = changes
            .into_iter()
            .map(|Change { plugin, room, what, reply }| ((plugin, room, what), reply))
            .unzip();
        let outcomes = self.disk.write(|database| {
            let transaction = database.begin_write()?;
            let mut outcomes = Vec::with_capacity(work.len());
            {
                let mut tables = Tables::open(&transaction, now_ms())?;
                for (plugin, room, change) in work {
                    outcomes.push(tables.apply(&plugin, room, change)?);
                }
                tables.sweep(SWEPT)?;
            }
            transaction.commit()?;
            Ok(outcomes)
        });
        match outcomes {
            Ok(outcomes) => {
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    // Whoever asked may have gone.
                    let _ = reply.send(outcome);
                }
            }
            Err(error) => {
                tracing::error!(%error, "plugins' values cannot be written");
                for reply in replies {
                    let _ = reply.send(Err(format!("the disk: {error}; nothing was changed")));
                }
            }
        }
    }
}
