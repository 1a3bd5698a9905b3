//! The task that brings this node's events into the stream: sends them one after the other, hears which are
//! there, and goes back where one is not.

use super::{
    label::{self, HEADER},
    node::{Node, Way, count},
    order::Mark,
    window::Acknowledged,
};
use crate::{bus::EVENTS, clock};
use async_nats::{HeaderMap, Message, StatusCode, Subscriber, client::PublishErrorKind};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

/// So many are sent before it is looked for acknowledgements.
const BATCH: usize = 64;
/// How long to wait after a refusal.
const PAUSE: Duration = Duration::from_millis(500);

/// JetStream does not take this message, and takes others: it is too large, or its headers are.
const BAD: u16 = 400;

/// What JetStream answers.
#[derive(Debug, Default, Deserialize)]
struct Answer {
    #[serde(default)]
    seq: u64,
    error: Option<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(default)]
    code: u16,
    #[serde(default)]
    description: String,
}

struct Sending {
    number: u64,
    subject: String,
    reply: String,
    headers: HeaderMap,
    payload: Bytes,
}

pub(super) struct Publishing {
    node: Arc<Node>,
    acknowledgements: Subscriber,
    /// Where they come to.
    inbox: String,
    /// The connection that the run under way was begun on.
    connection: u64,
    /// Nothing is sent before.
    paused: Instant,
}

impl Publishing {
    pub(super) fn new(node: Arc<Node>, inbox: String, acknowledgements: Subscriber) -> Self {
        let connection = node.connection.borrow().times;
        Self { node, acknowledgements, inbox, connection, paused: Instant::now() }
    }

    /// Until stopped.
    pub(super) async fn run(mut self) {
        let node = self.node.clone();
        let mut connection = node.connection.clone();
        loop {
            let has_more = tokio::select! {
                () = node.stop.cancelled() => return,
                has_more = self.send() => has_more,
            };
            while let Some(Some(message)) = self.acknowledgements.next().now_or_never() {
                self.hear(&message);
            }
            if has_more {
                continue;
            }
            let (late, now) = (node.outbox.lock().window.late_at(), Instant::now());
            let is_paused = self.paused > now;
            let wake = if is_paused { Some(self.paused) } else { late };
            tokio::select! {
                () = node.stop.cancelled() => return,
                () = node.filled.notified(), if !is_paused => {}
                message = self.acknowledgements.next() => match message {
                    Some(message) => self.hear(&message),
                    None => return,
                },
                changed = connection.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.reconnected(connection.borrow_and_update().times);
                }
                () = sleep_until(wake.unwrap_or(now)), if wake.is_some() => self.look_for_late(),
            }
        }
    }

    /// Sends some; whether there may be more.
    async fn send(&mut self) -> bool {
        let now = Instant::now();
        if !self.node.is_sure_of_stream() || now < self.paused {
            return false;
        }
        let batch = self.batch(now);
        let is_full = batch.len() == BATCH;
        for Sending { number, subject, reply, headers, payload } in batch {
            count(&self.node.figures.events_sent);
            let client = &self.node.client;
            let sent = client.publish_with_reply_and_headers(subject, reply, headers, payload);
            if let Err(error) = sent.await {
                if error.kind() != PublishErrorKind::Send {
                    self.give_up(number);
                }
                self.refused(&error.to_string());
                return false;
            }
        }
        is_full
    }

    fn batch(&self, now: Instant) -> Vec<Sending> {
        let mut outbox = self.node.outbox.lock();
        let mut batch = Vec::new();
        while batch.len() < BATCH
            && let Some(due) = outbox.window.send(now)
        {
            let (number, done, floor) = (due.number, due.done, due.floor);
            let mark = Mark { from: self.node.name.clone(), number, done, floor };
            let label = &due.item.label;
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, label::write(label, mark));
            let kind = super::super::stream::event_address(&label.kind);
            let address = kind.map_or_else(|_| format!("{EVENTS}.unknown"), |it| it.to_string());
            batch.push(Sending {
                number,
                subject: self.node.subjects.of(&address),
                reply: format!("{}.{}.{number}", self.inbox, due.run),
                headers,
                payload: due.item.json.clone(),
            });
        }
        batch
    }

    fn hear(&mut self, message: &Message) {
        let Some((run, number)) = asked(&message.subject) else { return };
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            self.node.be_in_doubt();
            return self.refused_in(run, "NATS has no stream for events, or no JetStream");
        }
        let answer: Answer = serde_json::from_slice(&message.payload).unwrap_or_default();
        if let Some(refusal) = answer.error {
            let is_under_way = self.node.outbox.lock().window.run() == run;
            if refusal.code == BAD && is_under_way {
                self.give_up(number);
            }
            return self.refused_in(run, &refusal.description);
        }
        let at = (Instant::now(), clock::now());
        let mut outbox = self.node.outbox.lock();
        match outbox.acknowledge(run, number, answer.seq, at) {
            Acknowledged::Forward => {
                drop(outbox);
                self.node.set_trouble(Way::Out, None);
            }
            Acknowledged::Back => count(&self.node.figures.events_again),
            Acknowledged::Nothing => {}
        }
    }

    fn refused_in(&mut self, run: u64, why: &str) {
        // One refusal of a run is as good as a hundred.
        if self.node.outbox.lock().window.run() == run {
            self.refused(why);
        }
    }

    /// After some attempts.
    fn give_up(&self, number: u64) {
        if self.node.outbox.lock().refuse(number, clock::now()) {
            tracing::error!(number, "an event is lost: NATS does not take it");
        }
    }

    fn refused(&mut self, why: &str) {
        self.node.set_trouble(Way::Out, Some(why.to_owned()));
        self.go_back();
        self.paused = Instant::now() + PAUSE;
    }

    fn reconnected(&mut self, times: u64) {
        if times != self.connection {
            self.connection = times;
            self.go_back();
        }
    }

    fn look_for_late(&mut self) {
        let late = self.node.outbox.lock().window.late_at();
        if late.is_some_and(|late| late <= Instant::now()) && self.node.is_up() {
            self.refused("NATS takes events and does not acknowledge them");
        } else if late.is_some() {
            // Away: what comes back begins anew.
            self.paused = Instant::now() + PAUSE;
        }
    }

    fn go_back(&self) {
        count(&self.node.figures.events_again);
        self.node.outbox.lock().window.go_back();
    }
}

/// Run and number from the subject of an acknowledgement.
fn asked(subject: &str) -> Option<(u64, u64)> {
    let mut tokens = subject.rsplit('.');
    let number = tokens.next()?.parse().ok()?;
    Some((tokens.next()?.parse().ok()?, number))
}
