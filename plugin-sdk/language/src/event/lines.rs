//! What an extension's lines show, and the channels behind them.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// `activeLines`: the whole state of an extension's lines after a change; empty when idle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ActiveLines {
    /// One entry a channel of the extension.
    pub lines: Vec<Line>,
}

/// One line: a channel of an extension, seen from that extension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The call that the channel takes part in.
    pub call: SmolStr,
    /// The AMI channel name.
    pub channel: SmolStr,
    /// What the line is doing.
    pub state: LineState,
    /// Who began: `out` if the extension dialled, `in` if it was rung.
    pub direction: Direction,
    /// The other side's number; empty when not known.
    pub number: SmolStr,
    /// The other side's name; empty when not known.
    pub name: SmolStr,
    /// The queue that the call came through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<SmolStr>,
    /// Whether it is being recorded.
    pub recording: bool,
    /// Whether that recording is paused.
    pub recording_paused: bool,
    /// Whether the extension is muted.
    pub muted: bool,
    /// Channels that listen in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spied_by: Vec<SmolStr>,
    /// Since when the line is in this state.
    pub since: Timestamp,
}

/// What a line is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The extension was rung.
    In,
    /// The extension dialled.
    Out,
}

/// `phoneNumber`: whom the extension rings or talks with; null when the call is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PhoneNumber {
    /// The other side's number.
    pub number: Option<SmolStr>,
    /// The other side's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<SmolStr>,
    /// The queue that the call came through (a detail here, not scope).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<SmolStr>,
}

/// `channelState`: a channel's state, in Asterisk's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChannelState {
    /// The AMI channel name.
    pub channel: SmolStr,
    /// Its call.
    pub call: SmolStr,
    /// `down`, `reserved`, `offhook`, `dialing`, `ring`, `ringing`, `up`, `busy`, …; `hungup` at the end.
    pub state: SmolStr,
    /// The other side's number (ConnectedLineNum, else the dialled Exten).
    pub number: SmolStr,
    /// The other side's name.
    pub name: SmolStr,
    /// The hang-up cause (Q.850), at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<u32>,
    /// The cause in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause_text: Option<SmolStr>,
}
