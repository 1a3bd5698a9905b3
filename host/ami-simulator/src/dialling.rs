//! A call from the first digit to the answer: channels made, rung, answered or refused.

use crate::centre::{Centre, FROM_TRUNK, INTERNAL, NewChannel, Step, TRUNK};
use crate::channel::{Bridge, Called, ChannelId, Doing, Originated, Party, Service, State, Target};
use crate::wire::{Class, Text, escaped};

/// From the INVITE to the first ringing of a phone.
const TO_RING_MS: u64 = 60;
/// How long the dialplan lets a phone ring.
const DIAL_TIMEOUT_MS: u64 = 30_000;

/// What stands behind an extension.
enum Place {
    Phone(String),
    Queue(String),
    Outside(String),
    Echo,
    Nowhere,
}

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

    pub(crate) fn exists(&self, exten: &str) -> bool {
        !matches!(self.place(exten), Place::Nowhere)
    }

    fn place(&self, exten: &str) -> Place {
        if let Some((device, _)) = self.phone_of(exten) {
            return Place::Phone(device.clone());
        }
        if let Some(queue) = self.queues.iter().find(|queue| queue.extension == exten) {
            return Place::Queue(queue.name.clone());
        }
        let digits = |number: &str| number.bytes().all(|byte| byte.is_ascii_digit());
        match exten.strip_prefix('0') {
            _ if exten == "800" => Place::Echo,
            Some(number) if !number.is_empty() && digits(number) => {
                Place::Outside(number.to_owned())
            }
            _ => Place::Nowhere,
        }
    }

    /// The channel goes on in the dialplan, at its extension.
    pub(crate) fn enter(&mut self, channel: ChannelId) {
        let Some(entering) = self.channels.get_mut(&channel) else { return };
        if !matches!(entering.doing, Doing::Alone) {
            return;
        }
        entering.priority = 1;
        let exten = entering.exten.clone();
        match self.place(&exten) {
            Place::Phone(device) => self.call_device(channel, &device, &exten, &exten),
            Place::Outside(number) => {
                self.call_device(channel, TRUNK, &format!("{number}@trunk"), &number);
            }
            Place::Queue(queue) => self.join(channel, &queue),
            Place::Echo => {
                self.run(channel, "Echo", "");
                self.set_state(channel, State::Up);
            }
            Place::Nowhere => self.end_alone(channel, 3),
        }
    }

    fn run(&mut self, channel: ChannelId, application: &str, data: &str) {
        if let Some(running) = self.channels.get_mut(&channel) {
            application.clone_into(&mut running.application);
            data.clone_into(&mut running.data);
        }
    }

    /// Application Dial: rings a device for a channel.
    fn call_device(&mut self, by: ChannelId, device: &str, dialled: &str, number: &str) {
        let Some(target) = self.devices.get(device) else { return };
        let (Some(caller), true) = (self.channels.get(&by), target.online) else {
            return self.end_alone(by, 3);
        };
        let busy = target.extension.is_some() && !target.channels.is_empty();
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

    pub(crate) fn led_to(&mut self, channel: ChannelId, exten: &str) {
        if let Some(channel) = self.channels.get_mut(&channel) {
            exten.clone_into(&mut channel.exten);
        }
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

    /// The action Originate: calls a device, and leads it on when it answers.
    pub(crate) fn originate(&mut self, call: Originate) {
        let Some(device) = self.devices.get(&call.device).filter(|device| device.online) else {
            return self.originate_failed(&call.wish, 0, call.uniqueid.as_deref());
        };
        let busy = device.extension.is_some() && !device.channels.is_empty();
        let party = call.caller.clone().unwrap_or_else(|| device.party());
        let dialled = call.device.strip_prefix("PJSIP/").unwrap_or(&call.device).to_owned();
        let channel = self.create(NewChannel {
            device: &call.device,
            state: State::Down,
            caller: party,
            context: INTERNAL,
            exten: "s",
            uniqueid: call.uniqueid.as_deref(),
            linkedid: None,
            doing: Doing::Called(Called::Originated(call.wish)),
        });
        self.run(channel, "AppDial2", "(Outgoing Line)");
        if let Some(caller) = call.caller {
            self.connect_line(channel, caller);
        }
        self.tell_dial("DialBegin", channel, &[("DialString", &dialled)]);
        self.later(TO_RING_MS, if busy { Step::Refuse(channel) } else { Step::Ring(channel) });
        self.later(call.timeout_ms, Step::NoAnswer(channel));
    }

    pub(crate) fn originate_failed(&mut self, wish: &Originated, reason: u8, id: Option<&str>) {
        let text = self.event("OriginateResponse", Class::Call);
        let text = wish
            .show("Failure", &wish.dialled, text)
            .field("Reason", reason)
            .field("Uniqueid", id.unwrap_or("<unknown>"))
            .field("CallerIDNum", "<unknown>")
            .field("CallerIDName", "<unknown>");
        self.emit(Class::Call, text);
    }

    pub(crate) fn ring(&mut self, callee: ChannelId) {
        let Some(channel) = self.channels.get(&callee) else { return };
        let (Doing::Called(called), State::Down) = (&channel.doing, channel.state) else { return };
        let offered = matches!(called, Called::Offered { .. });
        // Whoever originates a call has the phone in the hand.
        let sure = matches!(called, Called::Originated(_));
        let (device, party) = (channel.device.clone(), channel.connected.clone());
        self.set_state(callee, State::Ringing);
        if let (true, Some(party)) = (offered, party) {
            self.connect_line(callee, party);
        }
        self.tell_dial("DialState", callee, &[("DialStatus", "RINGING")]);
        self.refresh(&device);
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
            Called::Dialled { by } => self.answer_dialled(by, callee),
            Called::Offered { by, queue, since_ms } => self.serve(by, callee, &queue, since_ms),
            Called::Originated(wish) => self.answer_originated(callee, wish),
        }
        self.refresh(&device);
    }

    fn answer_dialled(&mut self, by: ChannelId, callee: ChannelId) {
        self.set_state(callee, State::Up);
        // Its dialplan is over: application Dial leads it from here.
        self.led_to(callee, "");
        self.tell_dial("DialEnd", callee, &[("DialStatus", "ANSWER")]);
        if self.channels.get(&by).is_some_and(|caller| caller.state != State::Up) {
            self.set_state(by, State::Up);
        }
        self.talk(by, callee, None);
    }

    fn answer_originated(&mut self, channel: ChannelId, wish: Originated) {
        let Some(answered) = self.channels.get(&channel) else { return };
        let text = wish
            .show("Success", &answered.name, self.event("OriginateResponse", Class::Call))
            .field("Reason", 4)
            .field("Uniqueid", &answered.uniqueid)
            .field("CallerIDNum", &answered.caller.number)
            .field("CallerIDName", escaped(&answered.caller.name));
        self.emit(Class::Call, text);
        self.set_state(channel, State::Up);
        self.tell_dial("DialEnd", channel, &[("DialStatus", "ANSWER")]);
        self.set_doing(channel, Doing::Alone);
        match wish.target {
            Target::Extension { context, exten } => {
                if let Some(led) = self.channels.get_mut(&channel) {
                    (led.context, led.exten) = (context, exten);
                }
                self.later(1, Step::Enter(channel));
            }
            Target::Application { name, data } => self.run(channel, &name, &data),
        }
    }

    /// Two channels get into a bridge; people talk for a while.
    pub(crate) fn talk(&mut self, caller: ChannelId, callee: ChannelId, service: Option<Service>) {
        let id = self.next_id();
        let mut bridge = Bridge { uniqueid: self.uuid(), channels: Vec::new(), service };
        self.tell_bridge("BridgeCreate", &bridge, None);
        for channel in [callee, caller] {
            bridge.channels.push(channel);
            self.set_doing(channel, Doing::Talking(id));
            self.tell_bridge("BridgeEnter", &bridge, Some(channel));
        }
        self.bridges.insert(id, bridge);
        let talk = self.pick(self.settings.talk_ms.clone());
        let first = if self.happens(50) { caller } else { callee };
        self.later(talk, Step::TalkOver(id, first));
        if self.settings.calls_per_minute > 0 && talk > 10_000 && self.happens(15) {
            self.later(talk / 3, Step::Hold(callee));
            self.later(talk / 2, Step::Resume(callee));
        }
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

/// A wish to originate a call.
pub(crate) struct Originate {
    pub(crate) device: String,
    /// Set as caller and as connected party.
    pub(crate) caller: Option<Party>,
    pub(crate) uniqueid: Option<String>,
    pub(crate) timeout_ms: u64,
    pub(crate) wish: Originated,
}

impl Originated {
    fn show(&self, verdict: &str, channel: &str, text: Text) -> Text {
        let text = text
            .action_id(self.action_id.as_deref())
            .field("Response", verdict)
            .field("Channel", channel);
        match &self.target {
            Target::Extension { context, exten } => {
                text.field("Context", context).field("Exten", exten)
            }
            Target::Application { name, data } => {
                text.field("Application", name).field("Data", data)
            }
        }
    }
}
