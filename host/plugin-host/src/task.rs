//! The task that owns a plugin: its instance, mailbox and timers. Nobody else touches them.

mod others;
mod placed;
mod portion;
mod serve;
mod swap;
mod work;
mod worker;

use crate::{
    asks,
    bindings::StartReason,
    candidate::{self, Beginning, Candidate, Plan, Refusal, Version},
    ctx::Identity,
    durable::Durable,
    folder::Source,
    grants::{Grants, Mount, PolicyGrant},
    http::HttpSlot,
    instance::Instance,
    mailbox::{Inbox, mailbox},
    manifest::Manifest,
    mounts::{Mounts, Owner},
    name::PluginName,
    ports::Guard,
    questions::{Asker, Question, asker},
    restarts::Restarts,
    runtime::Build,
    shared::Shared,
    status::{Counters, PluginStatus, State, count},
};
use futures_util::future::OptionFuture;
use others::Others;
use placed::Placed;
use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use worker::Worker;

/// How long an instance has for its last call.
const DRAIN: Duration = Duration::from_secs(2);

/// What others ask of a plugin's task.
pub(crate) enum Command {
    /// Its files are there, or cannot be read.
    Files { source: Result<Source, String>, order: Order, done: Option<Done> },
    /// Drain and stay down.
    Stop(Done),
    /// Drain and go.
    Unload(Done),
}

/// Told once the plugin is where it was asked to be, or cannot get there.
pub(crate) type Done = oneshot::Sender<PluginStatus>;

/// Why the files are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// They changed: of no concern to a plugin that was stopped.
    Changed,
    /// Somebody wants them loaded, changed or not.
    Load,
}

/// Starts a plugin's task on the guests' threads. Its mailbox of commands is the handle.
pub(crate) fn spawn(shared: &Arc<Shared>, name: &PluginName) -> mpsc::Sender<Command> {
    let (sender, commands) = mpsc::channel(16);
    let task = Task::new(Arc::clone(shared), name, commands);
    shared.guests.spawn(task.run());
    sender
}

struct Task {
    shared: Arc<Shared>,
    identity: Arc<Identity>,
    commands: mpsc::Receiver<Command>,
    status: PluginStatus,
    counters: Arc<Counters>,
    /// What runs, or is to run again after a pause.
    current: Option<Version>,
    /// The first shard's.
    instance: Option<Instance>,
    /// The first shard, which has all that is not an event.
    lead: Worker,
    others: Others,
    preparing: Option<Preparing>,
    probation: Option<Probation>,
    restarts: Restarts,
    restart_at: Option<Instant>,
    /// What failed too often.
    quarantine: Option<Version>,
    /// Somebody said stop.
    stopped: bool,
    /// Whether it is to run on this node; `None`: nobody has asked for that yet, or it cannot.
    placed: Option<Placed>,
    mounts: Mounts,
    http: HttpSlot,
    /// Commands to decide on or to carry out, and the way to here.
    questions: mpsc::Receiver<Question>,
    asker: Asker,
    /// What it is asked about, whether it runs or not.
    policy: Option<(PolicyGrant, Guard)>,
    waiting: Vec<Done>,
}

/// A build that is getting ready, on a task of its own.
struct Preparing {
    task: JoinHandle<Result<Candidate, Refusal>>,
    kind: Kind,
}

impl Drop for Preparing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a preparation is for.
enum Kind {
    /// What lies in the folder.
    Files,
    /// The same build again, after a failure.
    Restart,
    /// The build before, with what the last good instances saved.
    RollBack(States),
}

/// A new build proves itself; until then the one before is kept.
struct Probation {
    previous: Version,
    states: States,
    until: Instant,
}

/// What the instances of a version saved, a shard each; none where one had nothing to say.
type States = Vec<Option<Vec<u8>>>;

impl Task {
    fn new(shared: Arc<Shared>, name: &PluginName, commands: mpsc::Receiver<Command>) -> Self {
        let identity =
            Arc::new(Identity::new(name.clone(), shared.ports.clone(), shared.home.clone()));
        let counters = Arc::clone(&identity.counters);
        shared.board.add(name.as_str(), Arc::clone(&counters));
        let (_, outbox) = mailbox(Arc::clone(&counters));
        let lead = Worker::new(Arc::clone(&shared), Arc::clone(&identity), outbox);
        let (inbox, own) = (Arc::clone(lead.inbox()), Arc::clone(&identity));
        let others = Others::new(Arc::clone(&shared), own, inbox);
        let (asker, questions) = asker();
        let http = HttpSlot::new(Arc::clone(&shared), Arc::clone(&identity));
        Self {
            commands,
            status: PluginStatus::new(name.as_str()),
            current: None,
            instance: None,
            lead,
            others,
            preparing: None,
            probation: None,
            restarts: Restarts::default(),
            restart_at: None,
            quarantine: None,
            stopped: false,
            placed: None,
            mounts: Mounts::default(),
            http,
            questions,
            asker,
            policy: None,
            waiting: Vec::new(),
            shared,
            identity,
            counters,
        }
    }

    async fn run(mut self) {
        while self.step().await.is_continue() {}
        drop(self.others.rest().await);
        self.unmount();
        self.mounts.clear(&self.shared.home, false);
        self.mounts.conceal(&self.shared.home);
        self.be_asked(None);
        self.shared.board.remove(self.identity.name.as_str());
        // Nothing of it is left when they hear of it.
        self.answer_all();
    }

    async fn step(&mut self) -> ControlFlow<()> {
        let serving = self.instance.is_some();
        // Between two instances everything stays where it is; without one to come it is discarded.
        let listening = serving || (self.restart_at.is_none() && self.preparing.is_none());
        // A build that is getting ready goes first.
        let restart_at = self.restart_at.filter(|_| self.preparing.is_none());
        tokio::select! {
            biased;
            command = self.commands.recv() => match command {
                Some(command) => return self.command(command).await,
                None => return ControlFlow::Break(()),
            },
            Some(prepared) = OptionFuture::from(self.preparing.as_mut().map(|it| &mut it.task)) => {
                let kind = self.preparing.take().map(Preparing::into_kind);
                match prepared {
                    Ok(prepared) => self.prepared(prepared, kind.unwrap_or(Kind::Files)).await,
                    Err(_) => self.refused(&Refusal {
                        hash: None,
                        error: "getting it ready failed inside the host".to_owned(),
                        missing: Vec::new(),
                        build: None,
                    }),
                }
            }
            Some(()) = OptionFuture::from(self.placed.as_mut().map(Placed::moved)) => self.moved().await,
            Some(()) = OptionFuture::from(restart_at.map(at)) => self.restart(Kind::Restart),
            Some(question) = self.questions.recv(), if listening => self.answer(question).await,
            fault = self.others.failed(), if !self.others.is_empty() => self.failed(&fault).await,
            () = self.lead.arrives(serving), if listening => {
                if serving {
                    self.serve().await;
                } else {
                    self.lead.discard();
                }
            }
        }
        ControlFlow::Continue(())
    }

    async fn command(&mut self, command: Command) -> ControlFlow<()> {
        match command {
            Command::Files { source, order, done } => {
                self.waiting.extend(done);
                self.files(source, order).await;
            }
            Command::Stop(done) => {
                self.stopped = true;
                self.halt(State::Stopped).await;
                self.status.error = None;
                self.status.refused = None;
                self.status.refused_asks.clear();
                self.status.missing.clear();
                self.waiting.push(done);
                self.publish();
            }
            Command::Unload(done) => {
                self.halt(State::Stopped).await;
                self.waiting.push(done);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    async fn files(&mut self, source: Result<Source, String>, order: Order) {
        if order == Order::Load {
            self.stopped = false;
        } else if self.stopped {
            return self.publish();
        }
        self.preparing = None;
        if let Ok(source) = &source
            && let Ok(manifest) = Manifest::parse(&source.toml)
        {
            self.seek(manifest.needs()).await;
            if !self.is_placed(source) {
                return self.wait_elsewhere(&source.hash).await;
            }
            // Before the plugin is there: until it decides, its grant says what counts; and what it is
            // to do is kept for it.
            if self.current.is_none() {
                if let Err(error) = self.keep_messages(&manifest.grants).await {
                    tracing::error!(plugin = %self.identity.name, error, "its messages are not kept");
                }
                self.announce(&manifest.grants.routes).await;
            }
            self.be_asked(manifest.grants.policy);
        }
        let source = match source {
            Ok(source) => source,
            Err(error) => {
                let missing = Vec::new();
                return self.refused(&Refusal { hash: None, error, missing, build: None });
            }
        };
        let is_it = |it: &Version| it.toml == source.toml && it.build.hash() == source.hash;
        if order == Order::Changed && self.quarantine.as_ref().is_some_and(is_it) {
            // Put there once more: it is what it was.
            return self.publish();
        }
        self.quarantine = None;
        self.status.quarantined = None;
        let same = self.current.as_ref().is_some_and(is_it);
        if same && order == Order::Changed && self.status.state == State::Running {
            // Back to what runs: whatever was refused is no longer there.
            self.status.refused = None;
            self.status.refused_asks.clear();
            self.status.error = None;
            self.go_on();
            return self.publish();
        }
        self.restarts.clear();
        let reason = if self.instance.is_some() { StartReason::Reload } else { StartReason::Fresh };
        self.prepare(Plan::Files(source), reason, Kind::Files);
    }

    fn prepare(&mut self, plan: Plan, reason: StartReason, kind: Kind) {
        let known = self.current.as_ref().map(|current| current.build.clone());
        let beginning = Beginning { incarnation: self.status.incarnation + 1, reason };
        let (shared, identity) = (Arc::clone(&self.shared), Arc::clone(&self.identity));
        let task = candidate::prepare(shared, identity, plan, known, beginning);
        self.preparing = Some(Preparing { task: self.shared.guests.spawn(task), kind });
    }

    /// Starts the current build anew.
    fn restart(&mut self, kind: Kind) {
        self.restart_at = None;
        if let Some(current) = self.current.clone() {
            self.prepare(Plan::Version(current), StartReason::CrashRestart, kind);
        }
    }

    /// Something did not get ready. What runs goes on.
    fn refused(&mut self, refusal: &Refusal) {
        let Refusal { hash, error, missing, build } = refusal;
        let asks = build.as_ref().and_then(Build::asks).map(|asks| asks::spelled(&asks.grants));
        tracing::warn!(plugin = %self.identity.name, hash, error, "build refused");
        self.status.mishap(error);
        if self.current.is_some() {
            let build = hash.as_deref().map_or("the file", |hash| &hash[..12]);
            self.status.error =
                Some(format!("{build} was refused, the build before goes on: {error}"));
            self.status.refused.clone_from(hash);
            self.status.refused_asks = asks.unwrap_or_default();
        } else {
            self.status.asks = asks.unwrap_or_default();
            self.status.state = if missing.is_empty() { State::Failed } else { State::Waiting };
            // Another node may be able to.
            self.let_go(self.status.state);
            self.status.error = Some(error.clone());
            self.status.hash.clone_from(hash);
            if let Some(build) = build {
                self.status.imports = build.imports().to_vec();
                self.status.exports = build.exports().to_vec();
            }
        }
        self.status.missing.clone_from(missing);
        self.go_on();
        self.publish();
    }

    /// Sees to it that what is in force gets an instance again, if getting one ready was broken off
    /// for something that came to nothing.
    fn go_on(&mut self) {
        let lacks = self.current.as_ref().is_some_and(|it| it.build.surface().is_resident());
        if lacks && self.instance.is_none() && self.preparing.is_none() {
            self.restart_at.get_or_insert_with(Instant::now);
        }
    }

    /// Ends what runs and lets go of everything outside.
    async fn halt(&mut self, state: State) {
        self.preparing = None;
        self.probation = None;
        self.restart_at = None;
        let current = self.current.take();
        self.restarts.clear();
        let instances = self.rest().await;
        self.unmount();
        match current.filter(|it| state == State::Failed && it.build.surface().http) {
            Some(failed) => self.announce(&failed.rights.grants.routes).await,
            None => self.mounts.conceal(&self.shared.home),
        }
        drain(&self.identity, instances).await;
        self.status.state = state;
        self.let_go(state);
    }

    /// Has all shards rest; answers their instances, those that are sound, the first shard's first.
    async fn rest(&mut self) -> Vec<Option<Instance>> {
        let others = self.others.rest().await;
        for fault in others.iter().filter_map(|ended| ended.as_ref().err()) {
            tracing::error!(plugin = %self.identity.name, %fault, "a shard, as it was to rest");
            count(&self.counters.restarts, 1);
            self.status.mishap(&fault.to_string());
        }
        let lead = std::iter::once(self.instance.take());
        lead.chain(others.into_iter().map(Result::ok)).collect()
    }

    /// Has the shards work, each with an instance.
    fn work(&mut self, instances: Vec<Instance>) {
        let mut instances = instances.into_iter();
        self.instance = instances.next();
        self.others.work(instances);
    }

    /// Has whoever asks on these paths be told that the plugin does not run, until it does.
    async fn announce(&mut self, routes: &[Mount]) {
        let (mounts, owner) = self.mounts();
        mounts.announce(&owner, routes).await;
    }

    /// Sees to it that the plugin is asked about these commands, and no others.
    fn be_asked(&mut self, grant: Option<PolicyGrant>) {
        if self.policy.as_ref().map(|(grant, _)| grant) == grant.as_ref() {
            return;
        }
        let policies = &self.identity.ports.policies;
        // The new one first: no command slips through between.
        self.policy = grant.map(|grant| {
            let asker = Arc::new(self.asker.clone());
            let guard = policies.register(self.identity.name.as_str(), grant.clone(), asker);
            (grant, guard)
        });
    }

    /// Sees to it that messages are kept on disk as the grants say, also while nothing runs.
    async fn keep_messages(&mut self, grants: &Grants) -> Result<(), String> {
        let inbox = Arc::clone(self.inbox());
        if grants.durable == 0 || grants.subscribe.is_empty() {
            inbox.make_durable(None);
            return Ok(());
        }
        if !inbox.set_room_on_disk(grants.durable) {
            let journal = Arc::clone(&self.identity.ports.journal);
            let plugin: Arc<str> = self.identity.name.as_str().into();
            let extent = self.identity.at_home(journal.open(&plugin)).await;
            let extent = extent.map_err(|error| format!("grants.durable: {error}"))?;
            self.give_back();
            inbox.make_durable(Some(Durable::new(journal, plugin, grants.durable, extent)));
        }
        let (mounts, owner) = self.mounts();
        mounts.subscribe(&owner, &grants.subscribe);
        Ok(())
    }

    fn unmount(&mut self) {
        self.http.set(None);
        let is_durable = self.inbox().is_durable();
        self.mounts.clear(&self.shared.home, is_durable);
        self.lead.clear();
        self.others.resting().for_each(Worker::clear);
        self.inbox().clear();
    }

    /// What workers that rest have taken from the mailbox goes back there.
    fn give_back(&mut self) {
        self.lead.give_back();
        self.others.resting().for_each(Worker::give_back);
    }

    /// Tells everybody how it stands.
    fn publish(&mut self) {
        self.shared.board.write(&self.status);
        self.answer_all();
    }

    fn answer_all(&mut self) {
        for done in self.waiting.drain(..) {
            // It fails when whoever asked has gone.
            let _ = done.send(self.status.clone());
        }
    }

    fn inbox(&self) -> &Arc<Inbox> {
        self.lead.inbox()
    }

    /// Mounts what a version needs; what it does not need any more goes.
    async fn mount(&mut self, version: &Version) -> Result<(), String> {
        self.keep_messages(&version.rights.grants).await?;
        let shards = version.rights.limits.shards;
        if self.inbox().shards() != shards {
            self.give_back();
            self.inbox().split(shards);
            self.others.grow(shards - 1);
        }
        let (mounts, owner) = self.mounts();
        mounts.apply(&owner, version.build.surface(), &version.rights).await
    }

    /// What is mounted, and who mounts.
    fn mounts(&mut self) -> (&mut Mounts, Owner<'_>) {
        let Self { mounts, identity, shared, lead, http, asker, .. } = self;
        let owner = Owner {
            name: identity.name.as_str(),
            ports: &shared.ports,
            home: &shared.home,
            inbox: lead.inbox(),
            http,
            asker,
        };
        (mounts, owner)
    }
}

impl Preparing {
    fn into_kind(mut self) -> Kind {
        std::mem::replace(&mut self.kind, Kind::Files)
    }
}

/// Their last calls.
async fn drain(identity: &Identity, instances: Vec<Option<Instance>>) {
    for instance in instances.into_iter().flatten() {
        if let Err(fault) = instance.drain(DRAIN).await {
            tracing::warn!(plugin = %identity.name, %fault, "drain");
        }
    }
}

async fn at(instant: Instant) {
    tokio::time::sleep_until(instant.into()).await;
}
