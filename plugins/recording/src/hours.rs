//! Times of the week, like `Mon-Fri 08:00-18:00`, in the operator's time zone. Pure.

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Deserializer, de};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MINUTES_OF_A_DAY: u32 = 24 * 60;

/// Where it is what time: a rule as in the variable `TZ`, with summer time and all.
#[derive(Clone, Debug)]
pub(crate) struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        TimeZone::posix(&text).map(Self).map_err(|_| {
            de::Error::custom(
                "must be a rule as in TZ, like \"CET-1CEST,M3.5.0,M10.5.0/3\": the last line of a file \
                 below /usr/share/zoneinfo is one",
            )
        })
    }
}

/// A moment on the clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// From 0, a Monday.
    day: usize,
    minute: u32,
    /// `20261120`
    pub(crate) date: u32,
    /// `220800`
    pub(crate) time: u32,
}

impl Zone {
    /// What the clock shows there, so many milliseconds after 1970 began.
    pub(crate) fn moment(&self, ms: u64) -> Moment {
        let ms = i64::try_from(ms).unwrap_or_default();
        let shown = Timestamp::from_millisecond(ms).unwrap_or_default().to_zoned(self.0.clone());
        let number = |part: i8| u32::try_from(part).unwrap_or_default();
        let (hour, minute, second) =
            (number(shown.hour()), number(shown.minute()), number(shown.second()));
        let year = u32::try_from(shown.year()).unwrap_or_default();
        Moment {
            day: usize::try_from(shown.weekday().to_monday_zero_offset()).unwrap_or_default(),
            minute: hour * 60 + minute,
            date: (year * 100 + number(shown.month())) * 100 + number(shown.day()),
            time: (hour * 100 + minute) * 100 + second,
        }
    }
}

/// Some hours of some days. Where the end is before the beginning it is on the day after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hours {
    days: [bool; 7],
    from: u32,
    to: u32,
}

impl Hours {
    /// Whether a moment is within.
    pub(crate) fn contain(&self, moment: Moment) -> bool {
        let Moment { day, minute, .. } = moment;
        if self.from < self.to {
            return self.days[day] && (self.from..self.to).contains(&minute);
        }
        let yesterday = (day + 6) % 7;
        (self.days[day] && minute >= self.from) || (self.days[yesterday] && minute < self.to)
    }

    fn parse(text: &str) -> Option<Self> {
        let (days, hours) = text.split_once(' ')?;
        let (from, to) = hours.trim().split_once('-')?;
        let (from, to) = (minute(from)?, minute(to)?);
        let is_some = from != to && from < MINUTES_OF_A_DAY;
        is_some.then_some(Self { days: days_of(days)?, from, to })
    }
}

fn days_of(text: &str) -> Option<[bool; 7]> {
    if text == "daily" {
        return Some([true; 7]);
    }
    let place = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (mut day, last) = (place(first)?, place(last)?);
    let mut days = [false; 7];
    days[day] = true;
    while day != last {
        day = (day + 1) % 7;
        days[day] = true;
    }
    Some(days)
}

/// `08:30`, up to `24:00`.
fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u32>().ok())?
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= MINUTES_OF_A_DAY).then_some(total)
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(
                "must be days and hours, like \"Mon-Fri 08:00-18:00\", \"Sat 09:00-12:00\" or \
                 \"daily 22:00-06:00\"",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Friday, 20 November 2026, 22:08 UTC.
    const FRIDAY: u64 = 1_795_212_480_000;
    const HOUR: u64 = 3_600_000;

    fn zone(text: &str) -> Zone {
        serde_json::from_value(text.into()).unwrap()
    }

    #[test]
    fn the_clock_is_the_operators() {
        let utc = Zone::default().moment(FRIDAY);
        assert_eq!((utc.day, utc.minute, utc.date, utc.time), (4, 1328, 20_261_120, 220_800));
        let vienna = zone("CET-1CEST,M3.5.0,M10.5.0/3");
        assert_eq!(vienna.moment(FRIDAY).time, 230_800);
        let july = FRIDAY - 137 * 24 * HOUR;
        assert_eq!(vienna.moment(july).time, 800, "summer time, and so the day after");
        assert_eq!(vienna.moment(july).day, 1, "a Tuesday");
        assert!(serde_json::from_value::<Zone>("Europe/Vienna".into()).is_err());
    }

    #[test]
    fn hours_begin_and_end() {
        let within =
            |hours: &str, ms: u64| Hours::parse(hours).unwrap().contain(Zone::default().moment(ms));
        for (hours, ms, expected) in [
            ("Fri 22:00-23:00", FRIDAY, true),
            ("Fri 22:08-22:09", FRIDAY, true),
            ("Fri 22:00-22:08", FRIDAY, false),
            ("Mon-Fri 08:00-24:00", FRIDAY, true),
            ("Sat-Thu 08:00-24:00", FRIDAY, false),
            ("daily 22:00-06:00", FRIDAY + 7 * HOUR, true),
            ("Fri 22:00-06:00", FRIDAY + 7 * HOUR, true),
            ("Fri 22:00-06:00", FRIDAY + 8 * HOUR, false),
            ("Sat 22:00-06:00", FRIDAY + 7 * HOUR, false),
        ] {
            assert_eq!(within(hours, ms), expected, "{hours} {ms}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "Mon",
            "08:00-18:00",
            "Mon 8:00-18:00",
            "Mon 08:00",
            "Mon 08:60-09:00",
            "Mon 24:00-25:00",
            "Mon 24:00-02:00",
            "Mon 08:00-08:00",
            "Montag 08:00-09:00",
            "Mon-Foo 08:00-09:00",
            "Mon +8:00-09:00",
        ] {
            assert_eq!(Hours::parse(text), None, "{text}");
        }
    }
}
