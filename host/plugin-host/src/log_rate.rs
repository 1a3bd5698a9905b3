//! How many lines a plugin may write to the log: a token bucket. Pure; time is passed in.

use std::time::Instant;

/// Lines a second, and at once.
const RATE: f64 = 200.0;

/// The bucket of one plugin.
#[derive(Debug)]
pub(crate) struct LogRate {
    tokens: f64,
    since: Option<Instant>,
    refused: u64,
}

impl Default for LogRate {
    fn default() -> Self {
        Self { tokens: RATE, since: None, refused: 0 }
    }
}

impl LogRate {
    /// Takes one line. Some if it may be written, with the number of those refused since the last.
    pub(crate) fn take(&mut self, now: Instant) -> Option<u64> {
        if let Some(since) = self.since {
            let gained = now.saturating_duration_since(since).as_secs_f64() * RATE;
            self.tokens = (self.tokens + gained).min(RATE);
        }
        self.since = Some(now);
        if self.tokens < 1.0 {
            self.refused += 1;
            return None;
        }
        self.tokens -= 1.0;
        Some(std::mem::take(&mut self.refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_is_cut_and_counted() {
        let start = Instant::now();
        let mut rate = LogRate::default();
        let written = (0..1000).filter(|_| rate.take(start).is_some()).count();
        assert_eq!(written, 200);
        assert_eq!(rate.take(start + Duration::from_secs(1)), Some(800));
    }
}
