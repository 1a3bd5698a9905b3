//! What many commands are about: a call, a channel, or the call that an extension is in.

use crate::{ChannelName, Extension, Id};
use serde::{Deserialize, Serialize};

/// What a command is about: exactly one of `call`, `channel`, `agent`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// A call by its id.
    Call(Id),
    /// A channel by AMI name or Uniqueid.
    Channel(ChannelName),
    /// The call that an extension is in.
    Agent(Extension),
}

impl Target {
    /// From the three fields that name it on the wire.
    pub(super) fn new(
        call: Option<Id>,
        channel: Option<ChannelName>,
        agent: Option<Extension>,
    ) -> Result<Self, &'static str> {
        match (call, channel, agent) {
            (Some(call), None, None) => Ok(Self::Call(call)),
            (None, Some(channel), None) => Ok(Self::Channel(channel)),
            (None, None, Some(agent)) => Ok(Self::Agent(agent)),
            (None, None, None) => Err("one of `call`, `channel`, `agent` is needed"),
            _ => Err("only one of `call`, `channel`, `agent` may be given"),
        }
    }

    /// The three fields.
    pub(super) fn fields(self) -> (Option<Id>, Option<ChannelName>, Option<Extension>) {
        match self {
            Self::Call(call) => (Some(call), None, None),
            Self::Channel(channel) => (None, Some(channel), None),
            Self::Agent(agent) => (None, None, Some(agent)),
        }
    }
}

/// A command with a target. The form on the wire spells out the target's fields: serde cannot both
/// flatten and refuse unknown fields.
macro_rules! targeted {
    (
        $(#[$doc:meta])*
        $name:ident {
            $(#[$target_doc:meta])* target,
            $( $(#[doc = $field_doc:literal])* $(#[serde($($field_serde:tt)*)])? $field:ident: $type:ty, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $(#[$target_doc])*
            pub target: $crate::command::Target,
            $( $(#[doc = $field_doc])* pub $field: $type, )*
        }

        const _: () = {
            #[derive(serde::Serialize, serde::Deserialize)]
            #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
            #[serde(deny_unknown_fields, rename_all = "camelCase")]
            struct Wire {
                #[serde(default, skip_serializing_if = "Option::is_none")]
                call: Option<$crate::Id>,
                #[serde(default, skip_serializing_if = "Option::is_none")]
                channel: Option<$crate::ChannelName>,
                #[serde(default, skip_serializing_if = "Option::is_none")]
                agent: Option<$crate::Extension>,
                $( $(#[doc = $field_doc])* $(#[serde($($field_serde)*)])? $field: $type, )*
            }

            #[cfg(feature = "schema")]
            impl schemars::JsonSchema for $name {
                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    Wire::json_schema(generator)
                }
            }

            impl<'de> serde::Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
                    let Wire { call, channel, agent, $($field),* } = Wire::deserialize(reader)?;
                    let target = $crate::command::Target::new(call, channel, agent)
                        .map_err(serde::de::Error::custom)?;
                    Ok(Self { target, $($field),* })
                }
            }

            impl serde::Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
                    let Self { target, $($field),* } = self.clone();
                    let (call, channel, agent) = target.fields();
                    Wire { call, channel, agent, $($field),* }.serialize(writer)
                }
            }
        };
    };
}

pub(super) use targeted;
