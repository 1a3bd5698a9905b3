//! A call from the first digit to the answer: channels made, rung, answered or refused.

use crate::centre::{Centre, FROM_TRUNK, INTERNAL, NewChannel, Step, TRUNK};
use crate::channel::{
    Bridge, BridgeId, Called, ChannelId, Doing, Originated, Party, Purpose, Service, State, Target,
    UNKNOWN,
};
use crate::disaster::Disaster;
use crate::local::Pair;
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
    /// A conference.
    Room(String),
    /// The parking lot.
    Lot,
    /// A space in it.
    Space(u32),
    /// The box of an extension.
    Voicemail,
    /// Do not disturb, on or off.
    Disturb(bool),
    /// An application that goes on until somebody hangs up.
    Sound(&'static str),
    /// Words that are said, and then the line is dropped.
    Announcement,
    /// Something bad, for whoever wants to see it.
    Disaster(Disaster),
    Nowhere,
}

/// How long a message in a voicemail box is.
const MESSAGE_MS: u64 = 12_000;
/// How long an announcement is.
const ANNOUNCEMENT_MS: u64 = 1_000;

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
        if self.is_lot(exten) {
            return Place::Lot;
        }
        if let Some(space) = self.space(exten) {
            return Place::Space(space);
        }
        if exten == self.settings.conference {
            return Place::Room(exten.to_owned());
        }
        let digits = |number: &str| number.bytes().all(|byte| byte.is_ascii_digit());
        match exten {
            "800" => Place::Sound("Echo"),
            "801" => Place::Sound("MusicOnHold"),
            "950" => Place::Announcement,
            "*78" => Place::Disturb(false),
            "*79" => Place::Disturb(true),
            _ => {
                let outside = exten.strip_prefix(['0', '+']).filter(|number| digits(number));
                let boxed = exten.strip_prefix('*').and_then(|number| self.phone_of(number));
                match (outside, boxed) {
                    (Some(number), _) if !number.is_empty() => Place::Outside(number.to_owned()),
                    (_, Some(_)) => Place::Voicemail,
                    _ => Disaster::dialled(exten, self.settings.calls_per_minute)
                        .map_or(Place::Nowhere, Place::Disaster),
                }
            }
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
            Place::Room(room) => self.join_room(channel, &room),
            Place::Lot => {
                self.pick_up(channel);
                if !self.park(channel, None, None) {
                    self.end_alone(channel, 16);
                }
            }
            Place::Space(space) => self.unpark(channel, space),
            Place::Sound(application) => {
                self.run(channel, application, "");
                self.pick_up(channel);
            }
            Place::Voicemail => {
                self.run(channel, "VoiceMail", &exten[1..]);
                self.pick_up(channel);
                self.later(MESSAGE_MS, Step::Over(channel));
            }
            Place::Announcement => {
                self.run(channel, "Playtones", "440");
                self.pick_up(channel);
                self.later(ANNOUNCEMENT_MS, Step::Over(channel));
            }
            Place::Disaster(disaster) => self.invite(channel, disaster),
            Place::Disturb(may) => self.disturb(channel, may),
            Place::Nowhere => self.end_alone(channel, 3),
        }
    }

    /// Feature codes: the phone that dials says whether it may be disturbed.
    fn disturb(&mut self, channel: ChannelId, may: bool) {
        self.pick_up(channel);
        let device = self.channels.get(&channel).map(|channel| channel.device.clone());
        let phone = device.and_then(|device| self.devices.get(&device)?.extension.clone());
        if let Some(extension) = phone {
            self.say_presence(&extension, if may { "available,," } else { "dnd,," });
        }
        self.later(ANNOUNCEMENT_MS, Step::Over(channel));
    }

    pub(crate) fn run(&mut self, channel: ChannelId, application: &str, data: &str) {
        if let Some(running) = self.channels.get_mut(&channel) {
            application.clone_into(&mut running.application);
            data.clone_into(&mut running.data);
        }
    }

    /// Application Dial: rings a device for a channel.
    pub(crate) fn call_device(&mut self, by: ChannelId, device: &str, dialled: &str, number: &str) {
        let Some(target) = self.devices.get(device) else { return };
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
        if let Some(place) = call.device.strip_prefix("Local/").map(str::to_owned) {
            return self.originate_local(call, &place);
        }
        let Some(device) = self.devices.get(&call.device).filter(|device| device.online) else {
            return self.originate_failed(&call.wish, 0, call.uniqueid.as_deref());
        };
        // Whoever asks for a call of their own takes it.
        let busy = device.extension.is_some() && !device.channels.is_empty();
        let own = device.party();
        let dialled = call.device.strip_prefix("PJSIP/").unwrap_or(&call.device).to_owned();
        let channel = self.create(NewChannel {
            device: &call.device,
            state: State::Down,
            caller: own.clone(),
            context: INTERNAL,
            exten: "s",
            uniqueid: call.uniqueid.as_deref(),
            linkedid: None,
            doing: Doing::Called(Called::Originated(call.wish.clone())),
        });
        self.run(channel, "AppDial2", "(Outgoing Line)");
        self.set_variables(channel, call.variables);
        if let Some(shown) = call.wish.shown {
            let name = if shown.name == UNKNOWN { own.name } else { shown.name.clone() };
            self.call_itself(channel, Party::new(&shown.number, name));
            self.connect_line(channel, shown);
        }
        self.tell_dial("DialBegin", channel, &[("DialString", &dialled)]);
        self.later(TO_RING_MS, if busy { Step::Refuse(channel) } else { Step::Ring(channel) });
        self.later(call.timeout_ms, Step::NoAnswer(channel));
    }

    /// Originate with a `Local` channel: its far half goes into the dialplan.
    fn originate_local(&mut self, call: Originate, place: &str) {
        let place = place.split('/').next().unwrap_or_default();
        let (exten, context) = place.split_once('@').unwrap_or((place, INTERNAL));
        if !self.exists(exten) {
            return self.originate_failed(&call.wish, 0, call.uniqueid.as_deref());
        }
        let (near, far) = self.local_pair(Pair {
            context,
            exten,
            uniqueids: [call.uniqueid.as_deref(), call.other_uniqueid.as_deref()],
            linkedid: None,
            doing: Doing::Called(Called::Originated(call.wish)),
        });
        self.set_variables(near, call.variables);
        self.tell_local_bridge(near, far);
        self.tell_dial("DialBegin", near, &[("DialString", place)]);
        self.later(call.timeout_ms, Step::NoAnswer(near));
        self.enter(far);
    }

    fn set_variables(&mut self, channel: ChannelId, variables: Vec<(String, String)>) {
        if let Some(channel) = self.channels.get_mut(&channel) {
            channel.variables.extend(variables);
        }
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

    pub(crate) fn answer_originated(&mut self, channel: ChannelId, wish: Originated) {
        let Some(answered) = self.channels.get(&channel) else { return };
        let text = wish
            .show("Success", &answered.name, self.event("OriginateResponse", Class::Call))
            .field("Reason", 4)
            .field("Uniqueid", &answered.uniqueid)
            .field("CallerIDNum", wish.shown.as_ref().map_or(UNKNOWN, |shown| &shown.number))
            .field("CallerIDName", wish.shown.as_ref().map_or_else(unknown, of_name));
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
            Target::Application { name, data } => self.run_application(channel, &name, &data),
        }
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

/// A wish to originate a call.
pub(crate) struct Originate {
    pub(crate) device: String,
    pub(crate) uniqueid: Option<String>,
    /// That of the far half of a `Local` channel.
    pub(crate) other_uniqueid: Option<String>,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) timeout_ms: u64,
    pub(crate) wish: Originated,
}

fn unknown() -> String {
    UNKNOWN.to_owned()
}

fn of_name(party: &Party) -> String {
    escaped(&party.name)
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
