//! Whether a link keeps up with its server, as a pure state machine.
//!
//! Reading never waits, so a server that sends more than the model can take makes the model late, not
//! the reading. A model that is late for too long is worth less than a fresh one: then live events are
//! left out until the socket is empty, and the listings bring the model up to date.

/// A link may be this late while it is up. Short enough that nobody acts on an old state, long enough
/// for any burst that a real PBX makes.
const LATE_MS: u64 = 2_000;
/// The same while listings come in: these are what makes it late, and they end.
const LATE_WHILE_SYNCING_MS: u64 = 10_000;

/// One link's pace.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Since when the socket has had more to read, each time that it was looked at.
    behind_since_ms: Option<u64>,
    is_shedding: bool,
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Leave live events out from here.
    Shed,
    /// The socket is empty: take events again, and fill the model by listings.
    CaughtUp,
}

impl Pace {
    /// To be called after each read; `is_drained` says that the socket had nothing left to read
    /// just before.
    pub(super) fn on_read(
        &mut self,
        is_drained: bool,
        is_synced: bool,
        now_ms: u64,
    ) -> Option<Turn> {
        if is_drained {
            self.behind_since_ms = None;
            return std::mem::take(&mut self.is_shedding).then_some(Turn::CaughtUp);
        }
        let since = *self.behind_since_ms.get_or_insert(now_ms);
        let patience = if is_synced { LATE_MS } else { LATE_WHILE_SYNCING_MS };
        if self.is_shedding || now_ms.saturating_sub(since) < patience {
            return None;
        }
        self.is_shedding = true;
        Some(Turn::Shed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads at these times, and whether the socket was empty before each.
    fn turns(is_synced: bool, reads: &[(u64, bool)]) -> Vec<(u64, Turn)> {
        let mut pace = Pace::default();
        let turn = |&(at, drained): &(u64, bool)| {
            pace.on_read(drained, is_synced, at).map(|turn| (at, turn))
        };
        reads.iter().filter_map(turn).collect()
    }

    #[test]
    fn a_burst_is_worked_off() {
        assert_eq!(turns(true, &[(0, true), (1, false), (1_999, false), (2_000, true)]), []);
        // Each time that it was empty the clock begins anew.
        let reads: Vec<_> = (0..100).map(|n| (n * 100, n % 10 == 0)).collect();
        assert_eq!(turns(true, &reads), []);
    }

    #[test]
    fn who_is_late_for_too_long_sheds_until_the_socket_is_empty() {
        let reads: Vec<_> = (0..60).map(|n| (n * 100, n == 0 || n == 50)).collect();
        assert_eq!(turns(true, &reads), [(2_100, Turn::Shed), (5_000, Turn::CaughtUp)]);
    }

    #[test]
    fn listings_have_more_time() {
        let reads: Vec<_> = (0..120).map(|n| (n * 100, n == 0)).collect();
        assert_eq!(turns(false, &reads), [(10_100, Turn::Shed)]);
    }
}
