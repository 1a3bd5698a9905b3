//! What a change makes of a value, in each store that has no commands for it: time passed in, nothing touched.

use bytes::Bytes;
use plugin_host::ports::{KvChange, KvDone};
use std::time::Duration;

/// The longest key, in bytes.
const MAX_KEY: usize = 512;
/// The longest value, in bytes.
const MAX_VALUE: usize = 1 << 20;
/// Why nothing is added to a value.
pub(super) const NO_NUMBER: &str = "its value is no whole number of 64 bits in decimal";
/// Why so much is not added to a number.
pub(super) const TOO_LARGE: &str = "the number would need more than 64 bits";

/// A value, and until when it is good, in milliseconds since 1970; `None`: for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) bytes: Bytes,
    pub(super) until: Option<u64>,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Nothing(KvDone),
    /// The change is the plugin's mistake.
    Refuse(&'static str),
    /// It gets this value.
    Put(Value, KvDone),
    /// It is removed.
    Remove(KvDone),
}

impl Value {
    /// Whether its time is over by this clock.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    fn new(bytes: Bytes, ttl: Option<Duration>, now: u64) -> Self {
        let end =
            |ttl: Duration| now.saturating_add(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        Self { bytes, until: ttl.map(end) }
    }
}

/// The key that is changed.
pub(super) fn key(change: &KvChange) -> &str {
    match change {
        KvChange::Set { key, .. }
        | KvChange::CompareAndSwap { key, .. }
        | KvChange::Take { key }
        | KvChange::Increment { key, .. } => key,
    }
}

/// What no store takes.
pub(super) fn check(change: &KvChange) -> Result<(), String> {
    let key = key(change);
    if !(1..=MAX_KEY).contains(&key.len()) {
        return Err(format!("a key has 1 to {MAX_KEY} bytes, not {}", key.len()));
    }
    let value = match change {
        KvChange::Set { value, .. } | KvChange::CompareAndSwap { value, .. } => Some(value),
        KvChange::Take { .. } | KvChange::Increment { .. } => None,
    };
    match value.map(Bytes::len).filter(|length| *length > MAX_VALUE) {
        Some(length) => Err(format!("a value has at most {MAX_VALUE} bytes, not {length}")),
        None => Ok(()),
    }
}

/// What becomes of a key that has this value now, over ones left out.
pub(super) fn step(change: &KvChange, found: Option<&Value>, now: u64) -> Step {
    let done = KvDone { is_done: true, ..KvDone::default() };
    match change {
        KvChange::Set { value, ttl, .. } => put(value, *ttl, now, done),
        KvChange::CompareAndSwap { expected, value, ttl, .. } => {
            if found.map(|found| &found.bytes) == expected.as_ref() {
                put(value, *ttl, now, done)
            } else {
                Step::Nothing(KvDone::default())
            }
        }
        KvChange::Take { .. } => match found {
            None => Step::Nothing(done),
            Some(found) => Step::Remove(KvDone { taken: Some(found.bytes.clone()), ..done }),
        },
        KvChange::Increment { by, .. } => match sum(found.map(|found| &*found.bytes), *by) {
            Err(why) => Step::Refuse(why),
            Ok(number) => {
                let until = found.and_then(|found| found.until);
                let bytes = number.to_string().into();
                Step::Put(Value { bytes, until }, KvDone { number: Some(number), ..done })
            }
        },
    }
}

/// What a number becomes.
fn sum(before: Option<&[u8]>, by: i64) -> Result<i64, &'static str> {
    let number = before.map_or(Some(0), whole_number).ok_or(NO_NUMBER)?;
    number.checked_add(by).ok_or(TOO_LARGE)
}

/// A number as we write it: what has a plus or zeros before it is none, as with Redis.
fn whole_number(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    text.parse().ok().filter(|number: &i64| number.to_string() == text)
}

/// A value that is over at once is none.
fn put(value: &Bytes, ttl: Option<Duration>, now: u64, done: KvDone) -> Step {
    if ttl.is_some_and(|ttl| ttl.as_millis() == 0) {
        return Step::Remove(done);
    }
    Step::Put(Value::new(value.clone(), ttl, now), done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &'static str, until: Option<u64>) -> Value {
        Value { bytes: text.into(), until }
    }

    #[test]
    fn the_end_is_counted_from_now_and_never_passes_over() {
        let set = |ttl| KvChange::Set { key: "k".into(), value: "v".into(), ttl };
        let until = |ttl| match step(&set(ttl), None, 1_000) {
            Step::Put(value, _) => value.until,
            other => panic!("{other:?}"),
        };
        assert_eq!(until(None), None);
        assert_eq!(until(Some(Duration::from_millis(7))), Some(1_007));
        assert_eq!(until(Some(Duration::MAX)), Some(u64::MAX));
        assert!(matches!(step(&set(Some(Duration::ZERO)), None, 1_000), Step::Remove(_)));
        assert!(!value("v", Some(1_007)).is_over(1_006) && value("v", Some(1_007)).is_over(1_007));
    }

    #[test]
    fn a_number_keeps_its_end_and_what_is_taken_is_told() {
        let add = KvChange::Increment { key: "k".into(), by: 2 };
        let kept = step(&add, Some(&value("40", Some(9))), 0);
        let done = KvDone { is_done: true, number: Some(42), taken: None };
        assert_eq!(kept, Step::Put(value("42", Some(9)), done));
        assert!(matches!(step(&add, Some(&value("x", None)), 0), Step::Refuse(_)));
        let taken = step(&KvChange::Take { key: "k".into() }, Some(&value("v", None)), 0);
        let done = KvDone { is_done: true, number: None, taken: Some("v".into()) };
        assert_eq!(taken, Step::Remove(done));
    }
}
