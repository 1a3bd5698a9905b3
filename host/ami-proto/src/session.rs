//! One link to one server as a state machine: login, keep-alive, actions and their outcomes.

mod config;
mod login;
mod output;
mod reading;
mod requests;
mod timers;

use std::collections::VecDeque;
use std::fmt;

use bytes::{Bytes, BytesMut};

pub use config::{Auth, SessionConfig};
pub use output::{CloseReason, Outcome, Output, Problem, RequestId, State, Stats, SubmitError};

use crate::action::Action;
use crate::actions;
use crate::codec::{DecodeError, Decoder, Frame};
use crate::message::{Kind, Message};
use crate::version::{AmiVersion, AsteriskVersion, Banner};
use login::Setup;
use requests::{Fate, Finished, Purpose, Requests};
use timers::{Timer, Timers};

/// One link, from the connected socket to its end.
///
/// The owner moves bytes and time: it reads into [`Session::buffer`] and calls
/// [`Session::handle_input`]; it calls [`Session::handle_timeout`] when [`Session::poll_timeout`]
/// says so; and after each call it empties [`Session::poll_transmit`] and
/// [`Session::poll_output`]. After [`Output::Closed`] a new connection needs a new session.
///
/// Times are milliseconds from any fixed origin; a step back is taken for no step.
///
/// What it holds is bounded: half a message ([`crate::Limits`]), actions ([`SessionConfig`]), and
/// outputs for what was in the buffer.
pub struct Session {
    config: SessionConfig,
    state: State,
    now_ms: u64,
    decoder: Decoder,
    /// Bytes that the latest pass left in the decoder.
    leftover: usize,
    requests: Requests,
    timers: Timers,
    setup: Setup,
    transmit: VecDeque<(RequestId, Bytes)>,
    outputs: VecDeque<Output>,
    banner: Option<Banner>,
    asterisk_version: Option<AsteriskVersion>,
    stats: Stats,
    is_shedding: bool,
}

impl Session {
    /// For a connection that was made at `now_ms`.
    pub fn new(config: SessionConfig, now_ms: u64) -> Self {
        let mut timers = Timers::default();
        timers.set(Timer::Login, now_ms.saturating_add(config.login_deadline_ms));
        Self {
            state: State::AwaitingBanner,
            now_ms,
            decoder: Decoder::new(config.limits),
            leftover: 0,
            requests: Requests::new(&config),
            timers,
            setup: Setup::default(),
            transmit: VecDeque::new(),
            outputs: VecDeque::new(),
            banner: None,
            asterisk_version: None,
            stats: Stats::default(),
            is_shedding: false,
            config,
        }
    }

    /// Where the bytes from the socket go: append to it, then call [`Session::handle_input`].
    pub fn buffer(&mut self) -> &mut BytesMut {
        self.decoder.buffer()
    }

    /// Takes in what was read into the buffer.
    pub fn handle_input(&mut self, now_ms: u64) {
        self.advance(now_ms);
        let received = self.decoder.buffered().saturating_sub(self.leftover);
        self.stats.bytes_in += received as u64;
        let mut is_partial = received > 0;
        while self.state != State::Closed
            && let Some(frame) = self.decoder.next()
        {
            is_partial = false;
            match frame {
                Ok(Frame::Message(message)) => self.on_message(message),
                Ok(Frame::Banner(banner)) => self.on_banner(banner),
                Err(error) => self.on_decode_error(error),
            }
        }
        if self.state == State::Closed {
            self.decoder.buffer().clear();
        } else if is_partial {
            // A part of a long message; who knows what it will be.
            self.heard();
        }
        self.leftover = self.decoder.buffered();
    }

    /// Does what is due by `now_ms`. Read what the socket has first: an answer that is there
    /// already is not late.
    pub fn handle_timeout(&mut self, now_ms: u64) {
        self.advance(now_ms);
        while let Some((timer, due_ms)) = self.timers.take_due(self.now_ms) {
            self.on_timer(timer, due_ms);
        }
        for finished in self.requests.expire(self.now_ms) {
            self.on_finished(finished);
        }
        self.send_waiting();
    }

    /// When [`Session::handle_timeout`] is wanted next.
    pub fn poll_timeout(&self) -> Option<u64> {
        [self.timers.next(), self.requests.next_deadline()].into_iter().flatten().min()
    }

    /// The next bytes to write to the socket.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        let (_, bytes) = self.transmit.pop_front()?;
        self.stats.bytes_out += bytes.len() as u64;
        self.stats.actions += 1;
        Some(bytes)
    }

    /// The next thing that happened.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Sends an action, as soon as the session is ready and not too many are in flight; order is
    /// kept. Its outcome comes as [`Output::Reply`], after `timeout_ms` at the latest.
    #[expect(clippy::needless_pass_by_value, reason = "an action that was submitted is spent")]
    pub fn submit(
        &mut self,
        action: Action,
        timeout_ms: u64,
        now_ms: u64,
    ) -> Result<RequestId, SubmitError> {
        self.advance(now_ms);
        if matches!(self.state, State::Closing | State::Closed) {
            return Err(SubmitError::Closed);
        }
        action.check()?;
        if self.requests.waiting_count() >= self.config.max_queued {
            return Err(SubmitError::QueueFull(self.config.max_queued));
        }
        let id = self.requests.new_id(action.is_list());
        let bytes = action.encode(&self.requests.action_id(id))?;
        self.requests.wait(id, bytes, self.now_ms.saturating_add(timeout_ms));
        self.send_waiting();
        Ok(id)
    }

    /// The `ActionID` under which an action is known to the server, as in `OriginateResponse`.
    pub fn action_id(&self, id: RequestId) -> String {
        self.requests.action_id(id)
    }

    /// Leaves live events out (or takes them again): they are only counted, in [`Stats::shed`].
    /// Answers, list items and `FullyBooted` come all the same. For an owner who cannot keep up
    /// and would rather list anew than be late.
    pub fn shed(&mut self, is_shedding: bool) {
        self.is_shedding = is_shedding;
    }

    /// Says goodbye: what waits is not sent, what is in flight may still be answered, and
    /// [`Output::Closed`] comes at the latest after [`SessionConfig::close_deadline_ms`].
    pub fn close(&mut self, now_ms: u64) {
        self.advance(now_ms);
        match self.state {
            State::Closing | State::Closed => {}
            State::AwaitingBanner | State::Authenticating => self.finish(CloseReason::Requested),
            State::AwaitingBoot | State::Ready => {
                for finished in self.requests.drop_waiting() {
                    self.on_finished(finished);
                }
                self.state = State::Closing;
                self.timers.stop_all();
                self.timers.set(Timer::Close, self.after(self.config.close_deadline_ms));
                self.send_own(&actions::logoff(), Purpose::Logoff);
            }
        }
    }

    /// The connection is gone: every action gets an outcome, then [`Output::Closed`] comes.
    pub fn disconnected(&mut self, now_ms: u64) {
        self.advance(now_ms);
        self.finish(match self.state {
            State::Closing => CloseReason::Requested,
            State::AwaitingBanner if self.decoder.buffered() == 0 => {
                CloseReason::ClosedBeforeBanner
            }
            _ => CloseReason::Disconnected,
        });
    }

    /// Where the session stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// The protocol's version by the banner.
    pub fn ami_version(&self) -> Option<AmiVersion> {
        self.banner.as_ref()?.version()
    }

    /// The server's greeting.
    pub fn banner(&self) -> Option<&Banner> {
        self.banner.as_ref()
    }

    /// Asterisk's version, once a `CoreSettings` was answered.
    pub fn asterisk_version(&self) -> Option<&AsteriskVersion> {
        self.asterisk_version.as_ref()
    }

    /// Figures since the session began.
    pub fn stats(&self) -> Stats {
        Stats { latency_ms: self.requests.latency_ms, ..self.stats }
    }

    /// Actions submitted and sent that have no outcome yet, and those that wait to be sent.
    pub fn pending(&self) -> (usize, usize) {
        (self.requests.in_flight_count(), self.requests.waiting_count())
    }

    fn advance(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
    }

    fn after(&self, ms: u64) -> u64 {
        self.now_ms.saturating_add(ms)
    }

    fn on_message(&mut self, message: Message) {
        self.stats.messages += 1;
        let (fate, boots) = match message.kind() {
            Kind::Event(name) => {
                let boots = self.state == State::AwaitingBoot && name == "FullyBooted";
                (self.requests.event(message), boots)
            }
            Kind::Response(_) => (self.requests.response(message, self.now_ms), false),
            Kind::Other => (Fate::Unclaimed(message), false),
        };
        if self.state == State::AwaitingBoot || !matches!(fate, Fate::Live(_)) {
            self.heard();
        }
        match fate {
            Fate::Live(event) if self.is_shedding && event.event() != Some("FullyBooted") => {
                self.stats.shed += 1;
            }
            Fate::Live(event) => self.outputs.push_back(Output::Event(event)),
            Fate::Kept => {}
            Fate::Unclaimed(message) => self.outputs.push_back(Output::Unclaimed(message)),
            Fate::Finishes(finished) => {
                self.on_finished(finished);
                self.send_waiting();
            }
        }
        if boots {
            self.on_booted();
        }
    }

    fn on_decode_error(&mut self, error: DecodeError) {
        if error.is_fatal() {
            return self.finish(CloseReason::Protocol(error));
        }
        let lost = error.action_id.as_deref().and_then(|id| self.requests.unreadable(id));
        self.outputs.push_back(Output::Problem(Problem::Decode(error)));
        if let Some(finished) = lost {
            self.on_finished(finished);
            self.send_waiting();
        }
    }

    fn on_finished(&mut self, Finished { id, purpose, outcome, problem }: Finished) {
        self.outputs.extend(problem.map(Output::Problem));
        match purpose {
            Purpose::Submitted => {
                self.learn_version(&outcome);
                self.outputs.push_back(Output::Reply { id, outcome });
            }
            Purpose::Challenge => self.on_challenge(&outcome),
            Purpose::Login => self.on_login(&outcome),
            Purpose::Version => self.on_version(&outcome),
            Purpose::Filter(index) => self.on_filter(index, &outcome),
            Purpose::Ping => {}
            Purpose::Logoff => self.finish(CloseReason::Requested),
        }
    }

    fn on_timer(&mut self, timer: Timer, due_ms: u64) {
        match timer {
            Timer::Login => self.finish(CloseReason::LoginTimeout(self.config.login_deadline_ms)),
            Timer::Boot => self.on_boot_overdue(),
            Timer::KeepAlive => self.ping(),
            Timer::Pong => {
                let patience = self.config.reply_deadline_ms;
                // This long after the time it was us who stood still: the answer may be there.
                if self.now_ms - due_ms > patience {
                    self.ping();
                } else {
                    self.finish(CloseReason::Dead(patience));
                }
            }
            Timer::Close => self.finish(CloseReason::Requested),
        }
    }

    /// Something was received that may be an answer: the link lives, both ways. Live events do not
    /// show that: they come as well when nothing of ours arrives, and from a link that is so slow
    /// that they are old.
    fn heard(&mut self) {
        if matches!(self.state, State::AwaitingBoot | State::Ready) {
            self.timers.stop(Timer::Pong);
            self.timers.set(Timer::KeepAlive, self.after(self.config.ping_every_ms));
        }
    }

    fn ping(&mut self) {
        self.timers.set(Timer::Pong, self.after(self.config.reply_deadline_ms));
        self.send_own(&actions::ping(), Purpose::Ping);
    }

    /// Sends what waits, as far as it may go.
    fn send_waiting(&mut self) {
        while self.state == State::Ready
            && let Some(sendable) = self.requests.take_sendable(self.now_ms)
        {
            self.transmit.push_back(sendable);
        }
    }

    /// Sends an action of the session's own; how long it may take is up to `purpose`.
    fn send_own(&mut self, action: &Action, purpose: Purpose) {
        let id = self.requests.new_id(false);
        match action.encode(&self.requests.action_id(id)) {
            Ok(bytes) => {
                let deadline_ms = match purpose {
                    // Timers of their own look after these.
                    Purpose::Challenge | Purpose::Login | Purpose::Logoff => u64::MAX,
                    _ => self.after(self.config.reply_deadline_ms),
                };
                self.requests.sent(id, purpose, self.now_ms, deadline_ms);
                self.transmit.push_back((id, bytes));
            }
            Err(error) => self.finish(CloseReason::BadConfig(error)),
        }
    }

    /// Ends the session: every action gets its outcome, and nothing is sent any more.
    fn finish(&mut self, reason: CloseReason) {
        if self.state == State::Closed {
            return;
        }
        self.state = State::Closed;
        self.timers.stop_all();
        let unsent: Vec<RequestId> = self.transmit.drain(..).map(|(id, _)| id).collect();
        for Finished { id, purpose, outcome, .. } in
            self.requests.fail_all(|id| !unsent.contains(&id))
        {
            if purpose == Purpose::Submitted {
                self.outputs.push_back(Output::Reply { id, outcome });
            }
        }
        self.outputs.push_back(Output::Closed { reason });
    }
}

/// Shows where it stands; what waits to be sent may hold secrets and is only counted.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("state", &self.state)
            .field("username", &self.config.username)
            .field("pending", &self.pending())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
