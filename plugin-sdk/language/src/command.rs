//! What the platform can be told to do: read strictly, every field checked where it enters.

use crate::{ChannelName, Code, Extension, Id, Name, Refusal, VariableName, Words};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

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
}

impl Envelope {
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
    /// Make an agent a member of a queue.
    "queueAdd" QueueAdd(QueueAdd)
    /// Take an agent out of a queue.
    "queueRemove" QueueRemove(QueueRemove)
    /// Send a member no calls for now.
    "queuePause" QueuePause(QueuePause)
    /// Send a member calls again.
    "queueUnpause" QueueUnpause(QueueUnpause)
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

/// `dial`. Its result is `{"actionId","call"}`; whether it was answered comes as events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Dial {
    /// An extension, or a raw channel (`PJSIP/201`), which needs the right `dial:channel`.
    pub from: ChannelName,
    /// The extension or number to call.
    pub to: Extension,
    /// What the called side sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<Words>,
    /// Seconds to ring `from`; 1 to 300, 30 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// Channel variables for the new channel.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<VariableName, Words>,
    /// Ask the phone of `from` to answer by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto_answer: bool,
}

/// What a command is about: exactly one of `call`, `channel`, `agent`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// A call by its id.
    Call(Id),
    /// A channel by AMI name or Uniqueid.
    Channel(ChannelName),
    /// The call that an extension is in.
    Agent(Extension),
}

/// The three fields that name a target, as they stand on the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct TargetFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<Id>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<ChannelName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<Extension>,
}

impl TryFrom<TargetFields> for Target {
    type Error = &'static str;
    fn try_from(fields: TargetFields) -> Result<Self, &'static str> {
        match (fields.call, fields.channel, fields.agent) {
            (Some(call), None, None) => Ok(Self::Call(call)),
            (None, Some(channel), None) => Ok(Self::Channel(channel)),
            (None, None, Some(agent)) => Ok(Self::Agent(agent)),
            (None, None, None) => Err("one of `call`, `channel`, `agent` is needed"),
            _ => Err("only one of `call`, `channel`, `agent` may be given"),
        }
    }
}

impl From<Target> for TargetFields {
    fn from(target: Target) -> Self {
        let none = Self::default();
        match target {
            Target::Call(call) => Self { call: Some(call), ..none },
            Target::Channel(channel) => Self { channel: Some(channel), ..none },
            Target::Agent(agent) => Self { agent: Some(agent), ..none },
        }
    }
}

/// `hangup`: ends the call, or just the channel that was named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "HangupFields", into = "HangupFields")]
pub struct Hangup {
    /// Which call or channel.
    pub target: Target,
    /// The cause told to the other side (Q.850, 1 to 127); normal clearing when left out.
    pub cause: Option<u32>,
}

// The wire forms spell out the target's fields: serde cannot both flatten and refuse unknown fields.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct HangupFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<Id>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<ChannelName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<Extension>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<u32>,
}

impl TryFrom<HangupFields> for Hangup {
    type Error = &'static str;
    fn try_from(
        HangupFields { call, channel, agent, cause }: HangupFields,
    ) -> Result<Self, &'static str> {
        Ok(Self { target: TargetFields { call, channel, agent }.try_into()?, cause })
    }
}

impl From<Hangup> for HangupFields {
    fn from(Hangup { target, cause }: Hangup) -> Self {
        let TargetFields { call, channel, agent } = target.into();
        Self { call, channel, agent, cause }
    }
}

/// `transfer`: with `agent`, the party that the agent talks to goes to `to`; with `channel`, that
/// channel goes; with `call`, the caller's channel goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TransferFields", into = "TransferFields")]
pub struct Transfer {
    /// Who leaves, or what moves.
    pub target: Target,
    /// Where it goes.
    pub to: Extension,
    /// How.
    pub kind: TransferKind,
}

/// How a transfer is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransferKind {
    /// At once, without asking.
    #[default]
    Blind,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TransferFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<Id>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<ChannelName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<Extension>,
    to: Extension,
    #[serde(default)]
    kind: TransferKind,
}

impl TryFrom<TransferFields> for Transfer {
    type Error = &'static str;
    fn try_from(fields: TransferFields) -> Result<Self, &'static str> {
        let TransferFields { call, channel, agent, to, kind } = fields;
        Ok(Self { target: TargetFields { call, channel, agent }.try_into()?, to, kind })
    }
}

impl From<Transfer> for TransferFields {
    fn from(Transfer { target, to, kind }: Transfer) -> Self {
        let TargetFields { call, channel, agent } = target.into();
        Self { call, channel, agent, to, kind }
    }
}

/// `queueAdd`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct QueueAdd {
    /// The extension.
    pub agent: Extension,
    /// The queue.
    pub queue: Name,
    /// The name shown for the member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Members with a higher penalty are rung later; 0 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub penalty: Option<u32>,
}

/// `queueRemove`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct QueueRemove {
    /// The extension.
    pub agent: Extension,
    /// The queue.
    pub queue: Name,
}

/// `queuePause`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct QueuePause {
    /// The extension.
    pub agent: Extension,
    /// The queue; all of the agent's queues when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Name>,
    /// Why, for the reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Words>,
}

/// `queueUnpause`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct QueueUnpause {
    /// The extension.
    pub agent: Extension,
    /// The queue; all of the agent's queues when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Name>,
    /// Why, for the reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Words>,
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
