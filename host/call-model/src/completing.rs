//! Calls from queues that ended lately. Asterisk tells that an agent is done (AgentComplete) by another thread
//! than it tells hangups: on a busy machine after the last of them.

use crate::call::Call;
use std::collections::VecDeque;
use telepulse_language::SmolStr;

/// How many are remembered: what is told late is so by less than a second.
const REMEMBERED: usize = 256;

/// What is still to be told of them.
#[derive(Default)]
pub(crate) struct Completing(VecDeque<Over>);

/// A call that is over.
pub(crate) struct Over {
    linkedids: Vec<SmolStr>,
    pub(crate) call: SmolStr,
    pub(crate) recordings: Vec<SmolStr>,
}

impl Completing {
    /// Remembers a call that is over, if it came through a queue.
    pub(crate) fn add(&mut self, call: &Call) {
        if call.queue.is_none() {
            return;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(Over {
            linkedids: call.linkedids.clone(),
            call: call.id.clone(),
            recordings: call.recordings.clone(),
        });
    }

    /// The one that ended last of those with this Linkedid.
    pub(crate) fn find(&self, linkedid: &str) -> Option<&Over> {
        self.0.iter().rev().find(|over| over.linkedids.iter().any(|it| it == linkedid))
    }
}
