//! A moment as the language writes it: RFC 3339, UTC, milliseconds.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z, written as `2026-11-20T22:08:00.000Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Whole seconds from `earlier` to `self`; zero if `earlier` is later.
    pub fn seconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1000
    }
}

/// The first millisecond of year 10000: a moment from there on can only come from a broken clock, and
/// the epoch says so as well as any.
const END: u64 = 253_402_300_800_000;
const MS_OF_A_DAY: u64 = 86_400_000;

/// Each event has one or two of these: this costs a fifth of what a calendar library takes, which
/// reads them back.
fn write(ms: u64) -> [u8; 24] {
    let ms = if ms < END { ms } else { 0 };
    let (year, month, day) = date(ms / MS_OF_A_DAY);
    let (second, ms) = (ms % MS_OF_A_DAY / 1000, ms % 1000);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let parts = [
        (0..4, year),
        (5..7, month),
        (8..10, day),
        (11..13, second / 3600),
        (14..16, second / 60 % 60),
        (17..19, second % 60),
        (20..23, ms),
    ];
    for (place, mut number) in parts {
        for digit in text[place].iter_mut().rev() {
            *digit += u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
    }
    text
}

/// Year, month and day in the Gregorian calendar, so many days after 1970-01-01: counted in eras of
/// 400 years that begin on a 1 March, so that the leap day is a year's last.
fn date(days: u64) -> (u64, u64, u64) {
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next_year, month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&write(self.0)).unwrap_or_default())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&write(self.0)).unwrap_or_default())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let moment: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
        u64::try_from(moment.as_millisecond()).map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_with_milliseconds_and_read_back() {
        for (ms, text) in [
            (0, "\"1970-01-01T00:00:00.000Z\""),
            (1_795_212_480_000, "\"2026-11-20T22:08:00.000Z\""),
            (1_795_212_480_007, "\"2026-11-20T22:08:00.007Z\""),
        ] {
            assert_eq!(serde_json::to_string(&Timestamp(ms)).unwrap(), text);
            assert_eq!(serde_json::from_str::<Timestamp>(text).unwrap(), Timestamp(ms));
        }
    }

    #[test]
    fn any_moment_is_written_as_the_calendar_library_does() {
        let check = |ms: u64| {
            let moment = jiff::Timestamp::from_millisecond(i64::try_from(ms).unwrap()).unwrap();
            assert_eq!(Timestamp(ms).to_string(), format!("{moment:.3}"));
        };
        // Every third day of 8,000 years, each at another time of it.
        for day in (0..8_000 * 365).step_by(3) {
            check(day * MS_OF_A_DAY + day * 7_919 % MS_OF_A_DAY);
        }
        check(253_402_207_199_999);
        assert_eq!(Timestamp(END).to_string(), Timestamp(0).to_string());
    }
}
