//! A moment as Asterisk writes it.

/// A day and a time of it, in UTC.
pub(crate) struct Moment {
    days: u64,
    seconds: u64,
}

impl Moment {
    /// Of milliseconds since 1970.
    pub(crate) fn of(now_ms: u64) -> Self {
        let seconds = now_ms / 1000;
        Self { days: seconds / 86_400, seconds: seconds % 86_400 }
    }

    /// `2026-11-20`.
    pub(crate) fn date(&self) -> String {
        // Years that begin in March have their odd day at the end (Howard Hinnant's way).
        let days = self.days + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        format!("{:04}-{month:02}-{day:02}", era * 400 + year_of_era + later)
    }

    /// `23:04:46`.
    pub(crate) fn time(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.seconds / 3600, self.seconds / 60 % 60, self.seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, date, time) in [
            (0, "1970-01-01", "00:00:00"),
            (951_782_399, "2000-02-28", "23:59:59"),
            (951_782_400, "2000-02-29", "00:00:00"),
            (1_795_215_886, "2026-11-20", "23:04:46"),
        ] {
            let moment = Moment::of(seconds * 1000);
            assert_eq!((moment.date().as_str(), moment.time().as_str()), (date, time));
        }
    }
}
