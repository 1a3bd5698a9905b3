//! The task that carries out what [`Ownership`] decides: writes records, reads what others wrote, and says
//! which servers and plugins are here.

use super::{
    Lease, NodeRecord, NodeState, Order, Outcome, Ownership, Term, Terms,
    places::{Owner, Place, Places, Tenure},
    records::{Changes, Records, Seen},
    seats::{self, Part, Seats},
    view::{NodeView, View},
};
use crate::{bus::NatsBus, config::Nats};
use arc_swap::ArcSwap;
use async_nats::jetstream::Context;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How often it is looked what there is to do.
const TICK: Duration = Duration::from_millis(100);
/// How long to wait before NATS is asked again.
const PAUSE: Duration = Duration::from_millis(500);
/// How often it is looked whether the records are still there, in milliseconds.
const LOOK: u64 = 1_000;
/// How long the key-value stores may take to be found or made.
const OPEN: Duration = Duration::from_secs(10);

/// Why plugins are not here: others may have them.
const CUT_OFF: &str = "NATS has not confirmed that this node is there";
/// The same of a node that drains.
const HANDS_OVER: &str = "this node hands its plugins over, and takes none";

/// What the task shares with the rest of the program.
pub(super) struct Shared {
    pub(super) name: Arc<str>,
    pub(super) start: Arc<str>,
    pub(super) is_proxy: bool,
    pub(super) places: Arc<Places>,
    pub(super) seats: Arc<Seats>,
    pub(super) view: ArcSwap<View>,
    /// Told when a server has another owner.
    pub(super) moved: Notify,
    pub(super) draining: watch::Sender<bool>,
    /// Everything is handed over.
    pub(super) drained: CancellationToken,
    pub(super) stop: CancellationToken,
}

pub(super) struct Member {
    pub(super) shared: Arc<Shared>,
    pub(super) settings: Nats,
    pub(super) jetstream: Context,
    /// Here so that it outlives what hangs on its connection.
    pub(super) _bus: Arc<NatsBus>,
}

/// What came of an order that took time.
enum Done {
    Beat {
        sent: u64,
        outcome: Outcome,
        own: Option<Seen>,
    },
    Bury {
        node: String,
        outcome: Outcome,
    },
    Own {
        server: String,
        owner: Option<String>,
        outcome: Outcome,
    },
    /// Whether the records are still those.
    Look(Result<(), String>),
    Watch(Result<Box<Changes>, String>),
}

/// One life of this node among the others: until it is buried, or has handed over all.
struct Life<'a> {
    shared: &'a Shared,
    records: Records,
    me: String,
    view: Ownership,
    lease: Lease,
    writes: FuturesUnordered<BoxFuture<'static, Done>>,
    /// What others write; none while it is asked for again.
    changes: Option<Box<Changes>>,
    look_at: u64,
    /// Something may have another owner, or a node is another.
    has_changed: bool,
}

impl Member {
    /// Until stopped.
    pub(super) async fn run(self) {
        let shared = self.shared.clone();
        while !shared.stop.is_cancelled() {
            let life = async {
                match timeout(OPEN, Records::open(&self.jetstream, &self.settings)).await {
                    Ok(Ok(records)) => match Box::pin(Life::begin(&shared, records).live()).await {
                        Ok(()) => return,
                        Err(why) => shared.trouble(&why),
                    },
                    Ok(Err(why)) => shared.trouble(&why),
                    Err(_) => shared.trouble("NATS does not answer"),
                }
                sleep(PAUSE).await;
            };
            tokio::select! {
                () = shared.stop.cancelled() => {}
                () = life => {}
            }
            shared.withdraw();
            // A drain is over, too, where nothing can be written of it.
            if *shared.draining.borrow() && !self.can_go_on() {
                shared.drained.cancel();
            }
        }
    }

    fn can_go_on(&self) -> bool {
        self.shared.places.all().iter().any(|(_, place)| place.runs())
            || self.shared.seats.all().iter().any(|(_, seat)| seat.runs())
    }
}

impl Shared {
    /// Nothing is here any more.
    fn withdraw(&self) {
        self.places.withdraw();
        let is_over = *self.draining.borrow();
        self.seats.withdraw(if is_over { HANDS_OVER } else { CUT_OFF });
    }

    fn trouble(&self, why: &str) {
        let view = self.view.load();
        if view.trouble.as_deref() != Some(why) {
            tracing::error!("this node has no servers: {why}");
            self.view.store(Arc::new(View { trouble: Some(why.to_owned()), ..(**view).clone() }));
        }
    }
}

impl<'a> Life<'a> {
    fn begin(shared: &'a Shared, records: Records) -> Self {
        let me = format!("{:016x}", rand::random::<u64>());
        let record = NodeRecord {
            name: shared.name.to_string(),
            start: shared.start.to_string(),
            state: NodeState::Alive,
            is_proxy: shared.is_proxy,
            plugins: BTreeSet::new(),
        };
        let view = Ownership::new(&me, record, Terms::default());
        Self {
            shared,
            records,
            me,
            view,
            lease: Lease::none(),
            writes: FuturesUnordered::new(),
            changes: None,
            look_at: 0,
            has_changed: true,
        }
    }

    /// Until this node is gone; an error means that there are other records.
    async fn live(mut self) -> Result<(), String> {
        self.changes = Some(self.records.changes().await?.into());
        let mut wanted = self.shared.places.wanted();
        let mut sought = self.shared.seats.sought();
        let mut draining = self.shared.draining.subscribe();
        self.want();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                seen = next(&mut self.changes) => match seen {
                    Ok(seen) => self.saw(seen),
                    Err(why) => self.watch_again(&why),
                },
                Some(done) = self.writes.next() => self.done(done)?,
                Ok(()) = wanted.changed() => self.want(),
                Ok(()) = sought.changed() => self.want(),
                () = begun(&mut draining), if !self.view.is_draining() => {
                    self.view.drain();
                    self.has_changed = true;
                }
                _ = tick.tick() => {
                    self.tick();
                    if self.view.is_gone() && self.view.is_idle() && !self.stays() {
                        return Ok(());
                    }
                }
            }
            self.lease.set(self.view.until());
        }
    }

    /// The records are watched anew, and beats go on meanwhile: what this node may do is in its lease.
    fn watch_again(&mut self, why: &str) {
        tracing::warn!("the records of who has which server are read again: {why}");
        self.changes = None;
        let records = self.records.clone();
        self.writes.push(Box::pin(async move {
            sleep(PAUSE).await;
            let changes = timeout(OPEN, records.changes()).await;
            let changes = changes.map(|changes| changes.map(Box::new));
            Done::Watch(changes.unwrap_or_else(|_| Err("NATS does not answer".to_owned())))
        }));
    }

    /// Nobody tells that the records are gone: it is looked now and then.
    fn look(&mut self, now: u64) {
        if now >= self.look_at {
            self.look_at = u64::MAX;
            self.writes.push(Box::pin(self.records.clone().look().map(Done::Look)));
        }
    }

    fn now(&self) -> u64 {
        self.lease.now()
    }

    fn want(&mut self) {
        let mut wanted: BTreeSet<String> =
            self.shared.places.all().into_iter().map(|(server, _)| server).collect();
        let seats = self.shared.seats.all();
        let single = seats.iter().filter(|(_, seat)| seat.is_single());
        wanted.extend(single.map(|(plugin, _)| seats::id(plugin)));
        self.view.want(wanted);
        self.view.offer(seats.into_iter().map(|(plugin, _)| plugin).collect());
        self.has_changed = true;
    }

    fn saw(&mut self, seen: Seen) {
        let now = self.now();
        match seen {
            Seen::Node { id, record, revision } => {
                self.view.saw_node(&id, record, revision, now);
            }
            Seen::Server { id, owner, revision } => {
                self.view.saw_server(&id, owner.as_deref(), revision, now);
            }
        }
        self.has_changed = true;
    }

    fn done(&mut self, done: Done) -> Result<(), String> {
        let now = self.now();
        match done {
            Done::Look(outcome) => {
                self.look_at = now + LOOK;
                return outcome;
            }
            Done::Watch(Ok(changes)) => self.changes = Some(changes),
            Done::Watch(Err(why)) => self.watch_again(&why),
            Done::Beat { sent, outcome, own } => {
                self.view.beaten(sent, outcome);
                if let Some(own) = own {
                    self.saw(own);
                }
            }
            Done::Bury { node, outcome } => self.view.buried(&node, outcome, now),
            Done::Own { server, owner, outcome } => {
                self.view.written(&server, owner.as_deref(), outcome, now);
            }
        }
        self.has_changed = true;
        Ok(())
    }

    fn tick(&mut self) {
        for server in self.view.stopping() {
            let runs = match seats::plugin(&server) {
                Some(plugin) => self.shared.seats.run(plugin),
                None => self.shared.places.get(&server).is_some_and(|place| place.runs()),
            };
            if !runs {
                self.view.stopped(&server);
            }
        }
        self.shared.places.sweep();
        let now = self.now();
        let could_act = self.view.may_act(now);
        self.look(now);
        for order in self.view.tick(now) {
            self.carry_out(order, now);
        }
        self.seat(now);
        if std::mem::take(&mut self.has_changed)
            || could_act != self.shared.view.load().trouble.is_none()
        {
            self.tell(could_act);
        }
    }

    fn carry_out(&mut self, order: Order, now: u64) {
        let records = self.records.clone();
        match order {
            // Its seat is told by what there is, not by orders: it may be a new one.
            Order::Start { server, .. } if seats::plugin(&server).is_some() => {
                tracing::info!(plugin = seats::plugin(&server), "this node has the plugin");
            }
            Order::Stop { server } if seats::plugin(&server).is_some() => {
                tracing::info!(plugin = seats::plugin(&server), "this node has the plugin no more");
            }
            Order::Start { server, term } => {
                let term = Term { revision: self.records.term(term.revision), ..term };
                tracing::info!(server, "this node has the server");
                self.grant(&server, Some(Tenure { lease: self.lease.clone(), term: Some(term) }));
            }
            Order::Stop { server } => {
                tracing::info!(server, "this node has the server no more");
                self.grant(&server, None);
            }
            Order::Beat { record, after } => {
                let me = self.me.clone();
                self.writes.push(Box::pin(async move {
                    let outcome = records.write_node(&me, &record, after).await;
                    let own = match outcome {
                        Outcome::Conflict => records.node(&me).await,
                        _ => None,
                    };
                    Done::Beat { sent: now, outcome, own }
                }));
            }
            Order::Bury { node, record, after } => self.writes.push(Box::pin(async move {
                let outcome = records.write_node(&node, &record, after).await;
                if let Outcome::Written(_) = outcome {
                    tracing::warn!(node = record.name, "a node was silent for too long");
                }
                Done::Bury { node, outcome }
            })),
            Order::Own { server, owner, after } => self.writes.push(Box::pin(async move {
                let outcome = records.write_server(&server, owner.clone(), after).await;
                Done::Own { server, owner, outcome }
            })),
        }
    }

    fn grant(&self, server: &str, tenure: Option<Tenure>) {
        if let Some(place) = self.shared.places.get(server) {
            place.grant(tenure);
        }
    }

    /// Tells plugins whether they are to run here.
    fn seat(&self, now: u64) {
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

    /// Says how things stand, to whoever looks.
    fn tell(&mut self, can_act: bool) {
        let mut nodes: BTreeMap<&str, NodeView> =
            self.view.others().map(|(id, record)| (id, NodeView::of(record, false))).collect();
        nodes.insert(&self.me, NodeView::of(&self.view.own_record(), true));
        let mut has_moved = false;
        for (server, place) in self.shared.places.all() {
            let owner = self.view.owner(&server).and_then(|id| nodes.get(id));
            let owner = owner.map(|node| Owner {
                name: node.name.clone(),
                start: node.start.clone(),
                is_self: node.is_self,
            });
            has_moved |= place.owned_by(owner.as_ref());
        }
        // What is gone is of no interest but as long as something names it.
        let nodes = nodes.into_values().filter(|node| node.state != NodeState::Gone).collect();
        let trouble = (!can_act).then(|| {
            "NATS has not confirmed that this node is there: others may take its servers".to_owned()
        });
        self.shared.view.store(Arc::new(View { nodes, trouble }));
        if has_moved {
            self.shared.moved.notify_one();
        }
    }

    /// Whether one that is gone goes on looking who has what: it was drained, and may still be asked.
    fn stays(&self) -> bool {
        if !self.view.is_draining() {
            tracing::warn!("this node was away for too long: it begins anew");
            return false;
        }
        if !self.shared.drained.is_cancelled() {
            tracing::info!("this node has handed over all servers and plugins");
            self.shared.drained.cancel();
        }
        true
    }
}

impl Drop for Life<'_> {
    /// Whoever still acts under this life has to stop: the next one begins with other records.
    fn drop(&mut self) {
        self.lease.set(0);
    }
}

/// The next that others write; never, while there is nothing to read it from.
async fn next(changes: &mut Option<Box<Changes>>) -> Result<Seen, String> {
    match changes {
        Some(changes) => changes.next().await,
        None => std::future::pending().await,
    }
}

/// Waits until a drain has begun.
async fn begun(draining: &mut watch::Receiver<bool>) {
    // Its sender lives as long as who waits.
    drop(draining.wait_for(|it| *it).await);
}

impl Place {
    /// Whether another node has it.
    pub(crate) fn is_elsewhere(&self) -> bool {
        !self.is_here() && self.owner().is_some_and(|owner| !owner.is_self)
    }
}
