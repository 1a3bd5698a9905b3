//! One life of this node among the others: from its first beat until it is buried, or has handed over all.

use super::{OPEN, PAUSE, Shared, orders::Done};
use crate::cluster::{
    Lease, NodeRecord, NodeState, Ownership, Terms,
    records::{Changes, Records, Seen},
    seats,
};
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use std::{collections::BTreeSet, time::Duration};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

/// How often it is looked what there is to do.
const TICK: Duration = Duration::from_millis(100);
/// How often it is looked whether the records are still there, in milliseconds.
const LOOK: u64 = 1_000;

/// One life of this node among the others: until it is buried, or has handed over all.
pub(super) struct Life<'a> {
    pub(super) shared: &'a Shared,
    pub(super) records: Records,
    pub(super) me: String,
    pub(super) view: Ownership,
    pub(super) lease: Lease,
    pub(super) writes: FuturesUnordered<BoxFuture<'static, Done>>,
    /// What others write; none while it is asked for again.
    changes: Option<Box<Changes>>,
    look_at: u64,
    /// Something may have another owner, or a node is another.
    has_changed: bool,
}

impl<'a> Life<'a> {
    pub(super) fn begin(shared: &'a Shared, records: Records) -> Self {
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
    pub(super) async fn live(mut self) -> Result<(), String> {
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
