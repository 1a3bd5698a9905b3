//! One file of the embedded database. After an error of the disk it is opened again with its next use:
//! a full disk that has room again needs no restart.

use redb::{
    Database, Key, ReadOnlyTable, ReadableDatabase as _, TableDefinition, TableError, Value,
};
use std::{
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock, RwLockReadGuard},
};
use thiserror::Error;

/// Pages of a file that are kept in memory.
const CACHE: usize = 4 << 20;

/// Why a file cannot be used.
#[derive(Debug, Error)]
pub enum DiskError {
    /// Another process has it.
    #[error("{path}: another TelePulse uses it; stop that one, or give this one a [store] path of its own", path = path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// It cannot be opened.
    #[error("{path}: {error}; mend it, or move it away to begin with an empty one", path = path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: Box<redb::Error>,
    },
}

/// An open file.
pub(crate) struct Disk {
    path: PathBuf,
    /// `None` after the disk failed. The lock is only ever waited for while the file is opened again.
    database: RwLock<Option<Database>>,
}

impl Disk {
    /// Opens the file; makes it where there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, DiskError> {
        let path = path.to_owned();
        match create(&path) {
            Ok(database) => Ok(Self { path, database: RwLock::new(Some(database)) }),
            Err(redb::DatabaseError::DatabaseAlreadyOpen) => Err(DiskError::InUse { path }),
            Err(error) => Err(DiskError::Open { path, error: Box::new(error.into()) }),
        }
    }

    /// Why it could not be used at the start.
    pub(crate) fn unusable(&self, error: redb::Error) -> DiskError {
        DiskError::Open { path: self.path.clone(), error: Box::new(error) }
    }

    /// Reads. Blocks.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, redb::Error> {
        if self.lock().is_none() {
            let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
            if database.is_none() {
                *database = Some(create(&self.path)?);
            }
        }
        match &*self.lock() {
            Some(database) => work(database),
            // Closed again meanwhile: whoever did so tells why.
            None => Err(redb::Error::PreviousIo),
        }
    }

    /// Reads a table; where it was never written nothing is in it. Blocks.
    pub(crate) fn read_table<K: Key + 'static, V: Value + 'static, T: Default>(
        &self,
        table: TableDefinition<'_, K, V>,
        work: impl FnOnce(ReadOnlyTable<K, V>) -> Result<T, redb::Error>,
    ) -> Result<T, redb::Error> {
        self.read(|database| match database.begin_read()?.open_table(table) {
            Err(TableError::TableDoesNotExist(_)) => Ok(T::default()),
            table => work(table?),
        })
    }

    /// Writes. Blocks until it is on disk.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, redb::Error> {
        self.read(work).inspect_err(|_| {
            // What failed once does not work again before it is opened anew.
            *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
        })
    }

    fn lock(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn create(path: &Path) -> Result<Database, redb::DatabaseError> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    builder.create(path)
}
