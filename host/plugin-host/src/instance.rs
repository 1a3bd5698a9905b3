//! A running component. Every call takes the instance and gives it back only if it is still sound, so
//! one that trapped, ran out of time or was cancelled cannot be called again: it is gone.

use crate::{
    bindings::{Guest, Handled, Incoming, StartReason},
    ctx::{Ctx, Identity, LONGEST_REQUEST, Rights},
    effects::{Effects, Reply},
    epochs::{Epochs, Running},
    failure::{Failed, Fault, Remedy},
    frame::Framed,
    http::{Answer, Asked},
    manifest::Manifest,
    name::PluginName,
    ports::{BusEvent, Happening, Live, Ports, Verdict},
    questions::Served,
    runtime::Build,
    secrets,
    status::count,
    stderr::LastWords,
    stopwatch::Polls,
};
use futures_util::future::poll_immediate;
use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use telepulse_language::Principal;
use tokio::runtime::Handle;
use wasmtime::{Store, StoreContextMut, UpdateDeadline};

/// What a guest may hand to the host in one call, in bytes: a state of 16 MiB and then some.
const HOSTCALL_BYTES: usize = 32 << 20;

/// A component in a store of its own.
pub struct Instance {
    store: Store<Ctx>,
    watch: Watch,
    /// In a box, so that handing the instance on and back with each call moves little.
    guest: Box<Guest>,
    framed: Framed,
    budget: Budget,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Computing.
    pub(crate) cpu: Duration,
    /// By the clock on the wall, with all waiting.
    pub(crate) wall: Duration,
}

impl Budget {
    /// For computing only: the wall clock leaves room for a busy machine.
    pub(crate) fn computing(cpu: Duration) -> Self {
        Self { cpu, wall: cpu * 20 + Duration::from_secs(1) }
    }

    /// For a build's handlers.
    fn of(build: &Build, cpu: Duration) -> Self {
        let mut budget = Self::computing(cpu);
        if build.waits() {
            budget.wall += LONGEST_REQUEST;
        }
        budget
    }
}

/// What is seen of an instance's calls from outside its store.
struct Watch {
    epochs: Epochs,
    identity: Arc<Identity>,
    last_words: LastWords,
    polls: Arc<Polls>,
}

/// A call under way: its name and what it may take.
struct Meter<'i> {
    call: &'static str,
    budget: Budget,
    watch: &'i Watch,
    /// Time passes for guests while this is there.
    running: Running<'i>,
}

impl<'i> Meter<'i> {
    fn start(call: &'static str, budget: Budget, store: &mut Store<Ctx>, watch: &'i Watch) -> Self {
        store.data_mut().stopwatch.start(budget.cpu);
        store.set_epoch_deadline(1);
        Self { call, budget, watch, running: watch.epochs.call() }
    }

    async fn run<T>(self, call: impl Future<Output = wasmtime::Result<T>>) -> Result<T, Fault> {
        let Self { call: name, budget: Budget { cpu, wall }, watch, running } = self;
        let Watch { identity, last_words, polls, .. } = watch;
        let mut call = pin!(timed(call, polls, &identity.counters.computed));
        // Most calls are done at once: only what waits needs the clock on the wall.
        let outcome = match poll_immediate(call.as_mut()).await {
            Some(result) => Ok(result),
            None => tokio::time::timeout(wall, call).await,
        };
        drop(running);
        let outcome = match outcome {
            Ok(result) => {
                result.map_err(|error| Fault::from_error(name, cpu, &error, &last_words.take()))
            }
            Err(_) => Err(Fault::TimedOut { call: name, wall }),
        };
        let is_late = matches!(outcome, Err(Fault::Budget { .. } | Fault::TimedOut { .. }));
        count(&identity.counters.timeouts, usize::from(is_late));
        outcome
    }
}

/// Adds up the time in which a call computes, not that in which it waits.
async fn timed<T>(call: impl Future<Output = T>, polls: &Polls, nanos: &AtomicU64) -> T {
    let mut call = pin!(call);
    poll_fn(|cx| {
        let since = polls.polled();
        let polled = call.as_mut().poll(cx);
        nanos.fetch_add(u64::try_from(since.elapsed().as_nanos()).unwrap_or(0), Ordering::Relaxed);
        polled
    })
    .await
}

/// At each tick: somebody else's turn, or the end.
#[expect(clippy::unnecessary_wraps, reason = "wasmtime wants it so")]
fn on_tick(mut store: StoreContextMut<'_, Ctx>) -> wasmtime::Result<UpdateDeadline> {
    let stopwatch = &mut store.data_mut().stopwatch;
    if stopwatch.is_spent() {
        return Ok(UpdateDeadline::Interrupt);
    }
    let polls = Arc::clone(stopwatch.polls());
    let others = async move {
        tokio::task::yield_now().await;
        polls.resumed();
    };
    Ok(UpdateDeadline::YieldCustom(1, Box::pin(others)))
}

/// What an instance is started with.
#[derive(Clone)]
pub(crate) struct Start {
    pub(crate) identity: Arc<Identity>,
    pub(crate) rights: Arc<Rights>,
    pub(crate) principal: Option<Arc<Principal>>,
    /// For the component's start functions and `init`.
    pub(crate) budget: Duration,
}

impl Instance {
    /// Makes an instance of a build; its start functions run.
    pub(crate) async fn new(build: &Build, start: Start) -> Result<Self, Fault> {
        let Start { identity, rights, principal, budget: starting } = start;
        let budget = Budget::of(build, rights.limits.call);
        let parts = build.parts();
        let (epochs, own) = (parts.epochs.clone(), Arc::clone(&identity));
        let ctx = Ctx::new(identity, rights, principal)
            .map_err(|why| Fault::Fatal { call: "instantiation", why })?;
        let mut store = Store::new(parts.pre.engine(), ctx);
        let (last_words, polls) =
            (store.data().last_words.clone(), Arc::clone(store.data().stopwatch.polls()));
        let watch = Watch { epochs, identity: own, last_words, polls };
        store.limiter(|ctx| &mut ctx.memory);
        store.set_hostcall_fuel(HOSTCALL_BYTES);
        store.epoch_deadline_callback(on_tick);
        let meter = Meter::start("instantiation", Budget::computing(starting), &mut store, &watch);
        let instance = meter.run(parts.pre.instantiate_async(&mut store)).await?;
        let guest = parts
            .exports
            .load(&mut store, &instance)
            .map_err(|error| Fault::from_error("instantiation", starting, &error, ""))?;
        Ok(Self { store, watch, guest: Box::new(guest), framed: Framed::default(), budget })
    }

    /// A bare instance for measuring, outside any plugin host: `init` is not called. Must be called
    /// on a tokio runtime.
    pub async fn bare(
        build: &Build,
        name: &PluginName,
        manifest: &Manifest,
        ports: Ports,
    ) -> Result<Self, Fault> {
        let rights = secrets::resolve(manifest)
            .map_err(|error| Fault::Fatal { call: "secrets", why: error.to_string() })?;
        let start = Start {
            identity: Arc::new(Identity::new(name.clone(), ports, Handle::current())),
            rights: Arc::new(rights),
            principal: None,
            budget: Duration::from_secs(2),
        };
        Self::new(build, start).await
    }

    /// Hands over a batch of events, at most 64, and answers how many were done.
    pub async fn handle(self, batch: &[Arc<BusEvent>]) -> Result<(Self, u32), Fault> {
        let (instance, handled) = self.events(batch).await?;
        Ok((instance, handled.unwrap_or_else(|failed| failed.done)))
    }

    /// What the instance asked for since the last time.
    pub(crate) fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.store.data_mut().effects)
    }

    /// `lifecycle.init`, under the budget for starting.
    pub(crate) async fn init(
        mut self,
        budget: Duration,
        incarnation: u64,
        reason: StartReason,
    ) -> Result<(Self, Result<(), String>), Fault> {
        // It computes longer than a handler may, perhaps beside others that start.
        let budget = Budget { cpu: budget, wall: self.budget.wall + budget * 4 };
        let meter = Meter::start("lifecycle.init", budget, &mut self.store, &self.watch);
        let answer = meter.run(self.guest.init(&mut self.store, incarnation, reason)).await?;
        Ok((self, answer))
    }

    /// `lifecycle.drain`, the last call.
    pub(crate) async fn drain(mut self, deadline: Duration) -> Result<(), Fault> {
        let meter = Meter::start("lifecycle.drain", self.budget, &mut self.store, &self.watch);
        let deadline = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        meter.run(self.guest.drain(&mut self.store, deadline)).await
    }

    /// `handoff.save`.
    pub(crate) async fn save(mut self) -> Result<(Self, Result<Vec<u8>, String>), Fault> {
        let meter = Meter::start("handoff.save", self.budget, &mut self.store, &self.watch);
        let answer = meter.run(self.guest.save(&mut self.store)).await?;
        Ok((self, answer))
    }

    /// `handoff.restore`.
    pub(crate) async fn restore(
        mut self,
        state: &[u8],
    ) -> Result<(Self, Result<(), String>), Fault> {
        let meter = Meter::start("handoff.restore", self.budget, &mut self.store, &self.watch);
        let answer = meter.run(self.guest.restore(&mut self.store, state)).await?;
        Ok((self, answer))
    }

    /// `connection-handler.resume`.
    pub(crate) async fn resume(mut self, live: Vec<Live>) -> Result<Self, Fault> {
        let meter =
            Meter::start("connection-handler.resume", self.budget, &mut self.store, &self.watch);
        meter.run(self.guest.resume(&mut self.store, live)).await?;
        Ok(self)
    }

    /// `subscriber.handle` or `framed-subscriber.handle`.
    pub(crate) async fn events(
        mut self,
        batch: &[Arc<BusEvent>],
    ) -> Result<(Self, Handled), Fault> {
        let meter = Meter::start("subscriber.handle", self.budget, &mut self.store, &self.watch);
        let call = self.guest.events(&mut self.store, batch, &mut self.framed);
        let name = meter.call;
        let handled = match meter.run(call).await? {
            Err(Failed { remedy: Remedy::Fatal(why), .. }) => {
                return Err(Fault::Fatal { call: name, why: crate::failure::shorten(&why) });
            }
            handled => handled,
        };
        Ok((self, handled))
    }

    /// `connection-handler.handle`.
    pub(crate) async fn happenings(mut self, batch: Vec<Happening>) -> Result<Self, Fault> {
        let meter =
            Meter::start("connection-handler.handle", self.budget, &mut self.store, &self.watch);
        meter.run(self.guest.happenings(&mut self.store, batch)).await?;
        Ok(self)
    }

    /// `replies.handle`.
    pub(crate) async fn replies(mut self, batch: Vec<Reply>) -> Result<Self, Fault> {
        let meter = Meter::start("replies.handle", self.budget, &mut self.store, &self.watch);
        meter.run(self.guest.replies(&mut self.store, batch)).await?;
        Ok(self)
    }

    /// `policy.decide`.
    pub(crate) async fn decide(
        mut self,
        command: &[u8],
        who: Option<&Principal>,
    ) -> Result<(Self, Verdict), Fault> {
        let meter = Meter::start("policy.decide", self.budget, &mut self.store, &self.watch);
        let verdict = meter.run(self.guest.decide(&mut self.store, command, who)).await?;
        Ok((self, verdict))
    }

    /// `command-handler.serve`.
    pub(crate) async fn serve(
        mut self,
        command: &[u8],
        who: Option<&Principal>,
    ) -> Result<(Self, Served), Fault> {
        let meter =
            Meter::start("command-handler.serve", self.budget, &mut self.store, &self.watch);
        let served = meter.run(self.guest.serve(&mut self.store, command, who)).await?;
        Ok((self, served))
    }

    /// `ticker.fired`.
    pub(crate) async fn fired(mut self, ids: &[u64]) -> Result<Self, Fault> {
        let meter = Meter::start("ticker.fired", self.budget, &mut self.store, &self.watch);
        meter.run(self.guest.fired(&mut self.store, ids)).await?;
        Ok(self)
    }

    /// Puts an HTTP request into the store, for [`Instance::http`].
    pub(crate) fn store_mut(&mut self) -> &mut Store<Ctx> {
        &mut self.store
    }

    /// `wasi:http/incoming-handler.handle`, one request.
    pub(crate) async fn http(mut self, incoming: Incoming, budget: Budget) -> Result<Self, Fault> {
        let meter = Meter::start("incoming-handler.handle", budget, &mut self.store, &self.watch);
        meter.run(self.guest.http(&mut self.store, incoming)).await?;
        Ok(self)
    }

    /// `http-handler.handle`, one request.
    pub(crate) async fn request(
        mut self,
        asked: &Asked,
        budget: Budget,
    ) -> Result<(Self, Answer), Fault> {
        let meter = Meter::start(Answer::CALL, budget, &mut self.store, &self.watch);
        let answer = meter.run(self.guest.request(&mut self.store, asked)).await?;
        Ok((self, answer))
    }

    /// What it asks from now on is part of this trace, or of none.
    pub(crate) fn be_traced(&mut self, trace: Option<Arc<str>>) {
        self.store.data_mut().trace = trace;
    }

    /// Makes it act for whoever asks next. Nothing that the one before asked for is left.
    pub(crate) fn act_for(&mut self, principal: Option<&Arc<Principal>>) {
        let ctx = self.store.data_mut();
        ctx.principal = principal.cloned();
        ctx.trace = None;
        ctx.effects = Effects::default();
    }
}
