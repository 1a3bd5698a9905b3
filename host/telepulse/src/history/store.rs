//! The file: calls by the moment of their end, bounded in number and age.

use super::kept::{self, Kept};
use crate::config;
use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    TableDefinition,
};
use std::{
    io,
    ops::{ControlFlow, Range},
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock, RwLockReadGuard},
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
/// Pages of the file that are kept in memory: it is written at its end, and rarely read.
const CACHE: usize = 4 << 20;
const MS_OF_A_DAY: u64 = 86_400_000;

/// Why the history cannot be used.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// Another process has the file.
    #[error("{path}: another TelePulse uses it; stop that one, or give this one a [store] path of its own", path = path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// The file cannot be opened.
    #[error("{path}: {error}; mend it, or move it away to begin with an empty history", path = path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: Box<redb::Error>,
    },
    /// The thread that writes cannot be had.
    #[error("the history's thread: {0}")]
    Thread(#[from] io::Error),
}

/// The open file.
pub(super) struct Store {
    path: PathBuf,
    keep: config::Calls,
    /// `None` after the disk failed: it is opened again before the next use. The lock is only ever
    /// waited for while that is done.
    database: RwLock<Option<Database>>,
}

impl Store {
    /// Opens the file, or makes it, and drops what is too much by now.
    pub(super) fn open(
        path: &Path,
        keep: config::Calls,
        now: Timestamp,
    ) -> Result<Self, HistoryError> {
        let database = open(path)?;
        let store = Self { path: path.to_owned(), keep, database: RwLock::new(Some(database)) };
        match store.write(&[], now) {
            Ok(_) => Ok(store),
            Err(error) => Err(HistoryError::Open { path: path.to_owned(), error: Box::new(error) }),
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
        let written = self.with(|database| self.transact(database, calls, now));
        if written.is_err() {
            // What failed once does not work again before it is opened anew.
            *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        written
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
        self.with(|database| {
            let table = match database.begin_read()?.open_table(CALLS) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
                table => table?,
            };
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
        self.with(|database| {
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

    fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, redb::Error> {
        if self.read().is_none() {
            let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
            if database.is_none() {
                *database = Some(builder().create(&self.path)?);
            }
        }
        match &*self.read() {
            Some(database) => work(database),
            // Closed again meanwhile: whoever did so tells why.
            None => Err(redb::Error::PreviousIo),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(path: &Path) -> Result<Database, HistoryError> {
    builder().create(path).map_err(|error| match error {
        redb::DatabaseError::DatabaseAlreadyOpen => HistoryError::InUse { path: path.to_owned() },
        error => HistoryError::Open { path: path.to_owned(), error: Box::new(error.into()) },
    })
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    builder
}
