//! Plugins that not every node runs are told whether they are to run here, and which part of their events is
//! this node's.

use super::life::Life;
use crate::cluster::{
    NodeRecord, NodeState,
    seats::{self, Part},
};

/// Why plugins are not here: others may have them.
pub(super) const CUT_OFF: &str = "NATS has not confirmed that this node is there";
/// The same of a node that drains.
pub(super) const HANDS_OVER: &str = "this node hands its plugins over, and takes none";

impl Life<'_> {
    /// Tells plugins whether they are to run here.
    pub(super) fn seat(&self, now: u64) {
        let is_cut_off = !self.view.may_act(now);
        for (plugin, seat) in self.shared.seats.all() {
            if !seat.is_single() {
                self.divide(&plugin, &seat, is_cut_off);
            } else if self.view.runs(&seats::id(&plugin)) {
                seat.grant();
            } else {
                seat.refuse(&self.why_elsewhere(&plugin, is_cut_off), is_cut_off);
            }
        }
    }

    /// Why this node has not a plugin that one node alone has.
    fn why_elsewhere(&self, plugin: &str, is_cut_off: bool) -> String {
        let id = seats::id(plugin);
        let owner = self.view.owner(&id).filter(|owner| *owner != self.me);
        let owner = owner.and_then(|id| self.view.others().find(|(other, _)| *other == id));
        match owner {
            _ if is_cut_off => CUT_OFF.to_owned(),
            _ if self.view.is_draining() => HANDS_OVER.to_owned(),
            Some((_, owner)) => format!("it runs on one node, which is {}", owner.name),
            None => "the nodes have not agreed yet which of them runs it".to_owned(),
        }
    }

    /// Which part of a plugin's events this node has. One that is cut off keeps what it had: rather twice than
    /// not at all.
    fn divide(&self, plugin: &str, seat: &seats::Seat, is_cut_off: bool) {
        if self.view.is_draining() {
            seat.refuse(HANDS_OVER, false);
        } else if !is_cut_off {
            let has = |record: &NodeRecord| {
                record.state == NodeState::Alive && record.plugins.contains(plugin)
            };
            let others = self.view.others().filter(|(_, record)| has(record));
            let others = others.map(|(id, _)| id.to_owned()).collect();
            seat.divide(Part { me: self.me.clone(), others });
        }
    }
}
