//! What the platform can be told to do: read strictly, every field checked where it enters.

mod calls;
mod channels;
mod conferences;
mod listening;
mod notes;
mod people;
mod queues;
mod target;

use crate::{Code, Id, Refusal};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

pub use calls::{Dial, Hangup, Park, Pickup, Transfer, TransferKind};
pub use channels::{Dtmf, GetVariable, Hearing, Mute, SetVariable};
pub use conferences::{ConferenceLock, ConferenceMember};
pub use listening::{Listen, Record, RecordMode, RecordOrder};
pub use notes::{LookupAnswer, Note, PopupClose};
pub use people::SendMessage;
pub use queues::{QueueAdd, QueuePause, QueueRemove, QueueUnpause};
pub use target::Target;

/// A command with what goes around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// The request's own id, given back in the reply; null if there was none.
    pub id: Value,
    /// The server, where the sender named one.
    pub server: Option<Id>,
    /// What is to be done.
    pub command: Command,
}

/// A message from a client, split into its parts and not yet understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// `action`: which command.
    pub action: String,
    /// `id`: a JSON string or number, null if there was none.
    pub id: Value,
    /// Everything else.
    pub fields: Map<String, Value>,
}

impl Request {
    /// Splits a JSON object. Refused: no `action`, or an `id` that is neither string nor number.
    pub fn new(mut fields: Map<String, Value>) -> Result<Self, (Value, Refusal)> {
        let id = fields.remove("id").unwrap_or(Value::Null);
        if !matches!(id, Value::Null | Value::String(_) | Value::Number(_)) {
            return Err((Value::Null, Refusal::field("id", "must be a string or a number")));
        }
        match fields.remove("action") {
            Some(Value::String(action)) => Ok(Self { action, id, fields }),
            Some(_) => Err((id, Refusal::field("action", "must be a string"))),
            None => Err((id, Refusal::field("action", "is missing: the name of a command"))),
        }
    }

    /// The message as it came, without its `id`, which is the client's own.
    pub fn into_fields(self) -> Map<String, Value> {
        let Self { action, mut fields, .. } = self;
        fields.insert("action".to_owned(), action.into());
        fields
    }
}

impl Envelope {
    /// Reads a command as clients send it: one JSON object.
    ///
    /// Errors: as those of [`Envelope::from_request`], and for what is no such object.
    pub fn from_json(json: &[u8]) -> Result<Self, Refusal> {
        let fields = crate::object(json)?;
        Request::new(fields).map_err(|(_, refusal)| refusal).and_then(Self::from_request)
    }

    /// Understands a request as a command.
    ///
    /// Errors: `badRequest` with the field, for an unknown action, an unknown or missing field, or a
    /// value outside what the field allows. Nothing of the value is repeated in the message.
    pub fn from_request(request: Request) -> Result<Self, Refusal> {
        let Request { action, id, mut fields } = request;
        let server = match fields.remove("server") {
            None => None,
            Some(server) => Some(
                serde_json::from_value(server)
                    .map_err(|error| Refusal::field("server", error.to_string()))?,
            ),
        };
        Ok(Self { id, server, command: Command::read(&action, fields)? })
    }

    /// The envelope as JSON, as it travels on `telepulse.command`.
    pub fn to_value(&self) -> Value {
        let mut object = self.command.to_fields();
        object.insert("action".to_owned(), self.command.action().into());
        if !self.id.is_null() {
            object.insert("id".to_owned(), self.id.clone());
        }
        if let Some(server) = &self.server {
            object.insert("server".to_owned(), json!(server));
        }
        Value::Object(object)
    }
}

macro_rules! commands {
    ($( $(#[$doc:meta])* $action:literal $name:ident($fields:ty) )*) => {
        /// A command of the language, one variant an action.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Command {
            $( $(#[$doc])* $name($fields), )*
        }

        impl Command {
            /// Every action that the core understands.
            pub const ACTIONS: &[&str] = &[$($action),*];

            /// The command's `action`.
            pub fn action(&self) -> &'static str {
                match self { $( Self::$name(_) => $action, )* }
            }

            /// The fields of each command, by its action.
            #[cfg(feature = "schema")]
            pub(crate) fn schemas(
                generator: &mut schemars::SchemaGenerator,
            ) -> Vec<(&'static str, schemars::Schema)> {
                vec![$( ($action, generator.subschema_for::<$fields>()) ),*]
            }

            fn read(action: &str, fields: Map<String, Value>) -> Result<Self, Refusal> {
                match action {
                    $( $action => read_fields::<$fields>(fields).map(Self::$name), )*
                    _ => Err(Refusal::field(
                        "action",
                        format!("is unknown; known: {}", Self::ACTIONS.join(", ")),
                    )),
                }
            }

            fn to_fields(&self) -> Map<String, Value> {
                let fields = match self { $( Self::$name(fields) => json!(fields), )* };
                match fields {
                    Value::Object(map) => map,
                    // Every fields type is a struct.
                    _ => Map::new(),
                }
            }
        }
    };
}

commands! {
    /// Ring `from`, and when it answers, put it through to `to`.
    "dial" Dial(Dial)
    /// End a call, or one channel of it.
    "hangup" Hangup(Hangup)
    /// Hand a party over to another extension.
    "transfer" Transfer(Transfer)
    /// Listen to somebody's call, unheard.
    "spy" Spy(Listen)
    /// The same, and be heard by that somebody alone.
    "whisper" Whisper(Listen)
    /// The same, and be heard by both.
    "barge" Barge(Listen)
    /// Record a channel, or stop, or pause.
    "record" Record(Record)
    /// Put a party into a parking lot.
    "park" Park(Park)
    /// Take a call that rings somewhere else.
    "pickup" Pickup(Pickup)
    /// Press keys on a channel.
    "dtmf" Dtmf(Dtmf)
    /// Silence a channel.
    "mute" Mute(Mute)
    /// Let it be heard again.
    "unmute" Unmute(Mute)
    /// Make an agent a member of a queue.
    "queueAdd" QueueAdd(QueueAdd)
    /// Take an agent out of a queue.
    "queueRemove" QueueRemove(QueueRemove)
    /// Send a member no calls for now.
    "queuePause" QueuePause(QueuePause)
    /// Send a member calls again.
    "queueUnpause" QueueUnpause(QueueUnpause)
    /// Put a member, or everybody, out of a conference.
    "conferenceKick" ConferenceKick(ConferenceMember)
    /// Silence a member, or everybody.
    "conferenceMute" ConferenceMute(ConferenceMember)
    /// Let a member, or everybody, be heard again.
    "conferenceUnmute" ConferenceUnmute(ConferenceMember)
    /// Let nobody else in.
    "conferenceLock" ConferenceLock(ConferenceLock)
    /// Let everybody in again.
    "conferenceUnlock" ConferenceUnlock(ConferenceLock)
    /// Set a channel's variable.
    "setVariable" SetVariable(SetVariable)
    /// Read a channel's variable.
    "getVariable" GetVariable(GetVariable)
    /// Say something to the people at an extension.
    "message" Message(SendMessage)
}

/// Commands of the language that plugins carry out (`[grants] serve`): each is known where one does.
pub const SERVED: &[&str] = &["note", "popupClose", "lookupAnswer"];

/// Their fields, by action.
#[cfg(feature = "schema")]
pub(crate) fn served_schemas(
    generator: &mut schemars::SchemaGenerator,
) -> Vec<(&'static str, schemars::Schema)> {
    vec![
        ("note", generator.subschema_for::<Note>()),
        ("popupClose", generator.subschema_for::<PopupClose>()),
        ("lookupAnswer", generator.subschema_for::<LookupAnswer>()),
    ]
}

/// Reads the fields of a request as `T`; what serde says becomes a `badRequest` that names the field.
pub fn read_fields<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, Refusal> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().to_string();
        let field = if path == "." { quoted(&message).unwrap_or_default() } else { path };
        Refusal { code: Code::BadRequest, message, field: (!field.is_empty()).then_some(field) }
    })
}

/// The word between the first pair of backquotes: serde's "missing field `to`".
fn quoted(message: &str) -> Option<String> {
    message.split('`').nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Envelope, Refusal> {
        let fields = crate::object(json.as_bytes())?;
        Envelope::from_request(Request::new(fields).map_err(|(_, refusal)| refusal)?)
    }

    #[test]
    fn a_command_survives_the_wire() {
        for json in [
            r#"{"action":"dial","from":"101","id":7,"to":"102","timeout":20,"variables":{"CRM":"9"}}"#,
            r#"{"action":"hangup","agent":"201","server":"pbx1"}"#,
            r#"{"action":"transfer","call":"pbx1-x","kind":"blind","to":"103"}"#,
            r#"{"action":"transfer","agent":"201","kind":"attended","to":"103"}"#,
            r#"{"action":"spy","agent":"300","target":"201"}"#,
            r#"{"action":"barge","agent":"300","target":"PJSIP/201-0000002a"}"#,
            r#"{"action":"record","agent":"201","change":"start","file":"2026/a-b_c.wav"}"#,
            r#"{"action":"record","announcement":"950","beep":15,"call":"c","change":"start","early":true,"mode":"stereo"}"#,
            r#"{"action":"park","agent":"201","announceTo":"201","lot":"default","timeout":30}"#,
            r#"{"action":"pickup","agent":"201","target":"202"}"#,
            r#"{"action":"dtmf","channel":"PJSIP/201-0000002a","digits":"12#"}"#,
            r#"{"action":"mute","channel":"PJSIP/201-0000002a","hearing":"both"}"#,
            r#"{"action":"conferenceKick","channel":"PJSIP/201-0000002a","conference":"700"}"#,
            r#"{"action":"conferenceLock","conference":"700"}"#,
            r#"{"action":"setVariable","channel":"PJSIP/201-1","name":"CRM","value":"9"}"#,
            r#"{"action":"getVariable","channel":"PJSIP/201-1","name":"CRM"}"#,
            r#"{"action":"message","text":"Lunch?","to":"201"}"#,
            r#"{"action":"queuePause","agent":"201","reason":"lunch"}"#,
        ] {
            let envelope = read(json).unwrap();
            assert_eq!(read(&envelope.to_value().to_string()).unwrap(), envelope);
            assert_eq!(envelope.to_value(), serde_json::from_str::<Value>(json).unwrap());
        }
    }

    fn refused(json: &str, field: &str, word: &str) {
        let refusal = read(json).unwrap_err();
        assert_eq!(refusal.code, Code::BadRequest);
        assert_eq!(refusal.field.as_deref(), Some(field), "{json}: {refusal:?}");
        assert!(refusal.message.contains(word), "{json}: {refusal:?}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        refused(r#"{"id":1}"#, "action", "missing");
        refused(r#"{"action":"explode"}"#, "action", "unknown");
        refused(r#"{"action":"dial","from":"101"}"#, "to", "missing");
        refused(
            r#"{"action":"dial","from":"101","to":"1","Application":"System"}"#,
            "Application",
            "unknown",
        );
        refused(
            r#"{"action":"dial","from":"101","to":"102\r\nAction: Command"}"#,
            "to",
            "control character",
        );
        refused(
            r#"{"action":"dial","from":"101","to":"1","callerId":"${SHELL(x)}"}"#,
            "callerId",
            "evaluate",
        );
        refused(
            r#"{"action":"dial","from":"101","to":"1","variables":{"SHELL(x)":"1"}}"#,
            "variables.SHELL(x)",
            "plain variable name",
        );
        refused(r#"{"action":"hangup","channel":"/.*/"}"#, "channel", "AMI channel name");
        for file in ["/etc/passwd", "../x", "a/../../b", "a,b.wav", "a|b", "a b"] {
            let json = json!({"action": "record", "agent": "1", "change": "start", "file": file});
            refused(&json.to_string(), "file", "may hold only");
        }
        refused(r#"{"action":"record","agent":"1","change":"erase"}"#, "change", "unknown variant");
        for (field, value) in
            [("mode", r#""quad""#), ("beep", "-1"), ("announcement", r#""a@b""#), ("early", "1")]
        {
            let json =
                format!(r#"{{"action":"record","agent":"1","change":"start","{field}":{value}}}"#);
            assert_eq!(read(&json).unwrap_err().field.as_deref(), Some(field), "{json}");
        }
        refused(r#"{"action":"dtmf","channel":"a/b","digits":"1;2"}"#, "digits", "may hold only");
        refused(r#"{"action":"hangup","agent":"1","cause":"x"}"#, "cause", "invalid type");
        refused(r#"{"action":"hangup","agent":"1","server":"a\nb"}"#, "server", "control");
    }

    #[test]
    fn a_target_is_exactly_one() {
        assert!(read(r#"{"action":"hangup"}"#).unwrap_err().message.contains("is needed"));
        assert!(
            read(r#"{"action":"hangup","agent":"1","call":"2"}"#)
                .unwrap_err()
                .message
                .contains("only one")
        );
    }
}
