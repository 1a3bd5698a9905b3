//! What is had, by one node alone: servers, and plugins. Claimed where it is free, let go where this node may
//! not keep it.

use super::{Moment, Order, Outcome, Ownership, Term, others::Node};
use crate::cluster::rank;

/// A server, or a plugin.
#[derive(Debug, Default)]
pub(super) struct Server {
    owner: Option<String>,
    revision: u64,
    /// Since when nobody owns it, as far as is known.
    free: Option<Moment>,
    /// Until then an answer to a write is waited for.
    writing: Moment,
    /// It was to be set free: until the record is written anew, that may come into force at any time.
    is_released: bool,
    run: Run,
    /// There was a record before ours.
    follows: bool,
}

/// Whether this node is connected to a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Run {
    #[default]
    Not,
    Runs,
    Stopping,
}

impl Ownership {
    /// Whether this node has something, and may begin with it or go on.
    pub(crate) fn runs(&self, id: &str) -> bool {
        self.servers.get(id).is_some_and(|server| server.run == Run::Runs)
    }

    /// Whether it is connected to no server.
    pub(crate) fn is_idle(&self) -> bool {
        self.servers.values().all(|server| server.run == Run::Not)
    }

    /// Whether it is connected to a server, or is the owner of one.
    pub(super) fn holds(&self) -> bool {
        let is_mine = |server: &Server| server.owner.as_ref() == Some(&self.me);
        self.servers.values().any(|server| server.run != Run::Not || is_mine(server))
    }

    /// The servers that this node has to disconnect from before another may have them.
    pub(crate) fn stopping(&self) -> Vec<String> {
        let stopping = self.servers.iter().filter(|(_, server)| server.run == Run::Stopping);
        stopping.map(|(id, _)| id.clone()).collect()
    }

    /// The owner of a server, as far as is known.
    pub(crate) fn owner(&self, server: &str) -> Option<&str> {
        let owner = self.servers.get(server)?.owner.as_deref()?;
        (!self.is_dead(owner)).then_some(owner)
    }

    /// The store has this of a server.
    pub(crate) fn saw_server(
        &mut self,
        server: &str,
        owner: Option<&str>,
        revision: u64,
        now: Moment,
    ) {
        if let Some(owner) = owner.filter(|owner| *owner != self.me) {
            self.node(owner, now);
        }
        let known = self.servers.entry(server.to_owned()).or_default();
        if revision > known.revision {
            let is_anew = owner != known.owner.as_deref();
            known.follows |= known.revision > 0 && is_anew;
            known.revision = revision;
            known.owner = owner.map(str::to_owned);
            known.writing = 0;
            known.is_released = false;
        }
    }

    /// What came of writing an owner.
    pub(crate) fn written(
        &mut self,
        server: &str,
        owner: Option<&str>,
        outcome: Outcome,
        now: Moment,
    ) {
        match outcome {
            Outcome::Written(revision) => self.saw_server(server, owner, revision, now),
            // The store tells what is there.
            Outcome::Conflict | Outcome::Unknown => {}
        }
    }

    /// The connection to a server is closed.
    pub(crate) fn stopped(&mut self, server: &str) {
        if let Some(server) = self.servers.get_mut(server) {
            server.run = Run::Not;
        }
    }

    /// Connects to what this node has, and disconnects from what it may not act on any more.
    pub(super) fn start_and_stop(&mut self, may_act: bool, orders: &mut Vec<Order>) {
        for (id, server) in &mut self.servers {
            let is_mine = server.owner.as_ref() == Some(&self.me) && !server.is_released;
            let runs = is_mine && may_act && !self.is_draining && self.wanted.contains(id);
            match server.run {
                Run::Not if runs => {
                    server.run = Run::Runs;
                    let Server { revision, follows, .. } = *server;
                    let term = Term { revision, follows };
                    orders.push(Order::Start { server: id.clone(), term });
                }
                Run::Runs if !runs => {
                    server.run = Run::Stopping;
                    orders.push(Order::Stop { server: id.clone() });
                }
                _ => {}
            }
        }
    }

    /// Claims what is free, and sets free what this node may not keep.
    ///
    /// What there is no record of may have been had under records that the store has lost, by a node that does
    /// not know of that yet: it is claimed once such a node may act no more.
    pub(super) fn own(&mut self, now: Moment, orders: &mut Vec<Order>) {
        let silence = self.terms.life + self.terms.grace;
        let is_sure = self.began.is_some_and(|began| now >= began + silence);
        let Self { me, record, is_draining, terms, nodes, servers, wanted, .. } = self;
        let is_dead = |node: &String| nodes.get(node).is_some_and(Node::is_gone);
        for (id, server) in servers {
            let takes = !*is_draining && record.takes(id);
            let is_wanted = wanted.contains(id) && takes;
            let is_mine = server.owner.as_ref() == Some(&*me);
            let is_known = server.revision > 0 || is_sure;
            let is_free = is_known && !is_mine && server.owner.as_ref().is_none_or(is_dead);
            server.free = is_free.then(|| server.free.unwrap_or(now));
            let should = || {
                let others = nodes.iter().filter(|(_, node)| node.takes(id)).map(|(id, _)| &**id);
                rank::first(id, others.chain(takes.then_some(&**me))) == Some(&**me)
            };
            let claims = match server.free {
                Some(since) => is_wanted && (now >= since + terms.patience || should()),
                None => is_mine && is_wanted && server.is_released,
            };
            let releases = is_mine && !is_wanted && server.run == Run::Not;
            if now < server.writing || !claims && !releases {
                continue;
            }
            server.writing = now + terms.answer;
            server.is_released |= releases;
            let owner = claims.then(|| me.clone());
            orders.push(Order::Own { server: id.clone(), owner, after: server.revision });
        }
    }
}
