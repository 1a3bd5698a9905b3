//! The file: calls by the moment of their end, bounded in number and age.

use super::kept::{self, Kept};
use crate::{
    config,
    store::{Disk, DiskError},
};
use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    TableDefinition,
};
use std::{
    io,
    ops::{ControlFlow, Range},
    path::Path,
};
use telepulse_language::Timestamp;
use thiserror::Error;

/// When a call ended, in milliseconds since 1970, and a number that no other has.
pub(super) type Key = (u64, u64);

/// [`Kept`] calls as JSON.
const CALLS: TableDefinition<'_, Key, &[u8]> = TableDefinition::new("calls");
/// Where each call is, by its id.
const BY_ID: TableDefinition<'_, &str, Key> = TableDefinition::new("by-id");
/// The next call's number, under the key [`NEXT`].
const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
const NEXT: &str = "next";
const MS_OF_A_DAY: u64 = 86_400_000;

/// Why the history cannot be used.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The file.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The thread that writes cannot be had.
    #[error("the history's thread: {0}")]
    Thread(#[from] io::Error),
}

/// The open file.
pub(super) struct Store {
    keep: config::Calls,
    disk: Disk,
}

impl Store {
    /// Opens the file, or makes it, and drops what is too much by now.
    pub(super) fn open(
        path: &Path,
        keep: config::Calls,
        now: Timestamp,
    ) -> Result<Self, HistoryError> {
        let store = Self { keep, disk: Disk::open(path)? };
        match store.write(&[], now) {
            Ok(_) => Ok(store),
            Err(error) => Err(store.disk.unusable(error).into()),
        }
    }

    /// Whether any call is kept.
    pub(super) fn keeps_calls(&self) -> bool {
        self.keep.number > 0
    }

    /// Writes calls in one transaction, each under its key or, where it has none, a new one; drops
    /// those that are too many or too old. Answers the last key.
    pub(super) fn write(
        &self,
        calls: &[(Option<Key>, Kept)],
        now: Timestamp,
    ) -> Result<Option<Key>, redb::Error> {
        self.disk.write(|database| self.transact(database, calls, now))
    }

    fn transact(
        &self,
        database: &Database,
        calls: &[(Option<Key>, Kept)],
        now: Timestamp,
    ) -> Result<Option<Key>, redb::Error> {
        let mut last = None;
        let transaction = database.begin_write()?;
        {
            let mut table = transaction.open_table(CALLS)?;
            let mut by_id = transaction.open_table(BY_ID)?;
            let mut numbers = transaction.open_table(NUMBERS)?;
            let mut next = numbers.get(NEXT)?.map_or(0, |number| number.value());
            for (key, call) in calls {
                let key = key.unwrap_or((call.ended.0, next));
                next = next.max(key.1 + 1);
                match call.to_json() {
                    Ok(json) => table.insert(key, json.as_slice())?,
                    Err(error) => {
                        tracing::error!(%error, "an ended call cannot be written: left out");
                        continue;
                    }
                };
                by_id.insert(&*call.id, key)?;
                last = Some(key);
            }
            numbers.insert(NEXT, next)?;
            let days = self.keep.days.map(|days| u64::from(days) * MS_OF_A_DAY);
            let oldest = days.map_or(0, |days| now.0.saturating_sub(days));
            while table.len()? > self.keep.number
                || table.first()?.is_some_and(|(key, _)| key.value().0 < oldest)
            {
                let Some((_, json)) = table.pop_first()? else { break };
                if let Some(id) = kept::id(json.value()) {
                    by_id.remove(&*id)?;
                }
            }
        }
        transaction.commit()?;
        Ok(last)
    }

    /// Shows the calls whose key lies in `range`, the last first, until told to stop.
    pub(super) fn visit(
        &self,
        range: Range<Key>,
        mut visit: impl FnMut(Key, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), redb::Error> {
        self.disk.read_table(CALLS, |table| {
            for entry in table.range(range)?.rev() {
                let (key, json) = entry?;
                if visit(key.value(), json.value()).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// The call of this id, as JSON.
    pub(super) fn find(&self, call: &str) -> Result<Option<Vec<u8>>, redb::Error> {
        self.disk.read(|database| {
            let transaction = database.begin_read()?;
            let key = match transaction.open_table(BY_ID) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
                table => table?.get(call)?.map(|key| key.value()),
            };
            let Some(key) = key else { return Ok(None) };
            let json = transaction.open_table(CALLS)?.get(key)?;
            Ok(json.map(|json| json.value().to_vec()))
        })
    }
}
