//! Commands about one channel: keys, silence, variables.

use crate::{ChannelName, Digits, VariableName, Words};
use serde::{Deserialize, Serialize};

/// `dtmf`: presses keys, as if the other side of the channel had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Dtmf {
    /// The channel whose phone hears them.
    pub channel: ChannelName,
    /// The keys.
    pub digits: Digits,
}

/// `mute`, `unmute`: a channel's sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Mute {
    /// The channel.
    pub channel: ChannelName,
    /// Which of its sounds.
    #[serde(default, skip_serializing_if = "Hearing::is_default")]
    pub hearing: Hearing,
}

/// Which of a channel's sounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Hearing {
    /// What it says.
    #[default]
    Said,
    /// What it hears.
    Heard,
    /// Both.
    Both,
}

impl Hearing {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references out")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `setVariable`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SetVariable {
    /// The channel.
    pub channel: ChannelName,
    /// The variable; no function.
    pub name: VariableName,
    /// Its value from now on.
    pub value: Words,
}

/// `getVariable`. Its result is `{"value"}`, empty if it is not set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GetVariable {
    /// The channel; or a call, and then the caller's channel is meant.
    pub channel: ChannelName,
    /// The variable; no function.
    pub name: VariableName,
}
