//! The session's own timers, in one table.

/// What a session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// The login must have been accepted.
    Login,
    /// `FullyBooted` should have come.
    Boot,
    /// Nothing was received for a while: ask whether the server is there.
    KeepAlive,
    /// The ping should have been followed by something.
    Pong,
    /// The goodbye should have been answered.
    Close,
}

impl Timer {
    pub(super) const ALL: [Self; 5] =
        [Self::Login, Self::Boot, Self::KeepAlive, Self::Pong, Self::Close];
}

/// When each timer runs out, if it runs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timers([Option<u64>; Timer::ALL.len()]);

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at_ms: u64) {
        self.0[timer as usize] = Some(at_ms);
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    pub(super) fn stop_all(&mut self) {
        *self = Self::default();
    }

    /// The next timer to run out.
    pub(super) fn next(&self) -> Option<u64> {
        self.0.iter().flatten().copied().min()
    }

    /// Stops one timer that has run out by `now_ms`; with it, when it did.
    pub(super) fn take_due(&mut self, now_ms: u64) -> Option<(Timer, u64)> {
        let (at, timer) = Timer::ALL
            .into_iter()
            .filter_map(|timer| Some((self.0[timer as usize]?, timer)))
            .filter(|(at, _)| *at <= now_ms)
            .min_by_key(|(at, _)| *at)?;
        self.stop(timer);
        Some((timer, at))
    }
}
