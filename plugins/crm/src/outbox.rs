//! What the CRM is to be told: notes, and calls that have ended. Each entry is on disk before anybody hears that it
//! was taken, and stays there until the CRM has it, in order per call; what it refuses for good is set aside, where
//! people see it.

mod store;

use crate::template::Values;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
pub(crate) use store::{Aside, aside, asides, count_asides, count_entries, drop_aside, logged};
use store::{entries, remember};

/// Notes of a call whose end nobody hears are told by themselves after so long, in nanoseconds.
const COLLECT: u64 = 2 * 3_600 * 1_000_000_000;
/// The first pause after a failure, in nanoseconds; each further one is twice as long, up to the longest.
const PAUSE: u64 = 1_000_000_000;
const LONGEST_PAUSE: u64 = 300 * PAUSE;
/// The most that may wait: a CRM that is away for long must not take the plugin with it.
const MOST: usize = 10_000;
/// The most that were refused for good and are kept; what is refused beyond stays in the queue.
const MOST_ASIDE: usize = 5_000;
/// Deliveries that may be under way: look-ups need places, too.
const UNDER_WAY: usize = 16;
/// How long a delivery may take before it counts as lost: longer than any request.
const LOST: u64 = 45 * PAUSE;

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Entry {
    /// What somebody wrote, and when, in nanoseconds since 1970.
    Note { text: String, by: Option<String>, at: u64, values: Values },
    /// The call has ended, and this is known of it.
    Call { values: Values },
}

/// Something to be sent now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delivery {
    pub(crate) call: String,
    /// The last entry that it tells.
    pub(crate) up_to: u64,
    /// Whether it is the call itself, or a note after it.
    pub(crate) is_call: bool,
    pub(crate) values: Values,
}

/// The entries of one call.
#[derive(Debug, Default)]
struct Queue {
    entries: BTreeMap<u64, Entry>,
    /// What was told of the call already.
    logged: Option<Values>,
    failures: u32,
    not_before: u64,
    /// Up to which entry something is on its way, and until when it may be.
    under_way: Option<(u64, u64)>,
}

/// All of them, by call.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queues: BTreeMap<String, Queue>,
    /// How many entries wait in them.
    count: usize,
    /// When there will be something to send.
    next: Next,
}

/// When there will be something to send, if that has been found out since something changed.
#[derive(Clone, Copy, Debug, Default)]
enum Next {
    #[default]
    Unknown,
    Known(Option<u64>),
}

impl Outbox {
    /// All that the instance before has left on disk.
    pub(crate) fn load() -> Result<Self, String> {
        let mut outbox = Self::default();
        for (call, number, entry) in entries(MOST)? {
            outbox.queues.entry(call).or_default().entries.insert(number, entry);
        }
        outbox.count = outbox.queues.values().map(|queue| queue.entries.len()).sum();
        for (call, queue) in &mut outbox.queues {
            queue.logged = logged(call)?;
        }
        Ok(outbox)
    }

    /// What is on its way: for the instance that comes after this one.
    pub(crate) fn sent(&self) -> BTreeMap<String, (u64, u64)> {
        let sent =
            self.queues.iter().filter_map(|(call, queue)| Some((call.clone(), queue.under_way?)));
        sent.collect()
    }

    /// The same, from the instance before.
    pub(crate) fn take_over(&mut self, sent: BTreeMap<String, (u64, u64)>) {
        for (call, sent) in sent {
            if let Some(queue) = self.queues.get_mut(&call) {
                queue.under_way = Some(sent);
            }
        }
        self.next = Next::Unknown;
    }

    /// How many entries wait.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Whether no more can be taken.
    pub(crate) fn is_full(&self) -> bool {
        self.count >= MOST
    }

    /// Takes an entry; it is on disk when this returns.
    pub(crate) fn add(&mut self, call: &str, entry: Entry) -> Result<(), String> {
        self.next = Next::Unknown;
        let logged = logged(call)?;
        let is_call = matches!(entry, Entry::Call { .. });
        let queue = self.queues.entry(call.to_owned()).or_default();
        queue.logged = logged;
        let has_call = queue.entries.values().any(|entry| matches!(entry, Entry::Call { .. }));
        if is_call && (has_call || queue.logged.is_some()) {
            // Told once more: events come at least once.
            return Ok(());
        }
        let number = store::append(call, &entry)?;
        queue.entries.insert(number, entry);
        self.count += 1;
        Ok(())
    }

    /// What waits to be told of a call that has ended.
    pub(crate) fn ended(&self, call: &str) -> Option<&Values> {
        self.queues.get(call)?.entries.values().find_map(|entry| match entry {
            Entry::Call { values } => Some(values),
            Entry::Note { .. } => None,
        })
    }

    /// What can be sent now; it counts as under way from here on.
    pub(crate) fn due(&mut self, now: u64) -> Vec<Delivery> {
        let mut due = Vec::new();
        if self.next().is_none_or(|next| next > now) {
            return due;
        }
        self.next = Next::Unknown;
        let mut room = UNDER_WAY.saturating_sub(self.under_way(now));
        for (call, queue) in &mut self.queues {
            if room == 0 {
                break;
            }
            if queue.under_way.is_some_and(|(_, until)| until > now) || queue.not_before > now {
                continue;
            }
            queue.under_way = None;
            if let Some(delivery) = queue.delivery(call, now) {
                queue.under_way = Some((delivery.up_to, now + LOST));
                room -= 1;
                due.push(delivery);
            }
        }
        due
    }

    /// When there will be something to send.
    pub(crate) fn next(&mut self) -> Option<u64> {
        // Asked with each event of a call, and found out where something has changed.
        let next = match self.next {
            Next::Known(next) => next,
            Next::Unknown => self.find_next(),
        };
        self.next = Next::Known(next);
        next
    }

    fn find_next(&self) -> Option<u64> {
        let is_busy = self.under_way(0) >= UNDER_WAY;
        // Then nothing goes out before something has come back.
        let queues = self.queues.values().filter(|queue| !is_busy || queue.under_way.is_some());
        queues.filter_map(Queue::next).min()
    }

    /// How many deliveries are under way.
    fn under_way(&self, now: u64) -> usize {
        let is_sent = |queue: &&Queue| queue.under_way.is_some_and(|(_, until)| until > now);
        self.queues.values().filter(is_sent).count()
    }

    /// Whether an answer is about what is on its way: another one may have come before.
    pub(crate) fn is_under_way(&self, call: &str, up_to: u64) -> bool {
        let sent = self.queues.get(call).and_then(|queue| queue.under_way);
        sent.is_some_and(|(sent, _)| sent == up_to)
    }

    /// It was not sent after all; nothing is wrong with it.
    pub(crate) fn put_back(&mut self, call: &str) {
        self.next = Next::Unknown;
        if let Some(queue) = self.queues.get_mut(call) {
            queue.under_way = None;
        }
    }

    /// A call has become part of another: so have the notes on it.
    pub(crate) fn merge(&mut self, call: &str, into: &str) -> Result<(), String> {
        let Some(queue) = self.queues.get(call) else { return Ok(()) };
        let entries: Vec<(u64, Entry)> =
            queue.entries.iter().map(|(number, entry)| (*number, entry.clone())).collect();
        for (number, entry) in entries {
            self.add(into, entry)?;
            store::remove(call, number)?;
            if let Some(queue) = self.queues.get_mut(call) {
                queue.entries.remove(&number);
                self.count -= 1;
            }
        }
        self.tidy(call);
        Ok(())
    }

    /// The CRM has it.
    pub(crate) fn delivered(&mut self, call: &str, up_to: u64) -> Result<(), String> {
        self.leave(call, up_to, |_, entry| match entry {
            // What is at hand saves a question; without it the history is asked.
            Entry::Call { values } => remember(call, values),
            Entry::Note { .. } => Ok(()),
        })
        .map(drop)
    }

    /// Takes entries out, on disk first: what could not be written is told again rather than lost. Answers how many.
    fn leave(
        &mut self,
        call: &str,
        up_to: u64,
        keep: impl Fn(u64, &Entry) -> Result<(), String>,
    ) -> Result<usize, String> {
        let Some(queue) = self.queues.get_mut(call) else { return Ok(0) };
        self.next = Next::Unknown;
        queue.under_way = None;
        queue.failures = 0;
        let mut left = 0;
        while let Some(first) = queue.entries.first_entry().filter(|first| *first.key() <= up_to) {
            let number = *first.key();
            keep(number, first.get())?;
            store::remove(call, number)?;
            if let Entry::Call { values } = first.remove() {
                queue.logged = Some(values);
            }
            self.count -= 1;
            left += 1;
        }
        self.tidy(call);
        Ok(left)
    }

    /// It came to nothing this time.
    pub(crate) fn failed(&mut self, call: &str, now: u64) {
        let Some(queue) = self.queues.get_mut(call) else { return };
        self.next = Next::Unknown;
        queue.under_way = None;
        queue.not_before = now + (PAUSE << queue.failures.min(10)).min(LONGEST_PAUSE);
        queue.failures += 1;
    }

    /// The CRM will never take it; answers how many entries were set aside. Where there is no room for more they stay,
    /// and are tried again.
    pub(crate) fn refused(
        &mut self,
        call: &str,
        up_to: u64,
        why: &str,
        now: u64,
    ) -> Result<usize, String> {
        if count_asides()? >= MOST_ASIDE {
            return Err(format!("{MOST_ASIDE} entries were set aside already: look at them"));
        }
        self.leave(call, up_to, |number, entry| {
            let aside = Aside { entry: entry.clone(), why: why.to_owned(), at: now };
            store::set_aside(call, number, &aside)
        })
    }

    /// Entries that were set aside and are to be tried again are in the queue once more.
    pub(crate) fn again(&mut self, call: &str) -> Result<(), String> {
        let entries = store::entries_of(call)?;
        self.next = Next::Unknown;
        let queue = self.queues.entry(call.to_owned()).or_default();
        self.count = self.count - queue.entries.len() + entries.len();
        queue.entries = entries;
        queue.logged = logged(call)?;
        self.tidy(call);
        Ok(())
    }

    fn tidy(&mut self, call: &str) {
        if self.queues.get(call).is_some_and(|queue| queue.entries.is_empty()) {
            self.queues.remove(call);
        }
    }
}

impl Queue {
    /// What comes next: the call with all notes before its end, or a note that came later.
    fn delivery(&self, call: &str, now: u64) -> Option<Delivery> {
        let mut notes = Vec::new();
        for (number, entry) in &self.entries {
            match entry {
                Entry::Call { values } => {
                    let values = with_text(values.clone(), notes.join("\n"));
                    return Some(Delivery {
                        call: call.to_owned(),
                        up_to: *number,
                        is_call: true,
                        values,
                    });
                }
                Entry::Note { text, by, .. } => notes.push(signed(text, by.as_deref())),
            }
        }
        let (number, first) = self.entries.first_key_value()?;
        let Entry::Note { text, by, values, .. } = first else { return None };
        if self.ready(first) > now {
            return None;
        }
        let known = self.logged.clone().unwrap_or_else(|| values.clone());
        let values = with_text(known, signed(text, by.as_deref()));
        Some(Delivery { call: call.to_owned(), up_to: *number, is_call: false, values })
    }

    /// When the first entry can go: a note waits for the end of its call.
    fn ready(&self, first: &Entry) -> u64 {
        let has_call = self.entries.values().any(|entry| matches!(entry, Entry::Call { .. }));
        match first {
            Entry::Note { at, values, .. } if !has_call && self.logged.is_none() => {
                let has_ended = values.contains_key("disposition");
                if has_ended { 0 } else { at.saturating_add(COLLECT) }
            }
            _ => 0,
        }
    }

    fn next(&self) -> Option<u64> {
        if let Some((_, until)) = self.under_way {
            return Some(until);
        }
        let (_, first) = self.entries.first_key_value()?;
        Some(self.ready(first).max(self.not_before))
    }
}

fn signed(text: &str, by: Option<&str>) -> String {
    by.map_or_else(|| text.to_owned(), |by| format!("{by}: {text}"))
}

fn with_text(mut values: Values, text: String) -> Values {
    values.insert("text".to_owned(), Value::String(text));
    values
}

#[cfg(test)]
mod tests;
