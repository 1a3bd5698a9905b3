//! The TelePulse language: events, commands, replies, queries and filters as serde types, and nothing else.
//!
//! Everything that crosses the bus, a WebSocket or a REST body is one of these types. JSON keys are
//! camelCase, numbers that identify (extensions, queues, phone numbers) are strings, times are
//! RFC 3339 in UTC with milliseconds, durations are whole seconds unless the key ends in `Ms`.
#![forbid(unsafe_code)]

mod command;
mod event;
mod filter;
mod items;
mod principal;
mod query;
mod refusal;
#[cfg(feature = "schema")]
pub mod schema;
mod strict;
mod text;
mod time;

pub use command::{
    Command, ConferenceLock, ConferenceMember, Dial, Dtmf, Envelope as CommandEnvelope,
    GetVariable, Hangup, Hearing, Listen, LookupAnswer, Mute, Note, Park, Pickup, PopupClose,
    QueueAdd, QueuePause, QueueRemove, QueueUnpause, Record, RecordMode, RecordOrder, Request,
    SERVED, SendMessage, SetVariable, Target, Transfer, TransferKind, read_fields,
};
pub use event::{
    ActiveLines, ActiveUsers, AgentComplete, AgentName, CallAnswered, CallEnded, CallHeld,
    CallResumed, CallStarted, CallTransferred, CallerChange, CallerInfo, ChannelState, Conference,
    ConferenceChange, DecisionReason, Details, Direction, Disposition, Event, ExtensionState,
    ExtensionStatus, Line, LineState, MemberStatus, Message, OriginateFailed, Other, Parked,
    PhoneNumber, Popup, PopupReason, PopupState, Presence, QueueCaller, QueueCount,
    QueueMemberStatus, Recording, RecordingChange, RecordingDecision, RecordingPolicy, Resync,
    ServerState, ServerStatus, Stamped, TransferredHow, UnparkReason, Unparked, UserState,
    UserStatus,
};
pub use filter::Filter;
pub use items::{
    Agent, Call, CallChannel, CallState, Caller, ConferenceParty, ConferenceRoom, Device,
    DeviceChannel, EndedCall, Lines, ParkedCall, Queue, Server, Snapshot, User,
};
pub use principal::{Permission, Principal};
pub use query::{Page, Query, QueryKind, QueryResult};
pub use refusal::{Code, Refusal, Reply};
/// How short words are kept: up to 23 bytes in place, longer ones shared by clones.
pub use smol_str::{SmolStr, format_smolstr};
pub use strict::{MAX_BYTES, object};
pub use text::{
    ChannelName, Digits, Extension, FileName, Id, Name, Prose, TextError, VariableName, Words,
};
pub use time::Timestamp;
