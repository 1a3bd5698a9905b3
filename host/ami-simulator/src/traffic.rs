//! What goes on by itself: people call, take breaks, come back.

use rand::Rng as _;
use rand::seq::IndexedRandom as _;

use crate::centre::{Centre, Step};
use crate::queue::Member;

const CALLERS: [&str; 12] = [
    "Zagreb Dental",
    "Adria Hotel",
    "Kvarner Travel",
    "Split Marina",
    "Mira Jelić",
    "Dado Kos",
    "Vesna Tot",
    "Hrvoje Lučić",
    "Istra Foods",
    "Osijek Printing",
    "Dora Šarić",
    "Bruno O'Neill",
];
const BREAKS: [&str; 4] = ["Lunch", "Coffee", "Meeting", "Paperwork"];
/// Channels that there may be before no more calls come up by themselves.
const LINES: usize = 2_000;
/// Of so many agents one goes to a break, or comes back from it, each minute.
const AGENTS_PER_BREAK: u64 = 8;

impl Centre {
    /// The members sign in, and the first call is planned.
    pub(crate) fn open(&mut self) {
        let now_s = self.now_s();
        for (queue, settings) in self.queues.iter_mut().zip(&self.settings.queues) {
            for extension in &settings.members {
                let interface = format!("PJSIP/{extension}");
                if let Some(device) = self.devices.get(&interface) {
                    queue.members.push(Member {
                        name: device.name.clone(),
                        status: device.told.of_member(),
                        interface,
                        penalty: 0,
                        calls_taken: 0,
                        last_call: 0,
                        last_pause: 0,
                        login: now_s,
                        in_call: false,
                        paused: false,
                        reason: String::new(),
                    });
                }
            }
            queue.available = queue.members.iter().any(Member::is_available);
        }
        if self.settings.calls_per_minute > 0 {
            self.later(500, Step::Traffic);
            self.later(20_000, Step::Breaks);
        }
    }

    /// One call comes up, and the next one is planned.
    pub(crate) fn traffic(&mut self) {
        if self.channels.len() < LINES {
            self.one_call();
        }
        let mean_ms = 60_000.0 / f64::from(self.settings.calls_per_minute.max(1));
        // Calls come independently of each other: the pauses between them are exponential.
        let pause_ms = -mean_ms * (1.0 - self.chance.random::<f64>()).ln();
        self.later(milliseconds(pause_ms), Step::Traffic);
    }

    fn one_call(&mut self) {
        match self.chance.random_range(0..100) {
            0..60 => {
                let queues: Vec<_> = self.queues.iter().map(|q| q.extension.clone()).collect();
                self.outside_calls(&queues);
            }
            60..80 => self.phone_calls_phone(),
            80..93 => self.phone_calls_outside(),
            _ => {
                let phones: Vec<_> = self.free_extensions();
                self.outside_calls(&phones);
            }
        }
    }

    fn free_extensions(&self) -> Vec<String> {
        let extension = |name: String| self.devices.get(&name)?.extension.clone();
        self.free_phones().into_iter().filter_map(extension).collect()
    }

    fn outside_calls(&mut self, extensions: &[String]) {
        let Some(to) = extensions.choose(&mut self.chance).cloned() else { return };
        let name = CALLERS.choose(&mut self.chance).copied().unwrap_or_default();
        let number = self.outside_number();
        self.call_from_outside(&number, name, &to);
    }

    fn phone_calls_phone(&mut self) {
        let free = self.free_extensions();
        let two: Vec<_> = free.choose_multiple(&mut self.chance, 2).cloned().collect();
        if let [from, to] = &two[..] {
            self.dial(from, to);
        }
    }

    fn phone_calls_outside(&mut self) {
        let free = self.free_extensions();
        let Some(from) = free.choose(&mut self.chance) else { return };
        let to = format!("0{}", self.outside_number());
        self.dial(from, &to);
    }

    fn outside_number(&mut self) -> String {
        format!("3851{}", self.chance.random_range(2_000_000..7_000_000))
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
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn milliseconds(value: f64) -> u64 {
    value.clamp(1.0, 600_000.0) as u64
}
