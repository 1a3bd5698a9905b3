//! A plugin on the fake host: what the real one would call, a test calls here.

use super::host::{FakeHost, Fetch, Submitted};
use crate::{
    Answer, CloseReason, CommandHandler, ConnectionHandler, Event, Failure, Frame, Handoff,
    OpenInfo, Plugin, Policy, Replies, Start, StartReason, Subscriber, Ticker, Verdict,
};
use serde_json::{Value, json};
use std::{rc::Rc, time::Duration};
use telepulse_language::{CommandEnvelope, Principal, Refusal, Request};

/// A running plugin.
#[derive(Debug)]
pub struct Stage<P> {
    /// The instance that runs now.
    pub plugin: P,
    host: Rc<FakeHost>,
    incarnation: u64,
}

impl<P: Plugin> Stage<P> {
    pub(super) fn start(host: Rc<FakeHost>, reason: StartReason) -> Result<Self, String> {
        let plugin = P::init(&start(1, reason))?;
        Ok(Self { plugin, host, incarnation: 1 })
    }

    /// Throws the instance away as after a trap and starts the next one, which knows nothing.
    pub fn crash(&mut self) -> Result<(), String> {
        self.incarnation += 1;
        self.plugin = P::init(&start(self.incarnation, StartReason::CrashRestart))?;
        Ok(())
    }
}

fn start(incarnation: u64, reason: StartReason) -> Start {
    Start { plugin: "under-test".into(), incarnation, host_api: "0.1.0".into(), reason }
}

impl<P: Subscriber> Stage<P> {
    /// Hands over one event.
    pub fn event(&mut self, event: Event<'_>) -> Result<(), Failure> {
        self.plugin.handle(event)
    }
}

impl<P: Policy> Stage<P> {
    /// Has the plugin decide on a command, given as JSON.
    ///
    /// # Panics
    /// If it is no command of the language: the host hands over none.
    pub fn decide(&mut self, command: &Value, who: Option<&Principal>) -> Verdict {
        let command = CommandEnvelope::from_json(command.to_string().as_bytes());
        let command = command.expect("a command");
        self.plugin.decide(&command, who)
    }
}

impl<P: CommandHandler> Stage<P> {
    /// Has the plugin carry out a command, given as JSON.
    ///
    /// # Panics
    /// If it is no JSON object with an `action`: the host hands over none.
    pub fn serve(&mut self, command: &Value, who: Option<&Principal>) -> Result<Value, Refusal> {
        let fields = command.as_object().expect("an object").clone();
        let request = Request::new(fields).expect("a command");
        self.plugin.serve(request, who)
    }
}

impl<P: Ticker> Stage<P> {
    /// Moves the clock; timers fire in order, each at its time.
    pub fn advance(&mut self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let until = self.host.now().saturating_add(by);
        while let Some(timer) = self.host.step(until) {
            self.plugin.fired(timer);
        }
    }
}

impl<P: Replies> Stage<P> {
    /// Answers a request that the plugin submitted.
    pub fn answer(&mut self, request: &Submitted, answer: Result<Vec<u8>, String>) {
        let Submitted { id, context, .. } = request.clone();
        self.plugin.answered(Answer { id, context, answer });
    }

    /// Answers an HTTP request that the plugin submitted.
    pub fn fetched(&mut self, fetch: &Fetch, answer: Result<(u16, Value), &str>) {
        let answer = answer.map(|(status, body)| {
            let headers = json!({"content-type": "application/json"});
            let body = if body.is_null() { String::new() } else { body.to_string() };
            json!({"status": status, "headers": headers, "body": body}).to_string().into_bytes()
        });
        let Fetch { id, context, .. } = fetch.clone();
        self.plugin.answered(Answer { id, context, answer: answer.map_err(str::to_owned) });
    }
}

impl<P: Handoff> Stage<P> {
    /// Swaps the instance for a new one, which takes over what the old one saves.
    pub fn swap(&mut self) -> Result<(), String> {
        let state = self.plugin.save()?;
        self.incarnation += 1;
        let mut next = P::init(&start(self.incarnation, StartReason::Reload))?;
        next.restore(&state)?;
        self.plugin = next;
        Ok(())
    }
}

impl<P: ConnectionHandler> Stage<P> {
    /// A client connects.
    pub fn open(&mut self, info: OpenInfo) {
        self.host.open(info.clone());
        self.plugin.opened(info);
    }

    /// A client sends text.
    pub fn text(&mut self, conn: u64, text: &str) {
        self.plugin.received(conn, Frame::Text(text.to_owned()));
    }

    /// A client sends a frame.
    pub fn frame(&mut self, conn: u64, frame: Frame) {
        self.plugin.received(conn, frame);
    }

    /// A client was too slow.
    pub fn lag(&mut self, conn: u64, missed: u64) {
        self.plugin.lagged(conn, missed);
    }

    /// A client goes.
    pub fn leave(&mut self, conn: u64) {
        self.host.gone(conn);
        self.plugin.closed(conn, CloseReason::new(1000, ""));
    }

    /// Tells a new instance of the connections that are open: after `swap` or `crash`.
    pub fn resume(&mut self) {
        for live in self.host.live() {
            self.plugin.resumed(live);
        }
    }
}
