//! The other nodes: what is known of each, and the burial of one that is silent.

use super::{Moment, Order, Outcome, Ownership};
use crate::cluster::{NodeRecord, NodeState};

/// Another node.
#[derive(Debug)]
pub(super) struct Node {
    /// `None`: something names it, and its record was not seen yet.
    record: Option<NodeRecord>,
    revision: u64,
    /// When that was seen.
    seen: Moment,
    /// Until then an answer to an attempt to bury it is waited for.
    burying: Moment,
}

impl Ownership {
    /// The other nodes whose records have been seen, those that are gone too.
    pub(crate) fn others(&self) -> impl Iterator<Item = (&str, &NodeRecord)> {
        self.nodes.iter().filter_map(|(id, node)| Some((&**id, node.record.as_ref()?)))
    }

    /// The store has this of a node.
    pub(crate) fn saw_node(&mut self, node: &str, record: NodeRecord, revision: u64, now: Moment) {
        if node == self.me {
            self.is_gone |= record.state == NodeState::Gone;
            self.beats.know(revision);
            return;
        }
        let known = self.node(node, now);
        if revision > known.revision {
            *known = Node { record: Some(record), revision, seen: now, burying: 0 };
        }
    }

    /// What came of burying a node.
    pub(crate) fn buried(&mut self, node: &str, outcome: Outcome, now: Moment) {
        let Some(known) = self.nodes.get_mut(node) else { return };
        match outcome {
            Outcome::Written(revision) if revision > known.revision => {
                known.record = Some(known.in_the_grave());
                known.revision = revision;
            }
            // It lives: its beats are only late in coming here.
            Outcome::Conflict => (known.seen, known.burying) = (now, 0),
            Outcome::Written(_) | Outcome::Unknown => {}
        }
    }

    /// Whoever was cut off has not heard the others either.
    pub(super) fn hear_anew(&mut self, now: Moment) {
        self.nodes.values_mut().for_each(|node| node.seen = now);
    }

    /// Has those buried that were silent for too long.
    pub(super) fn bury(&mut self, now: Moment, orders: &mut Vec<Order>) {
        let silence = self.terms.life + self.terms.grace;
        for (id, node) in &mut self.nodes {
            let is_silent = now >= node.seen + silence && now >= node.burying;
            if !is_silent || node.is_gone() {
                continue;
            }
            node.burying = now + self.terms.answer;
            let record = node.in_the_grave();
            orders.push(Order::Bury { node: id.clone(), record, after: node.revision });
        }
    }

    pub(super) fn is_dead(&self, node: &str) -> bool {
        self.nodes.get(node).is_some_and(Node::is_gone)
    }

    /// What is known of a node; of one that is named for the first time, from now on.
    pub(super) fn node(&mut self, node: &str, now: Moment) -> &mut Node {
        let unseen = || Node { record: None, revision: 0, seen: now, burying: 0 };
        self.nodes.entry(node.to_owned()).or_insert_with(unseen)
    }
}

impl Node {
    /// Its record once it is gone.
    fn in_the_grave(&self) -> NodeRecord {
        NodeRecord { state: NodeState::Gone, ..self.record.clone().unwrap_or_default() }
    }

    /// Whether it may have this server or plugin now.
    pub(super) fn takes(&self, id: &str) -> bool {
        let record = self.record.as_ref();
        record.is_some_and(|it| it.state == NodeState::Alive && it.takes(id))
    }

    pub(super) fn is_gone(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.state == NodeState::Gone)
    }
}
