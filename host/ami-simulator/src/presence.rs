//! What people say of being there, by the presence part of their hints.

use crate::centre::{Centre, INTERNAL};
use crate::device::Device;
use crate::wire::{Class, Text};

/// The provider that hints name.
pub(crate) const PROVIDER: &str = "CustomPresence:";

/// A state that was set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Presence {
    pub(crate) state: String,
    pub(crate) subtype: String,
    pub(crate) message: String,
}

impl Presence {
    /// `state,subtype,message`, as the function `PRESENCE_STATE` takes it.
    pub(crate) fn parse(value: &str) -> Self {
        let mut parts = value.splitn(4, ',').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Self { state: next(), subtype: next(), message: next() }
    }

    pub(crate) fn show(&self, text: Text) -> Text {
        text.field("Status", &self.state)
            .field("Subtype", &self.subtype)
            .field("Message", &self.message)
    }
}

impl Centre {
    /// Sets what somebody says; who does not want to be disturbed is busy for all who call.
    pub(crate) fn set_presence(&mut self, presentity: &str, presence: &Presence) {
        if self.presences.insert(presentity.to_owned(), presence.clone()).as_ref() == Some(presence)
        {
            return;
        }
        let extension = presentity.strip_prefix(PROVIDER).unwrap_or_default();
        let phone = self.devices.values_mut().find(|d| d.extension.as_deref() == Some(extension));
        if let Some(phone) = phone {
            phone.undisturbed = presence.state == "dnd";
            let text = self
                .event("PresenceStatus", Class::Call)
                .field("Exten", extension)
                .field("Context", INTERNAL)
                .field("Hint", Device::hint(extension));
            self.emit(Class::Call, presence.show(text));
        }
        let text = self.event("PresenceStateChange", Class::Call).field("Presentity", presentity);
        self.emit(Class::Call, presence.show(text));
    }

    /// The extension's own words.
    pub(crate) fn say_presence(&mut self, extension: &str, value: &str) {
        self.set_presence(&format!("{PROVIDER}{extension}"), &Presence::parse(value));
    }

    pub(crate) fn presence_of(&self, extension: &str) -> Option<&Presence> {
        self.presences.get(&format!("{PROVIDER}{extension}"))
    }
}
