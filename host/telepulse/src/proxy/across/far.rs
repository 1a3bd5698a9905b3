//! Asks the node that has a server in place of the link that is not here.

use super::words::{self, Question, WrittenPart, write_command};
use crate::{
    bus::{Bus, Headers},
    cluster::{Owner, Place},
    proxy::request::{Answer, Ask, Part, QUEUE, unavailable},
    telemetry::{Name, Trace},
};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use telepulse_language::{Code, Device, Refusal};
use tokio::{
    sync::{Semaphore, oneshot},
    time::{Instant, timeout_at},
};

/// How long what has no deadline of its own may take.
const WITHIN: Duration = Duration::from_secs(10);

/// The way to one server that another node has. Cheap to clone.
#[derive(Clone)]
pub(in crate::proxy) struct Far {
    server: Arc<str>,
    bus: Arc<dyn Bus>,
    place: Arc<Place>,
    room: Arc<Semaphore>,
}

impl Far {
    pub(in crate::proxy) fn new(server: &str, bus: Arc<dyn Bus>, place: Arc<Place>) -> Self {
        Self { server: server.into(), bus, place, room: Arc::new(Semaphore::new(QUEUE)) }
    }

    /// Passes a question on; its answer finds its own way.
    pub(in crate::proxy) fn pass_on(&self, ask: Ask) {
        let Ok(permit) = self.room.clone().try_acquire_owned() else {
            let why = format!(
                "server {:?} has {QUEUE} requests waiting at another node; try again later",
                self.server
            );
            return refuse(ask, &Refusal::new(Code::TooManyRequests, why));
        };
        let Some(owner) = self.place.owner().filter(|owner| !owner.is_self) else {
            return refuse(ask, &unavailable(&self.server, "no node has it at the moment"));
        };
        let far = self.clone();
        tokio::spawn(async move {
            far.carry(&owner, ask).await;
            drop(permit);
        });
    }

    async fn carry(&self, owner: &Owner, ask: Ask) {
        let server = self.server.to_string();
        match ask {
            Ask::Command { command, who, deadline, trace, reply } => {
                let action = command.action();
                let headers = Headers::until(deadline).on_behalf_of(who);
                let question = Question::Command { server, command: write_command(&command) };
                self.traced(owner, &question, headers, (&trace, action), reply).await;
            }
            Ask::Action { action, deadline, trace, reply } => {
                let headers = Headers::until(deadline);
                let question = Question::Action { server, action: (&action).into() };
                let (to_bytes, answer) = oneshot::channel::<Result<Value, Refusal>>();
                self.traced(owner, &question, headers, (&trace, action.name()), to_bytes).await;
                if let Ok(answer) = answer.await {
                    let answer = answer.map(|json| Bytes::from(json.to_string()));
                    drop(reply.send(answer));
                }
            }
            // Whoever asked may have gone: nobody to tell.
            Ask::Audit { reply } => {
                drop(reply.send(self.ask(owner, &Question::Audit { server }).await));
            }
            Ask::Query { query, reply } => {
                if let Some(part) = self.part(owner, &Question::Query { server, query }).await {
                    drop(reply.send(part));
                }
            }
            Ask::Devices { filter, reply, .. } => {
                let devices = self.ask(owner, &Question::Devices { server, filter }).await;
                drop(reply.send(devices.unwrap_or_else(|_| Vec::<Device>::new())));
            }
            Ask::Knows { command, reply } => {
                let question = Question::Knows { server, command: write_command(&command) };
                let _ = reply.send(self.ask(owner, &question).await.unwrap_or(false));
            }
        }
    }

    async fn traced<T: DeserializeOwned>(
        &self,
        owner: &Owner,
        question: &Question,
        headers: Headers,
        (trace, action): (&Trace, &str),
        reply: Answer<T>,
    ) {
        let mut span = trace.call(Name::Forward(action));
        let headers = headers.traced(span.traceparent().map(Into::into));
        let answer = words::ask(&*self.bus, owner, question, headers).await;
        if let Err(refusal) = &answer {
            span.refuse(refusal);
        }
        // Whoever asked may have gone: nobody to tell.
        drop(reply.send(answer));
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        owner: &Owner,
        question: &Question,
    ) -> Result<T, Refusal> {
        words::ask(&*self.bus, owner, question, Headers::within(WITHIN)).await
    }

    /// The server's part of a query, once this node has read as much of the stream as it is true for. Nothing
    /// where that does not come to pass.
    async fn part(&self, owner: &Owner, question: &Question) -> Option<Part> {
        let until = Instant::now() + WITHIN;
        let WrittenPart { epoch, seq, items } = self.ask(owner, question).await.ok()?;
        let stream = self.bus.stream();
        let mut news = stream.news();
        let is_read = async {
            // Numbers of another epoch mean nothing here.
            while *stream.epoch() != *epoch || stream.tail() < seq {
                news.changed().await.ok()?;
            }
            Some(())
        };
        timeout_at(until, is_read).await.ok()??;
        Some(Part { server: self.server.to_string(), seq, items })
    }
}

/// Answers at once.
fn refuse(ask: Ask, refusal: &Refusal) {
    match ask {
        // Whoever asked may have gone: nobody to tell.
        Ask::Command { reply, .. } | Ask::Audit { reply } => drop(reply.send(Err(refusal.clone()))),
        Ask::Action { reply, .. } => drop(reply.send(Err(refusal.clone()))),
        Ask::Devices { reply, .. } => drop(reply.send(Vec::new())),
        Ask::Knows { reply, .. } => drop(reply.send(false)),
        // Dropped: there is no part.
        Ask::Query { .. } => {}
    }
}
