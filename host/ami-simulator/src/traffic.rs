//! What goes on by itself: people call, park, meet, take breaks, come back.

use rand::Rng as _;
use rand::seq::IndexedRandom as _;

use crate::centre::{Centre, Step, TRUNK};
use crate::channel::{ChannelId, Doing};
use crate::people::{BREAKS, COUNTRIES, CUSTOMERS, MOODS};
use crate::queue::Member;

/// Channels that there may be before no more calls come up by themselves.
const LINES: usize = 2_000;
/// Of so many agents one goes to a break, or comes back from it, each minute.
const AGENTS_PER_BREAK: u64 = 8;
/// Of 100 phones, how many say something of themselves.
const MOODY_PERCENT: usize = 12;
/// From one meeting to the next, in milliseconds.
const MEETINGS_MS: std::ops::RangeInclusive<u64> = 60_000..=180_000;

impl Centre {
    /// The members sign in, and the first call is planned.
    pub(crate) fn open(&mut self) {
        for (index, settings) in self.settings.queues.clone().iter().enumerate() {
            self.queues[index].service_level_s = self.settings.service_level_s;
            for (extensions, penalty) in [(&settings.members, 0), (&settings.backups, 1)] {
                for extension in extensions {
                    self.sign_in(index, extension, penalty);
                }
            }
            let queue = &mut self.queues[index];
            queue.available = queue.members.iter().any(Member::is_available);
        }
        if self.settings.calls_per_minute > 0 {
            self.later(500, Step::Traffic);
            self.later(1_000, Step::Breaks);
            self.later(1_000, Step::Mood);
            self.later(30_000, Step::Meeting);
        }
    }

    fn sign_in(&mut self, queue: usize, extension: &str, penalty: u32) {
        let interface = format!("PJSIP/{extension}");
        let Some(device) = self.devices.get(&interface) else { return };
        let member = Member {
            name: device.name.clone(),
            status: device.told.of_member(),
            interface,
            penalty,
            calls_taken: 0,
            last_call: 0,
            last_pause: 0,
            login: self.now_s(),
            in_call: false,
            paused: false,
            reason: String::new(),
        };
        self.queues[queue].members.push(member);
    }

    /// One call comes up, and the next one is planned.
    pub(crate) fn traffic(&mut self) {
        if self.settings.calls_per_minute == 0 {
            return;
        }
        if self.channels.len() < LINES {
            self.one_call();
        }
        let mean_ms = 60_000.0 / f64::from(self.settings.calls_per_minute);
        // Calls come independently of each other: the pauses between them are exponential.
        let pause_ms = -mean_ms * (1.0 - self.chance.random::<f64>()).ln();
        self.later(milliseconds(pause_ms), Step::Traffic);
    }

    fn one_call(&mut self) {
        match self.chance.random_range(0..100) {
            0..60 => {
                let queues: Vec<_> = self.queues.iter().map(|q| q.extension.clone()).collect();
                // The first queue is the one that most people ask for.
                let first = queues.first().cloned().filter(|_| self.happens(35));
                let to = first.or_else(|| queues.choose(&mut self.chance).cloned());
                self.outside_calls(to);
            }
            60..80 => self.phone_calls_phone(),
            80..93 => self.phone_calls_outside(),
            _ => {
                let to = self.any_free_extension();
                self.outside_calls(to);
            }
        }
    }

    fn free_extensions(&self) -> Vec<String> {
        let extension = |name: String| self.devices.get(&name)?.extension.clone();
        self.free_phones().into_iter().filter_map(extension).collect()
    }

    pub(crate) fn any_free_extension(&mut self) -> Option<String> {
        self.free_extensions().choose(&mut self.chance).cloned()
    }

    /// A customer, somebody nobody knows, or somebody who does not want to be known.
    fn outside_calls(&mut self, to: Option<String>) {
        let Some(to) = to else { return };
        let (number, name) = match self.chance.random_range(0..100) {
            0..65 => {
                let customer = CUSTOMERS.choose(&mut self.chance).copied().unwrap_or_default();
                (customer.0.to_owned(), customer.1)
            }
            65..95 => (self.unknown_number(), ""),
            _ => ("anonymous".to_owned(), "Anonymous"),
        };
        self.call_from_outside(&number, name, &to);
    }

    /// A number that is in nobody's address book.
    pub(crate) fn unknown_number(&mut self) -> String {
        let (country, digits) = COUNTRIES.choose(&mut self.chance).copied().unwrap_or_default();
        let most = 10_u64.pow(digits);
        format!("{country}{}", self.chance.random_range(most / 10..most.max(2)))
    }

    fn phone_calls_phone(&mut self) {
        let free = self.free_extensions();
        let two: Vec<_> = free.choose_multiple(&mut self.chance, 2).cloned().collect();
        if let [from, to] = &two[..] {
            self.dial(from, to);
        }
    }

    fn phone_calls_outside(&mut self) {
        let Some(from) = self.any_free_extension() else { return };
        let customer = CUSTOMERS.choose(&mut self.chance).map(|customer| customer.0.to_owned());
        let known = customer.filter(|_| self.chance.random_bool(0.7));
        let number = known.unwrap_or_else(|| self.unknown_number());
        self.dial(&from, &format!("0{}", number.trim_start_matches('+')));
    }

    /// Two begin to talk for a while: maybe one is put on hold, or parked.
    pub(crate) fn liven_up(&mut self, callee: ChannelId, talk_ms: u64) {
        if self.happens(15) {
            self.later(talk_ms / 3, Step::Hold(callee));
            self.later(talk_ms / 2, Step::Resume(callee));
        } else if self.happens(8) {
            let is_trunk = |channel: ChannelId| {
                self.channels.get(&channel).is_none_or(|channel| channel.device == TRUNK)
            };
            let from_outside = self.partner(callee).is_some_and(is_trunk);
            if from_outside && !is_trunk(callee) {
                self.later(talk_ms / 3, Step::Park(callee));
            }
        }
    }

    /// Some of the calls that come through queues are recorded.
    pub(crate) fn record_some(&mut self, caller: ChannelId) {
        if self.settings.calls_per_minute > 0
            && self.happens(35)
            && let Some(id) = self.channels.get(&caller).map(|caller| caller.uniqueid.clone())
        {
            self.record(caller, &format!("queue-{id}.wav"));
        }
    }

    /// A few people who are free meet in the conference, one after the other.
    pub(crate) fn meeting(&mut self) {
        let next = self.pick(MEETINGS_MS);
        self.later(next, Step::Meeting);
        let room = self.settings.conference.clone();
        if self.rooms.contains_key(&room) || self.settings.calls_per_minute == 0 {
            return;
        }
        let mut free = self.free_extensions();
        // Whoever serves no queue just now rather than who does.
        free.sort_by_key(|extension| {
            let interface = format!("PJSIP/{extension}");
            let member = |queue: &crate::queue::Queue| {
                queue.member(&interface).is_some_and(Member::is_available)
            };
            self.queues.iter().any(member)
        });
        let guests = 3 + usize::from(self.happens(50));
        for extension in free.into_iter().take(guests) {
            let after = self.pick(0..=8_000);
            self.later(after, Step::Attend(extension, room.clone()));
        }
    }

    /// Somebody in a meeting talks now and then, and leaves some time.
    pub(crate) fn attend(&mut self, channel: ChannelId) {
        if self.settings.calls_per_minute == 0 {
            return;
        }
        let mut after = self.pick(500..=6_000);
        for _ in 0..4 {
            self.later(after, Step::Speak(channel, true));
            let talks = self.pick(2_000..=15_000);
            self.later(after + talks, Step::Speak(channel, false));
            after += talks + self.pick(3_000..=20_000);
        }
        let stays = self.pick(40_000..=120_000);
        self.later(stays, Step::Leave(channel));
    }

    /// Whoever is still in the meeting goes.
    pub(crate) fn leave_meeting(&mut self, channel: ChannelId) {
        if matches!(self.doing(channel), Some(Doing::Conferring(_))) {
            self.put_down(channel);
        }
    }

    /// A free member takes a break, or one comes back.
    pub(crate) fn breaks(&mut self) {
        let members: Vec<(String, bool)> = self
            .queues
            .iter()
            .flat_map(|queue| &queue.members)
            .filter(|member| member.paused || member.is_available())
            .map(|member| (member.interface.clone(), member.paused))
            .collect();
        // Whoever is away comes back before many others go.
        let away = members.iter().filter(|(_, paused)| *paused).count();
        let coming_back = away * 4 > members.len();
        let chosen: Vec<_> =
            members.iter().filter(|(_, paused)| !coming_back || *paused).cloned().collect();
        if let Some((interface, paused)) = chosen.choose(&mut self.chance).cloned() {
            let reason = BREAKS.choose(&mut self.chance).copied().unwrap_or_default();
            self.pause(None, &interface, !paused, if paused { "" } else { reason });
        }
        let agents = u64::try_from(members.len()).unwrap_or(u64::MAX).max(1);
        self.later((60_000 * AGENTS_PER_BREAK / agents).clamp(2_000, 60_000), Step::Breaks);
    }

    /// Somebody says something of themselves, or nothing special again.
    pub(crate) fn mood(&mut self) {
        let phones = self.devices.values().filter(|device| device.online && !device.left_alone);
        let extensions: Vec<String> = phones.filter_map(|phone| phone.extension.clone()).collect();
        let (moody, others): (Vec<_>, Vec<_>) = extensions.iter().partition(|extension| {
            self.presence_of(extension).is_some_and(|presence| presence.state != "available")
        });
        let enough = moody.len() * 100 >= extensions.len() * MOODY_PERCENT;
        let chosen = if enough { &moody } else { &others };
        if let Some(extension) = chosen.choose(&mut self.chance).map(|one| (*one).clone()) {
            let mood = MOODS.choose(&mut self.chance).copied().unwrap_or_default();
            self.say_presence(&extension, if enough { "available,," } else { mood });
        }
        let after = self.pick(8_000..=25_000);
        self.later(after, Step::Mood);
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn milliseconds(value: f64) -> u64 {
    value.clamp(1.0, 600_000.0) as u64
}
