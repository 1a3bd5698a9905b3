//! One node's view of who owns which server, and what it does about it. Pure.
//!
//! A plugin that one node alone runs is had like a server, under an id that no server can have; only who may
//! take it differs ([`NodeRecord::takes`]).
//!
//! **A node lives by its beats.** Each is a change of its own record that names the revision before it, so
//! they form a chain. From the moment that a beat was *sent* it may act for [`Terms::life`], provided that it
//! was acknowledged. Others count from the moment that they *saw* it, which is later, and wait longer
//! ([`Terms::grace`]): so no clock is compared with another's, only their pace counts.
//!
//! **A silent node is buried** before anything is taken from it: its record is changed to
//! [`NodeState::Gone`](super::NodeState::Gone) by whoever names the revision that was last seen. If a beat came
//! meanwhile, that fails; if it succeeds, the chain is broken and the node's next beat fails. Of a node that is
//! gone every server may be claimed, again by naming the record's revision, so that one of the others gets it.
//!
//! Hence: whoever may act was not buried, and so nobody else has what it has.
//!
//! `beats.rs` is the node's own chain, `others.rs` what it knows of the others and how they are buried,
//! `servers.rs` what is claimed, had and let go; `order.rs` has the words for what goes in and out.

mod beats;
mod order;
mod others;
mod servers;
#[cfg(test)]
mod tests;

pub(crate) use order::{Order, Outcome, Term, Terms};

use super::NodeRecord;
use beats::Beats;
use others::Node;
use servers::Server;
use std::collections::{BTreeMap, BTreeSet};

/// A moment on this node's own clock, in milliseconds.
type Moment = u64;

/// One node's view.
#[derive(Debug)]
pub(crate) struct Ownership {
    me: String,
    /// What is said of it with every beat, but for its state.
    record: NodeRecord,
    is_draining: bool,
    /// It was buried, or has said good-bye: it never acts again.
    is_gone: bool,
    /// Since when it looks at the records.
    began: Option<Moment>,
    terms: Terms,
    beats: Beats,
    nodes: BTreeMap<String, Node>,
    servers: BTreeMap<String, Server>,
    wanted: BTreeSet<String>,
}

impl Ownership {
    /// A node that has just begun; `me` names this incarnation and no other.
    pub(crate) fn new(me: &str, record: NodeRecord, terms: Terms) -> Self {
        Self {
            me: me.to_owned(),
            record,
            is_draining: false,
            is_gone: false,
            began: None,
            terms,
            beats: Beats::default(),
            nodes: BTreeMap::new(),
            servers: BTreeMap::new(),
            wanted: BTreeSet::new(),
        }
    }

    /// The servers that the platform has, by its configuration.
    pub(crate) fn want(&mut self, servers: BTreeSet<String>) {
        self.wanted = servers;
    }

    /// The plugins that this node would run, of those that not every node runs by itself.
    pub(crate) fn offer(&mut self, plugins: BTreeSet<String>) {
        if self.record.plugins != plugins {
            self.record.plugins = plugins;
            self.beats.hurry();
        }
    }

    /// Hand everything over, and then say good-bye.
    pub(crate) fn drain(&mut self) {
        self.is_draining = true;
    }

    /// Whether it hands over, or has.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// Whether it has been buried or has said good-bye: another incarnation has to begin.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// What there is to do now. To be called often: a tenth of a second is soon enough.
    pub(crate) fn tick(&mut self, now: Moment) -> Vec<Order> {
        let mut orders = Vec::new();
        for server in &self.wanted {
            self.servers.entry(server.clone()).or_default();
        }
        self.began.get_or_insert(now);
        let may_act = self.may_act(now);
        if self.beats.is_back(may_act) {
            self.hear_anew(now);
        }
        self.start_and_stop(may_act, &mut orders);
        if !self.is_gone {
            self.beat(now, &mut orders);
        }
        if may_act {
            self.bury(now, &mut orders);
            self.own(now, &mut orders);
        }
        orders
    }
}
