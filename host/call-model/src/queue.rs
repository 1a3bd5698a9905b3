//! Queues: who waits, who serves.

use ami_proto::Message;
use telepulse_language::{MemberStatus, QueueMemberStatus, SmolStr, Timestamp};

use crate::channel::{Ix, Party};
use crate::text::{field, name, number, set};

/// A queue.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub(crate) name: SmolStr,
    pub(crate) members: Vec<Member>,
    /// In the order in which they are served.
    pub(crate) callers: Vec<Waiting>,
    /// The number of callers that was last told.
    pub(crate) told: Option<u32>,
    pub(crate) seen: u32,
}

/// A caller who waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) uniqueid: SmolStr,
    pub(crate) party: Party,
    pub(crate) since: Timestamp,
    pub(crate) seen: u32,
    /// Asterisk said that it hung up; that it leaves is said after.
    pub(crate) has_abandoned: bool,
}

/// A member of a queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Member {
    /// What is called, and by what Asterisk knows the member.
    pub(crate) interface: SmolStr,
    /// The device whose state counts.
    pub(crate) state_interface: SmolStr,
    pub(crate) name: SmolStr,
    pub(crate) penalty: u32,
    pub(crate) calls_taken: u32,
    pub(crate) last_call: Option<Timestamp>,
    pub(crate) device: DeviceStatus,
    pub(crate) is_paused: bool,
    pub(crate) reason: SmolStr,
    pub(crate) told: Option<QueueMemberStatus>,
    pub(crate) seen: u32,
}

/// AMI's number for a member's device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeviceStatus(u8);

impl DeviceStatus {
    fn word(self) -> MemberStatus {
        match self.0 {
            1 => MemberStatus::NotInUse,
            2 => MemberStatus::InUse,
            3 => MemberStatus::Busy,
            4 | 5 => MemberStatus::Unavailable,
            6 => MemberStatus::Ringing,
            7 => MemberStatus::RingInUse,
            8 => MemberStatus::OnHold,
            _ => MemberStatus::Unknown,
        }
    }
}

impl Member {
    /// The interface that an event or a list item (`Location`) is about.
    pub(crate) fn interface_of(message: &Message) -> &str {
        let interface = field(message, "Interface");
        if interface.is_empty() { field(message, "Location") } else { interface }
    }

    /// Takes over what an event or a list item says; each has the member's whole state.
    pub(crate) fn update(&mut self, message: &Message) {
        set(&mut self.interface, Self::interface_of(message));
        set(&mut self.state_interface, field(message, "StateInterface"));
        let shown = name(message, "MemberName");
        set(&mut self.name, if shown.is_empty() { field(message, "Name") } else { &shown });
        self.penalty = number(message, "Penalty").unwrap_or(self.penalty);
        self.calls_taken = number(message, "CallsTaken").unwrap_or(self.calls_taken);
        self.device = DeviceStatus(number(message, "Status").unwrap_or(self.device.0));
        self.is_paused = number(message, "Paused").map_or(self.is_paused, |paused: u8| paused != 0);
        let reason = name(message, "PausedReason");
        set(&mut self.reason, if self.is_paused { &reason } else { "" });
        if let Some(seconds) = number::<u64>(message, "LastCall") {
            self.last_call = (seconds > 0).then(|| Timestamp(seconds.saturating_mul(1000)));
        }
    }

    /// The device by which the member's extension is found.
    pub(crate) fn state_device(&self) -> &str {
        if self.state_interface.is_empty() { &self.interface } else { &self.state_interface }
    }

    pub(crate) fn status(&self) -> MemberStatus {
        if self.is_paused { MemberStatus::Paused } else { self.device.word() }
    }

    /// As the language tells it.
    pub(crate) fn tell(&self) -> QueueMemberStatus {
        QueueMemberStatus {
            status: self.status(),
            reason: (!self.reason.is_empty()).then(|| self.reason.clone()),
            penalty: self.penalty,
            calls_taken: self.calls_taken,
            last_call: self.last_call,
        }
    }
}

impl Queue {
    pub(crate) fn new(name: &str, seen: u32) -> Self {
        Self { name: name.into(), members: Vec::new(), callers: Vec::new(), told: None, seen }
    }

    pub(crate) fn member(&self, interface: &str) -> Option<Ix> {
        self.members.iter().position(|member| *member.interface == *interface)
    }

    pub(crate) fn caller(&self, uniqueid: &str) -> Option<Ix> {
        self.callers.iter().position(|caller| *caller.uniqueid == *uniqueid)
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.callers.len()).unwrap_or(u32::MAX)
    }
}
