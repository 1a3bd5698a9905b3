//! Values that were changed lately, in memory: who asks for one soon after it was kept, as most do, need not
//! wait for a thread that may read the disk.

use super::tables::Left;
use crate::store::change::Value;
use bytes::Bytes;
use quick_cache::{Weighter, sync::Cache};

/// What they may take in memory, in bytes.
const ROOM: u64 = 8 << 20;
/// Values that are longer are not kept here, in bytes.
const LONGEST: usize = 16 << 10;
/// About what a value takes with its key, in bytes.
const USUAL: usize = 512;
/// What one takes beside key and value.
const OVERHEAD: u64 = 128;

/// Where a value is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) plugin: String,
    pub(super) key: String,
}

/// What is on disk under keys that were changed lately. The thread that writes alone puts something in: a
/// value that was read from disk may be older than what was written since.
pub(super) struct Recent(Cache<Place, Option<Value>, Weight>);

#[derive(Clone)]
struct Weight;

impl Weighter<Place, Option<Value>> for Weight {
    fn weight(&self, place: &Place, value: &Option<Value>) -> u64 {
        let value = value.as_ref().map_or(0, |value| value.bytes.len());
        OVERHEAD + (place.plugin.len() + place.key.len() + value) as u64
    }
}

impl Default for Recent {
    fn default() -> Self {
        let usual = usize::try_from(ROOM).unwrap_or(usize::MAX) / USUAL;
        Self(Cache::with_weighter(usual, ROOM, Weight))
    }
}

/// What is under a key for certain: a value that is not over, or nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Known(pub(super) Option<Bytes>);

impl Recent {
    /// What is there, if it was changed lately.
    pub(super) fn get(&self, place: &Place, now: u64) -> Option<Known> {
        let found = self.0.get(place)?;
        Some(Known(found.filter(|value| !value.is_over(now)).map(|value| value.bytes)))
    }

    /// A change was committed.
    pub(super) fn note(&self, place: Place, left: Left) {
        match left {
            Left::Same => {}
            Left::Nothing => self.0.insert(place, None),
            Left::Value(value) if value.bytes.len() <= LONGEST => self.0.insert(place, Some(value)),
            Left::Value(_) => drop(self.0.remove(&place)),
        }
    }

    /// It is not known what is on disk.
    pub(super) fn forget(&self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(key: &str) -> Place {
        Place { plugin: "crm".to_owned(), key: key.to_owned() }
    }

    fn value(bytes: impl Into<Bytes>, until: Option<u64>) -> Left {
        Left::Value(Value { bytes: bytes.into(), until })
    }

    fn known(text: &'static str) -> Known {
        Known(Some(text.into()))
    }

    #[test]
    fn what_was_written_last_is_known_or_nothing() {
        let recent = Recent::default();
        assert_eq!(recent.get(&place("a"), 0), None);
        recent.note(place("a"), value("1", None));
        recent.note(place("b"), value("2", Some(100)));
        assert_eq!(recent.get(&place("a"), 0), Some(known("1")));
        assert_eq!(recent.get(&place("b"), 99), Some(known("2")));
        assert_eq!(recent.get(&place("b"), 100), Some(Known(None)), "its time is over");
        recent.note(place("a"), Left::Same);
        assert_eq!(recent.get(&place("a"), 0), Some(known("1")));
        recent.note(place("a"), Left::Nothing);
        assert_eq!(recent.get(&place("a"), 0), Some(Known(None)));
        recent.note(place("b"), value(vec![0; LONGEST + 1], None));
        assert_eq!(recent.get(&place("b"), 0), None, "the older one is not there either");
        recent.forget();
        assert_eq!(recent.get(&place("a"), 0), None);
    }

    #[test]
    fn it_takes_no_more_than_it_may() {
        let recent = Recent::default();
        for key in 0..5_000 {
            recent.note(place(&key.to_string()), value(vec![0; LONGEST], None));
        }
        assert!(recent.0.weight() <= ROOM, "{}", recent.0.weight());
        let known = (0..5_000).filter(|key| recent.get(&place(&key.to_string()), 0).is_some());
        assert!(known.count() > 100);
    }
}
