//! Finds the audiences that may see an event, by its scope, without looking at the others.
//!
//! Events come in four shapes: with an agent, with a queue, with both, with neither. For each shape
//! an audience stands on one shelf, under the most telling of its lists. What is found still has to be
//! asked ([`Sight::shows`]): the index only leaves out those who cannot want it.

use super::sight::{Keys, Sight, may_be_bare};
use crate::bus::Entry;
use indexmap::IndexSet;
use std::collections::{BTreeSet, HashMap};

/// Audiences by their number.
type Audiences = IndexSet<usize>;
/// Audiences by a word that an event must have.
type Named = HashMap<Box<str>, Audiences>;

/// All audiences, by what they want.
#[derive(Debug, Default)]
pub(super) struct Index {
    agent: Named,
    any_agent: Shelf,
    queue: Named,
    any_queue: Shelf,
    both_by_agent: Named,
    both_by_queue: Named,
    any_both: Shelf,
    bare: Shelf,
    /// Of those limited to agents or queues: they get few events that have neither.
    bare_limited: Audiences,
}

/// Audiences that take any agent or queue, by event type, else by server.
#[derive(Debug, Default)]
struct Shelf {
    kinds: Named,
    servers: Named,
    rest: Audiences,
}

/// What is done with an audience at every place where it belongs.
#[derive(Clone, Copy)]
enum Change {
    Insert(usize),
    Remove(usize),
}

impl Index {
    pub(super) fn insert(&mut self, audience: usize, sight: &Sight) {
        self.change(sight, Change::Insert(audience));
    }

    /// Takes an audience out; `sight` must be what it was inserted with.
    pub(super) fn remove(&mut self, audience: usize, sight: &Sight) {
        self.change(sight, Change::Remove(audience));
    }

    fn change(&mut self, sight: &Sight, change: Change) {
        match sight.agents_alone() {
            Keys::None => {}
            Keys::These(agents) => change.named(&mut self.agent, &agents),
            Keys::All => change.shelf(&mut self.any_agent, sight),
        }
        match sight.queues_alone() {
            Keys::None => {}
            Keys::These(queues) => change.named(&mut self.queue, &queues),
            Keys::All => change.shelf(&mut self.any_queue, sight),
        }
        match (sight.agents(), sight.queues()) {
            (Keys::None, _) | (_, Keys::None) => {}
            (Keys::These(agents), _) => change.named(&mut self.both_by_agent, &agents),
            (Keys::All, Keys::These(queues)) => change.named(&mut self.both_by_queue, &queues),
            (Keys::All, Keys::All) => change.shelf(&mut self.any_both, sight),
        }
        if sight.is_limited() {
            change.all(&mut self.bare_limited);
        } else {
            change.shelf(&mut self.bare, sight);
        }
    }

    /// Calls `found` with every audience that may see the event, with some more than once.
    pub(super) fn find(&self, entry: &Entry, mut found: impl FnMut(usize)) {
        let shelf = match (entry.agent.as_deref(), entry.queue.as_deref()) {
            (Some(agent), None) => {
                each(self.agent.get(agent), &mut found);
                &self.any_agent
            }
            (None, Some(queue)) => {
                each(self.queue.get(queue), &mut found);
                &self.any_queue
            }
            (Some(agent), Some(queue)) => {
                each(self.both_by_agent.get(agent), &mut found);
                each(self.both_by_queue.get(queue), &mut found);
                &self.any_both
            }
            (None, None) => {
                let limited = may_be_bare(entry.kind()).then_some(&self.bare_limited);
                each(limited, &mut found);
                &self.bare
            }
        };
        each(shelf.kinds.get(entry.kind()), &mut found);
        each(shelf.servers.get(&*entry.server), &mut found);
        each(Some(&shelf.rest), &mut found);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let shelves = [&self.any_agent, &self.any_queue, &self.any_both, &self.bare];
        let named = [&self.agent, &self.queue, &self.both_by_agent, &self.both_by_queue];
        named.iter().all(|named| named.is_empty())
            && self.bare_limited.is_empty()
            && shelves.iter().all(|shelf| {
                shelf.kinds.is_empty() && shelf.servers.is_empty() && shelf.rest.is_empty()
            })
    }
}

fn each(audiences: Option<&Audiences>, found: &mut impl FnMut(usize)) {
    audiences.into_iter().flatten().copied().for_each(found);
}

impl Change {
    fn shelf(self, shelf: &mut Shelf, sight: &Sight) {
        match (sight.kinds(), sight.servers()) {
            (Some(kinds), _) => self.named(&mut shelf.kinds, kinds),
            (None, Some(servers)) => self.named(&mut shelf.servers, servers),
            (None, None) => self.all(&mut shelf.rest),
        }
    }

    fn named(self, named: &mut Named, words: &BTreeSet<String>) {
        for word in words {
            match self {
                Self::Insert(audience) => {
                    named.entry(word.as_str().into()).or_default().insert(audience);
                }
                Self::Remove(audience) => {
                    let Some(audiences) = named.get_mut(word.as_str()) else { continue };
                    audiences.swap_remove(&audience);
                    if audiences.is_empty() {
                        named.remove(word.as_str());
                    }
                }
            }
        }
    }

    fn all(self, audiences: &mut Audiences) {
        match self {
            Self::Insert(audience) => audiences.insert(audience),
            Self::Remove(audience) => audiences.swap_remove(&audience),
        };
    }
}
