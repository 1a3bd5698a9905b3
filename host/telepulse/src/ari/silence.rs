//! Whether the other side is still there: asked after a silence, given up after another one.

use std::time::Duration;
use tokio::time::Instant;

/// How long one is waited for who was asked: as long as the silence before, within these bounds.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));

/// The silence of one connection.
pub(super) struct Silence {
    keep_alive: Duration,
    heard: Instant,
    asked: Option<Instant>,
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing until then.
    Wait(Instant),
    /// Ask whether it is there.
    Ask,
    /// It is not.
    GiveUp,
}

impl Silence {
    pub(super) fn new(keep_alive: Duration, now: Instant) -> Self {
        Self { keep_alive, heard: now, asked: None }
    }

    /// Something came.
    pub(super) fn broken(&mut self, now: Instant) {
        (self.heard, self.asked) = (now, None);
    }

    pub(super) fn turn(&mut self, now: Instant) -> Turn {
        let due = match self.asked {
            None => self.heard + self.keep_alive,
            Some(asked) => asked + self.keep_alive.clamp(PATIENCE.0, PATIENCE.1),
        };
        if now < due {
            return Turn::Wait(due);
        }
        if self.asked.is_some() {
            return Turn::GiveUp;
        }
        self.asked = Some(now);
        Turn::Ask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_silent_is_asked_and_then_given_up() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut silence = Silence::new(Duration::from_secs(15), begun);
        assert_eq!(silence.turn(at(14)), Turn::Wait(at(15)));
        silence.broken(at(14));
        assert_eq!(silence.turn(at(15)), Turn::Wait(at(29)));
        assert_eq!(silence.turn(at(29)), Turn::Ask);
        assert_eq!(silence.turn(at(29)), Turn::Wait(at(39)));
        silence.broken(at(30));
        assert_eq!(silence.turn(at(39)), Turn::Wait(at(45)));
        assert_eq!(silence.turn(at(45)), Turn::Ask);
        assert_eq!(silence.turn(at(55)), Turn::GiveUp);
    }

    #[test]
    fn patience_has_bounds() {
        let begun = Instant::now();
        let mut silence = Silence::new(Duration::from_secs(1), begun);
        let asked = begun + Duration::from_secs(1);
        assert_eq!(silence.turn(asked), Turn::Ask);
        assert_eq!(silence.turn(asked), Turn::Wait(asked + Duration::from_secs(2)));
    }
}
