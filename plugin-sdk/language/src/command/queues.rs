//! Commands about queues: who serves, and who rests.

use crate::{Extension, Name, Words};
use serde::{Deserialize, Serialize};

/// `queueAdd`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct QueueAdd {
    /// The extension.
    pub agent: Extension,
    /// The queue.
    pub queue: Name,
    /// The name shown for the member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Members with a higher penalty are rung later; 0 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub penalty: Option<u32>,
}

/// `queueRemove`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct QueueRemove {
    /// The extension.
    pub agent: Extension,
    /// The queue.
    pub queue: Name,
}

/// `queuePause`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct QueuePause {
    /// The extension.
    pub agent: Extension,
    /// The queue; all of the agent's queues when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Name>,
    /// Why, for the reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Words>,
}

/// `queueUnpause`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct QueueUnpause {
    /// The extension.
    pub agent: Extension,
    /// The queue; all of the agent's queues when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Name>,
    /// Why, for the reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Words>,
}
