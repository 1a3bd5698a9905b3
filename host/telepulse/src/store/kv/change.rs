//! What a change does to the tables: time passed in, nothing but the tables touched.

use bytes::Bytes;
use plugin_host::ports::{KvChange, KvDone};
use redb::{
    ReadableTable as _, StorageError, Table, TableDefinition, TableError, WriteTransaction,
};
use std::time::Duration;

/// The longest key, in bytes.
pub(super) const MAX_KEY: usize = 512;
/// The longest value, in bytes.
pub(super) const MAX_VALUE: usize = 1 << 20;
/// Why nothing is added to a value.
pub(crate) const NO_NUMBER: &str = "its value is no whole number of 64 bits in decimal";
/// Why so much is not added to a number.
pub(crate) const TOO_LARGE: &str = "the number would need more than 64 bits";
/// What a value takes beside its key and itself.
const OVERHEAD: u64 = 32;

/// Until when a value is good, in milliseconds since 1970 (0: for ever), and what it is.
type Entry = (u64, &'static [u8]);

/// By plugin and key.
pub(super) const VALUES: TableDefinition<'_, (&str, &str), Entry> = TableDefinition::new("values");
/// Those that end, by the moment of their end.
const ENDS: TableDefinition<'_, (u64, &str, &str), ()> = TableDefinition::new("ends");
/// What each plugin's values take, in bytes.
const USED: TableDefinition<'_, &str, u64> = TableDefinition::new("used");

/// The value of an entry, if its time is not over.
pub(super) fn live((until, value): (u64, &[u8]), now: u64) -> Option<&[u8]> {
    (until == 0 || until > now).then_some(value)
}

/// The tables in one transaction.
pub(super) struct Tables<'t> {
    values: Table<'t, (&'static str, &'static str), Entry>,
    ends: Table<'t, (u64, &'static str, &'static str), ()>,
    used: Table<'t, &'static str, u64>,
    now: u64,
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction, now: u64) -> Result<Self, TableError> {
        Ok(Self {
            values: transaction.open_table(VALUES)?,
            ends: transaction.open_table(ENDS)?,
            used: transaction.open_table(USED)?,
            now,
        })
    }

    /// Carries a change out, or refuses it: the inner error is the plugin's.
    pub(super) fn apply(
        &mut self,
        plugin: &str,
        room: u64,
        change: KvChange,
    ) -> Result<Result<KvDone, String>, StorageError> {
        let done = KvDone { is_done: true, ..KvDone::default() };
        match change {
            KvChange::Set { key, value, ttl } => {
                let put = self.put(plugin, room, &key, (self.end(ttl), &value))?;
                Ok(put.map(|()| done))
            }
            KvChange::CompareAndSwap { key, expected, value, ttl } => {
                if self.value(plugin, &key)? != expected {
                    return Ok(Ok(KvDone::default()));
                }
                let put = self.put(plugin, room, &key, (self.end(ttl), &value))?;
                Ok(put.map(|()| done))
            }
            KvChange::Take { key } => {
                let taken = self.value(plugin, &key)?;
                self.remove(plugin, &key)?;
                Ok(Ok(KvDone { taken, ..done }))
            }
            KvChange::Increment { key, by } => {
                let (until, before) = self.entry(plugin, &key)?.unzip();
                let number = match sum(before.as_deref(), by) {
                    Ok(number) => number,
                    Err(why) => return Ok(Err(why.to_owned())),
                };
                let value = number.to_string();
                let entry = (until.unwrap_or(0), value.as_bytes());
                let put = self.put(plugin, room, &key, entry)?;
                Ok(put.map(|()| KvDone { number: Some(number), ..done }))
            }
        }
    }

    /// Removes values whose time is over, at most so many; answers how many there were.
    pub(super) fn sweep(&mut self, most: usize) -> Result<usize, StorageError> {
        let mut over = Vec::new();
        for entry in self.ends.range((0, "", "")..(self.now + 1, "", ""))?.take(most) {
            let (end, _) = entry?;
            let (_, plugin, key) = end.value();
            over.push((plugin.to_owned(), key.to_owned()));
        }
        for (plugin, key) in &over {
            self.remove(plugin, key)?;
        }
        Ok(over.len())
    }

    fn value(&self, plugin: &str, key: &str) -> Result<Option<Bytes>, StorageError> {
        Ok(self.entry(plugin, key)?.map(|(_, value)| value))
    }

    /// A value with its end, if that is not over.
    fn entry(&self, plugin: &str, key: &str) -> Result<Option<(u64, Bytes)>, StorageError> {
        let entry = self.values.get((plugin, key))?;
        Ok(entry.and_then(|entry| {
            let entry = entry.value();
            Some((entry.0, Bytes::copy_from_slice(live(entry, self.now)?)))
        }))
    }

    /// Until when a value of this time to live is good.
    fn end(&self, ttl: Option<Duration>) -> u64 {
        ttl.map_or(0, |ttl| {
            let ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
            self.now.saturating_add(ms).max(1)
        })
    }

    fn put(
        &mut self,
        plugin: &str,
        room: u64,
        key: &str,
        (until, value): (u64, &[u8]),
    ) -> Result<Result<(), String>, StorageError> {
        let cost = cost(key, value);
        if self.others(plugin, key)? + cost > room {
            // What is over and not swept yet makes room.
            self.sweep(usize::MAX)?;
        }
        if self.others(plugin, key)? + cost > room {
            let used = self.used(plugin)?;
            return Ok(Err(format!(
                "there is no room for it: {used} of {room} bytes are used; grant a larger `kv`"
            )));
        }
        self.remove(plugin, key)?;
        self.values.insert((plugin, key), (until, value))?;
        if until > 0 {
            self.ends.insert((until, plugin, key), ())?;
        }
        let used = self.used(plugin)?;
        self.used.insert(plugin, used + cost)?;
        Ok(Ok(()))
    }

    /// What the plugin's values take without this one.
    fn others(&self, plugin: &str, key: &str) -> Result<u64, StorageError> {
        let entry = self.values.get((plugin, key))?;
        let own = entry.map_or(0, |entry| cost(key, entry.value().1));
        Ok(self.used(plugin)?.saturating_sub(own))
    }

    fn used(&self, plugin: &str) -> Result<u64, StorageError> {
        Ok(self.used.get(plugin)?.map_or(0, |used| used.value()))
    }

    fn remove(&mut self, plugin: &str, key: &str) -> Result<(), StorageError> {
        let Some((until, cost)) = self.values.remove((plugin, key))?.map(|entry| {
            let (until, value) = entry.value();
            (until, cost(key, value))
        }) else {
            return Ok(());
        };
        if until > 0 {
            self.ends.remove((until, plugin, key))?;
        }
        let used = self.used(plugin)?.saturating_sub(cost);
        self.used.insert(plugin, used)?;
        Ok(())
    }
}

/// What a number becomes.
pub(crate) fn sum(before: Option<&[u8]>, by: i64) -> Result<i64, &'static str> {
    let number = before.map_or(Some(0), whole_number).ok_or(NO_NUMBER)?;
    number.checked_add(by).ok_or(TOO_LARGE)
}

/// A number as we write it: what has a plus or zeros before it is none, as with Redis.
fn whole_number(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    text.parse().ok().filter(|number: &i64| number.to_string() == text)
}

fn cost(key: &str, value: &[u8]) -> u64 {
    OVERHEAD + key.len() as u64 + value.len() as u64
}
