//! The task that owns a plugin: its instance, mailbox and timers. Nobody else touches them.

mod files;
mod others;
mod outside;
mod placed;
mod portion;
mod serve;
mod swap;
mod work;
mod worker;

use crate::{
    candidate::{Candidate, Refusal, Version},
    ctx::Identity,
    folder::Source,
    grants::PolicyGrant,
    http::HttpSlot,
    instance::Instance,
    mailbox::{Inbox, mailbox},
    mounts::Mounts,
    name::PluginName,
    ports::Guard,
    questions::{Asker, Question, asker},
    restarts::Restarts,
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
