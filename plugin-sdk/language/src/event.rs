//! What the platform tells: one envelope, and the details of each type of event.

use crate::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

/// An event before it has its place in the stream.
///
/// `agent` and `queue` are the *scope*, which filters look at; a type has just the scope fields that
/// contract section 2 lists for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The Asterisk server's id.
    pub server: String,
    /// When it happened, by the host's clock.
    pub time: Timestamp,
    /// Scope: the extension concerned.
    pub agent: Option<String>,
    /// Scope: the queue concerned.
    pub queue: Option<String>,
    /// What happened.
    pub details: Details,
}

/// An event with its number: what subscribers see.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamped {
    /// The number in the event stream: strictly growing, the same for every subscriber.
    pub seq: u64,
    /// The event itself.
    pub event: Event,
}

impl Event {
    /// Writes the event's JSON with its number: `{"event":…,"server":…,"seq":…,"time":…,…}`.
    pub fn write_json(&self, seq: u64, out: &mut Vec<u8>) {
        let wire = Wire {
            event: self.details.kind(),
            server: &self.server,
            seq,
            time: self.time,
            agent: self.agent.as_deref(),
            queue: self.queue.as_deref(),
            details: &self.details,
        };
        // Writing to a Vec cannot fail, and every details type has string keys.
        let written = serde_json::to_writer(&mut *out, &wire);
        debug_assert!(written.is_ok(), "an event that is no JSON object: {written:?}");
    }
}

#[derive(Serialize)]
struct Wire<'a> {
    event: &'a str,
    server: &'a str,
    seq: u64,
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'a str>,
    #[serde(flatten)]
    details: &'a Details,
}

impl Serialize for Stamped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire {
            event: self.event.details.kind(),
            server: &self.event.server,
            seq: self.seq,
            time: self.event.time,
            agent: self.event.agent.as_deref(),
            queue: self.event.queue.as_deref(),
            details: &self.event.details,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Stamped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Read {
            event: String,
            server: String,
            seq: u64,
            time: Timestamp,
            agent: Option<String>,
            // In most types `queue` is scope, in some a detail: it stays in `rest` until the type is known.
            #[serde(flatten)]
            rest: Map<String, Value>,
        }
        let Read { event, server, seq, time, agent, mut rest } = Read::deserialize(deserializer)?;
        let queue = if Details::queue_is_scope(&event) {
            rest.remove("queue").and_then(|queue| queue.as_str().map(str::to_owned))
        } else {
            None
        };
        let details = Details::from_parts(event, rest).map_err(de::Error::custom)?;
        Ok(Self { seq, event: Event { server, time, agent, queue, details } })
    }
}

macro_rules! details {
    ($( $(#[$doc:meta])* $kind:literal $name:ident )*) => {
        /// The details of an event, one variant a type.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Details {
            $( $(#[$doc])* $name($name), )*
            /// A type of a plugin's own (`telepulse.event.<type>` by grant).
            Other(Other),
        }

        impl Details {
            /// Every type that the core sends.
            pub const KINDS: &[&str] = &[$($kind),*];

            /// The type's name, as in `"event"` and in the address `telepulse.event.<type>`.
            pub fn kind(&self) -> &str {
                match self {
                    $( Self::$name(_) => $kind, )*
                    Self::Other(other) => &other.kind,
                }
            }

            fn from_parts(kind: String, rest: Map<String, Value>) -> Result<Self, serde_json::Error> {
                match kind.as_str() {
                    $( $kind => serde_json::from_value(Value::Object(rest)).map(Self::$name), )*
                    _ => Ok(Self::Other(Other { kind, fields: rest })),
                }
            }
        }

        impl Serialize for Details {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $( Self::$name(details) => details.serialize(serializer), )*
                    Self::Other(other) => other.fields.serialize(serializer),
                }
            }
        }

        $(
            impl From<$name> for Details {
                fn from(details: $name) -> Self {
                    Self::$name(details)
                }
            }
        )*
    };
}

details! {
    /// A server's connection changed. No scope.
    "serverStatus" ServerStatus
    /// An extension's phone came or went. Scope: agent.
    "userStatus" UserStatus
    /// The whole list of extensions online. No scope.
    "activeUsers" ActiveUsers
    /// All lines of one extension, after a change. Scope: agent.
    "activeLines" ActiveLines
    /// One channel changed its state. Scope: agent, if the channel is an extension's.
    "channelState" ChannelState
    /// A call began. Scope: agent, queue.
    "callStarted" CallStarted
    /// A call was answered. Scope: agent, queue.
    "callAnswered" CallAnswered
    /// A call is over. Scope: agent, queue.
    "callEnded" CallEnded
    /// An extension's display name. Scope: agent.
    "agentName" AgentName
    /// An extension's device state. Scope: agent.
    "extensionStatus" ExtensionStatus
    /// A member of a queue. Scope: agent and queue.
    "queueMemberStatus" QueueMemberStatus
    /// How many callers wait. Scope: queue.
    "queueCount" QueueCount
    /// The number that an extension talks to. Scope: agent.
    "phoneNumber" PhoneNumber
    /// A queue call that a member took is over. Scope: agent.
    "agentComplete" AgentComplete
    /// A `dial` came to nothing. Scope: the agent who asked.
    "originateFailed" OriginateFailed
    /// What was missed was replaced by a new listing. No scope.
    "resync" Resync
}

impl Details {
    /// Whether `queue` is scope in this type, or a detail.
    fn queue_is_scope(kind: &str) -> bool {
        !matches!(kind, "phoneNumber" | "agentComplete")
    }
}

/// A plugin's own event type.
#[derive(Clone, Debug, PartialEq)]
pub struct Other {
    /// The type's name.
    pub kind: String,
    /// Its fields, without those of the envelope.
    pub fields: Map<String, Value>,
}

/// `serverStatus`: the state of the link to one Asterisk server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Where the link stands.
    pub state: ServerState,
    /// Why, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The states of a link to an Asterisk server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServerState {
    /// Opening the TCP connection, or waiting to try again.
    Connecting,
    /// Logging in.
    Authenticating,
    /// Logged in; the listings are being read.
    Syncing,
    /// The model is true.
    Connected,
    /// The link is down; the next try is due.
    Disconnected,
    /// Asterisk refused the login.
    Rejected,
    /// The server was taken out of the configuration.
    Removed,
}

/// `userStatus`: whether an extension's phone can be reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserStatus {
    /// Online means: the device state is neither unavailable nor invalid.
    pub status: UserState,
    /// The device, like `PJSIP/201`.
    pub device: String,
    /// Where its contact is, if Asterisk told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Whether a phone can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserState {
    /// It can.
    Online,
    /// It cannot.
    Offline,
}

/// `activeUsers`: the whole list, sent when it changes, at most twice a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActiveUsers {
    /// Extensions online.
    pub users: Vec<String>,
}

/// `activeLines`: the whole state of an extension's lines after a change; empty when idle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActiveLines {
    /// One entry a channel of the extension.
    pub lines: Vec<Line>,
}

/// One line: a channel of an extension, seen from that extension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The call that the channel takes part in.
    pub call: String,
    /// The AMI channel name.
    pub channel: String,
    /// What the line is doing.
    pub state: LineState,
    /// Who began: `out` if the extension dialled, `in` if it was rung.
    pub direction: Direction,
    /// The other side's number; empty when not known.
    pub number: String,
    /// The other side's name; empty when not known.
    pub name: String,
    /// The queue that the call came through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Whether it is being recorded.
    pub recording: bool,
    /// Whether that recording is paused.
    pub recording_paused: bool,
    /// Whether the extension is muted.
    pub muted: bool,
    /// Channels that listen in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spied_by: Vec<String>,
    /// Since when the line is in this state.
    pub since: Timestamp,
}

/// What a line is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineState {
    /// The extension is calling somebody (including off hook).
    Dialing,
    /// The extension's phone rings.
    Ringing,
    /// Talking.
    Up,
    /// The extension put the other side on hold.
    Hold,
    /// The other side put the extension on hold: it hears music.
    Moh,
    /// In a parking lot.
    Parked,
    /// In a conference.
    Conference,
}

/// Who began a call, seen from one extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The extension was rung.
    In,
    /// The extension dialled.
    Out,
}

/// `channelState`: a channel's state, in Asterisk's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelState {
    /// The AMI channel name.
    pub channel: String,
    /// Its call.
    pub call: String,
    /// `down`, `reserved`, `offhook`, `dialing`, `ring`, `ringing`, `up`, `busy`, …; `hungup` at the end.
    pub state: String,
    /// The other side's number (ConnectedLineNum, else the dialled Exten).
    pub number: String,
    /// The other side's name.
    pub name: String,
    /// The hang-up cause (Q.850), at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<u32>,
    /// The cause in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause_text: Option<String>,
}

/// `callStarted`: published once for each agent concerned, and once without agent where there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallStarted {
    /// The call's id: opaque, unique over servers, kept until `callEnded`.
    pub call: String,
    /// Who calls: an extension or a number.
    pub from: String,
    /// Who is called; empty while not known.
    pub to: String,
    /// Seen from `agent`; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
}

/// `callAnswered`: two parties talk for the first time (or one talks to an application).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallAnswered {
    /// The call.
    pub call: String,
    /// Who calls.
    pub from: String,
    /// Who answered.
    pub to: String,
    /// Whole seconds from the start to the answer.
    pub wait: u64,
}

/// `callEnded`: the call summed up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallEnded {
    /// The call.
    pub call: String,
    /// Who called.
    pub from: String,
    /// Who was called.
    pub to: String,
    /// When it began.
    pub started: Timestamp,
    /// When it was answered, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Timestamp>,
    /// Whole seconds from start to end.
    pub duration: u64,
    /// Whole seconds from answer to end; 0 if never answered.
    pub talk_time: u64,
    /// What became of it.
    pub disposition: Disposition,
    /// The hang-up cause (Q.850); 0 if not known.
    pub cause: u32,
    /// The cause in words; says `lost` words when the end was found by a listing after an outage.
    pub cause_text: String,
    /// Recording files.
    pub recordings: Vec<String>,
    /// The older call that this one was merged into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Disposition {
    /// Somebody answered.
    Answered,
    /// Nobody answered in time.
    NoAnswer,
    /// The called side was busy.
    Busy,
    /// It could not be put through.
    Failed,
    /// The caller gave up first.
    Cancelled,
    /// It became part of another call.
    Merged,
    /// It ended while the link to Asterisk was down; how, nobody knows.
    Lost,
}

/// `agentName`: an extension's display name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentName {
    /// The name.
    pub name: String,
}

/// `extensionStatus`: what Asterisk says of the extension's device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtensionStatus {
    /// The state.
    pub status: ExtensionState,
}

/// States of an extension (AMI ExtensionStatus, DeviceStateChange).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

/// `queueMemberStatus`: one agent in one queue. `loggedoff` when no longer a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueMemberStatus {
    /// The state; `paused` wins over the device's.
    pub status: MemberStatus,
    /// Why paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
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
pub struct QueueCount {
    /// Callers waiting.
    pub count: u32,
}

/// `phoneNumber`: whom the extension rings or talks with; null when the call is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhoneNumber {
    /// The other side's number.
    pub number: Option<String>,
    /// The other side's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The queue that the call came through (a detail here, not scope).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
}

/// `agentComplete`: a queue call that this agent took is over (AMI AgentComplete).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentComplete {
    /// The queue (a detail here, not scope).
    pub queue: String,
    /// Uniqueid of the caller's channel.
    pub unique_id: String,
    /// The call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Seconds talked.
    pub talk_time: u64,
    /// Seconds waited in the queue.
    pub hold_time: u64,
    /// The recording's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
    /// Who ended it: `caller`, `agent` or `transfer`.
    pub reason: String,
}

/// `originateFailed`: a `dial` that Asterisk accepted came to nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OriginateFailed {
    /// The `actionId` of the dial's reply.
    pub action_id: String,
    /// Why (AMI OriginateResponse, Reason, in words).
    pub reason: String,
}

/// `resync`: events from `from` to `to` may have been missed; the state was read anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resync {
    /// When the link was lost.
    pub from: Timestamp,
    /// When the state was true again.
    pub to: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(agent: Option<&str>, queue: Option<&str>, details: Details) -> Event {
        Event {
            server: "pbx1".into(),
            time: Timestamp(1_795_212_480_000),
            agent: agent.map(Into::into),
            queue: queue.map(Into::into),
            details,
        }
    }

    fn check(event: Event, expected: &str) {
        let mut bytes = Vec::new();
        event.write_json(7, &mut bytes);
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected);
        assert_eq!(serde_json::from_slice::<Stamped>(&bytes).unwrap(), Stamped { seq: 7, event });
    }

    #[test]
    fn the_envelope_comes_first_and_absent_fields_are_absent() {
        check(
            event(None, None, ServerStatus { state: ServerState::Connected, reason: None }.into()),
            r#"{"event":"serverStatus","server":"pbx1","seq":7,"time":"2026-11-20T22:08:00.000Z","state":"CONNECTED"}"#,
        );
    }

    #[test]
    fn queue_is_scope_or_detail_by_type() {
        check(
            event(None, Some("sales"), QueueCount { count: 3 }.into()),
            r#"{"event":"queueCount","server":"pbx1","seq":7,"time":"2026-11-20T22:08:00.000Z","queue":"sales","count":3}"#,
        );
        let idle = PhoneNumber { number: None, name: None, queue: Some("sales".into()) };
        check(
            event(Some("201"), None, idle.into()),
            r#"{"event":"phoneNumber","server":"pbx1","seq":7,"time":"2026-11-20T22:08:00.000Z","agent":"201","number":null,"queue":"sales"}"#,
        );
    }

    #[test]
    fn a_plugins_own_type_passes_through() {
        let fields = serde_json::from_str(r#"{"colour":"red"}"#).unwrap();
        check(
            event(None, None, Details::Other(Other { kind: "paint".into(), fields })),
            r#"{"event":"paint","server":"pbx1","seq":7,"time":"2026-11-20T22:08:00.000Z","colour":"red"}"#,
        );
    }
}
