//! A call's life, from its start to the record of its end.

use crate::{Direction, Timestamp};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// `callStarted`: published once for each agent concerned, and once without agent where there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CallStarted {
    /// The call's id: opaque, unique over servers, kept until `callEnded`.
    pub call: SmolStr,
    /// Who calls: an extension or a number.
    pub from: SmolStr,
    /// Who is called; empty while not known.
    pub to: SmolStr,
    /// Seen from `agent`; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
}

/// `callAnswered`: two parties talk for the first time (or one talks to an application).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CallAnswered {
    /// The call.
    pub call: SmolStr,
    /// Who calls.
    pub from: SmolStr,
    /// Who answered.
    pub to: SmolStr,
    /// Whole seconds from the start to the answer.
    pub wait: u64,
}

/// `callHeld`: the extension of the scope put its other side on hold (AMI Hold).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CallHeld {
    /// The call.
    pub call: SmolStr,
    /// The channel that holds.
    pub channel: SmolStr,
    /// Who is on hold; empty when not known.
    pub number: SmolStr,
}

/// `callResumed`: it took the other side back (AMI Unhold).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CallResumed {
    /// The call.
    pub call: SmolStr,
    /// The channel that held.
    pub channel: SmolStr,
    /// Who was on hold; empty when not known.
    pub number: SmolStr,
    /// Whole seconds on hold.
    pub duration: u64,
}

/// `callTransferred`: one party of a call goes to somebody else (AMI BlindTransfer,
/// AttendedTransfer; or the command `transfer`). Told once for each extension concerned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CallTransferred {
    /// The call, as it is named from now on.
    pub call: SmolStr,
    /// Whether they spoke with each other before.
    pub kind: TransferredHow,
    /// Who handed over: an extension or a number; absent where nobody in the call did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<SmolStr>,
    /// Who goes; empty when not known.
    pub party: SmolStr,
    /// To whom.
    pub to: SmolStr,
}

/// How a call was transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TransferredHow {
    /// At once, unannounced.
    Blind,
    /// After who takes over was asked.
    Attended,
}

/// `recording`: a channel's recording (AMI MixMonitorStart, MixMonitorMute, MixMonitorStop).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recording {
    /// The call.
    pub call: SmolStr,
    /// The channel that is recorded.
    pub channel: SmolStr,
    /// What happened.
    pub change: RecordingChange,
    /// The file, as Asterisk names it; empty if it does not say.
    pub file: SmolStr,
    /// Whose command it was: the extension, else the name of the user; absent where it was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<SmolStr>,
}

/// What happened to a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RecordingChange {
    /// It runs.
    Started,
    /// It goes on in silence.
    Paused,
    /// It is heard again.
    Resumed,
    /// It is over.
    Stopped,
}

/// `callerInfo`: what a CRM, or the system that a call comes from, knows of the caller. Plugins publish it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CallerInfo {
    /// The call.
    pub call: SmolStr,
    /// The caller's number.
    pub number: SmolStr,
    /// What is known: any JSON, as the source has it.
    pub info: serde_json::Value,
    /// Who says so: the plugin's word for it.
    pub source: SmolStr,
    /// Whether it was known before, and nobody was asked again.
    pub cached: bool,
}

/// `popup`: what an extension's page shows of a call. Plugins publish it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Popup {
    /// The call.
    pub call: SmolStr,
    /// The number of the other side.
    pub number: SmolStr,
    /// What is to be seen.
    pub state: PopupState,
    /// Why there is nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<PopupReason>,
}

/// What is to be seen of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum PopupState {
    /// Nothing any more: it rang here, and was not answered here.
    Down,
    /// It rings here.
    Ringing,
    /// It is talked here.
    Up,
    /// Nothing any more: it was talked here, or somebody wanted to see it no longer.
    Closed,
}

/// Why nothing is to be seen of a call any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum PopupReason {
    /// `down`: another extension has it.
    AnsweredElsewhere,
    /// `down`: it stopped ringing.
    NotAnswered,
    /// `closed`: by hand (command `popupClose`).
    ByHand,
    /// `closed`: both sides are on hook, or this one left the call.
    OnHook,
}

/// `recordingPolicy`: what the rules for recordings made of a call. Plugins publish it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecordingPolicy {
    /// The call.
    pub call: SmolStr,
    /// The rule that matched, by its name.
    pub rule: SmolStr,
    /// What came of it.
    pub decision: RecordingDecision,
    /// What it rests on.
    pub reason: DecisionReason,
    /// The file, as it was ordered; absent where nothing is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<SmolStr>,
    /// How many days the recording is to be kept; absent where the rule does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
}

/// Whether a call is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum RecordingDecision {
    /// It is.
    Record,
    /// It is not.
    DontRecord,
}

/// What a decision on a recording rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum DecisionReason {
    /// The rule alone.
    Rule,
    /// It asked for consent, which was given.
    ConsentGiven,
    /// It asked for consent, which was refused.
    ConsentRefused,
    /// It asked for consent, and nobody said anything in time: its fallback.
    Fallback,
}

/// `callEnded`: the call summed up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CallEnded {
    /// The call.
    pub call: SmolStr,
    /// Who called.
    pub from: SmolStr,
    /// Who was called.
    pub to: SmolStr,
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
    pub cause_text: SmolStr,
    /// Files of the recordings that were made of it, as far as Asterisk named them.
    pub recordings: Vec<SmolStr>,
    /// The older call that this one was merged into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<SmolStr>,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// `originateFailed`: a `dial` that Asterisk accepted came to nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OriginateFailed {
    /// The `actionId` of the dial's reply.
    pub action_id: SmolStr,
    /// Why (AMI OriginateResponse, Reason, in words).
    pub reason: SmolStr,
}
