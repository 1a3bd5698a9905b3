//! What was asked of a server and is not answered yet: one entry a command or raw action, with the
//! actions that are still to be sent for it.

use super::request::{Answer, unavailable};
use crate::telemetry::Trace;
use ami_proto::{Action, Message, Outcome};
use bytes::Bytes;
use call_model::Plan;
use serde_json::Value;
use std::{
    collections::{HashMap, VecDeque},
    mem,
};
use telepulse_language::{Code, Refusal};
use tokio::time::Instant;

/// The next action of a ticket.
pub(super) struct Next {
    pub(super) ticket: u64,
    pub(super) action: Action,
    /// The moment by which its answer is due.
    pub(super) deadline: Instant,
    pub(super) trace: Trace,
}

/// What comes after an answer.
pub(super) enum Step {
    /// This is to be sent.
    Send(Next),
    /// A command was carried out: its effects, and then the answer.
    Done(Plan, Answer<Value>),
    /// Nothing: who asked has the answer.
    Over,
}

/// Everything in flight on one connection.
#[derive(Default)]
pub(super) struct Running {
    last_ticket: u64,
    open: HashMap<u64, Open>,
}

/// One thing that was asked.
enum Open {
    Command {
        plan: Plan,
        rest: VecDeque<Action>,
        step: usize,
        deadline: Instant,
        trace: Trace,
        reply: Answer<Value>,
    },
    Action {
        reply: Answer<Bytes>,
    },
}

impl Running {
    /// Takes a planned command; it is done already if there is nothing to send.
    pub(super) fn command(
        &mut self,
        mut plan: Plan,
        deadline: Instant,
        trace: Trace,
        reply: Answer<Value>,
    ) -> Step {
        let mut rest = VecDeque::from(mem::take(&mut plan.actions));
        let Some(first) = rest.pop_front() else { return Step::Done(plan, reply) };
        let open = Open::Command { plan, rest, step: 0, deadline, trace: trace.clone(), reply };
        Step::Send(Next { ticket: self.open(open), action: first, deadline, trace })
    }

    /// Takes a raw action.
    pub(super) fn action(
        &mut self,
        action: Action,
        deadline: Instant,
        trace: Trace,
        reply: Answer<Bytes>,
    ) -> Next {
        Next { ticket: self.open(Open::Action { reply }), action, deadline, trace }
    }

    fn open(&mut self, open: Open) -> u64 {
        self.last_ticket += 1;
        self.open.insert(self.last_ticket, open);
        self.last_ticket
    }

    /// Answers with a refusal.
    pub(super) fn refuse(&mut self, ticket: u64, refusal: Refusal) {
        match self.open.remove(&ticket) {
            Some(Open::Command { reply, .. }) => drop(reply.send(Err(refusal))),
            Some(Open::Action { reply }) => drop(reply.send(Err(refusal))),
            None => {}
        }
    }

    /// Takes the outcome of a ticket's action.
    pub(super) fn answered(&mut self, ticket: u64, server: &str, outcome: Outcome) -> Step {
        match self.open.remove(&ticket) {
            None => Step::Over,
            Some(Open::Action { reply }) => {
                let answer = match outcome {
                    Outcome::Response { response, items } => Ok(json(server, &response, &items)),
                    failed => Err(failure(server, &failed)),
                };
                // Whoever asked may have gone: nobody to tell.
                drop(reply.send(answer));
                Step::Over
            }
            Some(Open::Command { mut plan, mut rest, step, deadline, trace, reply }) => {
                let verdict = match &outcome {
                    Outcome::Response { response, .. } => {
                        plan.check(step, response).map(|()| plan.learn(response))
                    }
                    failed => Err(failure(server, failed)),
                };
                if let Err(refusal) = verdict {
                    drop(reply.send(Err(refusal)));
                    return Step::Over;
                }
                let Some(action) = rest.pop_front() else { return Step::Done(plan, reply) };
                let next = Next { ticket, action, deadline, trace: trace.clone() };
                let open = Open::Command { plan, rest, step: step + 1, deadline, trace, reply };
                self.open.insert(ticket, open);
                Step::Send(next)
            }
        }
    }
}

/// A response with its list items, as `telepulse.proxy.action` answers.
fn json(server: &str, response: &Message, items: &[Message]) -> Bytes {
    let mut out = Vec::new();
    response.write_json(server, &mut out);
    if !items.is_empty() {
        out.pop();
        out.extend_from_slice(b",\"events\":[");
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            item.write_json(server, &mut out);
        }
        out.extend_from_slice(b"]}");
    }
    out.into()
}

/// What to say of an action that got no response.
pub(super) fn failure(server: &str, outcome: &Outcome) -> Refusal {
    match outcome {
        Outcome::TimedOut => {
            Refusal::new(Code::Timeout, format!("server {server:?} did not answer in time"))
        }
        Outcome::Unknown => Refusal::new(
            Code::UnknownOutcome,
            format!("the link to server {server:?} died after it was sent and before the answer"),
        ),
        Outcome::ListTooLong => Refusal::new(
            Code::RejectedByServer,
            format!("server {server:?} answered with a list that is too long"),
        ),
        Outcome::NotSent | Outcome::Response { .. } => {
            unavailable(server, "the link died before it was sent")
        }
    }
}
