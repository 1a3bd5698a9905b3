//! Commands that reach people, not phones.

use crate::{Extension, Words};
use serde::{Deserialize, Serialize};

/// `message`: comes as the event `message` to whoever sees that extension's events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SendMessage {
    /// The extension.
    pub to: Extension,
    /// The words.
    pub text: Words,
}
