//! One TCP connection to Asterisk, from banner to end: moves bytes and time between the socket and
//! the session, and what comes out to the model, the bus and whoever asked.

use super::{
    link::Link,
    request::Ask,
    running::{Next, Running},
};
use crate::config::Server;
use ami_proto::{Action, CloseReason, Message, Outcome, Output, RequestId, Session, SessionConfig};
use bytes::{Buf, BytesMut};
use call_model::Listing;
use std::collections::HashMap;
use telepulse_language::{Code, Details, Event, Refusal, Resync, ServerState};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, Instant, sleep_until},
};

/// How long one listing may take before the connection is given up.
const LISTING_TIMEOUT_MS: u64 = 30_000;

/// The classes of events that the model reads. Left out are those that a caller or a dialplan can
/// forge (`user`, `dialplan`: their bodies come unescaped) and those that nobody reads.
const EVENT_MASK: &str = "system,call,agent";

/// How a conversation ended.
pub(super) enum End {
    /// The operator wants something else.
    GoalChanged,
    /// Asterisk refused the login.
    Rejected(String),
    /// The connection is gone.
    Lost {
        reason: String,
        /// Whether it had been good: then the next try may come soon.
        was_connected: bool,
    },
}

/// Who waits for the answer to an action.
enum Waiting {
    Listing(Listing),
    Asked(u64),
}

/// The state of one connection.
pub(super) struct Talk {
    session: Session,
    waiting: HashMap<RequestId, Waiting>,
    running: Running,
    listings_left: usize,
    synced: bool,
    end: Option<End>,
}

impl Talk {
    pub(super) fn new(server: &Server, now_ms: u64) -> Self {
        let auth = match server.auth {
            crate::config::ServerAuth::Md5 => ami_proto::Auth::Md5,
            crate::config::ServerAuth::Plain => ami_proto::Auth::Plain,
        };
        // Nobody shall guess the ids of our answers.
        let prefix = format!("tp{:08x}", rand::random::<u32>());
        let config = SessionConfig {
            auth,
            event_mask: EVENT_MASK.to_owned(),
            ..SessionConfig::new(&server.username, server.secret.expose(), prefix)
        };
        Self {
            session: Session::new(config, now_ms),
            waiting: HashMap::new(),
            running: Running::default(),
            listings_left: 0,
            synced: false,
            end: None,
        }
    }

    /// Talks until the connection ends. Everything that was asked has its answer then.
    pub(super) async fn run(mut self, link: &mut Link, stream: TcpStream) -> End {
        link.publisher.state(ServerState::Authenticating, None);
        let (mut reader, mut writer) = stream.into_split();
        let mut outgoing = BytesMut::new();
        let mut goal_changed = false;
        loop {
            self.drain(link, &mut outgoing);
            if let Some(end) = self.end.take() {
                self.close(link);
                return if goal_changed { End::GoalChanged } else { end };
            }
            let due = self.session.poll_timeout().map(|ms| link.at(ms));
            tokio::select! {
                read = reader.read_buf(self.session.buffer()) => match read {
                    Ok(0) => self.lost("Asterisk closed the connection"),
                    Ok(_) => self.session.handle_input(link.now_ms()),
                    Err(error) => self.lost(&format!("reading: {error}")),
                },
                written = writer.write_buf(&mut outgoing), if outgoing.has_remaining() => {
                    if let Err(error) = written {
                        self.lost(&format!("writing: {error}"));
                    }
                }
                () = sleep_until(due.unwrap_or_else(far_away)), if due.is_some() => {
                    self.session.handle_timeout(link.now_ms());
                }
                Some(ask) = link.asks.recv() => self.ask(link, ask),
                changed = link.goal.changed(), if !goal_changed => {
                    // Also when every handle is gone: say good-bye, then look at the goal.
                    goal_changed = true;
                    drop(changed);
                    self.session.close(link.now_ms());
                }
            }
        }
    }

    fn lost(&mut self, reason: &str) {
        self.end = Some(End::Lost { reason: reason.to_owned(), was_connected: self.synced });
    }

    /// Moves everything that the session has to say.
    fn drain(&mut self, link: &mut Link, outgoing: &mut BytesMut) {
        while let Some(output) = self.session.poll_output() {
            self.handle(link, output);
        }
        while let Some(bytes) = self.session.poll_transmit() {
            outgoing.extend_from_slice(&bytes);
        }
    }

    fn handle(&mut self, link: &mut Link, output: Output) {
        match output {
            Output::Ready { .. } => self.begin_sync(link),
            Output::Event(message) => on_event(link, &message),
            Output::Reply { id, outcome } => self.on_reply(link, id, outcome),
            Output::Unclaimed(message) => link.publisher.raw("Response", &message),
            Output::Problem(problem) => {
                tracing::warn!(server = link.server.id, %problem, "unreadable AMI input was skipped");
            }
            // What follows is Closed, with the reason.
            Output::Rejected { .. } => {}
            Output::Closed { reason: CloseReason::Rejected(reason) } => {
                self.end = Some(End::Rejected(reason));
            }
            Output::Closed { reason } => {
                if self.end.is_none() {
                    self.lost(&reason.to_string());
                }
            }
        }
    }

    /// Logged in: the model is filled from Asterisk's own listings while events are already applied.
    fn begin_sync(&mut self, link: &mut Link) {
        if let Some(version) = self.session.asterisk_version() {
            link.publisher.asterisk(version.to_string());
        }
        link.publisher.state(ServerState::Syncing, None);
        let listings = link.pbx.begin_sync(super::now());
        self.list(link, listings);
        self.finish_sync_if_done(link);
    }

    fn list(&mut self, link: &mut Link, listings: Vec<Listing>) {
        for listing in listings {
            let action = listing.action();
            if self.submit(link, action, Waiting::Listing(listing)) {
                self.listings_left += 1;
            }
        }
    }

    fn submit(&mut self, link: &mut Link, action: Action, waiting: Waiting) -> bool {
        let name = action.name().to_owned();
        match self.session.submit(action, LISTING_TIMEOUT_MS, link.now_ms()) {
            Ok(id) => {
                self.waiting.insert(id, waiting);
                true
            }
            Err(error) => {
                self.lost(&format!("{name} could not be sent: {error}"));
                false
            }
        }
    }

    fn on_reply(&mut self, link: &mut Link, id: RequestId, outcome: Outcome) {
        if let Outcome::Response { response, .. } = &outcome {
            link.publisher.raw("Response", response);
        }
        match self.waiting.remove(&id) {
            None => {}
            Some(Waiting::Listing(listing)) => self.on_listing(link, listing, &outcome),
            Some(Waiting::Asked(ticket)) => {
                if let Some(next) = self.running.answered(ticket, &link.server.id, outcome) {
                    self.continue_with(link, next);
                }
            }
        }
    }

    fn on_listing(&mut self, link: &mut Link, listing: Listing, outcome: &Outcome) {
        self.listings_left -= 1;
        let Outcome::Response { response, items } = outcome else {
            return self
                .lost(&format!("{} was not answered: {outcome:?}", listing.action().name()));
        };
        let mut events = Vec::new();
        let more = link.pbx.fold(&listing, response, items, super::now(), &mut events);
        link.publisher.events(events);
        self.list(link, more);
        self.finish_sync_if_done(link);
    }

    fn finish_sync_if_done(&mut self, link: &mut Link) {
        if self.synced || self.listings_left > 0 || self.end.is_some() {
            return;
        }
        self.synced = true;
        let now = super::now();
        let mut events = Vec::new();
        link.pbx.finish_sync(now, &mut events);
        if let Some(from) = link.lost.take() {
            events.push(Event {
                server: link.server.id.clone(),
                time: now,
                agent: None,
                queue: None,
                details: Details::from(Resync { from, to: now }),
            });
        }
        link.publisher.events(events);
        link.publisher.state(ServerState::Connected, None);
    }

    fn ask(&mut self, link: &mut Link, ask: Ask) {
        match ask {
            // Whoever asked may have gone: nobody to tell.
            Ask::Query { query, reply } => drop(reply.send(link.part(&query))),
            Ask::Knows { command, reply } => {
                let _ = reply.send(link.pbx.concerned(&command).is_some());
            }
            Ask::Action { action, deadline, reply } => {
                let next = self.running.action(action, deadline, reply);
                self.when_synced(link, next);
            }
            Ask::Command { command, who, deadline, reply } => {
                let planned = crate::core::plan(&mut link.pbx, &command, who.as_deref());
                let next = match planned {
                    Ok(plan) => self.running.command(plan, deadline, reply),
                    // Whoever asked may have gone: nobody to tell.
                    Err(refusal) => return drop(reply.send(Err(refusal))),
                };
                if let Some(next) = next {
                    self.when_synced(link, next);
                }
            }
        }
    }

    /// Before the model is true, nothing is sent that was planned against it.
    fn when_synced(&mut self, link: &mut Link, next: Next) {
        if self.synced {
            self.continue_with(link, next);
        } else {
            let refusal = super::request::unavailable(&link.server.id, "it is still logging in");
            self.running.refuse(next.0, refusal);
        }
    }

    /// Sends the next action of something that was asked.
    fn continue_with(&mut self, link: &mut Link, (ticket, action, deadline): Next) {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
        match self.session.submit(action, timeout_ms, link.now_ms()) {
            Ok(id) => {
                self.waiting.insert(id, Waiting::Asked(ticket));
            }
            Err(error) => self.running.refuse(ticket, submit_refusal(&link.server.id, &error)),
        }
    }

    /// The connection is over: every action gets its outcome.
    fn close(&mut self, link: &mut Link) {
        self.session.disconnected(link.now_ms());
        while let Some(output) = self.session.poll_output() {
            if let Output::Reply { id, outcome } = output
                && let Some(Waiting::Asked(ticket)) = self.waiting.remove(&id)
            {
                // What would come next of a command is not sent any more: its answer tells.
                if let Some((ticket, ..)) = self.running.answered(ticket, &link.server.id, outcome)
                {
                    let why = "the connection was lost half-way";
                    self.running.refuse(ticket, super::request::unavailable(&link.server.id, why));
                }
            }
        }
        if self.synced {
            link.lost.get_or_insert_with(super::now);
        }
    }
}

fn on_event(link: &mut Link, message: &Message) {
    let mut events = Vec::new();
    link.pbx.apply(message, super::now(), &mut events);
    link.publisher.events(events);
    if let Some(name) = message.event() {
        link.publisher.raw(name, message);
    }
}

fn far_away() -> Instant {
    Instant::now() + Duration::from_hours(1)
}

/// What to say when the session takes no more actions.
fn submit_refusal(server: &str, error: &ami_proto::SubmitError) -> Refusal {
    Refusal::new(Code::TooManyRequests, format!("server {server:?}: {error}"))
}
