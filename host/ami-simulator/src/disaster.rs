//! What may befall a call centre, by order or by an extension that somebody dials.

use std::time::Duration;

use crate::centre::{Centre, FROM_TRUNK, Step, TRUNK};
use crate::channel::{ChannelId, Doing, Party, State};
use crate::making::NewChannel;

/// From one wave of calls of a flood to the next.
const WAVE_MS: u64 = 20;
/// How long a call of a flood is.
const SHORT_MS: u64 = 150;
/// Events that such a call makes.
const EVENTS_PER_CALL: u32 = 4;
/// What a dialled disaster is like if the extension does not say.
const DOWN_S: u64 = 15;
const FLOOD_S: u64 = 10;
const FLOOD_PER_SECOND: u32 = 2_000;
/// The most of either.
const MOST_S: u64 = 600;

/// What may befall it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disaster {
    /// The server dies: every connection and every call is lost. It is back after that time.
    Down(Duration),
    /// Calls come in and end at once, so many that this many events come each second.
    Flood {
        /// About so many.
        events_per_second: u32,
        /// For so long.
        time: Duration,
    },
    /// So many calls come up by themselves from now on, each minute.
    Calls(u32),
}

impl Disaster {
    /// `991` is a server that dies, `992` a flood, each with the seconds after it if others are
    /// wanted; `993` twice the calls, `994` half of them.
    pub(crate) fn dialled(exten: &str, calls_per_minute: u32) -> Option<Self> {
        let (kind, seconds) = exten.split_at_checked(3)?;
        let seconds = |usual: u64| {
            let asked = if seconds.is_empty() { Some(usual) } else { seconds.parse().ok() };
            asked.filter(|asked| (1..=MOST_S).contains(asked)).map(Duration::from_secs)
        };
        match kind {
            "991" => seconds(DOWN_S).map(Self::Down),
            "992" => {
                let time = seconds(FLOOD_S)?;
                Some(Self::Flood { events_per_second: FLOOD_PER_SECOND, time })
            }
            "993" if exten.len() == 3 => Some(Self::Calls((calls_per_minute * 2).clamp(1, 6_000))),
            "994" if exten.len() == 3 => Some(Self::Calls(calls_per_minute / 2)),
            _ => None,
        }
    }
}

impl Centre {
    /// What somebody has dialled and the centre cannot do by itself: to die.
    pub fn take_disaster(&mut self) -> Option<Disaster> {
        self.disaster.take()
    }

    /// Lets something befall the centre. False for what only whoever runs it can do.
    pub fn befall(&mut self, disaster: Disaster) -> bool {
        match disaster {
            Disaster::Down(_) => return false,
            Disaster::Flood { events_per_second, time } => {
                let time_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                let wave_ms = u32::try_from(WAVE_MS).unwrap_or(1);
                let calls = (events_per_second * wave_ms / 1_000).div_ceil(EVENTS_PER_CALL).max(1);
                let until_ms = self.now_ms.saturating_add(time_ms);
                self.later(0, Step::Flood { until_ms, calls });
            }
            Disaster::Calls(calls_per_minute) => {
                let idle = self.settings.calls_per_minute == 0;
                self.settings.calls_per_minute = calls_per_minute;
                if idle && calls_per_minute > 0 {
                    self.later(1, Step::Traffic);
                }
            }
        }
        true
    }

    /// One wave of a flood, and the next is planned.
    pub(crate) fn flood_on(&mut self, until_ms: u64, calls: u32) {
        for _ in 0..calls {
            self.short_call();
        }
        if self.now_ms < until_ms {
            self.later(WAVE_MS, Step::Flood { until_ms, calls });
        }
    }

    /// A call that is answered and over before anybody could have said a word.
    fn short_call(&mut self) {
        let number = self.unknown_number();
        let channel = self.create(NewChannel {
            device: TRUNK,
            state: State::Ring,
            caller: Party::new(number, ""),
            context: FROM_TRUNK,
            exten: "800",
            uniqueid: None,
            linkedid: None,
            doing: Doing::Alone,
        });
        self.enter(channel);
        self.later(SHORT_MS, Step::Over(channel));
    }

    /// Somebody dialled a disaster: it is said that it comes, then it does.
    pub(crate) fn invite(&mut self, channel: ChannelId, disaster: Disaster) {
        self.pick_up(channel);
        self.later(1_000, Step::Over(channel));
        if !self.befall(disaster) {
            self.disaster = Some(disaster);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_say_what_and_for_how_long() {
        let check = |exten: &str, expected: Option<Disaster>| {
            assert_eq!(Disaster::dialled(exten, 30), expected, "{exten}");
        };
        check("991", Some(Disaster::Down(Duration::from_secs(15))));
        check("99140", Some(Disaster::Down(Duration::from_secs(40))));
        let time = Duration::from_secs(3);
        check("9923", Some(Disaster::Flood { events_per_second: 2_000, time }));
        check("993", Some(Disaster::Calls(60)));
        check("994", Some(Disaster::Calls(15)));
        for exten in ["99", "995", "991x", "9910", "9919999", "9931", "101"] {
            check(exten, None);
        }
    }
}
