//! What nodes write for each other.

use super::seats;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a node says of itself with every beat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeRecord {
    /// Its name in the configuration, for people.
    pub(crate) name: String,
    /// The name of this start of it on the bus.
    pub(crate) start: String,
    /// How it is.
    pub(crate) state: NodeState,
    /// Whether it keeps connections to servers (the role `proxy`).
    pub(crate) is_proxy: bool,
    /// Plugins that it would run, of those that not every node runs by itself.
    #[serde(default)]
    pub(crate) plugins: BTreeSet<String>,
}

impl NodeRecord {
    /// That of a node of which nothing else is known.
    pub(super) fn gone() -> Self {
        Self { state: NodeState::Gone, ..Self::default() }
    }

    /// Whether such a node may have this server or plugin.
    pub(super) fn takes(&self, id: &str) -> bool {
        match seats::plugin(id) {
            Some(plugin) => self.plugins.contains(plugin),
            None => self.is_proxy,
        }
    }
}

/// How a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum NodeState {
    /// It is there.
    #[default]
    Alive,
    /// It hands over what it has, and takes nothing.
    Draining,
    /// It has said good-bye, or others found it silent for too long. That is for ever: a node that was
    /// only cut off comes back as another incarnation.
    Gone,
}
