//! Whose events of a server count: of whoever has it by now. What one that had it before still says, because
//! it was cut off or NATS was away, comes too late, and every reader leaves it out alike. Who has it anew does
//! not know what has ended meanwhile: once it has read the state (`resync`) everybody begins anew there. Pure.

use rustc_hash::FxHashMap;
use telepulse_language::SmolStr;

/// So many servers are remembered.
const SERVERS: usize = 65_536;

/// The latest term of each server, as the stream tells.
#[derive(Debug, Default)]
pub(super) struct Terms {
    by_server: FxHashMap<SmolStr, Latest>,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counts {
    /// It comes too late.
    No,
    Yes,
    /// And from here on another node knows the state: what was known before may be wrong.
    Anew,
}

#[derive(Clone, Copy, Debug)]
struct Latest {
    term: u64,
    /// Whoever has it has not told yet that the state was read.
    is_new: bool,
    /// Where in the stream something of it was seen last.
    seen: u64,
}

impl Terms {
    /// Whether an event at `seq` counts that was said of a server under a term; 0: of none.
    pub(super) fn accept(&mut self, seq: u64, server: &SmolStr, term: u64, kind: &str) -> Counts {
        if term == 0 {
            return Counts::Yes;
        }
        let before = self.by_server.get(server).copied();
        if before.is_some_and(|before| term < before.term) {
            return Counts::No;
        }
        if before.is_none() {
            self.make_room();
        }
        let was_new = before.is_none_or(|before| before.is_new || term > before.term);
        let is_resync = kind == "resync";
        let latest = Latest { term, is_new: was_new && !is_resync, seen: seq };
        self.by_server.insert(server.clone(), latest);
        if was_new && is_resync { Counts::Anew } else { Counts::Yes }
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
            let counts = terms.accept(seq, &server.into(), term, "queueCount");
            assert_eq!(counts, expected, "{server} {term}");
        };
        check("pbx1", 5, Counts::Yes);
        check("pbx1", 5, Counts::Yes);
        check("pbx1", 9, Counts::Yes);
        check("pbx1", 5, Counts::No);
        check("pbx1", 0, Counts::Yes);
        check("pbx2", 5, Counts::Yes);
        check("pbx1", 9, Counts::Yes);
    }

    #[test]
    fn everybody_begins_anew_where_another_has_read_the_state() {
        let mut terms = Terms::default();
        let mut check = |term, kind: &str, expected| {
            assert_eq!(terms.accept(1, &"pbx1".into(), term, kind), expected, "{term} {kind}");
        };
        check(5, "callStarted", Counts::Yes);
        check(5, "resync", Counts::Anew);
        check(5, "resync", Counts::Yes);
        check(9, "callStarted", Counts::Yes);
        check(5, "resync", Counts::No);
        check(9, "resync", Counts::Anew);
        check(9, "resync", Counts::Yes);
        check(0, "resync", Counts::Yes);
        check(11, "resync", Counts::Anew);
    }

    #[test]
    fn many_servers_are_not_remembered_for_ever() {
        let mut terms = Terms::default();
        let mut accept =
            |number: u64, server: &str, term| terms.accept(number, &server.into(), term, "x");
        for number in 0..SERVERS as u64 + 10 {
            assert_eq!(accept(number, &format!("pbx{number}"), 7), Counts::Yes);
        }
        assert_eq!(accept(u64::MAX, "pbx20", 6), Counts::No, "what was seen lately is remembered");
        assert_eq!(accept(u64::MAX, "pbx0", 6), Counts::Yes);
        assert_eq!(terms.by_server.len(), SERVERS);
    }
}
