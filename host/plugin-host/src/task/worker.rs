//! Hands work to an instance in batches, and decides what becomes of what it did not finish.

use super::{
    portion::{self, Once},
    work::{RETRIES, Work},
};
use crate::{
    ctx::Identity,
    effects::{self, Effects, Reply, Submit},
    failure::{Failed, Fault, Remedy, shorten},
    instance::Instance,
    mailbox::{BATCH, Inbox, Outbox},
    ports::{BusEvent, CloseReason, Happening},
    shared::Shared,
    status::count,
    timers::Timers,
};
use futures_util::FutureExt;
use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

/// Close code: come again (IANA's registry of RFC 6455).
const SERVICE_RESTART: u16 = 1012;

/// One shard's: what its instance is handed, and what that asks for. It outlives instances.
pub(super) struct Worker {
    shared: Arc<Shared>,
    identity: Arc<Identity>,
    outbox: Outbox,
    timers: Timers,
    work: Work,
    /// Connections that the plugin has been told of.
    known: HashSet<u64>,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, identity: Arc<Identity>, outbox: Outbox) -> Self {
        let (timers, work, known) = Default::default();
        Self { shared, identity, outbox, timers, work, known }
    }

    pub(super) fn inbox(&self) -> &Arc<Inbox> {
        self.outbox.inbox()
    }

    /// Connections that the plugin has been told of.
    pub(super) fn known(&self) -> &HashSet<u64> {
        &self.known
    }

    /// Waits until there is something to do.
    pub(super) async fn arrives(&mut self, serving: bool) {
        self.work.arrives(&mut self.outbox, self.timers.next(), serving).await;
    }

    /// Whether nothing is left of what was taken from the mailbox, and nothing but events waits there.
    pub(super) fn is_done(&self) -> bool {
        self.work.is_done() && self.outbox.is_quiet()
    }

    /// There is nobody to do what arrived.
    pub(super) fn discard(&mut self) {
        self.work.discard();
    }

    /// Gives back what was taken from the mailbox, so that it is there for whoever comes next.
    pub(super) fn give_back(&mut self) {
        self.work.give_back(&self.outbox);
    }

    /// Forgets everything that was to be done.
    pub(super) fn clear(&mut self) {
        self.clear_timers();
        self.work = Work::default();
        self.known.clear();
    }

    pub(super) fn clear_timers(&mut self) {
        self.timers = Timers::default();
    }

    /// One round: a batch of each kind that is there.
    pub(super) async fn round(&mut self, mut instance: Instance) -> Result<Instance, Fault> {
        instance = self.happenings(instance).await?;
        instance = self.replies(instance).await?;
        let due = self.timers.due(Instant::now(), BATCH);
        if !due.is_empty() {
            instance = instance.fired(&due).await?;
            self.settle(instance.take_effects());
        }
        if self.outbox.take_overflow() {
            let why = "the mailbox was full and has been emptied (onFull = \"disconnect\")";
            return Err(Fault::Fatal { call: "mailbox", why: why.to_owned() });
        }
        self.events(instance).await
    }

    async fn happenings(&mut self, mut instance: Instance) -> Result<Instance, Fault> {
        let happenings = std::mem::take(&mut self.work.happenings);
        let mut waiting = VecDeque::from(self.announced(happenings));
        while !waiting.is_empty() {
            let portion = portion::take(&mut waiting);
            let owed = owed(&portion);
            match instance.happenings(portion).await {
                Ok(sound) => instance = sound,
                Err(fault) => {
                    self.work.happenings = self.unannounced(waiting);
                    self.hang_up(&owed);
                    return Err(fault);
                }
            }
            self.settle(instance.take_effects());
        }
        Ok(instance)
    }

    async fn replies(&mut self, mut instance: Instance) -> Result<Instance, Fault> {
        let mut waiting = VecDeque::from(std::mem::take(&mut self.work.replies));
        while !waiting.is_empty() {
            let portion = portion::take(&mut waiting);
            let owed = owed(&portion);
            match instance.replies(portion).await {
                Ok(sound) => instance = sound,
                Err(fault) => {
                    self.work.replies = waiting.into();
                    self.hang_up(&owed);
                    return Err(fault);
                }
            }
            self.settle(instance.take_effects());
        }
        Ok(instance)
    }

    /// Closes connections whose messages were lost with an instance: whoever waits for an answer learns
    /// that it will not come.
    ///
    /// What they have said since is not carried out: it may build on what was lost, and will be said again.
    fn hang_up(&mut self, conns: &[u64]) {
        if conns.is_empty() {
            return;
        }
        for conn in conns {
            self.known.remove(conn);
        }
        let text = "the request was lost, connect again".to_owned();
        let reason = CloseReason { code: SERVICE_RESTART, text };
        self.identity.ports.connections.close(self.identity.name.as_str(), conns, reason);
    }

    async fn events(&mut self, instance: Instance) -> Result<Instance, Fault> {
        let mut batch = self.work.batch(&self.outbox, Instant::now());
        if batch.is_empty() {
            return Ok(instance);
        }
        let (mut instance, handled) = match instance.events(batch.make_contiguous()).await {
            Ok(handled) => handled,
            Err(fault) => {
                // At least once: the next instance gets them again.
                if let Some(event) = self.work.ended_by(batch) {
                    self.set_aside(&event, &fault.to_string());
                }
                return Err(fault);
            }
        };
        self.settle(instance.take_effects());
        let (done, remedy) = match handled {
            Ok(done) => (done, None),
            Err(Failed { done, remedy }) => (done, Some(remedy)),
        };
        let done = usize::try_from(done).unwrap_or(usize::MAX).min(batch.len());
        self.outbox.finish(batch.range(..done));
        batch.drain(..done);
        count(&self.identity.counters.handled, done);
        self.unfinished(batch, remedy, done > 0);
        Ok(instance)
    }

    /// Sees to the events of a batch that were not done.
    fn unfinished(
        &mut self,
        mut rest: VecDeque<Arc<BusEvent>>,
        remedy: Option<Remedy>,
        progressed: bool,
    ) {
        let plugin = &self.identity.name;
        match remedy {
            _ if rest.is_empty() => {}
            Some(Remedy::Skip(why)) => {
                tracing::debug!(%plugin, seq = rest[0].seq, why, "event skipped");
                self.identity
                    .counters
                    .line("debug", &format!("skipped an event: {}", shorten(&why)));
                self.outbox.finish(rest.pop_front().iter());
                count(&self.identity.counters.skipped, 1);
                self.work.put_back(rest);
            }
            // It did not say why it stopped before the end: as if it wanted the rest again.
            remedy => {
                let why = match remedy {
                    Some(Remedy::Retry(why)) => why,
                    _ => "it stopped before the end of a batch".to_owned(),
                };
                tracing::debug!(%plugin, seq = rest[0].seq, why, "event again");
                self.identity
                    .counters
                    .line("debug", &format!("wants an event again: {}", shorten(&why)));
                if let Some(event) = self.work.retry(rest, progressed, Instant::now()) {
                    let why = shorten(&why);
                    self.set_aside(&event, &format!("wanted again {RETRIES} times: {why}"));
                }
            }
        }
    }

    /// It is not handed over any more; the operator can look at it.
    fn set_aside(&self, event: &Arc<BusEvent>, why: &str) {
        self.outbox.finish([event].into_iter());
        let plugin = &self.identity.name;
        tracing::warn!(%plugin, seq = event.seq, address = %event.address, why, "event set aside");
        self.identity.counters.set_aside(event, why);
    }

    /// Leaves out what concerns connections that this plugin was never told of, or no longer has:
    /// an instance learns of each connection either by `resume` or by `open`, and once.
    fn announced(&mut self, mut happenings: Vec<Happening>) -> Vec<Happening> {
        happenings.retain(|happening| match happening {
            Happening::Open(info) => self.known.insert(info.conn),
            Happening::Closed(conn, _) => self.known.remove(conn),
            Happening::Frames(conn, _) | Happening::Lagged(conn, _) => self.known.contains(conn),
        });
        happenings
    }

    /// What was announced and did not get so far, to be announced to the next instance. Of a connection that
    /// opens it learns then, and of one that has closed not at all.
    fn unannounced(&mut self, happenings: VecDeque<Happening>) -> Vec<Happening> {
        for happening in &happenings {
            if let Happening::Open(info) = happening {
                self.known.remove(&info.conn);
            }
        }
        happenings.into()
    }

    /// Does what the instance asked for during a call.
    pub(super) fn settle(&mut self, effects: Effects) {
        let now = Instant::now();
        for op in effects.timers {
            if !self.timers.apply(op, now) {
                tracing::warn!(plugin = %self.identity.name, "too many timers: one was not set");
            }
        }
        for submit in effects.submits {
            self.submit(submit);
        }
    }

    fn submit(&self, submit: Submit) {
        let Submit { id, context, task, conn, place } = submit;
        let replies = self.outbox.reply();
        let (wait, answer) = match task {
            effects::Task::Ask(request) => {
                (request.timeout, self.identity.request(request).boxed())
            }
            effects::Task::Fetch(fetch) => (fetch.timeout, self.identity.fetch(*fetch).boxed()),
        };
        self.shared.guests.spawn(async move {
            // Whoever is asked keeps the deadline; this is for one that does not.
            let answer = tokio::time::timeout(wait + Duration::from_secs(1), answer)
                .await
                .unwrap_or_else(|_| Err("no answer in time".to_owned()));
            // It fails when the plugin has been removed.
            let _ = replies.send(Reply { id, context, conn, answer, _place: place }).await;
        });
    }
}

/// The connections that wait for something in these.
fn owed(portion: &[impl Once]) -> Vec<u64> {
    let mut conns: Vec<u64> = portion.iter().filter_map(Once::owed).collect();
    conns.sort_unstable();
    conns.dedup();
    conns
}
