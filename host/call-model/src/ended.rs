//! The ids of calls that ended lately, so that none is given again.

use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use telepulse_language::{SmolStr, format_smolstr};

/// How many are remembered. An id comes back within a second, by a restart of Asterisk, or when a
/// channel that was held back appears after its call's end: long before so many calls have ended.
const REMEMBERED: usize = 4_096;

/// Ids without number that are spent, and how often each was given.
#[derive(Default)]
pub(crate) struct Ended {
    times: FxHashMap<SmolStr, u32>,
    order: VecDeque<SmolStr>,
}

impl Ended {
    /// Remembers that a call of this id ended.
    pub(crate) fn add(&mut self, id: &str) {
        let id = base(id);
        if let Some(times) = self.times.get_mut(id) {
            *times += 1;
            return;
        }
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.times.remove(&oldest);
        }
        self.times.insert(id.into(), 1);
        self.order.push_back(id.into());
    }

    /// The id for a new call: as it is, or numbered if it was spent.
    pub(crate) fn fresh(&self, id: SmolStr) -> SmolStr {
        match self.times.get(&id) {
            None => id,
            Some(times) => format_smolstr!("{id}{NUMBERED}{}", times + 1),
        }
    }
}

/// What stands before the number; in no id otherwise, where `~` begins an escape of two digits.
const NUMBERED: &str = "~~";

fn base(id: &str) -> &str {
    id.split_once(NUMBERED).map_or(id, |(base, _)| base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_is_given_twice() {
        let mut ended = Ended::default();
        let fresh = |ended: &Ended| ended.fresh("pbx1-1.0".into());
        assert_eq!(fresh(&ended), "pbx1-1.0");
        ended.add("pbx1-1.0");
        assert_eq!(fresh(&ended), "pbx1-1.0~~2");
        ended.add("pbx1-1.0~~2");
        assert_eq!(fresh(&ended), "pbx1-1.0~~3");
        for number in 0..REMEMBERED {
            ended.add(&format!("pbx1-2.{number}"));
        }
        assert_eq!((ended.times.len(), ended.order.len()), (REMEMBERED, REMEMBERED));
        assert_eq!(fresh(&ended), "pbx1-1.0", "forgotten");
    }
}
