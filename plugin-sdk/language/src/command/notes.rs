//! Commands that plugins carry out: what people say of calls, and of what pops up with them.

use crate::{Extension, Id, Prose};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `note`: goes to the CRM with the call, or after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Note {
    /// The call, also one that has ended.
    pub call: Id,
    /// The words, also of several lines.
    pub text: Prose,
}

/// `popupClose`: what popped up for a call is closed by hand; comes as the event `popup`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PopupClose {
    /// The call.
    pub call: Id,
    /// Whose; the user's own extension where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Extension>,
}

/// `lookupAnswer`: what a client that was asked by `lookup` knows of a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LookupAnswer {
    /// The `lookup` of the question.
    pub lookup: Id,
    /// What is known: any JSON; null if nothing is.
    #[serde(deserialize_with = "Value::deserialize")]
    pub info: Value,
}
