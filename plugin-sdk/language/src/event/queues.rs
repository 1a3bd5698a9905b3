//! What is told of queues: who serves, who waits, what came of it.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// `queueMemberStatus`: one agent in one queue. `loggedoff` when no longer a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct QueueMemberStatus {
    /// The state; `paused` wins over the device's.
    pub status: MemberStatus,
    /// Why paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<SmolStr>,
    /// The member's penalty.
    pub penalty: u32,
    /// Calls taken in this queue.
    pub calls_taken: u32,
    /// When the last of them ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_call: Option<Timestamp>,
}

/// States of a queue member (AMI QueueMemberStatus, numbers 0 to 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum MemberStatus {
    /// No member of the queue.
    LoggedOff,
    /// A member that takes no calls for now.
    Paused,
    /// Idle.
    #[serde(rename = "not_inuse")]
    NotInUse,
    /// In a call.
    InUse,
    /// Busy.
    Busy,
    /// It rings.
    Ringing,
    /// In a call while another rings.
    RingInUse,
    /// On hold.
    OnHold,
    /// Not reachable (also Asterisk's "invalid").
    Unavailable,
    /// Asterisk does not know.
    Unknown,
}

/// `queueCount`: how many callers wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueueCount {
    /// Callers waiting.
    pub count: u32,
}

/// `queueCaller`: one caller came or went (AMI QueueCallerJoin, QueueCallerLeave,
/// QueueCallerAbandon).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueueCaller {
    /// What happened.
    pub change: CallerChange,
    /// The call.
    pub call: SmolStr,
    /// The caller's number; empty when withheld.
    pub number: SmolStr,
    /// The caller's name; empty when not known.
    pub name: SmolStr,
    /// The place in the queue, from 1: where the caller stands, or stood last.
    pub position: u32,
    /// Whole seconds waited, once the caller is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<u64>,
}

/// How a caller came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CallerChange {
    /// Waits from now on.
    Joined,
    /// Went on: to a member, or out of the queue by its rules.
    Left,
    /// Hung up while waiting.
    Abandoned,
}

/// `agentComplete`: a queue call that this agent took is over (AMI AgentComplete).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AgentComplete {
    /// The queue (a detail here, not scope).
    pub queue: SmolStr,
    /// Uniqueid of the caller's channel.
    pub unique_id: SmolStr,
    /// The call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<SmolStr>,
    /// Seconds talked.
    pub talk_time: u64,
    /// Seconds waited in the queue.
    pub hold_time: u64,
    /// The file of the call's last recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<SmolStr>,
    /// The files of all its recordings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recordings: Vec<SmolStr>,
    /// Who ended it: `caller`, `agent` or `transfer`.
    pub reason: SmolStr,
}
