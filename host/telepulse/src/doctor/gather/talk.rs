//! One conversation with a manager: the proxy's own login, then questions.

use super::{
    answers::{self, Question},
    reach::{Wire, http_line},
};
use crate::{
    bus::Below,
    clock,
    doctor::facts::{Login, Reach, ServerFacts},
    proxy::{Interest, session_config},
};
use ami_proto::{CloseReason, Message, Outcome, Output, Problem, RequestId, Session};
use bytes::{Buf as _, BytesMut};
use call_model::Pbx;
use std::{collections::HashMap, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, sleep_until},
};

/// How long the greeting and the login may take.
const LOGIN_MS: u64 = 5_000;
/// How long `FullyBooted` is waited for.
const BOOT_MS: u64 = 2_000;
/// How long an answer may take.
const ANSWER_MS: u64 = 10_000;
/// The whole conversation, whatever happens.
const WHOLE: Duration = Duration::from_secs(40);
/// How much of what is no greeting is kept.
const FIRST_LINE: usize = 120;

/// Talks, and puts what comes of it into the facts.
pub(super) async fn run(facts: &mut ServerFacts, wire: Box<dyn Wire>, listen_ms: u64) {
    let interest = Interest::of(Below::Names([].into()), &facts.settings.filter.exclude);
    let mut config = session_config(&facts.settings, &interest);
    config.login_deadline_ms = LOGIN_MS;
    config.fully_booted_wait_ms = BOOT_MS;
    facts.answers.is_fully_booted = true;
    let mut talk = Talk {
        session: Session::new(config, 0),
        facts,
        listen_ms,
        origin: Instant::now(),
        first: Vec::new(),
        waiting: HashMap::new(),
        listening_from: None,
        listening_until: None,
        is_closing: false,
        end: None,
    };
    if tokio::time::timeout(WHOLE, talk.converse(wire)).await.is_err() {
        talk.end.get_or_insert(CloseReason::LoginTimeout(LOGIN_MS));
    }
    talk.conclude().await;
}

struct Talk<'f> {
    session: Session,
    facts: &'f mut ServerFacts,
    listen_ms: u64,
    origin: Instant,
    /// The first bytes that came.
    first: Vec<u8>,
    waiting: HashMap<RequestId, (Question, u64)>,
    /// When events began to be counted.
    listening_from: Option<Instant>,
    /// Set once all is answered.
    listening_until: Option<Instant>,
    is_closing: bool,
    end: Option<CloseReason>,
}

impl Talk<'_> {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn converse(&mut self, wire: Box<dyn Wire>) {
        let (mut reader, mut writer) = tokio::io::split(wire);
        let mut outgoing = BytesMut::new();
        loop {
            self.drain(&mut outgoing);
            if self.end.is_some() {
                return;
            }
            if self.listening_until.is_some_and(|until| until <= Instant::now()) {
                self.listening_until = None;
                self.is_closing = true;
                let now = self.now_ms();
                self.session.close(now);
                continue;
            }
            let session = self.session.poll_timeout();
            let session = session.map(|ms| self.origin + Duration::from_millis(ms));
            let due = session.into_iter().chain(self.listening_until).min();
            let known = self.session.buffer().len();
            tokio::select! {
                read = reader.read_buf(self.session.buffer()) => self.on_read(read.ok(), known),
                sent = writer.write_buf(&mut outgoing), if outgoing.has_remaining() => {
                    if sent.is_err() || writer.flush().await.is_err() {
                        self.session.disconnected(self.now_ms());
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.session.handle_timeout(self.now_ms());
                }
            }
        }
    }

    /// `None` is a connection that broke.
    fn on_read(&mut self, read: Option<usize>, known: usize) {
        let now = self.now_ms();
        if read.is_none_or(|length| length == 0) {
            return self.session.disconnected(now);
        }
        if self.first.len() < FIRST_LINE {
            let new = &self.session.buffer()[known..];
            self.first.extend_from_slice(new.get(..FIRST_LINE).unwrap_or(new));
        }
        self.session.handle_input(now);
    }

    fn drain(&mut self, outgoing: &mut BytesMut) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Ready { .. } => self.ask(),
                Output::Event(event) => self.on_event(&event),
                Output::Reply { id, outcome } => self.on_reply(id, &outcome),
                Output::Problem(Problem::FilterRefused { reason, .. }) => {
                    self.facts.answers.filter_refused.get_or_insert(reason);
                }
                Output::Problem(Problem::NoFullyBooted { .. }) => {
                    self.facts.answers.is_fully_booted = false;
                }
                Output::Closed { reason } => self.end = Some(reason),
                Output::Problem(_) | Output::Unclaimed(_) | Output::Rejected { .. } => {}
            }
        }
        while let Some(bytes) = self.session.poll_transmit() {
            outgoing.extend_from_slice(&bytes);
        }
        let is_in = self.facts.login == Login::Accepted && !self.is_closing;
        if is_in && self.waiting.is_empty() && self.end.is_none() {
            let from = self.listening_from.unwrap_or(self.origin);
            self.listening_until.get_or_insert(from + Duration::from_millis(self.listen_ms));
        }
    }

    fn ask(&mut self) {
        // The measure of what comes unasked begins with the filters.
        self.facts.answers.needless.clear();
        self.listening_from = Some(Instant::now());
        self.facts.login = Login::Accepted;
        let version = self.session.asterisk_version().map(ToString::to_string);
        self.facts.answers.asterisk = version;
        for question in answers::questions(&self.facts.settings) {
            let now = self.now_ms();
            let action = question.action(&self.facts.settings);
            if let Ok(id) = self.session.submit(action, ANSWER_MS, now) {
                self.waiting.insert(id, (question, clock::now_ms()));
            }
        }
    }

    fn on_reply(&mut self, id: RequestId, outcome: &Outcome) {
        if let Some((question, sent)) = self.waiting.remove(&id)
            && let Outcome::Response { response, items } = outcome
        {
            let times = (sent, clock::now_ms());
            answers::take(self.facts, &question, response, items, times);
        }
    }

    fn on_event(&mut self, event: &Message) {
        let name = event.event().unwrap_or_default();
        let is_wanted = Pbx::EVENTS.contains(&name) || matches!(name, "FullyBooted" | "Shutdown");
        if !is_wanted && !name.is_empty() {
            let bytes = event.as_bytes().len() as u64;
            let (count, sum) = self.facts.answers.needless.entry(name.to_owned()).or_default();
            *count += 1;
            *sum += bytes;
        }
    }

    async fn conclude(mut self) {
        let listened = self.listening_from.map_or(Duration::ZERO, |from| from.elapsed());
        self.facts.answers.listened_ms = u64::try_from(listened.as_millis()).unwrap_or(u64::MAX);
        let server = &self.facts.settings;
        let reason = self.end.take();
        self.facts.reach = match self.session.banner() {
            Some(banner) => Reach::Greeted(banner.text().to_owned()),
            None if !self.first.is_empty() => Reach::NotAmi(first_line(&self.first)),
            None => match reason {
                Some(CloseReason::ClosedBeforeBanner | CloseReason::Disconnected) => {
                    Reach::ClosedUnsaid
                }
                _ if server.tls.is_some() => Reach::Silent,
                _ => match http_line(&server.host, server.port).await {
                    Some(line) => Reach::NotAmi(line),
                    None => Reach::Silent,
                },
            },
        };
        let is_greeted = matches!(self.facts.reach, Reach::Greeted(_));
        if is_greeted && self.facts.login == Login::NotTried {
            self.facts.login = match reason {
                Some(CloseReason::Rejected(words) | CloseReason::LoginFailed(words)) => {
                    Login::Refused(words)
                }
                Some(reason) => Login::NoAnswer(reason.to_string()),
                None => Login::NoAnswer("it took too long".to_owned()),
            };
        }
    }
}

/// What can be shown of what is no greeting.
fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(80).collect()
}
