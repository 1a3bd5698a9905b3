//! Calls: channels that Asterisk links, from the first one's birth to the last one's end.

use telepulse_language::{CallState, Disposition, SmolStr, Timestamp};

use crate::channel::{DialStatus, Ix, Party};

/// A call in progress.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Server and Uniqueid of the first channel.
    pub(crate) id: SmolStr,
    /// Every Linkedid that means this call: more than one after a merge.
    pub(crate) linkedids: Vec<SmolStr>,
    /// Live channels, oldest first.
    pub(crate) channels: Vec<Ix>,
    /// The channel with which it began, while that lives.
    pub(crate) first: Option<Ix>,
    pub(crate) started: Timestamp,
    pub(crate) answered: Option<Timestamp>,
    /// Who calls; empty while not known.
    pub(crate) from: Party,
    /// Who is called; empty while not known.
    pub(crate) to: SmolStr,
    pub(crate) queue: Option<SmolStr>,
    /// The extensions that took part, in the order of joining.
    pub(crate) agents: Vec<Part>,
    /// Since when an originated channel is up, while it is not known what it talks to.
    pub(crate) picked_up: Option<Timestamp>,
    /// A second phone or trunk took part.
    pub(crate) has_others: bool,
    /// How the last failed attempt to reach somebody ended.
    pub(crate) dial_status: Option<DialStatus>,
    pub(crate) ending: Ending,
    /// The files into which it was recorded.
    pub(crate) recordings: Vec<SmolStr>,
}

/// One extension's part in a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) agent: Ix,
    /// `callAnswered` was told to it.
    pub(crate) has_answered: bool,
}

/// Why a call ends, as far as channels that are gone already told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ending {
    pub(crate) cause: u32,
    pub(crate) text: SmolStr,
    /// The first channel's word counts; others' only until it has spoken.
    pub(crate) by_first: bool,
    /// Its last channel was missing from a listing.
    pub(crate) is_lost: bool,
}

impl Call {
    pub(crate) fn part(&mut self, agent: Ix) -> Option<&mut Part> {
        self.agents.iter_mut().find(|part| part.agent == agent)
    }

    /// What became of it, when it is over.
    pub(crate) fn disposition(&self) -> Disposition {
        if self.ending.is_lost {
            return Disposition::Lost;
        }
        if self.answered.is_some() {
            return Disposition::Answered;
        }
        match self.dial_status {
            Some(DialStatus::Busy) => Disposition::Busy,
            Some(DialStatus::NoAnswer) => Disposition::NoAnswer,
            Some(DialStatus::Cancelled) => Disposition::Cancelled,
            Some(DialStatus::Failed) => Disposition::Failed,
            Some(DialStatus::Answered) | None => by_cause(self.ending.cause),
        }
    }

    pub(crate) fn state(&self, is_ringing: bool) -> CallState {
        if self.answered.is_some() {
            CallState::Up
        } else if is_ringing {
            CallState::Ringing
        } else {
            CallState::Dialing
        }
    }
}

/// From a hang-up cause (Q.850) of a call that nobody answered.
fn by_cause(cause: u32) -> Disposition {
    match cause {
        16 | 26 | 127 => Disposition::Cancelled,
        17 => Disposition::Busy,
        18 | 19 => Disposition::NoAnswer,
        _ => Disposition::Failed,
    }
}
