//! The parking lot: who waits in which space, is fetched from it, comes back, or gives up.

use std::collections::BTreeMap;

use crate::centre::{Centre, Step};
use crate::channel::{Bridge, BridgeId, ChannelId, Doing, Purpose};
use crate::ending::Cause;
use crate::wire::{Class, Text};

/// How many spaces a lot has.
const SPACES: u32 = 10;
/// How long whoever parked somebody listens into the silence.
const NOTICED_MS: u64 = 5_000;
/// The context of the device states, and the dialplan's for those that come back.
const CONTEXT: &str = "parkedcalls";

/// The parking lot.
#[derive(Debug, Default)]
pub(crate) struct Lot {
    /// Made for the first one who is parked, and there from then on.
    pub(crate) bridge: Option<Bridge>,
    pub(crate) spaces: BTreeMap<u32, Parked>,
}

/// Somebody in a space.
#[derive(Debug, Clone)]
pub(crate) struct Parked {
    pub(crate) channel: ChannelId,
    /// The device that is called when nobody fetches it.
    parker: String,
    since_ms: u64,
    timeout_ms: u64,
    /// Where whoever parked it is still in the line.
    left: Option<BridgeId>,
}

impl Centre {
    /// Is this the extension that parks?
    pub(crate) fn is_lot(&self, exten: &str) -> bool {
        exten == self.settings.parking.to_string()
    }

    /// The space behind an extension, taken or not.
    pub(crate) fn space(&self, exten: &str) -> Option<u32> {
        let lot = self.settings.parking;
        exten.parse().ok().filter(|space| (lot + 1..=lot + SPACES).contains(space))
    }

    /// Parks a channel; whom it talks to is left behind. False if the lot is full, or the channel
    /// can go nowhere.
    pub(crate) fn park(
        &mut self,
        channel: ChannelId,
        parker: Option<String>,
        timeout_ms: Option<u64>,
    ) -> bool {
        let lot = self.settings.parking;
        let free = |space: &u32| !self.lot.spaces.contains_key(space);
        let Some(space) = (lot + 1..=lot + SPACES).find(free) else { return false };
        let Some(parked) = self.channels.get(&channel) else { return false };
        if !matches!(parked.doing, Doing::Talking(_) | Doing::Alone) {
            return false;
        }
        let parker = parker.unwrap_or_else(|| parked.device.clone());
        self.open_lot();
        let left = self.leave_bridge(channel);
        let timeout_ms = timeout_ms.unwrap_or(self.settings.parking_ms);
        let parked = Parked { channel, parker, since_ms: self.now_ms, timeout_ms, left };
        self.tell_parked("ParkedCall", &parked, space, |text| text);
        self.lot.spaces.insert(space, parked);
        self.tell_device(&format!("park:{space}@{CONTEXT}"), "INUSE");
        self.change_lot("BridgeEnter", channel);
        self.tell("MusicOnHoldStart", channel, &[("Class", "default")]);
        self.set_doing(channel, Doing::Parked(space));
        self.later(timeout_ms, Step::ParkTimeout(channel, space));
        if let Some(left) = left {
            self.leave_behind(left);
        }
        true
    }

    /// Whoever is left in the bridge notices after a while; a queue's call is over.
    fn leave_behind(&mut self, bridge: BridgeId) {
        self.forget_consultations(bridge);
        let Some(left) = self.bridges.get_mut(&bridge) else { return };
        let (service, alone) = (left.service.take(), left.channels.first().copied());
        if let Some(service) = service {
            self.complete(&service, "transfer");
        }
        match alone {
            Some(alone) => self.later(NOTICED_MS, Step::LeftAlone(bridge, alone)),
            None => {
                if let Some(empty) = self.bridges.remove(&bridge) {
                    self.tell_bridge("BridgeDestroy", &empty, None);
                }
            }
        }
    }

    fn open_lot(&mut self) {
        if self.lot.bridge.is_none() {
            let bridge = Bridge::new(self.uuid(), Purpose::Parking);
            self.tell_bridge("BridgeCreate", &bridge, None);
            self.lot.bridge = Some(bridge);
        }
    }

    /// A channel comes into the lot's bridge, or goes.
    fn change_lot(&mut self, event: &str, channel: ChannelId) {
        let Some(bridge) = &mut self.lot.bridge else { return };
        bridge.channels.retain(|other| *other != channel);
        if event == "BridgeEnter" {
            bridge.channels.push(channel);
        }
        let bridge = bridge.clone();
        self.tell_bridge(event, &bridge, Some(channel));
    }

    fn tell_parked(
        &mut self,
        event: &str,
        parked: &Parked,
        space: u32,
        more: impl FnOnce(Text) -> Text,
    ) {
        let text = self.event(event, Class::Call);
        let text = self.show_parked(parked, space, text, more);
        self.emit(Class::Call, text);
    }

    /// The lines that show a parked one; `more` comes before those of the lot.
    pub(crate) fn show_parked(
        &self,
        parked: &Parked,
        space: u32,
        text: Text,
        more: impl FnOnce(Text) -> Text,
    ) -> Text {
        let waited_s = self.now_ms.saturating_sub(parked.since_ms) / 1000;
        let text = match self.channels.get(&parked.channel) {
            Some(channel) => channel.show("Parkee", text),
            None => text,
        };
        more(text)
            .field("ParkerDialString", &parked.parker)
            .field("Parkinglot", "default")
            .field("ParkingSpace", space)
            .field("ParkingTimeout", (parked.timeout_ms / 1000).saturating_sub(waited_s))
            .field("ParkingDuration", waited_s)
    }

    /// Takes somebody out of the space, without a word to anybody outside of the lot.
    fn vacate(&mut self, channel: ChannelId, space: u32) -> Option<Parked> {
        let taken = self.lot.spaces.get(&space).is_some_and(|parked| parked.channel == channel);
        let parked = self.lot.spaces.remove(&space).filter(|_| taken)?;
        self.tell("MusicOnHoldStop", channel, &[]);
        self.tell_device(&format!("park:{space}@{CONTEXT}"), "NOT_INUSE");
        self.change_lot("BridgeLeave", channel);
        self.set_doing(channel, Doing::Alone);
        Some(parked)
    }

    /// It is led elsewhere.
    pub(crate) fn leave_lot(&mut self, channel: ChannelId, space: u32) {
        self.vacate(channel, space);
    }

    /// Whoever dialled the space has who is parked there; nobody, if it is empty.
    pub(crate) fn unpark(&mut self, by: ChannelId, space: u32) {
        self.pick_up(by);
        let Some(parked) = self.lot.spaces.get(&space).cloned() else {
            // It is told that nobody is there, and the line is dropped.
            return self.later(2_000, Step::Over(by));
        };
        if let Some((bridge, alone)) = self.still_there(&parked) {
            self.break_up(bridge, alone, &[], Cause::NORMAL);
        }
        let bridge = self.open_bridge(by);
        self.vacate(parked.channel, space);
        let channel = parked.channel;
        let retriever = self.channels.get(&by).map(|by| by.show("Retriever", Text::part()));
        let lines = retriever.map(Text::lines).unwrap_or_default();
        let (Some(parkee), Some(fetching)) = (self.channels.get(&channel), self.channels.get(&by))
        else {
            return;
        };
        let (waiting, fetching) = (parkee.caller.clone(), fetching.caller.clone());
        let linkedid = parkee.linkedid.clone();
        // With the lines as they were before the two met.
        let text = self.event("UnParkedCall", Class::Call);
        let text = self.show_parked(&parked, space, text, |text| text.append(&lines));
        if let Some(by) = self.channels.get_mut(&by) {
            by.linkedid = linkedid;
        }
        self.talk_in(bridge, by, channel);
        self.connect_line(by, waiting);
        self.emit(Class::Call, text);
        self.connect_line(channel, fetching);
    }

    /// Who parked it, if still in the line.
    fn still_there(&self, parked: &Parked) -> Option<(BridgeId, ChannelId)> {
        let bridge = parked.left?;
        match self.bridges.get(&bridge)?.channels.as_slice() {
            [alone] => Some((bridge, *alone)),
            _ => None,
        }
    }

    /// A phone fetches who is parked, if still there.
    pub(crate) fn fetch(&mut self, channel: ChannelId, space: u32) {
        if self.doing(channel) == Some(&Doing::Parked(space))
            && let Some(extension) = self.any_free_extension()
        {
            self.dial(&extension, &space.to_string());
        }
    }

    /// Nobody came: whoever parked it is called.
    pub(crate) fn park_timeout(&mut self, channel: ChannelId, space: u32) {
        let due = self.lot.spaces.get(&space).is_some_and(|parked| {
            parked.channel == channel && self.now_ms >= parked.since_ms + parked.timeout_ms
        });
        let Some(parked) = due.then(|| self.vacate(channel, space)).flatten() else { return };
        let phone = parked.parker.strip_prefix("PJSIP/").unwrap_or(&parked.parker).to_owned();
        let exten = parked.parker.replace('/', "_");
        if let Some(led) = self.channels.get_mut(&channel) {
            "park-dial".clone_into(&mut led.context);
            led.exten.clone_from(&exten);
            led.priority = 1;
        }
        self.tell_parked("ParkedCallTimeOut", &parked, space, |text| text);
        self.call_device(channel, &parked.parker, &phone, &exten);
    }

    /// The parked one hangs up.
    pub(crate) fn give_up_parked(&mut self, channel: ChannelId, space: u32, cause: Cause) {
        if let Some(parked) = self.vacate(channel, space) {
            self.tell_parked("ParkedCallGiveUp", &parked, space, |text| text);
        }
        let device = self.remove(channel, cause);
        self.refresh(&device.unwrap_or_default());
    }

    /// Whoever calls from the phone of `extension` is parked by it. False if nobody is.
    pub fn park_from_phone(&mut self, extension: &str) -> bool {
        let Some((device, _)) = self.phone_of(extension) else { return false };
        let device = device.clone();
        let channels = self.channels_of(&device);
        let others = channels.iter().filter_map(|channel| self.partner(*channel));
        match others.collect::<Vec<_>>().first() {
            Some(other) => self.park(*other, Some(device), None),
            None => false,
        }
    }

    /// Whom the channel talks to is parked by it.
    pub(crate) fn park_other(&mut self, by: ChannelId) {
        let parker = self.channels.get(&by).map(|by| by.device.clone());
        let Some(other) = self.partner(by) else { return };
        if !self.park(other, parker, None) {
            return;
        }
        if let Some(Doing::Parked(space)) = self.doing(other).cloned()
            && self.happens(70)
        {
            let after = self.pick(8_000..=30_000);
            self.later(after, Step::Fetch(other, space));
        }
    }
}
