//! What a query answers: lines, users, queues, agents, calls and servers as they stand.

use crate::{
    CallEnded, ExtensionState, Line, MemberStatus, Presence, ServerState, Timestamp, UserState,
};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// The lines of one extension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lines {
    /// The extension.
    pub agent: SmolStr,
    /// The server.
    pub server: SmolStr,
    /// Its lines, as in `activeLines`.
    pub lines: Vec<Line>,
}

/// What goes on at the phones of one extension, as ARI tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Device {
    /// The extension.
    pub agent: SmolStr,
    /// The server.
    pub server: SmolStr,
    /// The channels between Asterisk and its phones, the oldest first.
    pub channels: Vec<DeviceChannel>,
}

/// One channel between Asterisk and a phone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceChannel {
    /// The channel's name.
    pub channel: SmolStr,
    /// Its id: the Uniqueid of AMI.
    pub id: SmolStr,
    /// Its state: `down`, `ring`, `ringing`, `up`, `busy`, …
    pub state: SmolStr,
    /// Whether Asterisk called the phone; else the phone called Asterisk.
    pub outbound: bool,
    /// The other side's number, or what was dialled; empty where neither is known.
    pub number: SmolStr,
    /// The other side's name; empty where it is not known.
    pub name: SmolStr,
    /// In this state since; where that was not seen, since the channel was made.
    pub since: Timestamp,
}

/// An extension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The extension.
    pub agent: SmolStr,
    /// The server.
    pub server: SmolStr,
    /// Whether its phone can be reached.
    pub status: UserState,
    /// What its device is doing.
    pub extension_status: ExtensionState,
    /// The device, like `PJSIP/201`.
    pub device: SmolStr,
    /// The display name, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<SmolStr>,
    /// Where the phone is, host and port, where Asterisk told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SmolStr>,
    /// Presence, where Asterisk has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence: Option<Presence>,
}

/// A queue with who waits and who serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Queue {
    /// The name.
    pub queue: SmolStr,
    /// The server.
    pub server: SmolStr,
    /// Callers waiting.
    pub count: u32,
    /// Those callers, in order.
    pub callers: Vec<Caller>,
    /// Its members.
    pub members: Vec<Agent>,
}

/// One caller who waits in a queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Caller {
    /// The call.
    pub call: SmolStr,
    /// The caller's number.
    pub number: SmolStr,
    /// The caller's name.
    pub name: SmolStr,
    /// The place in the queue, from 1.
    pub position: u32,
    /// Waiting since.
    pub since: Timestamp,
}

/// One member of one queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Agent {
    /// The extension (or the interface, where no rule maps it to one).
    pub agent: SmolStr,
    /// The queue.
    pub queue: SmolStr,
    /// The server.
    pub server: SmolStr,
    /// What the member is doing.
    pub status: MemberStatus,
    /// Why paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<SmolStr>,
    /// The penalty.
    pub penalty: u32,
    /// Calls taken.
    pub calls_taken: u32,
    /// When the last of them ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_call: Option<Timestamp>,
    /// The member's name in the queue.
    pub name: SmolStr,
}

/// A call in progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Call {
    /// The id.
    pub call: SmolStr,
    /// The server.
    pub server: SmolStr,
    /// How far it is.
    pub state: CallState,
    /// When it began.
    pub started: Timestamp,
    /// When it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Timestamp>,
    /// Who calls.
    pub from: SmolStr,
    /// Who is called.
    pub to: SmolStr,
    /// The queue that it is in or came through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<SmolStr>,
    /// Its channels.
    pub channels: Vec<CallChannel>,
}

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CallState {
    /// Being put through.
    Dialing,
    /// Somebody's phone rings.
    Ringing,
    /// Answered.
    Up,
}

/// One channel of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CallChannel {
    /// The AMI channel name.
    pub channel: SmolStr,
    /// The extension whose channel it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<SmolStr>,
    /// The channel's own number.
    pub number: SmolStr,
    /// Its state, in Asterisk's words.
    pub state: SmolStr,
}

/// A call that is over, as the history keeps it: what `callEnded` told, once, with everybody to whom
/// it was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndedCall {
    /// The server.
    pub server: SmolStr,
    /// When it ended.
    pub ended: Timestamp,
    /// The extensions that took part in it.
    pub agents: Vec<SmolStr>,
    /// The queue that it came through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<SmolStr>,
    /// The call summed up.
    #[serde(flatten)]
    pub summary: CallEnded,
}

/// A call in a parking lot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ParkedCall {
    /// The call.
    pub call: SmolStr,
    /// The server.
    pub server: SmolStr,
    /// The number to dial to get it back.
    pub space: SmolStr,
    /// The parking lot.
    pub lot: SmolStr,
    /// The channel that waits.
    pub channel: SmolStr,
    /// The extension that waits, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<SmolStr>,
    /// The number of who waits.
    pub number: SmolStr,
    /// The name of who waits.
    pub name: SmolStr,
    /// The extension that parked it, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<SmolStr>,
    /// Waiting since.
    pub since: Timestamp,
    /// Seconds after which it goes back by itself, counted from `since`.
    pub timeout: u64,
}

/// A conference that goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConferenceRoom {
    /// Its name or number.
    pub conference: SmolStr,
    /// The server.
    pub server: SmolStr,
    /// Known since.
    pub since: Timestamp,
    /// Whether nobody else may come in.
    pub locked: bool,
    /// Who is in it, in the order of coming.
    pub members: Vec<ConferenceParty>,
}

/// One channel in a conference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConferenceParty {
    /// The channel.
    pub channel: SmolStr,
    /// Its call.
    pub call: SmolStr,
    /// The extension, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<SmolStr>,
    /// The channel's own number.
    pub number: SmolStr,
    /// The channel's own name.
    pub name: SmolStr,
    /// Whether it came as an administrator.
    pub admin: bool,
    /// Whether it cannot be heard.
    pub muted: bool,
    /// Whether it talks just now.
    pub talking: bool,
    /// In the conference since.
    pub since: Timestamp,
}

/// An Asterisk server, as on `telepulse.proxy.status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Server {
    /// The id.
    pub server: SmolStr,
    /// Where the link stands.
    pub state: ServerState,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<SmolStr>,
    /// Asterisk's version, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asterisk: Option<SmolStr>,
    /// In this state since.
    pub since: Timestamp,
}

/// The state of everything that a filter lets through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// Lines by extension (those with lines).
    pub lines: Vec<Lines>,
    /// Extensions.
    pub users: Vec<User>,
    /// Queues.
    pub queues: Vec<Queue>,
    /// Queue members.
    pub agents: Vec<Agent>,
    /// Calls.
    pub calls: Vec<Call>,
    /// Parked calls.
    pub parked: Vec<ParkedCall>,
    /// Conferences.
    pub conferences: Vec<ConferenceRoom>,
    /// Servers.
    pub servers: Vec<Server>,
}
