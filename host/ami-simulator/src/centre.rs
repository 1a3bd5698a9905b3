//! The call centre itself: what there is, what is due, and the events that tell of it.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::agenda::Agenda;
use crate::channel::{Bridge, BridgeId, Channel, ChannelId, Doing};
use crate::conference::Room;
use crate::consultation::Consultation;
use crate::device::Device;
use crate::disaster::Disaster;
use crate::making::Names;
use crate::parking::Lot;
use crate::presence::Presence;
use crate::queue::Queue;
use crate::settings::Settings;
use crate::wire::{Class, Event, Text};

/// Where phones' calls are looked up.
pub(crate) const INTERNAL: &str = "internal";
/// Where calls from outside come in.
pub(crate) const FROM_TRUNK: &str = "from-trunk";
/// The device that leads outside.
pub(crate) const TRUNK: &str = "PJSIP/trunk";

/// Things that happen before whoever lets time pass can do something else.
const STEPS_AT_ONCE: usize = 256;

/// Something that will happen unless it no longer makes sense.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A call comes up by itself, and the next one is planned.
    Traffic,
    /// Somebody takes a break, or comes back.
    Breaks,
    /// The called channel rings.
    Ring(ChannelId),
    /// The phone is answered.
    Answer(ChannelId),
    /// The phone refuses: it is busy.
    Refuse(ChannelId),
    /// It rang for too long.
    NoAnswer(ChannelId),
    /// The channel goes on at its extension.
    Enter(ChannelId),
    /// The queue looks for a member for who waits.
    Offer(String),
    /// The caller has waited long enough.
    GiveUp(ChannelId),
    /// The one at the channel has said everything that this bridge was for.
    TalkOver(BridgeId, ChannelId),
    /// The other side of the channel is put on hold.
    Hold(ChannelId),
    /// And taken back.
    Resume(ChannelId),
    /// Whom the channel talks to waits while it asks somebody at the extension.
    Consult(ChannelId, String),
    /// The other half of a `Local` channel has ended for that cause.
    HalfGone(ChannelId, u32),
    /// The parked one has waited for long enough in its space.
    ParkTimeout(ChannelId, u32),
    /// Whoever is still at the phone though nobody is left to talk to puts it down.
    LeftAlone(BridgeId, ChannelId),
    /// The channel's dialplan, or its application, is over.
    Over(ChannelId),
    /// Whom the channel talks to is parked by it.
    Park(ChannelId),
    /// Somebody fetches the parked one.
    Fetch(ChannelId, u32),
    /// A few people meet in a conference.
    Meeting,
    /// This phone joins the conference.
    Attend(String, String),
    /// Whoever is at the channel has had enough of the conference.
    Leave(ChannelId),
    /// Somebody in a conference begins to talk, or stops.
    Speak(ChannelId, bool),
    /// Somebody does not want to be disturbed, or wants again.
    Mood,
    /// Calls come in by the second until then: so many each time.
    Flood { until_ms: u64, calls: u32 },
}

/// A call centre: pure, so that time passes when it is told to, and chance comes from a seed.
#[derive(Debug)]
pub struct Centre {
    pub(crate) settings: Settings,
    pub(crate) now_ms: u64,
    pub(crate) started_ms: u64,
    pub(crate) chance: StdRng,
    pub(crate) channels: BTreeMap<ChannelId, Channel>,
    pub(crate) bridges: BTreeMap<BridgeId, Bridge>,
    pub(crate) devices: BTreeMap<String, Device>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) agenda: Agenda<Step>,
    pub(crate) lot: Lot,
    pub(crate) rooms: BTreeMap<String, Room>,
    pub(crate) consultations: Vec<Consultation>,
    /// By what a hint's presence part names.
    pub(crate) presences: BTreeMap<String, Presence>,
    /// Variables of no channel.
    pub(crate) globals: BTreeMap<String, String>,
    /// Dialled, and not for the centre itself to do.
    pub(crate) disaster: Option<Disaster>,
    events: Vec<Event>,
    pub(crate) names: Names,
    ids: u64,
}

impl Centre {
    /// A centre that opens at `now_ms`, in milliseconds since 1970; equal seeds, equal days.
    pub fn new(settings: Settings, seed: u64, now_ms: u64) -> Self {
        let queues =
            settings.queues.iter().map(|queue| Queue::new(&queue.name, &queue.extension)).collect();
        let phones = settings
            .phones
            .iter()
            .map(|phone| (format!("PJSIP/{}", phone.extension), Device::phone(phone)));
        let mut centre = Self {
            devices: phones.chain([(TRUNK.to_owned(), Device::trunk())]).collect(),
            queues,
            settings,
            now_ms,
            started_ms: now_ms,
            chance: StdRng::seed_from_u64(seed),
            channels: BTreeMap::new(),
            bridges: BTreeMap::new(),
            agenda: Agenda::default(),
            lot: Lot::default(),
            rooms: BTreeMap::new(),
            consultations: Vec::new(),
            presences: BTreeMap::new(),
            globals: BTreeMap::new(),
            disaster: None,
            events: Vec::new(),
            names: Names::default(),
            ids: 0,
        };
        centre.open();
        centre
    }

    /// Lets time pass up to `now_ms`: everything that was due until then happens.
    pub fn advance(&mut self, now_ms: u64) {
        while self.advance_a_bit(now_ms) {}
    }

    /// The same, but at most so much at once. True if something is due that did not happen yet:
    /// then this is behind the time.
    pub(crate) fn advance_a_bit(&mut self, now_ms: u64) -> bool {
        for _ in 0..STEPS_AT_ONCE {
            let Some((at, step)) = self.agenda.take(now_ms) else {
                self.now_ms = self.now_ms.max(now_ms);
                return false;
            };
            self.now_ms = self.now_ms.max(at);
            self.happen(step);
        }
        true
    }

    /// When something will happen by itself.
    pub fn next_due(&self) -> Option<u64> {
        self.agenda.next()
    }

    /// Channels that exist now.
    pub fn channel_count(&self) -> usize {
        self.channels.len()
    }

    fn happen(&mut self, step: Step) {
        match step {
            Step::Traffic => self.traffic(),
            Step::Breaks => self.breaks(),
            Step::Ring(channel) => self.ring(channel),
            Step::Answer(channel) => self.answer(channel),
            Step::Refuse(channel) => self.refuse(channel),
            Step::NoAnswer(channel) => self.no_answer(channel),
            Step::Enter(channel) => self.enter(channel),
            Step::Offer(queue) => self.offer(&queue),
            Step::GiveUp(channel) => {
                if matches!(self.doing(channel), Some(Doing::Queued { .. })) {
                    self.put_down(channel);
                }
            }
            Step::TalkOver(bridge, channel) => {
                if self.doing(channel) == Some(&Doing::Talking(bridge)) {
                    self.put_down(channel);
                }
            }
            Step::Hold(channel) => self.hold(channel, true),
            Step::Resume(channel) => self.hold(channel, false),
            Step::Consult(channel, exten) => self.consult(channel, &exten),
            Step::HalfGone(channel, cause) => self.half_gone(channel, cause),
            Step::ParkTimeout(channel, space) => self.park_timeout(channel, space),
            Step::LeftAlone(bridge, channel) => self.left_alone(bridge, channel),
            Step::Over(channel) => self.over(channel),
            Step::Park(channel) => self.park_other(channel),
            Step::Fetch(channel, space) => self.fetch(channel, space),
            Step::Meeting => self.meeting(),
            Step::Attend(from, room) => {
                self.dial(&from, &room);
            }
            Step::Leave(channel) => self.leave_meeting(channel),
            Step::Speak(channel, on) => self.speak(channel, on),
            Step::Mood => self.mood(),
            Step::Flood { until_ms, calls } => self.flood_on(until_ms, calls),
        }
    }

    /// What happened since this was asked last, in order.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub(crate) fn event(&self, name: &str, class: Class) -> Text {
        Text::event(name, class, &self.settings.system_name)
    }

    pub(crate) fn emit(&mut self, class: Class, text: Text) {
        self.emit_ended(class, text.end());
    }

    pub(crate) fn emit_ended(&mut self, class: Class, text: String) {
        self.events.push(Event { class, text });
    }

    /// An event that shows one channel, and more.
    pub(crate) fn tell(&mut self, name: &str, channel: ChannelId, more: &[(&str, &str)]) {
        if let Some(shown) = self.channels.get(&channel) {
            let text = shown.show("", self.event(name, Class::Call));
            self.emit(
                Class::Call,
                more.iter().fold(text, |text, (key, value)| text.field(key, value)),
            );
        }
    }

    /// An event that shows a bridge, and maybe a channel of it.
    pub(crate) fn tell_bridge(&mut self, name: &str, bridge: &Bridge, channel: Option<ChannelId>) {
        let text = bridge.show(self.event(name, Class::Call));
        let shown = channel.and_then(|channel| self.channels.get(&channel));
        let text = match shown {
            Some(shown) => shown.show("", text),
            None => text,
        };
        self.emit(Class::Call, text);
    }

    pub(crate) fn later(&mut self, after_ms: u64, step: Step) {
        self.agenda.add(self.now_ms + after_ms, step);
    }

    pub(crate) fn pick(&mut self, range: std::ops::RangeInclusive<u64>) -> u64 {
        self.chance.random_range(range)
    }

    /// True in so many of 100 cases.
    pub(crate) fn happens(&mut self, percent: u8) -> bool {
        self.chance.random_range(0..100) < percent
    }

    pub(crate) fn now_s(&self) -> u64 {
        self.now_ms / 1000
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// A number of the form that Asterisk gives to bridges.
    pub(crate) fn uuid(&mut self) -> String {
        let (a, b): (u64, u64) = (self.chance.random(), self.chance.random());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xfff,
            b >> 48 & 0xfff,
            b & 0xffff_ffff_ffff
        )
    }

    pub(crate) fn doing(&self, channel: ChannelId) -> Option<&Doing> {
        self.channels.get(&channel).map(|channel| &channel.doing)
    }

    pub(crate) fn set_doing(&mut self, channel: ChannelId, doing: Doing) {
        if let Some(changed) = self.channels.get_mut(&channel) {
            changed.doing = doing;
        }
    }

    pub(crate) fn channel_named(&self, name: &str) -> Option<ChannelId> {
        let by_name = |(_, channel): &(&ChannelId, &Channel)| channel.name == name;
        let by_id = |(_, channel): &(&ChannelId, &Channel)| channel.uniqueid == name;
        let found = self.channels.iter().find(by_name);
        found.or_else(|| self.channels.iter().find(by_id)).map(|(id, _)| *id)
    }

    pub(crate) fn queue_mut(&mut self, name: &str) -> Option<&mut Queue> {
        self.queues.iter_mut().find(|queue| queue.name == name)
    }

    /// Phones that may call and be called by themselves: online, and without a call.
    pub(crate) fn free_phones(&self) -> Vec<String> {
        let free = |(_, device): &(&String, &Device)| {
            device.extension.is_some()
                && device.online
                && !device.left_alone
                && !device.undisturbed
                && device.channels.is_empty()
        };
        self.devices.iter().filter(free).map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn phone_of(&self, extension: &str) -> Option<(&String, &Device)> {
        self.devices.iter().find(|(_, device)| device.extension.as_deref() == Some(extension))
    }

    /// Channels of one device.
    pub(crate) fn channels_of(&self, device: &str) -> BTreeSet<ChannelId> {
        self.devices.get(device).map(|device| device.channels.clone()).unwrap_or_default()
    }
}
