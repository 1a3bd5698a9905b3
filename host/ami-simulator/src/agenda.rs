//! What is going to happen, and when.

use std::collections::BTreeMap;

/// Things in the order of their time; at the same time, in the order they were added.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    due: BTreeMap<(u64, u64), T>,
    added: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { due: BTreeMap::new(), added: 0 }
    }
}

impl<T> Agenda<T> {
    pub(crate) fn add(&mut self, at_ms: u64, thing: T) {
        self.added += 1;
        self.due.insert((at_ms, self.added), thing);
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// The first thing that is due, and when it was.
    pub(crate) fn take(&mut self, now_ms: u64) -> Option<(u64, T)> {
        let entry = self.due.first_entry().filter(|entry| entry.key().0 <= now_ms)?;
        let ((at, _), thing) = entry.remove_entry();
        Some((at, thing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_of_time_then_of_adding() {
        let mut agenda = Agenda::default();
        for (at, thing) in [(5, 'c'), (1, 'a'), (1, 'b'), (9, 'd')] {
            agenda.add(at, thing);
        }
        let mut taken = Vec::new();
        while let Some((_, thing)) = agenda.take(5) {
            taken.push(thing);
        }
        assert_eq!(taken, ['a', 'b', 'c']);
        assert_eq!(agenda.next(), Some(9));
    }
}
