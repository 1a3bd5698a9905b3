//! Commands about calls: begin, end, hand over, park, take.

use super::target::targeted;
use crate::{ChannelName, Extension, Name, VariableName, Words};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `dial`. Its result is `{"actionId","call"}`; whether it was answered comes as events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 300)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// Channel variables for the new channel.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<VariableName, Words>,
    /// Ask the phone of `from` to answer by itself, by the headers `Call-Info` and `Alert-Info` of its
    /// INVITE. Phones heed one or the other, some only where their settings say so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto_answer: bool,
}

targeted! {
    /// `hangup`: ends the call, or just the channel that was named.
    Hangup {
        /// Which call or channel.
        target,
        /// The cause told to the other side (Q.850, 1 to 127); normal clearing when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<u32>,
    }
}

targeted! {
    /// `transfer`: with `agent`, the party that the agent talks to goes to `to`; with `channel`, that
    /// channel goes; with `call`, the caller's channel goes.
    Transfer {
        /// Who leaves, or what moves.
        target,
        /// Where it goes.
        to: Extension,
        /// How.
        #[serde(default)]
        kind: TransferKind,
    }
}

/// How a transfer is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TransferKind {
    /// At once, without asking.
    #[default]
    Blind,
    /// The agent talks to `to` first while the party waits; hanging up hands over.
    Attended,
    /// Into the voicemail box of `to`.
    Voicemail,
}

targeted! {
    /// `park`: with `agent`, the party that the agent talks to is parked; with `channel`, that channel;
    /// with `call`, the caller's. Its result is `{"call"}`; the space comes with the event `parked`.
    Park {
        /// Who parks, or what is parked.
        target,
        /// The parking lot; Asterisk's own when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lot: Option<Name>,
        /// Seconds until it comes back by itself; the lot's own when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout: Option<u32>,
        /// The extension that is told the space by a voice; it has to be in the call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        announce_to: Option<Extension>,
    }
}

/// `pickup`: the phone of `agent` rings, and who answers it has the call that rings at `target`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Pickup {
    /// Who takes the call.
    pub agent: Extension,
    /// Where it rings: an extension, a channel or a call.
    pub target: ChannelName,
}
