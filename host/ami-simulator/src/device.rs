//! Phones and the trunk: their state follows from their channels, and is told when it changes.

use std::collections::BTreeSet;

use crate::centre::{Centre, INTERNAL, Step};
use crate::channel::{ChannelId, Party, State};
use crate::settings::Phone;
use crate::wire::{Class, Text};

/// A device's state, with its three faces in AMI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceState {
    Idle,
    InUse,
    Ringing,
    RingInUse,
    OnHold,
    Unavailable,
}

impl DeviceState {
    /// `DeviceStateChange`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Idle => "NOT_INUSE",
            Self::InUse => "INUSE",
            Self::Ringing => "RINGING",
            Self::RingInUse => "RINGINUSE",
            Self::OnHold => "ONHOLD",
            Self::Unavailable => "UNAVAILABLE",
        }
    }

    /// `Status` and `StatusText` of `ExtensionStatus`.
    pub(crate) fn of_extension(self) -> (u8, &'static str) {
        match self {
            Self::Idle => (0, "Idle"),
            Self::InUse => (1, "InUse"),
            Self::Unavailable => (4, "Unavailable"),
            Self::Ringing => (8, "Ringing"),
            Self::RingInUse => (9, "InUse&Ringing"),
            Self::OnHold => (16, "Hold"),
        }
    }

    /// `Status` of a queue's member.
    pub(crate) fn of_member(self) -> u8 {
        match self {
            Self::Idle => 1,
            Self::InUse => 2,
            Self::Unavailable => 5,
            Self::Ringing => 6,
            Self::RingInUse => 7,
            Self::OnHold => 8,
        }
    }
}

/// What makes and takes calls.
#[derive(Debug)]
pub(crate) struct Device {
    /// A phone's; the trunk has none.
    pub(crate) extension: Option<String>,
    pub(crate) name: String,
    pub(crate) online: bool,
    pub(crate) left_alone: bool,
    /// Refuses every call: somebody does not want to be disturbed.
    pub(crate) undisturbed: bool,
    pub(crate) channels: BTreeSet<ChannelId>,
    /// The state that was told last.
    pub(crate) told: DeviceState,
}

impl Device {
    pub(crate) fn phone(phone: &Phone) -> Self {
        Self {
            extension: Some(phone.extension.clone()),
            name: phone.name.clone(),
            online: phone.online,
            left_alone: phone.left_alone,
            undisturbed: false,
            channels: BTreeSet::new(),
            told: if phone.online { DeviceState::Idle } else { DeviceState::Unavailable },
        }
    }

    pub(crate) fn trunk() -> Self {
        Self {
            extension: None,
            name: String::new(),
            online: true,
            left_alone: false,
            undisturbed: false,
            channels: BTreeSet::new(),
            told: DeviceState::Idle,
        }
    }

    pub(crate) fn party(&self) -> Party {
        Party::new(self.extension.as_deref().unwrap_or_default(), &self.name)
    }

    /// A phone takes one call at a time, and none while nobody is to disturb it.
    pub(crate) fn is_busy(&self) -> bool {
        self.extension.is_some() && (self.undisturbed || !self.channels.is_empty())
    }

    /// The hint of a phone's extension.
    pub(crate) fn hint(extension: &str) -> String {
        format!("PJSIP/{extension},CustomPresence:{extension}")
    }

    /// The lines that tell an extension's state.
    pub(crate) fn show_extension(extension: &str, state: DeviceState, text: Text) -> Text {
        let (status, words) = state.of_extension();
        text.field("Exten", extension)
            .field("Context", INTERNAL)
            .field("Hint", Self::hint(extension))
            .field("Status", status)
            .field("StatusText", words)
    }
}

impl Centre {
    pub(crate) fn device_state(&self, device: &Device) -> DeviceState {
        if !device.online {
            return DeviceState::Unavailable;
        }
        let mut channels = device.channels.iter().filter_map(|id| self.channels.get(id));
        let busy = |held: bool| {
            let talks = |state| matches!(state, State::Ring | State::Up);
            move |channel: &crate::channel::Channel| talks(channel.state) && channel.held == held
        };
        let in_use = channels.clone().any(busy(false));
        let ringing = channels.clone().any(|channel| channel.state == State::Ringing);
        match (in_use, ringing) {
            (true, true) => DeviceState::RingInUse,
            (true, false) => DeviceState::InUse,
            (false, true) => DeviceState::Ringing,
            (false, false) if channels.any(busy(true)) => DeviceState::OnHold,
            (false, false) => DeviceState::Idle,
        }
    }

    /// Tells a device's state if it is another one than before, to its queues as well.
    pub(crate) fn refresh(&mut self, name: &str) {
        let Some(device) = self.devices.get(name) else { return };
        let state = self.device_state(device);
        if state == device.told {
            return;
        }
        let extension = device.extension.clone();
        if let Some(device) = self.devices.get_mut(name) {
            device.told = state;
        }
        if let Some(extension) = extension {
            let text = self.event("ExtensionStatus", Class::Call);
            self.emit(Class::Call, Device::show_extension(&extension, state, text));
        }
        self.tell_device(name, state.word());
        for index in 0..self.queues.len() {
            let queue = self.queues[index].name.clone();
            if let Some(member) = self.queues[index].member_mut(name) {
                member.status = state.of_member();
                self.tell_member("QueueMemberStatus", &queue, name);
                self.member_changed(&queue);
            }
        }
    }

    pub(crate) fn tell_device(&mut self, name: &str, state: &str) {
        let text = self.event("DeviceStateChange", Class::Call);
        self.emit(Class::Call, text.field("Device", name).field("State", state));
    }

    pub(crate) fn tell_member(&mut self, event: &str, queue: &str, interface: &str) {
        let text = self.event(event, Class::Agent);
        let found = self.queues.iter().find(|found| found.name == queue);
        if let Some(member) = found.and_then(|found| found.member(interface)) {
            let text = member.show(queue, text);
            self.emit(Class::Agent, text);
        }
    }

    /// Tells whether anybody in the queue is free, if that changed; who waits may be served now.
    pub(crate) fn member_changed(&mut self, queue: &str) {
        let Some(found) = self.queue_mut(queue) else { return };
        let available = found.members.iter().any(crate::queue::Member::is_available);
        let waiting = !found.callers.is_empty();
        if std::mem::replace(&mut found.available, available) != available {
            let state = if available { DeviceState::Idle } else { DeviceState::InUse };
            self.tell_device(&format!("Queue:{queue}_avail"), state.word());
        }
        if available && waiting {
            self.later(300, Step::Offer(queue.to_owned()));
        }
    }
}
