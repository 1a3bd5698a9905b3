//! Commands that listen: to a call while it goes on, or to keep it.

use super::target::targeted;
use crate::{ChannelName, Extension, FileName};
use serde::{Deserialize, Serialize};

/// `spy`, `whisper`, `barge`: the phone of `agent` rings, and who answers it listens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Listen {
    /// Who listens.
    pub agent: Extension,
    /// To whom: an extension, a channel or a call.
    pub target: ChannelName,
}

targeted! {
    /// `record`: with `agent`, that agent's channel, which has both sides; with `call`, the caller's.
    /// The result of `start` is `{"file"}`.
    Record {
        /// What is recorded.
        target,
        /// What to do.
        change: RecordOrder,
        /// The file to make on the Asterisk server, below its folder for recordings; one by the call's
        /// id and the time when left out. With `start` only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<FileName>,
    }
}

/// What is to become of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RecordOrder {
    /// Begin.
    Start,
    /// Go on in silence.
    Pause,
    /// Be heard again.
    Resume,
    /// End.
    Stop,
}
