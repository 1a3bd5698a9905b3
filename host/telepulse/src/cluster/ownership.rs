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
//! [`NodeState::Gone`] by whoever names the revision that was last seen. If a beat came meanwhile, that
//! fails; if it succeeds, the chain is broken and the node's next beat fails. Of a node that is gone every
//! server may be claimed, again by naming the record's revision, so that one of the others gets it.
//!
//! Hence: whoever may act was not buried, and so nobody else has what it has.

use super::{
    rank,
    record::{NodeRecord, NodeState},
};
use std::collections::{BTreeMap, BTreeSet};

/// A moment on this node's own clock, in milliseconds.
type Moment = u64;

/// How long things take, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// From beat to beat.
    pub(crate) beat: u64,
    /// So long after a beat was sent a node may act.
    pub(crate) life: u64,
    /// So much longer others wait.
    pub(crate) grace: u64,
    /// After so long without an owner a server is claimed by any node, not only by the one that should.
    pub(crate) patience: u64,
    /// An answer of the store that takes longer does not come.
    pub(crate) answer: u64,
}

impl Default for Terms {
    /// A server of a node that dies is claimed by another within about three seconds.
    fn default() -> Self {
        Self { beat: 500, life: 2_500, grace: 500, patience: 1_000, answer: 700 }
    }
}

/// What is to be done. What writes names the revision that it changes; 0: there must be no record yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Write the own record; [`Ownership::beaten`] takes what came of it.
    Beat { record: NodeRecord, after: u64 },
    /// Write that a node is gone; [`Ownership::buried`] takes what came of it.
    Bury { node: String, record: NodeRecord, after: u64 },
    /// Write that a server has this owner from now on, or none; [`Ownership::written`] takes what came of it.
    Own { server: String, owner: Option<String>, after: u64 },
    /// Connect to a server, under a term that is later than that of whoever had it before.
    Start { server: String, term: Term },
    /// Disconnect; [`Ownership::stopped`] is told when that is done.
    Stop { server: String },
}

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is in the store, as this revision.
    Written(u64),
    /// It is not: the record has changed before.
    Conflict,
    /// There was no answer: it may be there or not.
    Unknown,
}

/// One time that a server is had, by the revision of the record that says so: what follows is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) revision: u64,
    /// Somebody had the server before: what was told of it then may not be all.
    pub(crate) follows: bool,
}

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

/// The own chain.
#[derive(Debug, Default)]
struct Beats {
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

/// Another node.
#[derive(Debug)]
struct Node {
    /// `None`: something names it, and its record was not seen yet.
    record: Option<NodeRecord>,
    revision: u64,
    /// When that was seen.
    seen: Moment,
    /// Until then an answer to an attempt to bury it is waited for.
    burying: Moment,
}

#[derive(Debug, Default)]
struct Server {
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

    /// Until when this node may act on the servers that it owns: to be asked right before anything is sent.
    pub(crate) fn until(&self) -> Moment {
        if self.is_gone { 0 } else { self.beats.until }
    }

    /// Whether it may act now.
    pub(crate) fn may_act(&self, now: Moment) -> bool {
        now < self.until()
    }

    /// Whether it has been buried or has said good-bye: another incarnation has to begin.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// The servers that the platform has, by its configuration.
    pub(crate) fn want(&mut self, servers: BTreeSet<String>) {
        self.wanted = servers;
    }

    /// The plugins that this node would run, of those that not every node runs by itself.
    pub(crate) fn offer(&mut self, plugins: BTreeSet<String>) {
        if self.record.plugins != plugins {
            self.record.plugins = plugins;
            // Others wait for it.
            self.beats.next = 0;
        }
    }

    /// Whether this node has something, and may begin with it or go on.
    pub(crate) fn runs(&self, id: &str) -> bool {
        self.servers.get(id).is_some_and(|server| server.run == Run::Runs)
    }

    /// Hand everything over, and then say good-bye.
    pub(crate) fn drain(&mut self) {
        self.is_draining = true;
    }

    /// Whether it hands over, or has.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining
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

    /// Whether it is connected to no server.
    pub(crate) fn is_idle(&self) -> bool {
        self.servers.values().all(|server| server.run == Run::Not)
    }

    /// The other nodes whose records have been seen, those that are gone too.
    pub(crate) fn others(&self) -> impl Iterator<Item = (&str, &NodeRecord)> {
        self.nodes.iter().filter_map(|(id, node)| Some((&**id, node.record.as_ref()?)))
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

    /// The store has this of a node.
    pub(crate) fn saw_node(&mut self, node: &str, record: NodeRecord, revision: u64, now: Moment) {
        if node == self.me {
            self.is_gone |= record.state == NodeState::Gone;
            self.beats.revision = self.beats.revision.max(revision);
            return;
        }
        let known = self.node(node, now);
        if revision > known.revision {
            *known = Node { record: Some(record), revision, seen: now, burying: 0 };
        }
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

    /// What came of a beat that was sent at that moment. After a conflict [`Ownership::saw_node`] has to be
    /// told what the own record is: an own beat whose answer was lost, or a burial.
    pub(crate) fn beaten(&mut self, sent: Moment, outcome: Outcome) {
        let state = self.beats.under_way.filter(|(at, _)| *at == sent).map(|(_, state)| state);
        if state.is_some() {
            self.beats.under_way = None;
        }
        let Outcome::Written(revision) = outcome else { return };
        self.beats.revision = self.beats.revision.max(revision);
        if state == Some(NodeState::Gone) {
            self.is_gone = true;
        } else {
            self.beats.until = self.beats.until.max(sent + self.terms.life);
        }
    }

    /// What came of burying a node.
    pub(crate) fn buried(&mut self, node: &str, outcome: Outcome, now: Moment) {
        let Some(known) = self.nodes.get_mut(node) else { return };
        match outcome {
            Outcome::Written(revision) if revision > known.revision => {
                known.record = Some(known.in_the_grave());
                known.revision = revision;
            }
            // It lives: its beats are only late in coming here.
            Outcome::Conflict => (known.seen, known.burying) = (now, 0),
            Outcome::Written(_) | Outcome::Unknown => {}
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

    /// What there is to do now. To be called often: a tenth of a second is soon enough.
    pub(crate) fn tick(&mut self, now: Moment) -> Vec<Order> {
        let mut orders = Vec::new();
        for server in &self.wanted {
            self.servers.entry(server.clone()).or_default();
        }
        self.began.get_or_insert(now);
        let may_act = self.may_act(now);
        if may_act && !self.beats.was_alive {
            // Whoever was cut off has not heard the others either.
            self.nodes.values_mut().for_each(|node| node.seen = now);
        }
        self.beats.was_alive = may_act;
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

    fn start_and_stop(&mut self, may_act: bool, orders: &mut Vec<Order>) {
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

    fn beat(&mut self, now: Moment, orders: &mut Vec<Order>) {
        let beats = &mut self.beats;
        if beats.under_way.is_some_and(|(sent, _)| now < sent + self.terms.answer) {
            return;
        }
        let has_servers = self
            .servers
            .values()
            .any(|server| server.run != Run::Not || server.owner.as_ref() == Some(&self.me));
        let state = match (self.is_draining, has_servers) {
            (false, _) => NodeState::Alive,
            (true, true) => NodeState::Draining,
            (true, false) => NodeState::Gone,
        };
        if now < beats.next && state != NodeState::Gone {
            return;
        }
        beats.under_way = Some((now, state));
        beats.next = now + self.terms.beat;
        let record = NodeRecord { state, ..self.record.clone() };
        orders.push(Order::Beat { record, after: beats.revision });
    }

    fn bury(&mut self, now: Moment, orders: &mut Vec<Order>) {
        let silence = self.terms.life + self.terms.grace;
        for (id, node) in &mut self.nodes {
            let is_silent = now >= node.seen + silence && now >= node.burying;
            if !is_silent || node.is_gone() {
                continue;
            }
            node.burying = now + self.terms.answer;
            let record = node.in_the_grave();
            orders.push(Order::Bury { node: id.clone(), record, after: node.revision });
        }
    }

    /// Claims what is free, and sets free what this node may not keep.
    ///
    /// What there is no record of may have been had under records that the store has lost, by a node that does
    /// not know of that yet: it is claimed once such a node may act no more.
    fn own(&mut self, now: Moment, orders: &mut Vec<Order>) {
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

    fn is_dead(&self, node: &str) -> bool {
        self.nodes.get(node).is_some_and(Node::is_gone)
    }

    fn node(&mut self, node: &str, now: Moment) -> &mut Node {
        let unseen = || Node { record: None, revision: 0, seen: now, burying: 0 };
        self.nodes.entry(node.to_owned()).or_insert_with(unseen)
    }
}

impl Node {
    /// Its record once it is gone.
    fn in_the_grave(&self) -> NodeRecord {
        NodeRecord { state: NodeState::Gone, ..self.record.clone().unwrap_or_default() }
    }

    fn takes(&self, id: &str) -> bool {
        let record = self.record.as_ref();
        record.is_some_and(|it| it.state == NodeState::Alive && it.takes(id))
    }

    fn is_gone(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.state == NodeState::Gone)
    }
}
