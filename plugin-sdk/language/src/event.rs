//! What the platform tells: one envelope, and the details of each type of event.

mod calls;
mod lines;
mod places;
mod queues;
mod servers;
mod users;

use crate::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};
use smol_str::SmolStr;

pub use calls::{
    CallAnswered, CallEnded, CallHeld, CallResumed, CallStarted, CallTransferred, CallerInfo,
    DecisionReason, Disposition, OriginateFailed, Popup, PopupReason, PopupState, Recording,
    RecordingChange, RecordingDecision, RecordingPolicy, TransferredHow,
};
pub use lines::{ActiveLines, ChannelState, Direction, Line, LineState, PhoneNumber};
pub use places::{Conference, ConferenceChange, Parked, UnparkReason, Unparked};
pub use queues::{
    AgentComplete, CallerChange, MemberStatus, QueueCaller, QueueCount, QueueMemberStatus,
};
pub use servers::{Resync, ServerState, ServerStatus};
pub use users::{
    ActiveUsers, AgentName, ExtensionState, ExtensionStatus, Message, Presence, UserState,
    UserStatus,
};

/// An event before it has its place in the stream.
///
/// `agent` and `queue` are the *scope*, which filters look at; a type has just the scope fields that
/// contract section 2 lists for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The Asterisk server's id.
    pub server: SmolStr,
    /// When it happened, by the host's clock.
    pub time: Timestamp,
    /// Scope: the extension concerned.
    pub agent: Option<SmolStr>,
    /// Scope: the queue concerned.
    pub queue: Option<SmolStr>,
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
    ///
    /// The same bytes as [`Stamped`] gives, in half the time: serde flattens by way of a map, here the
    /// envelope is written first and the details' own object goes on with it.
    pub fn write_json(&self, seq: u64, out: &mut Vec<u8>) {
        self.write_head(out);
        out.extend_from_slice(b",\"seq\":");
        write(out, &seq);
        self.write_rest(out);
    }

    /// The same without its number, which it has not got yet; answers where `,"seq":…` belongs.
    pub fn write_unnumbered(&self, out: &mut Vec<u8>) -> usize {
        self.write_head(out);
        let place = out.len();
        self.write_rest(out);
        place
    }

    fn write_head(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"event\":");
        write(out, self.details.kind());
        out.extend_from_slice(b",\"server\":");
        write(out, self.server.as_str());
    }

    fn write_rest(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"time\":");
        write(out, &self.time);
        for (key, scope) in [("agent", &self.agent), ("queue", &self.queue)] {
            if let Some(scope) = scope {
                out.extend_from_slice(b",\"");
                out.extend_from_slice(key.as_bytes());
                out.extend_from_slice(b"\":");
                write(out, scope.as_str());
            }
        }
        let brace = out.len();
        write(out, &self.details);
        if out[brace..] == *b"{}" {
            out.remove(brace);
        } else {
            out[brace] = b',';
        }
    }
}

fn write(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    // Writing to a Vec cannot fail, and every details type has string keys.
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "an event that is no JSON: {written:?}");
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
            server: SmolStr,
            seq: u64,
            time: Timestamp,
            agent: Option<SmolStr>,
            // In most types `queue` is scope, in some a detail: it stays in `rest` until the type is known.
            #[serde(flatten)]
            rest: Map<String, Value>,
        }
        let Read { event, server, seq, time, agent, mut rest } = Read::deserialize(deserializer)?;
        let queue = if Details::queue_is_scope(&event) {
            rest.remove("queue").and_then(|queue| queue.as_str().map(SmolStr::new))
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
            /// Every type of the language.
            pub const KINDS: &[&str] = &[$($kind),*];

            /// The type's name, as in `"event"` and in the address `telepulse.event.<type>`.
            pub fn kind(&self) -> &str {
                match self {
                    $( Self::$name(_) => $kind, )*
                    Self::Other(other) => &other.kind,
                }
            }

            /// The details of each type, by its name.
            #[cfg(feature = "schema")]
            pub(crate) fn schemas(
                generator: &mut schemars::SchemaGenerator,
            ) -> Vec<(&'static str, schemars::Schema)> {
                vec![$( ($kind, generator.subschema_for::<$name>()) ),*]
            }

            /// Reads the fields of a type; those of a type that the language does not know are what they are.
            pub fn from_parts(kind: String, rest: Map<String, Value>) -> Result<Self, serde_json::Error> {
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
    /// An extension put its call on hold. Scope: agent, queue.
    "callHeld" CallHeld
    /// It took the call back. Scope: agent, queue.
    "callResumed" CallResumed
    /// Somebody was handed over. Scope: agent, queue.
    "callTransferred" CallTransferred
    /// A call is over. Scope: agent, queue.
    "callEnded" CallEnded
    /// What is known of a caller; plugins publish it. Scope: agent, where it is for one.
    "callerInfo" CallerInfo
    /// What an extension's page shows of a call; plugins publish it. Scope: agent.
    "popup" Popup
    /// An extension's display name. Scope: agent.
    "agentName" AgentName
    /// An extension's device state. Scope: agent.
    "extensionStatus" ExtensionStatus
    /// What somebody says of being there. Scope: agent.
    "presence" Presence
    /// A member of a queue. Scope: agent and queue.
    "queueMemberStatus" QueueMemberStatus
    /// How many callers wait. Scope: queue.
    "queueCount" QueueCount
    /// A caller came into a queue or left it. Scope: queue.
    "queueCaller" QueueCaller
    /// The number that an extension talks to. Scope: agent.
    "phoneNumber" PhoneNumber
    /// A queue call that a member took is over. Scope: agent.
    "agentComplete" AgentComplete
    /// A `dial` came to nothing. Scope: the agent who asked.
    "originateFailed" OriginateFailed
    /// A call was parked. Scope: agent, if it is an extension's.
    "parked" Parked
    /// It is parked no more. Scope: agent, if it is an extension's.
    "unparked" Unparked
    /// Something happened in a conference. Scope: agent, if an extension's channel did it.
    "conference" Conference
    /// A recording began, paused, went on or ended. Scope: agent, queue.
    "recording" Recording
    /// What the rules for recordings made of a call; plugins publish it. Scope: agent, queue.
    "recordingPolicy" RecordingPolicy
    /// Words for the people at an extension. Scope: agent.
    "message" Message
    /// What was missed was replaced by a new listing. No scope.
    "resync" Resync
}

impl Details {
    /// Types of the language that plugins publish; all others are the core's own.
    pub const BY_PLUGINS: &[&str] = &["callerInfo", "popup", "recordingPolicy"];

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
        let stamped = Stamped { seq: 7, event: event.clone() };
        assert_eq!(serde_json::to_string(&stamped).unwrap(), expected, "by serde");
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
