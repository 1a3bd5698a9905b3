//! What one feed shows: its filter, cut to what the principal may see (contract section 10, 3).

use crate::bus::Entry;
use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
    sync::Arc,
};
use telepulse_language::{Filter, Principal};

/// A filter in the hands of somebody.
#[derive(Clone, Debug)]
pub struct Sight {
    filter: Filter,
    principal: Arc<Principal>,
}

/// Which of an event's values can lead to a feed in the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// Nothing of that dimension gets through.
    None,
    /// Only these.
    These(BTreeSet<String>),
    /// Any.
    All,
}

impl PartialEq for Sight {
    /// Whether both see the same.
    fn eq(&self, other: &Self) -> bool {
        self.bounds() == other.bounds()
    }
}

impl Eq for Sight {}

impl Hash for Sight {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bounds().hash(state);
    }
}

impl Sight {
    /// All that decides on what is seen.
    fn bounds(&self) -> impl Eq + Hash + '_ {
        let Principal { extension, agents, queues, servers, .. } = &*self.principal;
        // Their own extension only makes a difference to those who do not see all.
        let own = extension.as_ref().filter(|_| self.is_limited());
        (&self.filter, own, agents, queues, servers)
    }

    /// What `principal` sees through `filter`.
    pub fn new(filter: Filter, principal: Arc<Principal>) -> Self {
        Self { filter, principal }
    }

    /// The same filter for somebody else.
    #[must_use]
    pub fn of(&self, principal: Arc<Principal>) -> Self {
        Self { filter: self.filter.clone(), principal }
    }

    /// Whether the event is shown.
    pub fn shows(&self, entry: &Entry) -> bool {
        let (agent, queue) = (entry.agent.as_deref(), entry.queue.as_deref());
        self.filter.lets_through(entry.kind(), &entry.server, agent, queue)
            && may_see(&self.principal, entry)
    }

    /// How many names the filter lists.
    pub(super) fn words(&self) -> usize {
        let Filter { events, servers, agents, queues } = &self.filter;
        [events, servers, agents, queues]
            .iter()
            .filter_map(|list| list.as_ref())
            .map(BTreeSet::len)
            .sum()
    }

    /// Event types that can be shown.
    pub(super) fn kinds(&self) -> Option<&BTreeSet<String>> {
        self.filter.events.as_ref()
    }

    /// Servers whose events can be shown.
    pub(super) fn servers(&self) -> Option<&BTreeSet<String>> {
        self.filter.servers.as_ref().or(self.principal.servers.as_ref())
    }

    /// Agents whose events without a queue can be shown.
    pub(super) fn agents_alone(&self) -> Keys {
        if self.principal.queues.is_some() {
            // What is left for a user limited to queues: failures of their own dials.
            let own = self.principal.extension.iter().cloned().collect();
            return narrowed(Keys::These(own), self.filter.agents.as_ref());
        }
        let mut visible = self.principal.agents.clone();
        if let (Some(visible), Some(own)) = (&mut visible, &self.principal.extension) {
            visible.insert(own.clone());
        }
        narrowed(Keys::of(visible), self.filter.agents.as_ref())
    }

    /// Queues whose events without an agent can be shown.
    pub(super) fn queues_alone(&self) -> Keys {
        if self.principal.agents.is_some() { Keys::None } else { self.queues() }
    }

    /// Agents whose events with a queue can be shown.
    pub(super) fn agents(&self) -> Keys {
        narrowed(Keys::of(self.principal.agents.clone()), self.filter.agents.as_ref())
    }

    /// Queues whose events with an agent can be shown.
    pub(super) fn queues(&self) -> Keys {
        narrowed(Keys::of(self.principal.queues.clone()), self.filter.queues.as_ref())
    }

    /// Whether the principal is limited to agents or queues: then events with neither are not
    /// shown, but for those that [`may_be_bare`].
    pub(super) fn is_limited(&self) -> bool {
        self.principal.agents.is_some() || self.principal.queues.is_some()
    }
}

impl Keys {
    fn of(list: Option<BTreeSet<String>>) -> Self {
        list.map_or(Self::All, Self::These)
    }
}

fn narrowed(keys: Keys, list: Option<&BTreeSet<String>>) -> Keys {
    let these = match (keys, list) {
        (Keys::All, None) => return Keys::All,
        (Keys::None, _) => return Keys::None,
        (Keys::All, Some(list)) => list.clone(),
        (Keys::These(these), None) => these,
        (Keys::These(these), Some(list)) => &these & list,
    };
    if these.is_empty() { Keys::None } else { Keys::These(these) }
}

/// Whether events of this type may be seen, without agent or queue, by those limited to some.
pub(super) fn may_be_bare(kind: &str) -> bool {
    matches!(kind, "serverStatus" | "resync")
}

/// Fails closed: who is limited in a dimension sees nothing that lacks it, but for the state of the
/// servers that they see and what became of their own dials.
fn may_see(principal: &Principal, entry: &Entry) -> bool {
    let (agent, queue) = (entry.agent.as_deref(), entry.queue.as_deref());
    if principal.may_see(Some(&entry.server), agent, queue) {
        return true;
    }
    let exempt = match (agent, queue) {
        (None, None) => may_be_bare(entry.kind()),
        (Some(_), None) => {
            entry.kind() == "originateFailed" && agent == principal.extension.as_deref()
        }
        _ => false,
    };
    exempt && principal.servers.as_ref().is_none_or(|seen| seen.contains(&*entry.server))
}
