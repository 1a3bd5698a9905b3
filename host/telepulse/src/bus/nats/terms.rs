//! Whose events of a server count: of whoever has it by now. What one that had it before still says, because
//! it was cut off or NATS was away, comes too late, and every reader leaves it out alike. Pure.

use rustc_hash::FxHashMap;
use telepulse_language::SmolStr;

/// So many servers are remembered.
const SERVERS: usize = 65_536;

/// The latest term of each server, as the stream tells.
#[derive(Debug, Default)]
pub(super) struct Terms {
    by_server: FxHashMap<SmolStr, Latest>,
}

#[derive(Clone, Copy, Debug)]
struct Latest {
    term: u64,
    /// Where in the stream something of it was seen last.
    seen: u64,
}

impl Terms {
    /// Whether an event at `seq` counts that was said of a server under a term; 0: of none.
    pub(super) fn accept(&mut self, seq: u64, server: &SmolStr, term: u64) -> bool {
        if term == 0 {
            return true;
        }
        if let Some(latest) = self.by_server.get_mut(server) {
            if term < latest.term {
                return false;
            }
            *latest = Latest { term, seen: seq };
            return true;
        }
        self.make_room();
        self.by_server.insert(server.clone(), Latest { term, seen: seq });
        true
    }

    fn make_room(&mut self) {
        if self.by_server.len() < SERVERS {
            return;
        }
        let quiet = self.by_server.iter().min_by_key(|(_, latest)| latest.seen);
        if let Some(quiet) = quiet.map(|(server, _)| server.clone()) {
            self.by_server.remove(&quiet);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_owner_says_counts_no_more() {
        let mut terms = Terms::default();
        let mut seq = 0;
        let mut check = |server: &str, term, expected| {
            seq += 1;
            assert_eq!(terms.accept(seq, &server.into(), term), expected, "{server} {term}");
        };
        check("pbx1", 5, true);
        check("pbx1", 5, true);
        check("pbx1", 9, true);
        check("pbx1", 5, false);
        check("pbx1", 0, true);
        check("pbx2", 5, true);
        check("pbx1", 9, true);
    }

    #[test]
    fn many_servers_are_not_remembered_for_ever() {
        let mut terms = Terms::default();
        for number in 0..SERVERS as u64 + 10 {
            assert!(terms.accept(number, &format!("pbx{number}").into(), 7));
        }
        assert_eq!(terms.by_server.len(), SERVERS);
        assert!(!terms.accept(u64::MAX, &"pbx20".into(), 6), "what was seen lately is remembered");
        assert!(terms.accept(u64::MAX, &"pbx0".into(), 6));
    }
}
