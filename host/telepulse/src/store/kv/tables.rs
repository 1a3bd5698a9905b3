//! Values as they are on disk, in one transaction: time passed in, nothing but the tables touched.

use crate::store::change::{Step, Value, key, step};
use bytes::Bytes;
use plugin_host::ports::{KvChange, KvDone};
use redb::{
    ReadableTable as _, StorageError, Table, TableDefinition, TableError, WriteTransaction,
};
use std::collections::HashMap;

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

/// What came of a change.
pub(super) struct Outcome {
    /// The error is the plugin's.
    pub(super) done: Result<KvDone, String>,
    /// What is under its key now.
    pub(super) left: Left,
}

/// What is under a key after a change.
pub(super) enum Left {
    /// What was there before.
    Same,
    /// Nothing.
    Nothing,
    /// This.
    Value(Value),
}

/// The tables in one transaction.
pub(super) struct Tables<'t> {
    values: Table<'t, (&'static str, &'static str), Entry>,
    ends: Table<'t, (u64, &'static str, &'static str), ()>,
    used: Table<'t, &'static str, u64>,
    /// What the values of those plugins take that were looked at: written once, at the end.
    sums: HashMap<String, u64>,
    now: u64,
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction, now: u64) -> Result<Self, TableError> {
        Ok(Self {
            values: transaction.open_table(VALUES)?,
            ends: transaction.open_table(ENDS)?,
            used: transaction.open_table(USED)?,
            sums: HashMap::new(),
            now,
        })
    }

    /// Carries a change out, or refuses it.
    pub(super) fn apply(
        &mut self,
        plugin: &str,
        room: u64,
        change: &KvChange,
    ) -> Result<Outcome, StorageError> {
        let key = key(change);
        let found = self.find(plugin, key)?;
        let live = found.as_ref().filter(|value| !value.is_over(self.now));
        Ok(match step(change, live, self.now) {
            Step::Nothing(done) => Outcome { done: Ok(done), left: Left::Same },
            Step::Refuse(why) => Outcome { done: Err(why.to_owned()), left: Left::Same },
            Step::Remove(done) => {
                self.remove(plugin, key)?;
                Outcome { done: Ok(done), left: Left::Nothing }
            }
            Step::Put(value, done) => match self.put(plugin, room, key, found, &value)? {
                Ok(()) => Outcome { done: Ok(done), left: Left::Value(value) },
                Err(why) => Outcome { done: Err(why), left: Left::Same },
            },
        })
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

    /// To be called before the transaction is committed.
    pub(super) fn finish(mut self) -> Result<(), StorageError> {
        for (plugin, sum) in &self.sums {
            self.used.insert(&**plugin, sum)?;
        }
        Ok(())
    }

    /// What is under a key, whether or not its time is over.
    fn find(&self, plugin: &str, key: &str) -> Result<Option<Value>, StorageError> {
        let entry = self.values.get((plugin, key))?;
        Ok(entry.map(|entry| {
            let (until, bytes) = entry.value();
            let until = Some(until).filter(|until| *until > 0);
            Value { bytes: Bytes::copy_from_slice(bytes), until }
        }))
    }

    /// Puts a value in the place of the one that was found there, if there is room for it.
    fn put(
        &mut self,
        plugin: &str,
        room: u64,
        key: &str,
        mut found: Option<Value>,
        value: &Value,
    ) -> Result<Result<(), String>, StorageError> {
        let sum = |used: u64, found: &Option<Value>| {
            let before = found.as_ref().map_or(0, |found| cost(key, &found.bytes));
            used.saturating_sub(before) + cost(key, &value.bytes)
        };
        let mut needed = sum(self.used(plugin)?, &found);
        if needed > room {
            // What is over and not swept yet makes room.
            self.sweep(usize::MAX)?;
            found = self.find(plugin, key)?;
            needed = sum(self.used(plugin)?, &found);
        }
        if needed > room {
            let used = self.used(plugin)?;
            return Ok(Err(format!(
                "there is no room for it: {used} of {room} bytes are used; grant a larger `kv`"
            )));
        }
        self.values.insert((plugin, key), (value.until.unwrap_or(0), &*value.bytes))?;
        let before = found.and_then(|found| found.until);
        if before != value.until {
            if let Some(before) = before {
                self.ends.remove((before, plugin, key))?;
            }
            if let Some(until) = value.until {
                self.ends.insert((until, plugin, key), ())?;
            }
        }
        self.takes(plugin, needed);
        Ok(Ok(()))
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
        let left = self.used(plugin)?.saturating_sub(cost);
        self.takes(plugin, left);
        Ok(())
    }

    /// What the plugin's values take.
    fn used(&self, plugin: &str) -> Result<u64, StorageError> {
        if let Some(sum) = self.sums.get(plugin) {
            return Ok(*sum);
        }
        Ok(self.used.get(plugin)?.map_or(0, |used| used.value()))
    }

    /// The plugin's values take so much from now on.
    fn takes(&mut self, plugin: &str, sum: u64) {
        match self.sums.get_mut(plugin) {
            Some(place) => *place = sum,
            None => drop(self.sums.insert(plugin.to_owned(), sum)),
        }
    }
}

fn cost(key: &str, value: &[u8]) -> u64 {
    OVERHEAD + key.len() as u64 + value.len() as u64
}
