//! A call from the first digit to the answer: channels made, rung, answered or refused.

use crate::centre::{Centre, FROM_TRUNK, INTERNAL, Step, TRUNK};
use crate::channel::{Bridge, BridgeId, Called, ChannelId, Doing, Party, Purpose, Service, State};
use crate::making::NewChannel;
use crate::wire::{Class, Text};

/// From the INVITE to the first ringing of a phone.
pub(crate) const TO_RING_MS: u64 = 60;
/// How long the dialplan lets a phone ring.
const DIAL_TIMEOUT_MS: u64 = 30_000;

impl Centre {
    /// The phone of `from` dials `to`. False if it cannot: there is none, or there is no `to`.
    pub fn dial(&mut self, from: &str, to: &str) -> bool {
        let Some((device, phone)) = self.phone_of(from) else { return false };
        if !phone.online || !self.exists(to) {
            return false;
        }
        let (device, party) = (device.clone(), phone.party());
        self.call_in(&device, party, INTERNAL, to);
        true
    }

    /// The phone of `extension` hangs up its calls. False if it has none.
    pub fn hang_up_phone(&mut self, extension: &str) -> bool {
        let Some((device, _)) = self.phone_of(extension) else { return false };
        let channels = self.channels_of(&device.clone());
        for channel in &channels {
            self.put_down(*channel);
        }
        !channels.is_empty()
    }

    /// Whoever calls from outside, or was called there, hangs up. False if nobody was.
    pub fn hang_up_trunk(&mut self) -> bool {
        let channels = self.channels_of(TRUNK);
        for channel in &channels {
            self.put_down(*channel);
        }
        !channels.is_empty()
    }

    /// A call from outside, with its caller's number and name. False if there is no `to`.
    pub fn call_from_outside(&mut self, number: &str, name: &str, to: &str) -> bool {
        let there = self.exists(to);
        if there {
            self.call_in(TRUNK, Party::new(number, name), FROM_TRUNK, to);
        }
        there
    }

    fn call_in(&mut self, device: &str, caller: Party, context: &str, exten: &str) {
        let channel = self.create(NewChannel {
            device,
            state: State::Ring,
            caller,
            context,
            exten,
            uniqueid: None,
            linkedid: None,
            doing: Doing::Alone,
        });
        self.enter(channel);
        self.refresh(device);
    }

    /// Application Dial: rings a device for a channel.
    pub(crate) fn call_device(&mut self, by: ChannelId, device: &str, dialled: &str, number: &str) {
        let Some(target) = self.devices.get(device) else { return self.end_alone(by, 3) };
        let (Some(caller), true) = (self.channels.get(&by), target.online) else {
            return self.end_alone(by, 3);
        };
        let busy = target.is_busy();
        let party = match target.extension {
            Some(_) => target.party(),
            None => Party::new(number, ""),
        };
        let (from, linkedid) = (caller.caller.clone(), caller.linkedid.clone());
        self.run(by, "Dial", &format!("{device},30,tT"));
        let callee = self.create(NewChannel {
            device,
            state: State::Down,
            caller: party.clone(),
            context: INTERNAL,
            exten: "s",
            uniqueid: None,
            linkedid: Some(linkedid),
            doing: Doing::Called(Called::Dialled { by }),
        });
        self.run(callee, "AppDial", "(Outgoing Line)");
        self.led_to(callee, number);
        self.connect_line(callee, from);
        self.set_doing(by, Doing::Calling(callee));
        self.tell_dial("DialBegin", callee, &[("DialString", dialled)]);
        self.connect_line(by, party);
        self.later(TO_RING_MS, if busy { Step::Refuse(callee) } else { Step::Ring(callee) });
        self.later(DIAL_TIMEOUT_MS, Step::NoAnswer(callee));
    }

    /// An event that shows who calls, if anybody, and whom.
    pub(crate) fn tell_dial(&mut self, name: &str, callee: ChannelId, more: &[(&str, &str)]) {
        let text = self.show_dial(self.event(name, Class::Call), callee);
        self.emit(Class::Call, more.iter().fold(text, |text, (key, value)| text.field(key, value)));
    }

    fn show_dial(&self, text: Text, callee: ChannelId) -> Text {
        let Some(called) = self.channels.get(&callee) else { return text };
        let by = match &called.doing {
            Doing::Called(Called::Dialled { by } | Called::Offered { by, .. }) => Some(by),
            _ => None,
        };
        let text = match by.and_then(|by| self.channels.get(by)) {
            Some(caller) => caller.show("", text),
            None => text,
        };
        called.show("Dest", text)
    }

    pub(crate) fn ring(&mut self, callee: ChannelId) {
        let Some(channel) = self.channels.get(&callee) else { return };
        let (Doing::Called(called), State::Down) = (&channel.doing, channel.state) else { return };
        let offered = matches!(called, Called::Offered { .. });
        // Whoever originates a call has the phone in the hand.
        let sure = matches!(called, Called::Originated(_));
        let far = match called {
            Called::Dialled { by } => Some(*by),
            _ => None,
        };
        let (device, party) = (channel.device.clone(), channel.connected.clone());
        self.set_state(callee, State::Ringing);
        if let (true, Some(party)) = (offered, party) {
            self.connect_line(callee, party);
        }
        self.tell_dial("DialState", callee, &[("DialStatus", "RINGING")]);
        self.refresh(&device);
        if let Some(far) = far {
            self.near_rings(far);
        }
        if sure || self.happens(self.settings.answered_percent) {
            let ringing = self.pick(self.settings.ring_ms.clone());
            self.later(if sure { ringing.min(1_500) } else { ringing }, Step::Answer(callee));
        }
    }

    pub(crate) fn answer(&mut self, callee: ChannelId) {
        let Some(channel) = self.channels.get(&callee) else { return };
        let (Doing::Called(called), State::Ringing) = (&channel.doing, channel.state) else {
            return;
        };
        let device = channel.device.clone();
        match called.clone() {
            Called::Dialled { by } => self.answer_dialled(by, callee, true),
            Called::Offered { by, queue, since_ms } => self.serve(by, callee, &queue, since_ms),
            Called::Originated(wish) => self.answer_originated(callee, wish),
        }
        self.refresh(&device);
    }

    /// `rings`: it did until now; else it has taken the place of the one that did.
    pub(crate) fn answer_dialled(&mut self, by: ChannelId, callee: ChannelId, rings: bool) {
        if rings {
            self.set_state(callee, State::Up);
        }
        // Its dialplan is over: application Dial leads it from here.
        self.led_to(callee, "");
        self.tell_dial("DialEnd", callee, &[("DialStatus", "ANSWER")]);
        if self.state_of(by) != Some(State::Up) {
            self.set_state(by, State::Up);
        }
        self.near_answers(by);
        self.talk(by, callee, None);
    }

    /// Two channels get into a bridge; people talk for a while.
    pub(crate) fn talk(&mut self, caller: ChannelId, callee: ChannelId, service: Option<Service>) {
        let id = self.open_bridge(caller);
        if let Some(bridge) = self.bridges.get_mut(&id) {
            bridge.service = service;
        }
        self.talk_in(id, caller, callee);
    }

    /// A bridge that nobody is in yet.
    pub(crate) fn open_bridge(&mut self, owner: ChannelId) -> BridgeId {
        let id = self.next_id();
        let mut bridge = Bridge::new(self.uuid(), Purpose::Talk);
        bridge.owner = Some(owner);
        self.tell_bridge("BridgeCreate", &bridge, None);
        self.bridges.insert(id, bridge);
        id
    }

    /// The two get into the bridge.
    pub(crate) fn talk_in(&mut self, id: BridgeId, caller: ChannelId, callee: ChannelId) {
        for channel in [callee, caller] {
            self.enter_bridge(id, channel);
        }
        let talk = self.pick(self.settings.talk_ms.clone());
        let local = self.channels.get(&caller).is_some_and(|caller| caller.half.is_some());
        let first = if self.happens(50) && !local { caller } else { callee };
        self.later(talk, Step::TalkOver(id, first));
        if self.settings.calls_per_minute > 0 && talk > 10_000 {
            self.liven_up(callee, talk);
        }
    }

    /// The phone of `extension` puts the other side on hold, or takes it back. False if it talks to
    /// nobody.
    pub fn hold_from_phone(&mut self, extension: &str, on: bool) -> bool {
        let Some((device, _)) = self.phone_of(extension) else { return false };
        let channels = self.channels_of(&device.clone());
        let talks = |channel: &ChannelId| self.partner(*channel).is_some();
        let Some(channel) = channels.into_iter().find(talks) else { return false };
        self.hold(channel, on);
        true
    }

    /// The channel's phone puts the other side on hold, or takes it back.
    pub(crate) fn hold(&mut self, channel: ChannelId, on: bool) {
        let Some(Doing::Talking(bridge)) = self.doing(channel) else { return };
        let Some(bridge) = self.bridges.get(bridge) else { return };
        let Some(other) = bridge.channels.iter().copied().find(|other| *other != channel) else {
            return;
        };
        let Some(changed) = self.channels.get_mut(&other).filter(|other| other.held != on) else {
            return;
        };
        changed.held = on;
        let device = changed.device.clone();
        if on {
            self.tell("Hold", channel, &[("MusicClass", "default")]);
            self.tell("MusicOnHoldStart", other, &[("Class", "default")]);
        } else {
            self.tell("Unhold", channel, &[]);
            self.tell("MusicOnHoldStop", other, &[]);
        }
        self.refresh(&device);
    }
}
