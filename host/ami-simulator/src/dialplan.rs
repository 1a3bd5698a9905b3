//! The dialplan: what stands behind an extension, and what a channel does there.

use crate::centre::{Centre, Step, TRUNK};
use crate::channel::{ChannelId, Doing};
use crate::disaster::Disaster;

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

    pub(crate) fn led_to(&mut self, channel: ChannelId, exten: &str) {
        if let Some(channel) = self.channels.get_mut(&channel) {
            exten.clone_into(&mut channel.exten);
        }
    }
}
