//! Extensions: who has which phone, and what Asterisk says of it.

use telepulse_language::{ExtensionState, Line, PhoneNumber, Presence, SmolStr, UserState};

use crate::channel::Ix;

/// An extension: a number with a phone.
#[derive(Clone, Debug)]
pub(crate) struct Extension {
    pub(crate) number: SmolStr,
    /// The device that is dialled for it.
    pub(crate) device: SmolStr,
    /// Where its hint stands, if it has one: then the hint's state counts, else the device's.
    pub(crate) hint_context: Option<SmolStr>,
    /// What Asterisk says; `None` while it said nothing.
    pub(crate) state: Option<PhoneState>,
    /// The display name; empty while not known.
    pub(crate) name: SmolStr,
    pub(crate) presence: Option<Presence>,
    /// Where its phone is, host and port; empty while not known.
    pub(crate) address: SmolStr,
    /// Its channels, oldest first.
    pub(crate) channels: Vec<Ix>,
    /// What was last told of it.
    pub(crate) told: Told,
    /// Whether it waits in the list of extensions to look at again.
    pub(crate) is_dirty: bool,
    /// Last synchronisation in which an event told its state.
    pub(crate) seen: u32,
    /// Last synchronisation in which an event told its presence.
    pub(crate) presence_seen: u32,
}

/// What subscribers know of an extension.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) lines: Vec<Line>,
    pub(crate) number: Option<PhoneNumber>,
    /// Status, device, address.
    pub(crate) user: Option<(UserState, SmolStr, SmolStr)>,
    pub(crate) name: SmolStr,
    pub(crate) presence: Option<Presence>,
    pub(crate) status: Option<ExtensionState>,
}

/// The state of a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PhoneState {
    pub(crate) status: ExtensionState,
    /// Neither unavailable nor invalid.
    pub(crate) is_online: bool,
}

impl PhoneState {
    const fn new(status: ExtensionState) -> Self {
        let is_online = !matches!(status, ExtensionState::Unavailable);
        Self { status, is_online }
    }

    /// From ExtensionStatus: bits, 1 in use, 2 busy, 4 unavailable, 8 ringing, 16 on hold.
    /// `None` when the hint is gone (negative numbers).
    pub(crate) fn from_bits(bits: i32) -> Option<Self> {
        let has = |bit: i32| bits & bit != 0;
        let status = match bits {
            i32::MIN..=-1 => return None,
            0 => ExtensionState::NotInUse,
            _ if has(4) => ExtensionState::Unavailable,
            _ if has(8) && has(1 | 2 | 16) => ExtensionState::RingInUse,
            _ if has(8) => ExtensionState::Ringing,
            _ if has(16) => ExtensionState::OnHold,
            _ if has(2) => ExtensionState::Busy,
            _ if has(1) => ExtensionState::InUse,
            _ => ExtensionState::Unknown,
        };
        Some(Self::new(status))
    }

    /// From DeviceStateChange.
    pub(crate) fn from_device(word: &str) -> Self {
        Self::new(match word {
            "NOT_INUSE" => ExtensionState::NotInUse,
            "INUSE" => ExtensionState::InUse,
            "BUSY" => ExtensionState::Busy,
            "INVALID" | "UNAVAILABLE" => ExtensionState::Unavailable,
            "RINGING" => ExtensionState::Ringing,
            "RINGINUSE" => ExtensionState::RingInUse,
            "ONHOLD" => ExtensionState::OnHold,
            _ => ExtensionState::Unknown,
        })
    }
}

impl Extension {
    pub(crate) fn new(number: &str, device: &str) -> Self {
        Self {
            number: number.into(),
            device: device.into(),
            hint_context: None,
            state: None,
            name: SmolStr::default(),
            presence: None,
            address: SmolStr::default(),
            channels: Vec::new(),
            told: Told::default(),
            is_dirty: false,
            seen: 0,
            presence_seen: 0,
        }
    }

    /// What Asterisk says of the phone.
    pub(crate) fn status(&self) -> ExtensionState {
        self.state.map_or(ExtensionState::Unknown, |state| state.status)
    }

    /// Whether the phone can be reached. One of which only channels are known can.
    pub(crate) fn user(&self) -> UserState {
        match self.state {
            Some(state) if !state.is_online => UserState::Offline,
            _ => UserState::Online,
        }
    }
}

/// The part of a hint that stands for presence: `PJSIP/101,CustomPresence:101` to the second.
pub(crate) fn hint_presence(hint: &str) -> Option<&str> {
    hint.split_once(',').map(|(_devices, presence)| presence).filter(|part| !part.is_empty())
}

/// The phones of a hint: `PJSIP/101&SIP/101,CustomPresence:101` to both. What is no channel's
/// device (`Custom:…`, `park:…`, `Queue:…`) is left out.
pub(crate) fn hint_devices(hint: &str) -> impl Iterator<Item = &str> {
    let devices = hint.split_once(',').map_or(hint, |(devices, _presence)| devices);
    devices.split('&').map(str::trim).filter(|device| {
        device.split_once('/').is_some_and(|(technology, _)| !technology.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_phones() {
        let check = |hint: &str, expected: &[&str]| {
            assert_eq!(hint_devices(hint).collect::<Vec<_>>(), expected, "{hint}");
        };
        check("PJSIP/101,CustomPresence:101", &["PJSIP/101"]);
        check("PJSIP/101&SIP/101", &["PJSIP/101", "SIP/101"]);
        check("Custom:night&PJSIP/7", &["PJSIP/7"]);
        check("park:701@parkedcalls", &[]);
        check("", &[]);
    }

    #[test]
    fn bits_are_combined() {
        let check = |bits: i32, expected: Option<ExtensionState>| {
            assert_eq!(PhoneState::from_bits(bits).map(|state| state.status), expected, "{bits}");
        };
        check(0, Some(ExtensionState::NotInUse));
        check(1, Some(ExtensionState::InUse));
        check(2, Some(ExtensionState::Busy));
        check(4, Some(ExtensionState::Unavailable));
        check(8, Some(ExtensionState::Ringing));
        check(9, Some(ExtensionState::RingInUse));
        check(16, Some(ExtensionState::OnHold));
        check(17, Some(ExtensionState::OnHold));
        check(-1, None);
    }
}
