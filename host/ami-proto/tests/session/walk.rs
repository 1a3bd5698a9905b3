//! A session with its transcript: `>` sent, `<` received, `=` told to the owner.

use std::fmt::Write as _;

use ami_proto::{Action, Message, Outcome, Output, RequestId, Session, SessionConfig, SubmitError};

pub(crate) struct Walk {
    pub(crate) session: Session,
    pub(crate) now_ms: u64,
    transcript: String,
}

/// A configuration with round numbers; nothing is asked after login that a walk does not want.
pub(crate) fn config() -> SessionConfig {
    SessionConfig {
        learn_version: false,
        ping_every_ms: 15_000,
        reply_deadline_ms: 5_000,
        login_deadline_ms: 10_000,
        fully_booted_wait_ms: 20_000,
        close_deadline_ms: 2_000,
        ..SessionConfig::new("bob", "secret", "t")
    }
}

pub(crate) const BANNER: &str = "Asterisk Call Manager/11.0.0\r\n";

impl Walk {
    /// A connection that was just made.
    pub(crate) fn new(config: SessionConfig) -> Self {
        Self { session: Session::new(config, 0), now_ms: 0, transcript: String::new() }
    }

    /// A session that is ready; its login is not in the transcript.
    pub(crate) fn ready(config: SessionConfig) -> Self {
        let mut walk = Self::new(SessionConfig { auth: ami_proto::Auth::Plain, ..config });
        walk.receive(BANNER);
        walk.receive("Response: Success\nActionID: t-1\nMessage: Authentication accepted\n\n");
        walk.receive("Event: FullyBooted\nStatus: Fully Booted\n\n");
        assert_eq!(walk.session.state(), ami_proto::State::Ready);
        walk.transcript.clear();
        walk
    }

    /// What the server sends; LF stands for CRLF.
    pub(crate) fn receive(&mut self, text: &str) -> &mut Self {
        self.receive_bytes(text.replace("\r\n", "\n").replace('\n', "\r\n").as_bytes())
    }

    pub(crate) fn receive_bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.session.buffer().extend_from_slice(bytes);
        self.session.handle_input(self.now_ms);
        self.note()
    }

    /// Lets time pass up to `at_ms`, waking the session whenever it wants to be.
    pub(crate) fn until(&mut self, at_ms: u64) -> &mut Self {
        while let Some(due_ms) = self.session.poll_timeout().filter(|due_ms| *due_ms <= at_ms) {
            self.now_ms = self.now_ms.max(due_ms);
            self.session.handle_timeout(self.now_ms);
            self.note();
        }
        self.now_ms = at_ms;
        self
    }

    pub(crate) fn submit(&mut self, action: Action) -> RequestId {
        self.try_submit(action).expect("taken")
    }

    pub(crate) fn submit_for(&mut self, action: Action, timeout_ms: u64) {
        self.session.submit(action, timeout_ms, self.now_ms).expect("taken");
        self.note();
    }

    pub(crate) fn try_submit(&mut self, action: Action) -> Result<RequestId, SubmitError> {
        let id = self.session.submit(action, 30_000, self.now_ms);
        self.note();
        id
    }

    /// Submits an action that nobody hands on to the socket.
    pub(crate) fn submit_unsent(&mut self, action: Action) -> RequestId {
        self.session.submit(action, 30_000, self.now_ms).expect("taken")
    }

    pub(crate) fn close(&mut self) -> &mut Self {
        self.session.close(self.now_ms);
        self.note()
    }

    pub(crate) fn disconnect(&mut self) -> &mut Self {
        self.session.disconnected(self.now_ms);
        self.note()
    }

    /// Everything so far.
    pub(crate) fn transcript(&self) -> String {
        self.transcript.clone()
    }

    fn note(&mut self) -> &mut Self {
        while let Some(bytes) = self.session.poll_transmit() {
            let message = Message::parse(&bytes).expect("an action reads as a message");
            self.line('>', &fields(&message));
        }
        while let Some(output) = self.session.poll_output() {
            let text = self.show(output);
            self.line('=', &text);
        }
        self
    }

    fn line(&mut self, sign: char, text: &str) {
        let _ = writeln!(self.transcript, "{} {sign} {text}", self.now_ms);
    }

    fn show(&self, output: Output) -> String {
        match output {
            Output::Ready { ami_version } => {
                format!("ready {}", ami_version.map_or("?".to_owned(), |v| v.to_string()))
            }
            Output::Event(message) => format!("event [{}]", fields(&message)),
            Output::Reply { id, outcome } => {
                format!("{} {}", self.session.action_id(id), show_outcome(&outcome))
            }
            Output::Unclaimed(message) => format!("unclaimed [{}]", fields(&message)),
            Output::Problem(problem) => format!("problem: {problem}"),
            Output::Rejected { reason } => format!("rejected: {reason}"),
            Output::Closed { reason } => format!("closed: {reason}"),
        }
    }
}

fn show_outcome(outcome: &Outcome) -> String {
    let Outcome::Response { response, items } = outcome else { return format!("{outcome:?}") };
    let mut text = format!("[{}]", fields(response));
    for item in items {
        let _ = write!(text, " + [{}]", fields(item));
    }
    text
}

fn fields(message: &Message) -> String {
    let fields = message.fields().map(|(key, value)| {
        let text = format!("{}: {}", String::from_utf8_lossy(key), String::from_utf8_lossy(value));
        text.trim_end().to_owned()
    });
    fields.collect::<Vec<_>>().join(", ")
}
