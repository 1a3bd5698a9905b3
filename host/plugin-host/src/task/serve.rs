//! Hands work to the instance in batches, and decides what becomes of what it did not finish.

use super::{Kind, Probation, Task, at};
use crate::{
    decisions::Decision,
    effects::{Effects, Reply, Submit},
    failure::{Failed, Fault, Remedy, shorten},
    instance::Instance,
    mailbox::{BATCH, Inbox, Outbox},
    ports::{BusEvent, Happening},
    restarts::Verdict,
    status::{State, count},
};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// An event that ended this many instances on its own is set aside.
const DEADLY: u32 = 2;
/// An event that the plugin asked for again this often is set aside.
const RETRIES: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What has been taken from the mailbox and is not done.
#[derive(Default)]
pub(super) struct Work {
    happenings: Vec<Happening>,
    replies: Vec<Reply>,
    /// Events to be handed over again, before any from the mailbox.
    again: VecDeque<Arc<BusEvent>>,
    /// One at a time: one of them ended an instance.
    singly: bool,
    /// How often the first of them was tried.
    tries: u32,
    /// Events rest until then.
    rest_until: Option<Instant>,
}

impl Work {
    /// Waits until there is something to do.
    pub(super) async fn arrives(
        &mut self,
        outbox: &mut Outbox,
        inbox: &Inbox,
        timer: Option<Instant>,
        serving: bool,
    ) {
        if !self.happenings.is_empty() || !self.replies.is_empty() {
            return;
        }
        let (rest_until, again) = (self.rest_until, !self.again.is_empty());
        let events = async {
            match (serving, rest_until) {
                (false, _) => std::future::pending().await,
                (true, Some(until)) => at(until).await,
                (true, None) if again => {}
                (true, None) => inbox.arrived().await,
            }
        };
        let timer = async {
            match timer.filter(|_| serving) {
                Some(due) => at(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = outbox.receive(&mut self.happenings, &mut self.replies) => {}
            () = timer => {}
            () = events => {}
        }
    }

    /// Gives back what was taken from the mailbox, so that it is there for whoever comes next.
    pub(super) fn give_back(&mut self, outbox: &Outbox) {
        outbox.put_back(self.again.drain(..));
    }

    /// There is nobody to do it.
    pub(super) fn discard(&mut self) {
        self.happenings.clear();
        self.replies.clear();
    }

    /// The next batch of events.
    fn batch(&mut self, outbox: &Outbox, now: Instant) -> VecDeque<Arc<BusEvent>> {
        if self.rest_until.is_some_and(|until| until > now) {
            return VecDeque::new();
        }
        self.rest_until = None;
        if self.again.is_empty() {
            self.singly = false;
            self.tries = 0;
            return outbox.take_events(BATCH);
        }
        let most = if self.singly { 1 } else { BATCH };
        self.again.drain(..self.again.len().min(most)).collect()
    }

    /// Puts back what was not done, before everything else.
    fn put_back(&mut self, mut batch: VecDeque<Arc<BusEvent>>) {
        batch.append(&mut self.again);
        self.again = batch;
    }

    /// The instance is gone that had this batch. Answers the event that is set aside.
    fn ended_by(&mut self, mut batch: VecDeque<Arc<BusEvent>>) -> Option<Arc<BusEvent>> {
        let mut aside = None;
        if batch.len() == 1 {
            self.singly = true;
            self.tries += 1;
            if self.tries >= DEADLY {
                self.tries = 0;
                aside = batch.pop_front();
            }
        } else {
            self.singly = true;
            self.tries = 0;
        }
        self.put_back(batch);
        aside
    }

    /// The plugin wants the rest again. Answers the event that is set aside.
    fn retry(
        &mut self,
        mut rest: VecDeque<Arc<BusEvent>>,
        progressed: bool,
        now: Instant,
    ) -> Option<Arc<BusEvent>> {
        self.tries = if progressed { 1 } else { self.tries + 1 };
        let mut aside = None;
        if self.tries > RETRIES {
            self.tries = 0;
            aside = rest.pop_front();
        } else {
            let pause = FIRST_PAUSE * 2u32.saturating_pow(self.tries - 1);
            self.rest_until = Some(now + pause.min(LONGEST_PAUSE));
        }
        self.put_back(rest);
        aside
    }
}

impl Task {
    /// Has the plugin decide on a command. Without an instance there is no verdict.
    pub(super) async fn decide(&mut self, decision: Decision) {
        let Decision { command, who, verdict } = decision;
        let Some(instance) = self.instance.take() else { return };
        match instance.decide(&command, who.as_deref()).await {
            Ok((mut instance, decided)) => {
                self.settle(instance.take_effects());
                self.instance = Some(instance);
                // Whoever asked may have given up.
                let _ = verdict.send(decided);
            }
            Err(fault) => self.failed(&fault).await,
        }
    }

    /// One round: a batch of each kind that is there.
    pub(super) async fn serve(&mut self) {
        let Some(instance) = self.instance.take() else { return };
        match self.round(instance).await {
            Ok(instance) => self.instance = Some(instance),
            Err(fault) => self.failed(&fault).await,
        }
    }

    async fn round(&mut self, mut instance: Instance) -> Result<Instance, Fault> {
        let happenings = std::mem::take(&mut self.work.happenings);
        let happenings = self.announced(happenings);
        if !happenings.is_empty() {
            // At most once: a command in a frame must not be given twice.
            instance = instance.happenings(happenings).await?;
            self.settle(instance.take_effects());
        }
        let replies = std::mem::take(&mut self.work.replies);
        if !replies.is_empty() {
            instance = instance.replies(replies).await?;
            self.settle(instance.take_effects());
        }
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
        count(&self.counters.handled, done);
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
                self.counters.line("debug", &format!("skipped an event: {}", shorten(&why)));
                self.outbox.finish(rest.pop_front().iter());
                count(&self.counters.skipped, 1);
                self.work.put_back(rest);
            }
            // It did not say why it stopped before the end: as if it wanted the rest again.
            remedy => {
                let why = match remedy {
                    Some(Remedy::Retry(why)) => why,
                    _ => "it stopped before the end of a batch".to_owned(),
                };
                tracing::debug!(%plugin, seq = rest[0].seq, why, "event again");
                self.counters.line("debug", &format!("wants an event again: {}", shorten(&why)));
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
        self.counters.set_aside(event, why);
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
        let Submit { id, context, request, place } = submit;
        let replies = self.replies.clone();
        let wait = request.timeout;
        let answer = self.identity.request(request);
        self.shared.guests.spawn(async move {
            // The bus keeps the deadline; this is for a bus that does not.
            let answer = tokio::time::timeout(wait + Duration::from_secs(1), answer)
                .await
                .unwrap_or_else(|_| Err("no answer in time".to_owned()));
            // It fails when the plugin has been removed.
            let _ = replies.send(Reply { id, context, answer, _place: place }).await;
        });
    }

    /// The instance is gone: the build before comes back if this one is new, else the same again.
    pub(super) async fn failed(&mut self, fault: &Fault) {
        tracing::error!(plugin = %self.identity.name, %fault, "instance failed");
        count(&self.counters.restarts, 1);
        self.status.error = Some(fault.to_string());
        self.status.mishap(&fault.to_string());
        let now = Instant::now();
        match self.probation.take().filter(|probation| now < probation.until) {
            Some(probation) => self.roll_back(probation, fault).await,
            None => self.again_or_not(now).await,
        }
        self.publish();
    }

    async fn roll_back(&mut self, probation: Probation, fault: &Fault) {
        let Probation { previous, state, .. } = probation;
        let Some(failed) = self.current.replace(previous.clone()) else { return };
        let hash = failed.build.hash();
        self.status.refused = Some(hash.to_owned());
        self.status.error = Some(format!(
            "{} failed soon after it took over, the build before is back: {fault}",
            &hash[..12]
        ));
        self.status.hash = Some(previous.build.hash().to_owned());
        self.inbox().limit(&previous.rights.limits);
        self.remount(&previous).await;
        self.restart(Kind::RollBack(state));
    }

    pub(super) async fn again_or_not(&mut self, now: Instant) {
        match self.restarts.failed(now) {
            Verdict::After(pause) => self.restart_at = Some(now + pause),
            Verdict::GiveUp => {
                let why = self.status.error.take().unwrap_or_default();
                self.quarantine = self.current.take();
                self.halt(State::Failed).await;
                let build = self.quarantine.as_ref().map(|it| it.build.hash().to_owned());
                let told = build.as_deref().map_or("it", |hash| &hash[..12]);
                self.status.error = Some(format!(
                    "{told} failed too often and stays down until another build comes, its grants \
                     change, or it is started: {why}"
                ));
                self.status.quarantined = build;
            }
        }
    }
}
