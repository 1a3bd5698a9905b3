//! What other nodes want: told by each now and then, forgotten when it is not told any more. Pure.

use crate::bus::{Address, Below, Pattern};
use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// How often a node tells what it wants, though nothing changed.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(5);
/// A node that has said nothing for so long is gone.
pub(super) const PATIENCE: Duration = Duration::from_secs(17);
/// So many nodes are listened to.
const NODES: usize = 1024;

/// What a node tells.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wants {
    /// The start of the node that tells it.
    pub(super) node: String,
    /// Patterns that somebody there subscribed to.
    #[serde(default)]
    pub(super) patterns: Vec<String>,
    /// It knows nobody yet: all are to tell what they want.
    #[serde(default)]
    pub(super) asks: bool,
    /// It stops.
    #[serde(default)]
    pub(super) leaves: bool,
}

/// The other nodes, as of now.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    known: BTreeMap<String, Peer>,
}

#[derive(Clone, Debug)]
struct Peer {
    patterns: Vec<Pattern>,
    heard: Instant,
}

impl Peers {
    /// To be read at every publication, and replaced whole.
    pub(super) fn into_shared(self) -> ArcSwap<Self> {
        ArcSwap::from_pointee(self)
    }

    /// Takes what a node tells; answers whether it wants something else than before.
    pub(super) fn hear(&mut self, told: &Wants, now: Instant) -> bool {
        if told.leaves {
            return self.known.remove(&told.node).is_some_and(|peer| !peer.patterns.is_empty());
        }
        let patterns: Vec<Pattern> =
            told.patterns.iter().filter_map(|text| Pattern::parse(text).ok()).collect();
        if let Some(peer) = self.known.get_mut(&told.node) {
            peer.heard = now;
            let differs = peer.patterns != patterns;
            peer.patterns = patterns;
            return differs;
        }
        if self.known.len() >= NODES {
            return false;
        }
        let differs = !patterns.is_empty();
        self.known.insert(told.node.clone(), Peer { patterns, heard: now });
        differs
    }

    /// Forgets who has said nothing for too long; answers whether one of them wanted something.
    pub(super) fn forget(&mut self, now: Instant) -> bool {
        let mut differs = false;
        self.known.retain(|_, peer| {
            let is_here = now.saturating_duration_since(peer.heard) < PATIENCE;
            differs |= !is_here && !peer.patterns.is_empty();
            is_here
        });
        differs
    }

    /// Whether another node wants what is published there.
    pub(super) fn want(&self, address: &Address) -> bool {
        self.known.values().flat_map(|peer| &peer.patterns).any(|pattern| pattern.covers(address))
    }

    /// What they want one token below an address.
    pub(super) fn below(&self, root: &Address) -> Below {
        let patterns = self.known.values().flat_map(|peer| &peer.patterns);
        patterns.map(|pattern| pattern.below(root)).fold(Below::none(), Below::or)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(node: &str, patterns: &[&str]) -> Wants {
        let patterns = patterns.iter().map(ToString::to_string).collect();
        Wants { node: node.to_owned(), patterns, ..Wants::default() }
    }

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn what_others_want_is_known_until_they_fall_silent() {
        let (mut peers, start) = (Peers::default(), Instant::now());
        let event = address("telepulse.proxy.event.pbx1.VarSet");
        assert!(!peers.hear(&told("a", &[]), start), "nothing wanted, nothing changed");
        assert!(
            peers.hear(&told("b", &["telepulse.proxy.event.*.VarSet", "not a pattern"]), start)
        );
        assert!(!peers.hear(&told("b", &["telepulse.proxy.event.*.VarSet"]), start));
        assert!(peers.want(&event));
        assert!(!peers.want(&address("telepulse.proxy.status.pbx1")));
        let root = address("telepulse.proxy.event.pbx1");
        assert_eq!(peers.below(&root), Below::Names(["VarSet".to_owned()].into()));

        peers.hear(&told("a", &[]), start + HEARTBEAT * 3);
        assert!(!peers.forget(start + PATIENCE / 2));
        assert!(peers.forget(start + PATIENCE), "b has fallen silent");
        assert!(!peers.want(&event));
        assert_eq!(peers.count(), 1);
    }

    #[test]
    fn who_leaves_is_forgotten_at_once() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        peers.hear(&told("b", &["acme"]), now);
        assert!(peers.hear(&Wants { leaves: true, ..told("b", &[]) }, now));
        assert!(!peers.want(&address("acme.x")));
        assert!(!peers.hear(&Wants { leaves: true, ..told("b", &[]) }, now));
    }

    #[test]
    fn there_is_an_end_to_how_many_are_known() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        for number in 0..2 * NODES {
            peers.hear(&told(&number.to_string(), &["acme"]), now);
        }
        assert_eq!(peers.count(), NODES);
    }
}
