//! What is told of an extension and its phone.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// `userStatus`: whether an extension's phone can be reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserStatus {
    /// Online means: the device state is neither unavailable nor invalid.
    pub status: UserState,
    /// The device, like `PJSIP/201`.
    pub device: SmolStr,
    /// Where its contact is, if Asterisk told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SmolStr>,
}

/// Whether a phone can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum UserState {
    /// It can.
    Online,
    /// It cannot.
    Offline,
}

/// `activeUsers`: the whole list, sent when it changes, at most twice a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ActiveUsers {
    /// Extensions online.
    pub users: Vec<SmolStr>,
}

/// `agentName`: an extension's display name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentName {
    /// The name.
    pub name: SmolStr,
}

/// `extensionStatus`: what Asterisk says of the extension's device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExtensionStatus {
    /// The state.
    pub status: ExtensionState,
}

/// States of an extension (AMI ExtensionStatus, DeviceStateChange).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ExtensionState {
    /// Idle.
    #[serde(rename = "not_inuse")]
    NotInUse,
    /// It rings.
    Ringing,
    /// In a call.
    InUse,
    /// In a call while another rings.
    RingInUse,
    /// Busy.
    Busy,
    /// On hold.
    OnHold,
    /// Not registered or not reachable.
    Unavailable,
    /// Asterisk does not know.
    #[default]
    Unknown,
}

/// `presence`: what somebody says of being there (AMI PresenceStatus, of a hint's presence part).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Presence {
    /// `available`, `away`, `xa`, `chat`, `dnd`, `unavailable`, `not_set`: Asterisk's words.
    pub state: SmolStr,
    /// A finer word, where one is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtype: Option<SmolStr>,
    /// Free words, where some are set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<SmolStr>,
}

/// `message`: words for the people at an extension (command `message`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Message {
    /// Who says it: the sender's extension, else the user's name; absent if the host itself does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SmolStr>,
    /// The words.
    pub text: SmolStr,
}
