//! One TCP connection to Asterisk, from banner to end: moves bytes and time between the socket and
//! the session, and what comes out to the model, the bus and whoever asked. `asked.rs` is what the server is
//! asked to do, `sending.rs` how bytes get there.

mod asked;
mod sending;

pub(super) use asked::BEING_SYNCED;

use super::{
    audit::Audit,
    figures::Figures,
    interest::Interest,
    link::Link,
    pace::{Pace, Turn},
    running::{Next, Running, Step},
    traced::{Dials, Sent},
    transport::Drained,
};
use crate::config::Server;
use ami_proto::{
    Action, CloseReason, Message, Outcome, Output, Problem, RequestId, Session, SessionConfig,
    actions, session::Stats,
};
use bytes::{Buf, BytesMut};
use call_model::{Listing, Question};
use sending::send;
use std::{collections::HashMap, io};
use telepulse_language::{ServerState, Timestamp};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    task::yield_now,
    time::{Duration, Instant, sleep_until},
};

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
pub(super) enum Waiting {
    /// The synchronisation of this number.
    Listing(u64, Listing),
    /// Nobody; in words, what it asked for.
    Widening(String),
    /// The model, which an event left in doubt.
    Question(Question),
    /// The one of this ticket.
    Asked(u64, Sent),
}

/// The state of one connection.
pub(super) struct Talk {
    pub(super) session: Session,
    pub(super) waiting: HashMap<RequestId, Waiting>,
    running: Running,
    /// Dials whose end is traced.
    dials: Dials,
    /// What the server was asked to send.
    pub(super) interest: Interest,
    pub(super) audit: Option<Audit>,
    /// When it is time for an audit; never, if nothing can be forged.
    pub(super) next_audit: Option<Instant>,
    pace: Pace,
    /// What the figures have of the session already.
    counted: Stats,
    /// Live events since the figures were told.
    events: u64,
    /// Events that were left out before the link last fell behind.
    pub(super) left_out_before: u64,
    /// Counts synchronisations.
    pub(super) sync: u64,
    pub(super) listings_left: usize,
    /// The model is true.
    pub(super) is_synced: bool,
    /// It has been at least once.
    pub(super) was_synced: bool,
    pub(super) end: Option<End>,
}

impl Talk {
    pub(super) fn new(server: &Server, interest: Interest, now_ms: u64) -> Self {
        let config = session_config(server, &interest);
        Self {
            session: Session::new(config, now_ms),
            waiting: HashMap::new(),
            running: Running::default(),
            dials: Dials::default(),
            audit: None,
            next_audit: interest.is_forgeable().then(Instant::now),
            interest,
            pace: Pace::default(),
            counted: Stats::default(),
            events: 0,
            left_out_before: 0,
            sync: 0,
            listings_left: 0,
            is_synced: false,
            was_synced: false,
            end: None,
        }
    }

    /// Talks until the connection ends. Everything that was asked has its answer then.
    pub(super) async fn run(
        mut self,
        link: &mut Link,
        reader: impl AsyncRead + Unpin,
        mut writer: impl AsyncWrite + Unpin,
    ) -> End {
        link.publisher.state(ServerState::Authenticating, None);
        let mut reader = Drained::new(reader);
        let mut outgoing = BytesMut::new();
        let mut is_flushed = true;
        let mut goal_changed = false;
        loop {
            is_flushed &= !self.drain(link, &mut outgoing);
            if let Some(end) = self.end.take() {
                self.close(link);
                return if goal_changed { End::GoalChanged } else { end };
            }
            let lease = link.lease.clone();
            let due = self.session.poll_timeout().map(|ms| link.at(ms));
            let told = link.pbx.due_in(super::now()).map(|wait| Instant::now() + wait);
            let has_room = link.publisher.away().has_room();
            tokio::select! {
                () = link.publisher.away().room(), if !has_room => {}
                read = reader.read_buf(self.session.buffer()), if has_room => {
                    // Whatever else was done since the read before.
                    let is_drained = std::mem::take(&mut reader.is_drained);
                    self.on_read(link, read, is_drained);
                    if !is_drained {
                        // A server that never pauses shall not keep this thread from the others.
                        yield_now().await;
                    }
                }
                sent = send(&mut writer, &mut outgoing, &lease), if !is_flushed => match sent {
                    Ok(()) => is_flushed = true,
                    Err(error) => self.lost(&format!("writing: {error}")),
                },
                () = sleep_until(due.unwrap_or_else(far_away)), if due.is_some() => {
                    self.session.handle_timeout(link.now_ms());
                }
                () = sleep_until(told.unwrap_or_else(far_away)), if told.is_some() => {
                    link.pbx.tick(super::now(), link.publisher.pending());
                }
                () = sleep_until(self.next_audit.unwrap_or_else(far_away)), if self.next_audit.is_some() => {
                    self.audit_due(link);
                }
                Some(ask) = link.asks.recv(), if has_room => self.ask(link, ask),
                Ok(()) = link.interest_changed.changed() => self.widen(link),
                changed = link.goal.changed(), if !goal_changed => {
                    // Also when every handle is gone: say good-bye, then look at the goal.
                    goal_changed = true;
                    drop(changed);
                    self.session.close(link.now_ms());
                }
            }
        }
    }

    fn on_read(&mut self, link: &mut Link, read: io::Result<usize>, is_drained: bool) {
        match read {
            Ok(0) => return self.lost("Asterisk closed the connection"),
            Err(error) => return self.lost(&format!("reading: {error}")),
            Ok(_) => {}
        }
        let now_ms = link.now_ms();
        match self.pace.on_read(is_drained, self.is_synced, now_ms) {
            None => self.session.handle_input(now_ms),
            // What was read before it was late no more is left out still.
            Some(Turn::CaughtUp) => {
                self.session.handle_input(now_ms);
                self.session.shed(false);
                self.caught_up(link);
            }
            Some(Turn::Shed) => {
                self.session.shed(true);
                self.session.handle_input(now_ms);
                self.fall_behind(link);
            }
        }
    }

    /// Asks for what subscribers want by now and the server does not send yet.
    fn widen(&mut self, link: &mut Link) {
        let wanted = link.interest();
        let both = self.interest.or(&wanted);
        if both.mask() != self.interest.mask() {
            let action = Action::new("Events").header("EventMask", both.mask());
            self.submit(link, action, Waiting::Widening(format!("events of {}", both.mask())));
        }
        for filter in self.interest.missing(&wanted) {
            let action = actions::filter_add(&filter, self.session.asterisk_version());
            self.submit(link, action, Waiting::Widening(filter.describe()));
        }
        self.interest = both;
        if self.next_audit.is_none() && self.interest.is_forgeable() {
            self.next_audit = Some(Instant::now());
        }
    }

    pub(super) fn lost(&mut self, reason: &str) {
        let was_connected = self.was_synced;
        self.end = Some(End::Lost { reason: reason.to_owned(), was_connected });
    }

    /// Moves everything that the session has to say; whether there is something to send.
    fn drain(&mut self, link: &mut Link, outgoing: &mut BytesMut) -> bool {
        // What was read at once came at once.
        let now = super::now();
        while let Some(output) = self.session.poll_output() {
            self.handle(link, output, now);
        }
        self.ask_server(link);
        link.publisher.flush();
        while let Some(bytes) = self.session.poll_transmit() {
            outgoing.extend_from_slice(&bytes);
        }
        let stats = self.session.stats();
        link.figures.add(stats, std::mem::replace(&mut self.counted, stats));
        link.figures.events(std::mem::take(&mut self.events));
        outgoing.has_remaining()
    }

    fn handle(&mut self, link: &mut Link, output: Output, now: Timestamp) {
        match output {
            Output::Ready { .. } => {
                Figures::one(&link.figures.logins);
                if let Some(version) = self.session.asterisk_version() {
                    link.publisher.asterisk(version.to_string());
                }
                self.begin_sync(link, None);
            }
            Output::Event(message) => {
                self.events += 1;
                self.dials.event(&message);
                on_event(link, &message, now);
            }
            Output::Reply { id, outcome } => self.on_reply(link, id, outcome),
            Output::Unclaimed(message) => link.publisher.raw("Response", &message),
            Output::Problem(problem) => {
                if matches!(problem, Problem::Decode(_)) {
                    Figures::one(&link.figures.unreadable);
                }
                tracing::warn!(server = link.server.id, %problem, "something is wrong with this link");
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

    fn on_reply(&mut self, link: &mut Link, id: RequestId, outcome: Outcome) {
        if let Outcome::Response { response, .. } = &outcome {
            link.publisher.raw("Response", response);
        }
        match self.waiting.remove(&id) {
            Some(Waiting::Listing(sync, listing)) if sync == self.sync => {
                self.on_listing(link, &listing, &outcome);
            }
            Some(Waiting::Widening(what)) if !is_success(&outcome) => {
                let server = &link.server.id;
                tracing::warn!(server, what, ?outcome, "the server was asked in vain");
            }
            Some(Waiting::Question(question)) => {
                let response = match &outcome {
                    Outcome::Response { response, .. } => Some(response),
                    _ => None,
                };
                let events = link.publisher.pending();
                link.pbx.answered(&question, response, super::now(), events);
            }
            // The others are a listing of a synchronisation that was begun anew, and a widening.
            None | Some(Waiting::Listing(..) | Waiting::Widening(_)) => {}
            Some(Waiting::Asked(ticket, sent)) => {
                self.dials.answered(sent, &link.server.id, &outcome);
                let step = self.running.answered(ticket, &link.server.id, outcome);
                self.go_on(link, step);
            }
        }
    }

    /// Asks what events left open.
    fn ask_server(&mut self, link: &mut Link) {
        for question in link.pbx.take_questions() {
            let action = question.action.clone();
            self.submit(link, action, Waiting::Question(question));
        }
    }

    /// The connection is over: every action gets its outcome.
    fn close(&mut self, link: &mut Link) {
        self.drop_audit(link);
        self.session.disconnected(link.now_ms());
        while let Some(output) = self.session.poll_output() {
            if let Output::Reply { id, outcome } = output
                && let Some(Waiting::Asked(ticket, sent)) = self.waiting.remove(&id)
            {
                self.dials.answered(sent, &link.server.id, &outcome);
                // What would come next of a command is not sent any more: its answer tells.
                let step = self.running.answered(ticket, &link.server.id, outcome);
                if let Step::Send(Next { ticket, .. }) = step {
                    let why = "the connection was lost half-way";
                    self.running.refuse(ticket, super::request::unavailable(&link.server.id, why));
                } else {
                    self.go_on(link, step);
                }
            }
        }
        self.dials.lost();
        if self.was_synced {
            link.lost.get_or_insert_with(super::now);
        }
    }
}

/// How the session with a server logs in, and what it asks for.
pub(crate) fn session_config(server: &Server, interest: &Interest) -> SessionConfig {
    let auth = match server.auth {
        crate::config::ServerAuth::Md5 => ami_proto::Auth::Md5,
        crate::config::ServerAuth::Plain => ami_proto::Auth::Plain,
    };
    // Nobody shall guess the ids of our answers.
    let prefix = format!("tp{:08x}", rand::random::<u32>());
    SessionConfig {
        auth,
        event_mask: interest.mask(),
        ping_every_ms: u64::from(server.keep_alive) * 1_000,
        reply_deadline_ms: u64::from(server.keep_alive.clamp(2, 10)) * 1_000,
        filters: interest.filters(),
        ..SessionConfig::new(&server.username, server.secret.expose(), prefix)
    }
}

fn on_event(link: &mut Link, message: &Message, now: Timestamp) {
    link.pbx.apply(message, now, link.publisher.pending());
    if let Some(name) = message.event() {
        link.publisher.raw(name, message);
    }
}

fn is_success(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Response { response, .. } if !response.is_error())
}

fn far_away() -> Instant {
    Instant::now() + Duration::from_hours(1)
}
