//! The task of one Asterisk server: it connects, talks, loses the connection and comes back, and
//! owns the model of that server all the while.

mod tenure;

use super::{
    across::Far,
    figures::Figures,
    goal::{self, Goal},
    interest::Interest,
    publish::Publisher,
    request::{Ask, LinkHandle, Part, QUEUE, unavailable},
    talk::{End, Talk},
    transport,
};
use crate::{
    ari,
    bus::Bus,
    cluster::{Lease, Place},
    config::Server,
};
use ami_proto::Backoff;
use call_model::{Pbx, PbxConfig};
use std::{future::Future, sync::Arc, time::Duration};
use telepulse_language::{Device, DeviceChannel, Filter, Query, ServerState, Timestamp};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// Asterisk bans who keeps knocking with a wrong secret: a refused login is tried again this seldom.
const REJECTED_PAUSE: Duration = Duration::from_mins(5);

/// Starts the task of a server, at a goal.
pub(crate) fn spawn(
    server: Server,
    pbx: Pbx,
    bus: Arc<dyn Bus>,
    place: Arc<Place>,
    wanted: Goal,
) -> LinkHandle {
    let server = Arc::new(server);
    let (asks_in, asks) = mpsc::channel(QUEUE);
    let goal_in = watch::Sender::new(wanted);
    let goal = goal::join(goal_in.subscribe(), place.tenure());
    let interest_changed = bus.subscriptions_changed();
    let ari = ari::spawn(&server, goal.clone(), &bus);
    let far = Far::new(&server.id, bus.clone(), place.clone());
    let publisher = Publisher::new(&server.id, bus);
    let figures = Arc::new(Figures::default());
    let handle = LinkHandle {
        server: server.clone(),
        asks: asks_in,
        status: publisher.status(),
        figures: figures.clone(),
        goal: goal_in,
        here: goal.clone(),
        place: place.clone(),
        done: CancellationToken::new(),
        ari,
    };
    let done = handle.done.clone().drop_guard();
    let link = Link {
        server,
        pbx,
        publisher,
        asks,
        goal,
        interest_changed,
        figures,
        origin: Instant::now(),
        lost: None,
        place,
        far,
        lease: Lease::endless(),
        is_here: false,
        had: None,
    };
    tokio::spawn(async move {
        link.run().await;
        drop(done);
    });
    handle
}

/// An empty model of a server.
pub(crate) fn model(server: &Server) -> Result<Pbx, String> {
    Ok(Pbx::new(PbxConfig {
        server: server.id.as_str().into(),
        device: server.device.clone(),
        extensions: server
            .extensions
            .parse()
            .map_err(|error: call_model::PatternError| error.to_string())?,
        context: server.context.clone(),
        voicemail: server.voicemail.clone(),
        max_calls: server.max_calls,
    }))
}

/// One server's task.
pub(super) struct Link {
    pub(super) server: Arc<Server>,
    pub(super) pbx: Pbx,
    pub(super) publisher: Publisher,
    pub(super) asks: mpsc::Receiver<Ask>,
    pub(super) goal: watch::Receiver<Goal>,
    /// Somebody subscribed on the bus, or went.
    pub(super) interest_changed: watch::Receiver<u64>,
    pub(super) figures: Arc<Figures>,
    /// The session counts its milliseconds from here.
    origin: Instant,
    /// When the connection was lost after which clients need a `resync`.
    pub(super) lost: Option<Timestamp>,
    place: Arc<Place>,
    far: Far,
    /// How long this node may act on the server.
    pub(super) lease: Lease,
    /// This node has the server.
    is_here: bool,
    /// The term under which this node had it last.
    had: Option<u64>,
}

impl Link {
    /// Until removed; then all that it said is in the stream.
    async fn run(mut self) {
        self.live().await;
        self.publisher.away().none().await;
        if self.is_here {
            self.place.end();
        }
    }

    /// Connects, talks, pauses, and again.
    async fn live(&mut self) {
        let mut backoff = Backoff::default();
        loop {
            // Every handle is gone: the platform was dropped without a good-bye.
            if self.goal.has_changed().is_err() {
                return;
            }
            let goal = *self.goal.borrow_and_update();
            // Each time: the tenure of before may be over, and another one begun.
            if goal != Goal::Yield && !self.arrive() {
                match goal {
                    // Who has the server tells that it is gone. Where nobody has had it since this node did, that
                    // is for this node to tell; else it comes too late, and is left out of the stream.
                    Goal::Remove if self.had.is_some() => return self.forget(),
                    Goal::Remove | Goal::Quit => return,
                    _ => self.wait_for_tenure().await,
                }
                continue;
            }
            let pause = match goal {
                Goal::Remove => return self.forget(),
                Goal::Quit => return,
                Goal::Yield => {
                    self.leave().await;
                    self.be_away().await;
                    continue;
                }
                Goal::Stop => {
                    self.publisher
                        .state(ServerState::Disconnected, Some("stopped by the operator"));
                    None
                }
                Goal::Run(_) => match self.connect_and_talk().await {
                    End::GoalChanged => continue,
                    End::Rejected(reason) => {
                        self.figures.failed(&reason);
                        self.publisher.state(ServerState::Rejected, Some(&reason));
                        Some(REJECTED_PAUSE)
                    }
                    End::Lost { reason, was_connected } => {
                        if was_connected {
                            backoff.reset();
                        }
                        self.figures.failed(&reason);
                        self.publisher.state(ServerState::Disconnected, Some(&reason));
                        Some(Duration::from_millis(backoff.next(rand::random())))
                    }
                },
            };
            match pause {
                Some(pause) => drop(self.offline(sleep(pause)).await),
                None => drop(self.offline(std::future::pending::<()>()).await),
            }
        }
    }

    async fn connect_and_talk(&mut self) -> End {
        self.publisher.state(ServerState::Connecting, None);
        let server = self.server.clone();
        match self.offline(transport::open(&server)).await {
            None => End::GoalChanged,
            Some(Err(reason)) => End::Lost { reason, was_connected: false },
            Some(Ok((reader, writer))) => {
                self.interest_changed.mark_unchanged();
                let talk = Talk::new(&server, self.interest(), self.now_ms());
                let end = talk.run(self, reader, writer).await;
                self.disconnected();
                end
            }
        }
    }

    /// What the server is to send, by who is subscribed now.
    pub(super) fn interest(&self) -> Interest {
        Interest::of(self.publisher.wanted(), &self.server.filter.exclude)
    }

    /// Waits for a future while answering what needs no connection; `None` when the goal changed.
    async fn offline<F: Future>(&mut self, future: F) -> Option<F::Output> {
        tokio::pin!(future);
        loop {
            tokio::select! {
                output = &mut future => return Some(output),
                _ = self.goal.changed() => return None,
                Some(ask) = self.asks.recv() => self.answer_offline(ask),
            }
        }
    }

    fn answer_offline(&mut self, ask: Ask) {
        let status = self.publisher.current();
        let why = match status.reason {
            Some(reason) => format!("{:?} ({reason})", status.state),
            None => format!("{:?}", status.state),
        };
        let refusal = unavailable(&self.server.id, &why);
        match ask {
            // Whoever asked may have gone: nobody to tell.
            Ask::Action { reply, .. } => drop(reply.send(Err(refusal))),
            Ask::Command { reply, .. } | Ask::Audit { reply } => drop(reply.send(Err(refusal))),
            Ask::Query { query, reply } => self.part(&query, reply),
            Ask::Devices { channels, filter, reply } => self.devices(channels, &filter, reply),
            Ask::Knows { command, reply } => {
                let _ = reply.send(self.pbx.concerned(&command).is_some());
            }
        }
    }

    /// Answers with this server's part of a query.
    pub(super) fn part(&mut self, query: &Query, reply: oneshot::Sender<Part>) {
        self.publisher.part(self.pbx.query(query), reply);
    }

    /// Answers whose phones the channels are at.
    pub(super) fn devices(
        &self,
        channels: Vec<DeviceChannel>,
        filter: &Filter,
        reply: oneshot::Sender<Vec<Device>>,
    ) {
        // Whoever asked may have gone: nobody to tell.
        drop(reply.send(self.pbx.devices(channels, filter)));
    }

    /// Milliseconds on the session's clock.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The moment of a time on the session's clock.
    pub(super) fn at(&self, ms: u64) -> Instant {
        self.origin + Duration::from_millis(ms)
    }

    fn disconnected(&mut self) {
        self.pbx.disconnected(super::now(), self.publisher.pending());
        self.publisher.flush();
    }

    /// The server is removed: clients must not go on seeing its calls.
    fn forget(&mut self) {
        let now = super::now();
        // A listing that brings nothing ends everything.
        self.pbx.begin_sync(now);
        self.pbx.finish_sync(now, self.publisher.pending());
        self.publisher.state(ServerState::Removed, None);
    }
}
