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
    /// `record`: `start` records with `agent` that agent's channel, which has both sides, and with `call`
    /// the caller's; its result is `{"file"}`. `pause`, `resume` and `stop` are, with `agent` or `call`, for
    /// every recording of the call: what is not to be kept is in none of them.
    Record {
        /// What is recorded.
        target,
        /// What to do.
        change: RecordOrder,
        /// The file to make on the Asterisk server, below its folder for recordings; one by the call's
        /// id and the time when left out. With `start` only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<FileName>,
        /// How the two sides are kept; `mixed` when left out. With `start` only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<RecordMode>,
        /// Begin although the channel is not answered yet. With `start` only.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        early: bool,
        /// Seconds from one beep to the next, which tell both sides that they are recorded; 5 to 3600,
        /// none when left out. Asterisk needs `func_periodic_hook` for it. With `start` only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        beep: Option<u16>,
        /// An extension that answers, says that the call is recorded and hangs up: both sides hear it. It
        /// is looked up where dialled numbers are, and takes the right to `dial`. With `start` only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        announcement: Option<Extension>,
    }
}

/// How a recording keeps the two sides of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RecordMode {
    /// Both in one.
    #[default]
    Mixed,
    /// Each on a channel of its own, what the recorded side says on the left: bare samples of 16 bits, 8,000 a
    /// second, in a file that ends in `.raw`.
    Stereo,
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
