//! The thread that writes, and reads in turn.

use crate::store::{Disk, worker::Stopping};
use bytes::Bytes;
use plugin_host::ports::Extent;
use redb::TableDefinition;
use std::{
    collections::HashMap,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::Receiver,
    },
    thread,
    time::Duration,
};
use tokio::sync::oneshot;

/// By plugin and number.
const MESSAGES: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("messages");
/// How long to wait before a disk that failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// Jobs in one transaction.
const BATCH: usize = 4_096;

type Reply<T> = oneshot::Sender<Result<T, redb::Error>>;

/// What the thread is given.
pub(super) enum Job {
    Open { plugin: Arc<str>, reply: Reply<Extent> },
    Append { plugin: Arc<str>, number: u64, message: Bytes },
    Forget { plugin: Arc<str>, up_to: u64 },
    Read { plugin: Arc<str>, after: u64, most: usize, reply: Reply<Vec<(u64, Bytes)>> },
    Stop,
}

pub(super) struct Writer {
    disk: Disk,
    behind: Arc<AtomicUsize>,
    /// Which numbers of a plugin are in the file, so that what was never written is not removed.
    written: HashMap<Arc<str>, RangeInclusive<u64>>,
    /// Changes that wait for their transaction.
    appends: Vec<(Arc<str>, u64, Bytes)>,
    forgets: HashMap<Arc<str>, u64>,
}

impl Writer {
    pub(super) fn new(disk: Disk, behind: Arc<AtomicUsize>) -> Self {
        let (written, appends, forgets) = Default::default();
        Self { disk, behind, written, appends, forgets }
    }

    pub(super) fn run(mut self, work: &Receiver<Job>, stopping: &Stopping) {
        while let Ok(first) = work.recv() {
            for job in [first].into_iter().chain(work.try_iter().take(BATCH - 1)) {
                match job {
                    Job::Append { plugin, number, message } => {
                        self.appends.push((plugin, number, message));
                    }
                    Job::Forget { plugin, up_to } => {
                        let latest = self.forgets.entry(plugin).or_default();
                        *latest = up_to.max(*latest);
                    }
                    Job::Open { plugin, reply } => {
                        self.write(stopping);
                        let found = extent(&self.disk, &plugin);
                        if let Ok(Extent { first, last, .. }) = &found
                            && first <= last
                        {
                            self.written.insert(plugin, *first..=*last);
                        }
                        // Whoever asked may have gone.
                        let _ = reply.send(found);
                    }
                    Job::Read { plugin, after, most, reply } => {
                        self.write(stopping);
                        let _ = reply.send(read(&self.disk, &plugin, after, most));
                    }
                    Job::Stop => {
                        self.write(stopping);
                        return;
                    }
                }
            }
            self.write(stopping);
        }
    }

    /// Tries until it is written: what comes meanwhile waits, and is refused where that is too much.
    fn until_written(
        &mut self,
        removals: &[(Arc<str>, u64)],
        appends: &[(Arc<str>, u64, Bytes)],
        stopping: &Stopping,
    ) {
        let mut has_failed = false;
        while let Err(error) = self.disk.write(|database| transact(database, removals, appends)) {
            if stopping.is_set() {
                let lost = appends.len();
                tracing::error!(%error, lost, "plugins' messages are lost: they could not be written");
                return;
            }
            if !has_failed {
                tracing::error!(%error, "plugins' messages cannot be written: trying on");
            }
            has_failed = true;
            thread::sleep(PAUSE);
        }
        self.note(removals, appends);
    }

    /// Carries out what waits, in one transaction; in none if it comes to nothing.
    fn write(&mut self, stopping: &Stopping) {
        let forgets = std::mem::take(&mut self.forgets);
        let mut appends = std::mem::take(&mut self.appends);
        let bytes: usize = appends.iter().map(|(_, _, message)| message.len()).sum();
        appends
            .retain(|(plugin, number, _)| forgets.get(plugin).is_none_or(|up_to| number > up_to));
        let removals: Vec<(Arc<str>, u64)> = forgets
            .into_iter()
            .filter(|(plugin, up_to)| {
                self.written.get(plugin).is_some_and(|written| written.start() <= up_to)
            })
            .collect();
        if !appends.is_empty() || !removals.is_empty() {
            self.until_written(&removals, &appends, stopping);
        }
        self.behind.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn note(&mut self, removals: &[(Arc<str>, u64)], appends: &[(Arc<str>, u64, Bytes)]) {
        for (plugin, up_to) in removals {
            if let Some(written) = self.written.remove(plugin)
                && up_to < written.end()
            {
                self.written.insert(plugin.clone(), up_to + 1..=*written.end());
            }
        }
        for (plugin, number, _) in appends {
            let written = self.written.entry(plugin.clone()).or_insert(*number..=*number);
            *written = *written.start()..=*number;
        }
    }
}

fn transact(
    database: &redb::Database,
    removals: &[(Arc<str>, u64)],
    appends: &[(Arc<str>, u64, Bytes)],
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(MESSAGES)?;
        for (plugin, up_to) in removals {
            table.retain_in((&**plugin, 0)..=(&**plugin, *up_to), |_, _| false)?;
        }
        for (plugin, number, message) in appends {
            table.insert((&**plugin, *number), &**message)?;
        }
    }
    transaction.commit()?;
    Ok(())
}

fn extent(disk: &Disk, plugin: &str) -> Result<Extent, redb::Error> {
    disk.read_table(MESSAGES, |table| {
        let mut extent = Extent::default();
        for entry in table.range((plugin, 0)..=(plugin, u64::MAX))? {
            let (place, message) = entry?;
            let number = place.value().1;
            if extent.bytes == 0 {
                extent.first = number;
            }
            extent.last = number;
            extent.bytes += message.value().len() as u64;
        }
        Ok(extent)
    })
}

fn read(
    disk: &Disk,
    plugin: &str,
    after: u64,
    most: usize,
) -> Result<Vec<(u64, Bytes)>, redb::Error> {
    disk.read_table(MESSAGES, |table| {
        let mut found = Vec::new();
        for entry in table.range((plugin, after.saturating_add(1))..=(plugin, u64::MAX))?.take(most)
        {
            let (place, message) = entry?;
            found.push((place.value().1, Bytes::copy_from_slice(message.value())));
        }
        Ok(found)
    })
}
