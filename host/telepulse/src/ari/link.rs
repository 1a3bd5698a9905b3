//! The task of one server's ARI: it connects, fills the table, follows the events, loses the
//! connection and comes back.

use super::{
    connect::{self, Failed, Socket},
    event::{self, Event},
    figures::Figures,
    handle::{Ask, Handle, QUEUE, Status},
    silence::{Silence, Turn},
    table::Table,
};
use crate::{
    bus::{Bus, Leaves},
    config::{Server, ServerAri},
    proxy::Goal,
};
use ami_proto::Backoff;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use std::{future::Future, sync::Arc, time::Duration};
use telepulse_language::ServerState;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;

/// Who is refused is not soon welcome: another try comes this seldom.
const REJECTED_PAUSE: Duration = Duration::from_mins(5);
/// How long saying good-bye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Starts the task of a server's ARI, if it has one. It runs, rests and ends with the server's goal.
pub(crate) fn spawn(
    server: &Arc<Server>,
    goal: watch::Receiver<Goal>,
    bus: &Arc<dyn Bus>,
) -> Option<Handle> {
    let settings = Arc::new(server.ari.clone()?);
    let (asks_in, asks) = mpsc::channel(QUEUE);
    let state = ServerState::Disconnected;
    let status = watch::Sender::new(Status { state, reason: None, since: super::now() });
    let handle = Handle {
        settings: settings.clone(),
        status: status.subscribe(),
        figures: Arc::default(),
        asks: asks_in,
        end: CancellationToken::new(),
        done: CancellationToken::new(),
    };
    let done = handle.done.clone().drop_guard();
    let mut link = Link {
        id: server.id.as_str().into(),
        server: server.clone(),
        settings,
        goal,
        end: handle.end.clone(),
        asks,
        status,
        figures: handle.figures.clone(),
        // An id of the configuration makes an address.
        events: Leaves::below(bus.clone(), &["telepulse", "ari", "event", &server.id]).ok(),
        table: Table::default(),
    };
    tokio::spawn(async move {
        link.live().await;
        drop(done);
    });
    Some(handle)
}

struct Link {
    id: Arc<str>,
    server: Arc<Server>,
    settings: Arc<ServerAri>,
    goal: watch::Receiver<Goal>,
    end: CancellationToken,
    asks: mpsc::Receiver<Ask>,
    status: watch::Sender<Status>,
    figures: Arc<Figures>,
    events: Option<Leaves>,
    table: Table,
}

/// How a connection ended.
enum End {
    /// Something else is wanted.
    GoalChanged,
    /// It is not taken.
    Rejected(String),
    /// Another one took its place.
    Replaced(String),
    /// It is gone.
    Lost {
        reason: String,
        /// Whether it had been good: then the next try may come soon.
        was_connected: bool,
    },
}

impl End {
    /// Who was replaced takes the place back once: it may have been an attempt of our own that came
    /// late. Replaced again soon, there is a rival.
    fn once_more(self, replaced: &mut Option<Instant>) -> Self {
        let Self::Replaced(reason) = self else { return self };
        match replaced.replace(Instant::now()) {
            Some(before) if before.elapsed() < REJECTED_PAUSE => Self::Rejected(reason),
            _ => Self::Lost { reason, was_connected: true },
        }
    }
}

impl Link {
    /// Connects, follows, pauses, and again.
    async fn live(&mut self) {
        let mut backoff = Backoff::default();
        let mut replaced = None;
        loop {
            // Every handle is gone: the platform was dropped without a good-bye.
            if self.end.is_cancelled() || self.goal.has_changed().is_err() {
                return;
            }
            let goal = *self.goal.borrow_and_update();
            let pause = match goal {
                Goal::Remove | Goal::Quit => return,
                Goal::Stop => {
                    self.state(ServerState::Disconnected, Some("stopped by the operator"));
                    None
                }
                Goal::Yield => {
                    self.state(ServerState::Disconnected, Some("another node has the server"));
                    None
                }
                Goal::Run(_) => match self.connect_and_follow().await.once_more(&mut replaced) {
                    End::GoalChanged => continue,
                    End::Rejected(reason) | End::Replaced(reason) => {
                        self.figures.failed(&reason);
                        self.state(ServerState::Rejected, Some(&reason));
                        Some(REJECTED_PAUSE)
                    }
                    End::Lost { reason, was_connected } => {
                        if was_connected {
                            backoff.reset();
                        }
                        self.figures.failed(&reason);
                        self.state(ServerState::Disconnected, Some(&reason));
                        Some(Duration::from_millis(backoff.next(rand::random())))
                    }
                },
            };
            match pause {
                Some(pause) => drop(self.meanwhile(sleep(pause)).await),
                None => drop(self.meanwhile(std::future::pending::<()>()).await),
            }
        }
    }

    async fn connect_and_follow(&mut self) -> End {
        self.state(ServerState::Connecting, None);
        let (server, settings) = (self.server.clone(), self.settings.clone());
        match self.meanwhile(connect::events(&server, &settings)).await {
            None => End::GoalChanged,
            Some(Err(Failed::Rejected(reason))) => End::Rejected(reason),
            Some(Err(Failed::Away(reason))) => End::Lost { reason, was_connected: false },
            Some(Ok(mut socket)) => {
                let end = self.follow(&mut socket).await;
                drop(tokio::time::timeout(GOODBYE, leave(socket)).await);
                end
            }
        }
    }

    /// Follows the events until the connection ends. The listing is asked for once they come, so that
    /// nothing falls between the two; and again when none came for long: where a client goes and one
    /// of its name comes at the same moment, Asterisk can leave the new one without any.
    async fn follow(&mut self, socket: &mut Socket) -> End {
        self.state(ServerState::Syncing, None);
        self.table.begin();
        let (server, settings) = (self.server.clone(), self.settings.clone());
        let listing = connect::channels(&server, &settings);
        tokio::pin!(listing);
        let (mut is_listing, mut is_true, mut is_quiet) = (true, false, true);
        let mut silence =
            Silence::new(Duration::from_secs(self.server.keep_alive.into()), Instant::now());
        let look = sleep(Duration::ZERO);
        tokio::pin!(look);
        loop {
            let lost = |reason| End::Lost { reason, was_connected: is_true };
            tokio::select! {
                _ = self.goal.changed() => return End::GoalChanged,
                () = self.end.cancelled() => return End::GoalChanged,
                Some(reply) = self.asks.recv() => self.answer(reply),
                listed = &mut listing, if is_listing => {
                    is_listing = false;
                    match listed.and_then(|listed| self.list(&listed)) {
                        Err(reason) => return lost(reason),
                        Ok(true) if is_true && is_quiet => {
                            return lost("Asterisk tells of no changes any more".to_owned());
                        }
                        Ok(_) if is_true => {}
                        Ok(_) => {
                            is_true = true;
                            self.figures.connected();
                            self.state(ServerState::Connected, None);
                        }
                    }
                }
                message = socket.next() => {
                    silence.broken(Instant::now());
                    is_quiet &= !matches!(message, Some(Ok(Message::Text(_))));
                    match self.message(message) {
                        Ok(()) => {}
                        Err(Gone::Replaced(reason)) => return End::Replaced(reason),
                        Err(Gone::Lost(reason)) => return lost(reason),
                    }
                }
                () = &mut look => match silence.turn(Instant::now()) {
                    Turn::Wait(due) => look.as_mut().reset(due),
                    Turn::Ask => {
                        if let Err(error) = socket.send(Message::Ping(Bytes::new())).await {
                            return lost(error.to_string());
                        }
                        if !is_listing {
                            self.table.begin();
                            listing.set(connect::channels(&server, &settings));
                            (is_listing, is_quiet) = (true, true);
                        }
                    }
                    Turn::GiveUp => return lost("Asterisk does not answer any more".to_owned()),
                },
            }
        }
    }

    /// Folds a listing in, and answers whether it said anything new.
    fn list(&mut self, listed: &[u8]) -> Result<bool, String> {
        let listing = event::listing(listed).map_err(|error| error.to_string())?;
        let is_new = self.table.finish(&listing, super::now());
        self.figures.channels(self.table.len());
        Ok(is_new)
    }

    fn message(
        &mut self,
        message: Option<Result<Message, tungstenite::Error>>,
    ) -> Result<(), Gone> {
        match message {
            Some(Ok(Message::Text(text))) => self.event(&text),
            Some(Ok(Message::Close(_))) | None => {
                Err(Gone::Lost("Asterisk closed the connection".to_owned()))
            }
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(Gone::Lost(error.to_string())),
        }
    }

    fn event(&mut self, text: &str) -> Result<(), Gone> {
        self.figures.event();
        let event = match Event::read(text) {
            Ok(event) => event,
            Err(error) => {
                self.unreadable(&error);
                return Ok(());
            }
        };
        match event.channel() {
            Ok(None) => {}
            Ok(Some((fate, channel))) => {
                self.table.apply(fate, &channel, super::now());
                self.figures.channels(self.table.len());
            }
            Err(error) => self.unreadable(&error),
        }
        if let Some(events) = &mut self.events {
            let id = &self.id;
            events.publish(&event.kind, id, || Some(event::with_server(text, id)?.into()));
        }
        if event.kind == "ApplicationReplaced" {
            return Err(Gone::Replaced(format!(
                "another client is the application {:?} now: give each one an `app` of its own",
                self.settings.app
            )));
        }
        Ok(())
    }

    fn unreadable(&self, error: &event::Unreadable) {
        self.figures.unreadable();
        tracing::debug!(server = %self.id, %error, "ARI");
    }

    /// Waits for a future while answering; `None` when something else is wanted.
    async fn meanwhile<F: Future>(&mut self, future: F) -> Option<F::Output> {
        tokio::pin!(future);
        loop {
            tokio::select! {
                output = &mut future => return Some(output),
                _ = self.goal.changed() => return None,
                () = self.end.cancelled() => return None,
                Some(reply) = self.asks.recv() => self.answer(reply),
            }
        }
    }

    fn answer(&self, reply: Ask) {
        // Whoever asked may have gone: nobody to tell.
        drop(reply.send(self.table.channels()));
    }

    fn state(&self, state: ServerState, reason: Option<&str>) {
        let reason = reason.map(str::to_owned);
        let new = Status { state, reason, since: super::now() };
        let changed = self.status.send_if_modified(|old| {
            if old.state == new.state && old.reason == new.reason {
                return false;
            }
            *old = new.clone();
            true
        });
        if changed {
            tracing::info!(server = %self.id, state = ?new.state, reason = new.reason, "ARI status");
        }
    }
}

/// Closes, and waits until Asterisk has closed, too: only then it has let go of the application, and
/// takes nothing away from whoever is it next.
async fn leave(mut socket: Socket) {
    if socket.close(None).await.is_ok() {
        while let Some(Ok(_)) = socket.next().await {}
    }
}

/// Why a connection is of no use any more.
enum Gone {
    /// Another client took its place.
    Replaced(String),
    Lost(String),
}
