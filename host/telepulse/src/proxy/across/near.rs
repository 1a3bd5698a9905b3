//! Answers other nodes for the servers that this node has.

use super::words::{Answer, Question, WrittenPart};
use crate::{
    bus::{Bus, Headers, Incoming},
    proxy::{
        Registry,
        describe::describe,
        request::{Ask, LinkHandle, unavailable},
    },
    telemetry::{Name, Span, Trace, Tracer},
};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use telepulse_language::{Code, Command, CommandEnvelope, Refusal};
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout_at,
};
use tokio_util::sync::CancellationToken;

/// Questions of all other nodes that may wait, and that may be in work.
const WAITING: usize = 1024;

/// Answers until stopped.
pub(in crate::proxy) async fn serve(
    registry: Registry,
    bus: Arc<dyn Bus>,
    start: Arc<str>,
    tracer: Tracer,
    stop: CancellationToken,
) {
    let address = super::address(&start).ok();
    let Some(mut questions) = address.and_then(|it| bus.serve(&it, WAITING).ok()) else {
        tracing::error!(node = %start, "other nodes cannot ask this one");
        return;
    };
    let room = Arc::new(Semaphore::new(WAITING));
    let near = Arc::new(Near { registry, bus, tracer });
    loop {
        let incoming = tokio::select! {
            () = stop.cancelled() => return,
            incoming = questions.recv() => incoming,
        };
        let Some(Incoming { payload, headers, reply }) = incoming else { return };
        // The semaphore is never closed.
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let near = near.clone();
        tokio::spawn(async move {
            let deadline = headers.deadline;
            // Who is not answered knows that the time is over.
            if let Ok(answer) = timeout_at(deadline, near.answer(&headers, &payload)).await {
                drop(reply.send(answer));
            }
            drop(place);
        });
    }
}

struct Near {
    registry: Registry,
    bus: Arc<dyn Bus>,
    tracer: Tracer,
}

impl Near {
    async fn answer(&self, headers: &Headers, json: &[u8]) -> Bytes {
        // Nodes speak for themselves here: what a user may was looked at where the user came in.
        if headers.plugin.is_some() {
            return write::<()>(Err(Refusal::new(
                Code::Forbidden,
                "only nodes ask each other here",
            )));
        }
        let question = match serde_json::from_slice(json) {
            Ok(question) => question,
            Err(error) => {
                let why =
                    format!("the question is not understood: {error}; is it another version?");
                return write::<()>(Err(Refusal::new(Code::BadRequest, why)));
            }
        };
        match question {
            Question::Command { server, command } => {
                write(self.command(&server, headers, command).await)
            }
            Question::Action { server, action } => {
                let (action, deadline) = (action.read(), headers.deadline);
                let (trace, mut span) = self.trace(headers, action.name());
                let link = self.link(&server);
                let answer = match link {
                    Ok(link) => {
                        link.answer(|reply| Ask::Action { action, deadline, trace, reply }).await
                    }
                    Err(refusal) => Err(refusal),
                };
                let answer = answer.and_then(|json| value(&json));
                refused(&mut span, &answer);
                write(answer)
            }
            Question::Audit { server } => write(match self.link(&server) {
                Ok(link) => link.answer(|reply| Ask::Audit { reply }).await,
                Err(refusal) => Err(refusal),
            }),
            Question::Query { server, query } => {
                write(self.asked(&server, |reply| Ask::Query { query, reply }).await.map(|part| {
                    let epoch = self.bus.stream().epoch().to_string();
                    WrittenPart { epoch, seq: part.seq, items: part.items }
                }))
            }
            Question::Devices { server, filter } => write(match self.link(&server) {
                Ok(link) => Ok(link.devices(filter).await),
                Err(refusal) => Err(refusal),
            }),
            Question::Knows { server, command } => write(match read(&command) {
                Ok(command) => self.asked(&server, |reply| Ask::Knows { command, reply }).await,
                Err(refusal) => Err(refusal),
            }),
            Question::Restart { server } => write(self.link(&server).map(|link| link.restart())),
            Question::Descriptions => {
                write(Ok(self.here().map(|it| describe(&it)).collect::<Vec<_>>()))
            }
            Question::Statuses => {
                let item = |link: LinkHandle| link.status.borrow().item(&link.server.id);
                write(Ok(self.here().map(item).collect::<Vec<_>>()))
            }
        }
    }

    async fn command(
        &self,
        server: &str,
        headers: &Headers,
        command: Value,
    ) -> Result<Value, Refusal> {
        let (command, link) = (read(&command)?, self.link(server)?);
        let (deadline, who) = (headers.deadline, headers.principal.clone());
        let (trace, mut span) = self.trace(headers, command.action());
        let answer =
            link.answer(|reply| Ask::Command { command, who, deadline, trace, reply }).await;
        refused(&mut span, &answer);
        answer
    }

    fn trace(&self, headers: &Headers, action: &str) -> (Trace, Span) {
        let span = match &headers.trace {
            Some(parent) => self.tracer.asked(Name::Command(action), Some(parent)),
            None => Span::default(),
        };
        (span.trace(), span)
    }

    async fn asked<T>(
        &self,
        server: &str,
        ask: impl FnOnce(oneshot::Sender<T>) -> Ask,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.link(server)?.ask(ask(reply))?;
        answer.await.map_err(|_| unavailable(server, "it was stopped"))
    }

    /// A server that this node has. What another has is not asked for there: it may have just moved, and
    /// questions would go round.
    fn link(&self, server: &str) -> Result<LinkHandle, Refusal> {
        let link = self.registry.links().get(server).filter(|link| link.is_here()).cloned();
        link.ok_or_else(|| unavailable(server, "it is moving from node to node"))
    }

    fn here(&self) -> impl Iterator<Item = LinkHandle> {
        let links: Vec<_> = self.registry.links().values().cloned().collect();
        links.into_iter().filter(LinkHandle::is_here)
    }
}

fn read(command: &Value) -> Result<Command, Refusal> {
    let envelope = CommandEnvelope::from_json(command.to_string().as_bytes())?;
    Ok(envelope.command)
}

fn value(json: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(json)
        .map_err(|error| Refusal::new(Code::Internal, format!("the answer: {error}")))
}

fn refused<T>(span: &mut Span, answer: &Result<T, Refusal>) {
    if let Err(refusal) = answer {
        span.refuse(refusal);
    }
}

fn write<T: Serialize>(answer: Result<T, Refusal>) -> Bytes {
    let answer = match answer {
        Ok(answer) => Answer::Done(answer),
        Err(refusal) => Answer::Refused(refusal),
    };
    serde_json::to_vec(&answer).unwrap_or_default().into()
}
