//! One channel: a leg of a call between Asterisk and a phone, a trunk, or its own other half.

use telepulse_language::{Direction, LineState, SmolStr, Timestamp};

use crate::parking::Space;
use crate::recordings::Recordings;
use crate::snapshot::{Snapshot, State};
use crate::text::set;

/// Where an entity lies in its slab. Valid while the entity lives: whoever ends one clears every
/// reference to it in the same step.
pub(crate) type Ix = usize;

/// A number and a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Party {
    pub(crate) number: SmolStr,
    pub(crate) name: SmolStr,
}

/// A channel that exists in Asterisk.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) name: SmolStr,
    pub(crate) uniqueid: SmolStr,
    /// By which Asterisk groups channels into calls; may change.
    pub(crate) linkedid: SmolStr,
    pub(crate) state: State,
    pub(crate) caller: Party,
    pub(crate) connected: Party,
    /// What was dialled, on a channel that calls.
    pub(crate) dialled: SmolStr,
    /// The extension whose phone this is.
    pub(crate) agent: Option<Ix>,
    pub(crate) call: Ix,
    pub(crate) bridge: Option<Ix>,
    pub(crate) direction: Direction,
    pub(crate) is_local: bool,
    /// Started by an Originate: its own phone rings first, though it is the one who calls.
    pub(crate) is_originated: bool,
    pub(crate) audio: Audio,
    pub(crate) recordings: Recordings,
    /// Where it is parked.
    pub(crate) parked: Option<Box<Space>>,
    /// It waits in a queue.
    pub(crate) is_waiting: bool,
    /// The conference that it is in.
    pub(crate) conference: Option<Ix>,
    /// Names of the channels that listen in.
    pub(crate) spied_by: Vec<SmolStr>,
    /// How dialling this channel ended (`BUSY`, `NOANSWER`, …), once it did.
    pub(crate) dial_status: Option<DialStatus>,
    /// The cause with which its end was asked for.
    pub(crate) cause: Option<u32>,
    pub(crate) created: Timestamp,
    /// What the line does, as last computed, and since when.
    pub(crate) line: Option<(LineState, Timestamp)>,
    /// Last synchronisation in which the channel was seen, by event or listing.
    pub(crate) seen: u32,
    /// Last synchronisation in which an event told of it: newer than any listing.
    pub(crate) heard: u32,
    /// Last synchronisation in which an event told where it is bridged.
    pub(crate) placed: u32,
    /// The same of where it is parked.
    pub(crate) parked_heard: u32,
}

/// What a channel hears and lets others hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Audio {
    /// It put the other side on hold, since.
    pub(crate) holds: Option<Timestamp>,
    /// It hears music.
    pub(crate) hears_music: bool,
    /// A command silenced what it says; Asterisk neither tells nor lists this.
    pub(crate) is_muted: bool,
}

/// Whether a channel is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Recording {
    #[default]
    No,
    Running,
    Paused,
}

/// How an attempt to reach a channel ended (AMI DialEnd, `DialStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DialStatus {
    Answered,
    Busy,
    NoAnswer,
    Cancelled,
    Failed,
}

impl DialStatus {
    pub(crate) fn from_ami(word: &str) -> Option<Self> {
        Some(match word {
            "ANSWER" => Self::Answered,
            "BUSY" => Self::Busy,
            "NOANSWER" => Self::NoAnswer,
            "CANCEL" => Self::Cancelled,
            "CONGESTION" | "CHANUNAVAIL" | "INVALIDARGS" => Self::Failed,
            _ => return None,
        })
    }
}

/// What a snapshot changed on a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) state: bool,
    /// Names or numbers: what a line shows may be another.
    pub(crate) parties: bool,
}

impl Channel {
    /// Takes over what a snapshot says. The state never steps back.
    pub(crate) fn update(&mut self, snapshot: &Snapshot<'_>) -> Changed {
        let mut changed = Changed::default();
        if let Some(state) = snapshot.state
            && state > self.state
        {
            self.state = state;
            changed.state = true;
        }
        changed.parties |= set(&mut self.caller.number, snapshot.caller_number);
        changed.parties |= set(&mut self.caller.name, &snapshot.caller_name);
        changed.parties |= set(&mut self.connected.number, snapshot.connected_number);
        changed.parties |= set(&mut self.connected.name, &snapshot.connected_name);
        changed
    }

    /// Whether it called (or was made to call) and was not itself called.
    pub(crate) fn is_caller(&self) -> bool {
        self.direction == Direction::Out
    }

    pub(crate) fn is_up(&self) -> bool {
        self.state == State::Up
    }
}

/// The device of a channel: `PJSIP/201-0000002a` to `PJSIP/201`.
pub(crate) fn device_of(channel: &str) -> &str {
    channel.rsplit_once('-').map_or(channel, |(device, _)| device)
}

/// The other half of a `Local/` channel: `…;1` to `…;2` and back.
pub(crate) fn other_half(channel: &str) -> Option<String> {
    if let Some(stem) = channel.strip_suffix(";1") {
        Some(format!("{stem};2"))
    } else {
        channel.strip_suffix(";2").map(|stem| format!("{stem};1"))
    }
}

/// Whether the dialplan extension is a number that somebody dialled, not one of Asterisk's own.
pub(crate) fn is_dialled(exten: &str) -> bool {
    !matches!(exten, "" | "s" | "h" | "i" | "t" | "T" | "o" | "a")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(device_of("PJSIP/201-0000002a"), "PJSIP/201");
        assert_eq!(device_of("PJSIP/my-trunk-0000002a"), "PJSIP/my-trunk");
        assert_eq!(device_of("Message/ast_msg_queue"), "Message/ast_msg_queue");
        assert_eq!(other_half("Local/1@a-00000000;1").as_deref(), Some("Local/1@a-00000000;2"));
        assert_eq!(other_half("Local/1@a-00000000;2").as_deref(), Some("Local/1@a-00000000;1"));
        assert_eq!(other_half("PJSIP/1-00000000"), None);
    }
}
