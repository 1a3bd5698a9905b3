//! The node's own chain of beats: what it says of itself, and until when it may act.

use super::{Moment, Order, Outcome, Ownership};
use crate::cluster::{NodeRecord, NodeState};

/// The own chain.
#[derive(Debug, Default)]
pub(super) struct Beats {
    /// The latest revision of the own record that is known.
    revision: u64,
    /// Sent then, with this state, and not answered yet.
    under_way: Option<(Moment, NodeState)>,
    next: Moment,
    /// Until then this node may act.
    until: Moment,
    /// At the last look it might.
    was_alive: bool,
}

impl Beats {
    /// The store has this revision of the own record.
    pub(super) fn know(&mut self, revision: u64) {
        self.revision = self.revision.max(revision);
    }

    /// Others wait for what the next one says.
    pub(super) fn hurry(&mut self) {
        self.next = 0;
    }

    /// Whether this node may act, and might not at the last look.
    pub(super) fn is_back(&mut self, may_act: bool) -> bool {
        let was_alive = std::mem::replace(&mut self.was_alive, may_act);
        may_act && !was_alive
    }
}

impl Ownership {
    /// Until when this node may act on the servers that it owns: to be asked right before anything is sent.
    pub(crate) fn until(&self) -> Moment {
        if self.is_gone { 0 } else { self.beats.until }
    }

    /// Whether it may act now.
    pub(crate) fn may_act(&self, now: Moment) -> bool {
        now < self.until()
    }

    /// What this node says of itself.
    pub(crate) fn own_record(&self) -> NodeRecord {
        let state = match (self.is_gone, self.is_draining) {
            (true, _) => NodeState::Gone,
            (false, true) => NodeState::Draining,
            (false, false) => NodeState::Alive,
        };
        NodeRecord { state, ..self.record.clone() }
    }

    /// What came of a beat that was sent at that moment. After a conflict [`Ownership::saw_node`] has to be
    /// told what the own record is: an own beat whose answer was lost, or a burial.
    pub(crate) fn beaten(&mut self, sent: Moment, outcome: Outcome) {
        let state = self.beats.under_way.filter(|(at, _)| *at == sent).map(|(_, state)| state);
        if state.is_some() {
            self.beats.under_way = None;
        }
        let Outcome::Written(revision) = outcome else { return };
        self.beats.know(revision);
        if state == Some(NodeState::Gone) {
            self.is_gone = true;
        } else {
            self.beats.until = self.beats.until.max(sent + self.terms.life);
        }
    }

    /// Says how it is, when it is time to, and good-bye as soon as everything is handed over.
    pub(super) fn beat(&mut self, now: Moment, orders: &mut Vec<Order>) {
        if self.beats.under_way.is_some_and(|(sent, _)| now < sent + self.terms.answer) {
            return;
        }
        let state = match (self.is_draining, self.holds()) {
            (false, _) => NodeState::Alive,
            (true, true) => NodeState::Draining,
            (true, false) => NodeState::Gone,
        };
        let beats = &mut self.beats;
        if now < beats.next && state != NodeState::Gone {
            return;
        }
        beats.under_way = Some((now, state));
        beats.next = now + self.terms.beat;
        let record = NodeRecord { state, ..self.record.clone() };
        orders.push(Order::Beat { record, after: beats.revision });
    }
}
