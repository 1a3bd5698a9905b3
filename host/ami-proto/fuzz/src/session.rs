//! A session between a hostile server and a busy owner, as a script that can be read.
//!
//! The first byte is a set of options (see [`Options`]); each line after it is one step:
//!
//! | line | step |
//! |---|---|
//! | `<text` | the server sends `text` and a line end, and it is read |
//! | `{text`, `(text` | the same but not yet read; `(` without the line end |
//! | `a250`, `l250` | an action, or one whose answer is a list, is submitted with 250 ms to go |
//! | `.` | the socket takes all that is to be sent |
//! | `+250`, `-250` | 250 ms pass; the clock shows 250 ms less for once |
//! | `s`, `S` | live events are left out, or taken again |
//! | `!`, `x` | the owner says goodbye; the connection is gone |
//! | anything else | sent by the server as it stands, and read |
//!
//! `@0` in what the server sends is the latest `ActionID` that the socket took, `@1` the one before.

use std::collections::HashMap;

use ami_proto::{
    Action, Auth, EventFilter, Limits, Match, Message, Outcome, Output, RequestId, Session,
    SessionConfig, State,
};

const LIMITS: Limits = Limits { banner: 128, line: 200, lines: 24, message: 1_000 };
/// Scripts beyond this say nothing new.
const MAX_STEPS: usize = 500;
/// Every deadline of a script is shorter than this.
const MAX_WAIT_MS: u64 = 100_000;

/// Plays the script; panics where the session breaks a promise.
pub fn run(script: &[u8]) {
    let [options, steps @ ..] = script else { return };
    let mut play = Play::new(&Options(*options));
    for step in steps.split(|byte| *byte == b'\n').take(MAX_STEPS) {
        play.step(step);
    }
    play.end();
}

/// Bit 0: plain login; 1: the version is asked for; 2: no `system` in the mask; 3: filters.
struct Options(u8);

impl Options {
    fn config(&self) -> SessionConfig {
        let has = |bit: u8| self.0 & (1 << bit) != 0;
        let filters = if has(3) {
            vec![EventFilter::exclude(Match::Name("RTCPSent".to_owned()))]
        } else {
            Vec::new()
        };
        SessionConfig {
            auth: if has(0) { Auth::Plain } else { Auth::Md5 },
            learn_version: has(1),
            event_mask: if has(2) { "call" } else { "on" }.to_owned(),
            filters,
            max_in_flight: 3,
            max_queued: 4,
            max_list_items: 5,
            max_list_bytes: 2_000,
            limits: LIMITS,
            ..SessionConfig::new("bob", "secret", "t")
        }
    }
}

/// A session, and what is known of it from outside.
struct Play {
    session: Session,
    config: SessionConfig,
    now_ms: u64,
    /// `ActionID`s that the socket took.
    sent: Vec<String>,
    /// Actions taken in, with their deadlines; those with an outcome are gone.
    open: HashMap<RequestId, u64>,
    is_ready: bool,
    is_closed: bool,
}

impl Play {
    fn new(options: &Options) -> Self {
        let config = options.config();
        Self {
            session: Session::new(config.clone(), 0),
            config,
            now_ms: 0,
            sent: Vec::new(),
            open: HashMap::new(),
            is_ready: false,
            is_closed: false,
        }
    }

    fn step(&mut self, step: &[u8]) {
        let (first, rest) = step.split_first().map_or((b' ', step), |(first, rest)| (*first, rest));
        match first {
            b'<' => self.receive(rest, b"\r\n", true),
            b'{' => self.receive(rest, b"\r\n", false),
            b'(' => self.receive(rest, b"", false),
            b'a' | b'l' => self.submit(first == b'l', number(rest)),
            b'.' => self.transmit(),
            b'+' => self.wait(number(rest)),
            b'-' => self.session.handle_timeout(self.now_ms.saturating_sub(number(rest))),
            b's' | b'S' => self.session.shed(first == b's'),
            b'!' => self.session.close(self.now_ms),
            b'x' => self.session.disconnected(self.now_ms),
            _ => self.receive(step, b"", true),
        }
        self.look();
    }

    fn receive(&mut self, text: &[u8], end: &[u8], read: bool) {
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| *byte == b'@') {
            self.session.buffer().extend_from_slice(&rest[..at]);
            let back =
                rest.get(at + 1).map_or(usize::MAX, |digit| usize::from(digit.wrapping_sub(b'0')));
            let id = self.sent.len().checked_sub(back.saturating_add(1)).map(|at| &self.sent[at]);
            let (piece, length) = id.map_or((&b"@"[..], 1), |id| (id.as_bytes(), 2));
            self.session.buffer().extend_from_slice(piece);
            rest = &rest[at + length..];
        }
        self.session.buffer().extend_from_slice(rest);
        self.session.buffer().extend_from_slice(end);
        if read {
            self.session.handle_input(self.now_ms);
            let held = self.session.buffer().len();
            assert!(held <= LIMITS.message + 1, "{held} bytes are held");
        }
    }

    fn submit(&mut self, list: bool, timeout_ms: u64) {
        let action = Action::new("Do").list(list);
        if let Ok(id) = self.session.submit(action, timeout_ms, self.now_ms) {
            assert!(!self.is_closed, "taken by a closed session");
            let doubled = self.open.insert(id, self.now_ms + timeout_ms);
            assert!(doubled.is_none(), "one id for two actions");
        }
    }

    fn transmit(&mut self) {
        while let Some(bytes) = self.session.poll_transmit() {
            assert!(!self.is_closed, "something is sent after the end");
            let action = Message::parse(&bytes).expect("an action reads as a message");
            assert_eq!(action.as_bytes().len(), bytes.len(), "one action at a time");
            self.sent.push(action.action_id().expect("an id").to_owned());
        }
    }

    /// Lets time pass, waking the session whenever it wants to be.
    fn wait(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        while let Some(due_ms) = self.session.poll_timeout().filter(|due_ms| *due_ms <= until_ms) {
            self.now_ms = self.now_ms.max(due_ms);
            self.session.handle_timeout(self.now_ms);
            let next_ms = self.session.poll_timeout();
            assert!(next_ms.is_none_or(|at_ms| at_ms > self.now_ms), "what was due is done");
            self.look();
            for (id, deadline_ms) in &self.open {
                assert!(*deadline_ms > self.now_ms, "{id:?} is late");
            }
        }
        self.now_ms = until_ms;
    }

    /// Takes what the session tells.
    fn look(&mut self) {
        // A message takes three bytes at least, and tells of one thing; some things end actions.
        let mut most = self.session.stats().bytes_in / 3 + self.open.len() as u64 + 8;
        while let Some(output) = self.session.poll_output() {
            assert!(!self.is_closed, "{output:?} after the end");
            most = most.checked_sub(1).expect("more is told than was received");
            match output {
                Output::Ready { .. } => {
                    assert!(!self.is_ready, "ready twice");
                    self.is_ready = true;
                }
                Output::Reply { id, outcome } => {
                    assert!(self.open.remove(&id).is_some(), "{id:?} has two outcomes");
                    self.look_at(&outcome);
                }
                Output::Closed { .. } => self.is_closed = true,
                Output::Event(_)
                | Output::Unclaimed(_)
                | Output::Problem(_)
                | Output::Rejected { .. } => {}
            }
        }
        let (in_flight, waiting) = self.session.pending();
        assert_eq!(in_flight + waiting, self.open.len(), "no action is lost");
        assert!(in_flight <= self.config.max_in_flight && waiting <= self.config.max_queued);
        assert_eq!(self.is_closed, self.session.state() == State::Closed);
        assert_eq!(
            self.is_closed,
            self.session.poll_timeout().is_none(),
            "a live session has a timer"
        );
    }

    fn look_at(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Response { response, items } => {
                assert!(response.response().is_some(), "{response:?} is no response");
                assert!(items.len() <= self.config.max_list_items);
                let bytes: usize = items.iter().map(|item| item.as_bytes().len()).sum();
                assert!(bytes <= self.config.max_list_bytes);
            }
            // What is sent in flight may be anything but answered.
            Outcome::TimedOut | Outcome::NotSent | Outcome::Unknown | Outcome::ListTooLong => {}
        }
    }

    /// Without another word from the server every action ends by its deadline; with the
    /// connection the session ends too.
    fn end(&mut self) {
        self.wait(MAX_WAIT_MS);
        assert!(self.open.is_empty(), "{:?} had no outcome by their deadlines", self.open);
        self.session.disconnected(self.now_ms);
        self.look();
        assert!(self.is_closed);
        self.step(b"<Event: Reload");
        self.step(b"<");
        self.step(b".");
    }
}

/// The digits that a text starts with.
fn number(text: &[u8]) -> u64 {
    let digits = text.iter().take(5).take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}
