//! The nodes of the platform, as one of them sees them.

use super::{NodeRecord, NodeState};
use serde::Serialize;
use std::sync::Arc;

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeView {
    /// Its name in the configuration.
    pub(crate) name: Arc<str>,
    /// The name of this start of it on the bus.
    #[serde(skip)]
    pub(crate) start: Arc<str>,
    /// How it is.
    pub(crate) state: NodeState,
    /// Whether it keeps connections to servers.
    #[serde(rename = "proxy")]
    pub(crate) is_proxy: bool,
    /// Whether it is the one that says this.
    #[serde(rename = "self")]
    pub(crate) is_self: bool,
}

impl NodeView {
    pub(super) fn of(record: &NodeRecord, is_self: bool) -> Self {
        Self {
            name: record.name.as_str().into(),
            start: record.start.as_str().into(),
            state: record.state,
            is_proxy: record.is_proxy,
            is_self,
        }
    }
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// Those that are there, or have been a moment ago.
    pub(crate) nodes: Vec<NodeView>,
    /// Why this node may act on no server; `None`: it may.
    pub(crate) trouble: Option<String>,
}
