//! What is told of places where calls meet or wait: parking lots and conferences.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// `parked`: a call waits in a parking lot (AMI ParkedCall). Scope: the extension that is parked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Parked {
    /// The call.
    pub call: SmolStr,
    /// The number to dial to get it back.
    pub space: SmolStr,
    /// The parking lot.
    pub lot: SmolStr,
    /// Seconds until it comes back by itself.
    pub timeout: u64,
    /// Who parked it, an extension; absent where Asterisk does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<SmolStr>,
}

/// `unparked`: it waits there no more (AMI UnParkedCall, ParkedCallTimeOut, ParkedCallGiveUp).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unparked {
    /// The call.
    pub call: SmolStr,
    /// Where it was.
    pub space: SmolStr,
    /// The parking lot.
    pub lot: SmolStr,
    /// Why.
    pub reason: UnparkReason,
    /// Who took it, an extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<SmolStr>,
}

/// Why a call is parked no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum UnparkReason {
    /// Somebody took it.
    Retrieved,
    /// It waited too long and went back.
    Timeout,
    /// It hung up.
    Hangup,
    /// Somebody else stands in its place, or a listing did not have it any more.
    Left,
}

/// `conference`: something happened in a conference (AMI Confbridge…).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Conference {
    /// The conference.
    pub conference: SmolStr,
    /// What happened.
    pub change: ConferenceChange,
    /// Who did it, or whom it was done to: the channel; absent if it concerns all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<SmolStr>,
    /// That channel's call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<SmolStr>,
}

/// What happened in a conference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ConferenceChange {
    /// It began.
    Started,
    /// Somebody came.
    Joined,
    /// Somebody went.
    Left,
    /// A member cannot be heard any more.
    Muted,
    /// A member can be heard again.
    Unmuted,
    /// A member begins to talk.
    Talking,
    /// A member stopped talking.
    Silent,
    /// Nobody else may come in.
    Locked,
    /// Everybody may come in again.
    Unlocked,
    /// It is over.
    Ended,
}
