//! A session on a socket, with everything that it tells kept for the test to look at.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ami_proto::{
    Action, CloseReason, Message, Outcome, Output, Problem, RequestId, Session, SessionConfig,
    State, actions,
};
use anyhow::{Context, Result, bail};
use telepulse_tests::asterisk::Asterisk;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything here takes, also while the machine is busy.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// What the user `telepulse` of the harness logs in with.
pub(crate) fn config(asterisk: &Asterisk) -> SessionConfig {
    SessionConfig::new(asterisk.username(), asterisk.secret(), "t")
}

pub(crate) struct Link {
    stream: TcpStream,
    pub(crate) session: Session,
    started: Instant,
    pub(crate) events: Vec<Message>,
    pub(crate) problems: Vec<Problem>,
    /// `Rejected` was told.
    pub(crate) rejected: bool,
    pub(crate) closed: Option<CloseReason>,
    replies: HashMap<RequestId, Outcome>,
}

impl Link {
    /// Connects; nothing has been said yet.
    pub(crate) async fn open(asterisk: &Asterisk, config: SessionConfig) -> Result<Self> {
        Ok(Self {
            stream: TcpStream::connect(asterisk.manager()).await?,
            session: Session::new(config, 0),
            started: Instant::now(),
            events: Vec::new(),
            problems: Vec::new(),
            rejected: false,
            closed: None,
            replies: HashMap::new(),
        })
    }

    /// Connects and logs in.
    pub(crate) async fn ready(asterisk: &Asterisk, config: SessionConfig) -> Result<Self> {
        let mut link = Self::open(asterisk, config).await?;
        link.until("Ready", |link| link.session.state() == State::Ready).await?;
        Ok(link)
    }

    /// Runs until the link ends; why it did.
    pub(crate) async fn end(&mut self) -> Result<CloseReason> {
        self.until("the end", |link| link.closed.is_some()).await?;
        self.closed.clone().context("a reason")
    }

    /// Submits an action and gives its outcome.
    pub(crate) async fn outcome(&mut self, action: Action) -> Result<Outcome> {
        let name = action.name().to_owned();
        let id = self.session.submit(action, 9_000, self.now_ms())?;
        self.until(&name, |link| link.replies.contains_key(&id)).await?;
        self.replies.remove(&id).context("an outcome")
    }

    /// Submits an action; its response and the items of its list.
    pub(crate) async fn ask(&mut self, action: Action) -> Result<(Message, Vec<Message>)> {
        match self.outcome(action).await? {
            Outcome::Response { response, items } => Ok((response, items)),
            other => bail!("{other:?}"),
        }
    }

    /// Everything that was queued for this session before now has been read afterwards: events are
    /// flushed behind the reply to the first ping at the latest, and so before the second's.
    pub(crate) async fn flushed(&mut self) -> Result<()> {
        for _ in 0..2 {
            self.ask(actions::ping()).await?;
        }
        Ok(())
    }

    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Moves bytes and time until the condition holds.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> Result<()> {
        let give_up = Instant::now() + SOON;
        loop {
            self.take_outputs();
            if holds(self) {
                return Ok(());
            }
            while let Some(bytes) = self.session.poll_transmit() {
                self.stream.write_all(&bytes).await?;
            }
            let due =
                self.session.poll_timeout().map(|ms| self.started + Duration::from_millis(ms));
            let wake = due.unwrap_or(give_up).min(give_up);
            tokio::select! {
                read = self.stream.read_buf(self.session.buffer()) => match read {
                    Ok(1..) => self.session.handle_input(self.now_ms()),
                    Ok(0) | Err(_) => self.session.disconnected(self.now_ms()),
                },
                () = tokio::time::sleep_until(wake.into()) => {
                    if Instant::now() >= give_up {
                        bail!("waited in vain for {what}; {:?}, {:?}", self.session, self.problems);
                    }
                    self.session.handle_timeout(self.now_ms());
                }
            }
        }
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Ready { .. } => {}
                Output::Event(event) => self.events.push(event),
                Output::Reply { id, outcome } => {
                    let doubled = self.replies.insert(id, outcome);
                    assert!(doubled.is_none(), "two outcomes for {id:?}");
                }
                Output::Unclaimed(message) => panic!("nobody's: {message:?}"),
                Output::Problem(problem) => self.problems.push(problem),
                Output::Rejected { .. } => self.rejected = true,
                Output::Closed { reason } => self.closed = Some(reason),
            }
        }
    }
}
