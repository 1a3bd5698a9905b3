//! What the server is asked to do, by whoever: planned against the model, sent action after action, each with
//! its outcome.

use super::{Talk, Waiting};
use crate::proxy::{
    link::Link,
    now,
    request::{Ask, unavailable},
    running::{Next, Step},
    traced::{Sent, plan},
};
use telepulse_language::{Code, Command, Refusal};
use tokio::time::Instant;

/// Why nothing is done before the model is true.
pub(in crate::proxy) const BEING_SYNCED: &str =
    "it is being synchronised: what it does is being listed anew";

impl Talk {
    pub(super) fn ask(&mut self, link: &mut Link, ask: Ask) {
        match ask {
            // Whoever asked may have gone: nobody to tell.
            Ask::Query { query, reply } => link.part(&query, reply),
            Ask::Devices { channels, filter, reply } => link.devices(channels, &filter, reply),
            Ask::Knows { command, reply } => {
                let _ = reply.send(link.pbx.concerned(&command).is_some());
            }
            Ask::Audit { reply } => self.audit_asked(link, reply),
            Ask::Action { action, deadline, trace, reply } => {
                let next = self.running.action(action, deadline, trace, reply);
                self.when_synced(link, next);
            }
            Ask::Command { command, who, deadline, trace, reply } => {
                let planned = plan(link, &command, who.as_deref(), &trace);
                let step = match planned {
                    Ok(plan) => self.running.command(plan, deadline, trace, reply),
                    Err(refusal) => {
                        let refusal = self.when_known(link, &command, refusal);
                        // Whoever asked may have gone: nobody to tell.
                        return drop(reply.send(Err(refusal)));
                    }
                };
                match step {
                    Step::Send(next) => self.when_synced(link, next),
                    done => self.go_on(link, done),
                }
            }
        }
    }

    /// Before the model is true, nothing is sent that was planned against it.
    fn when_synced(&mut self, link: &mut Link, next: Next) {
        if self.is_synced {
            self.continue_with(link, next);
        } else {
            let refusal = unavailable(&link.server.id, BEING_SYNCED);
            self.running.refuse(next.ticket, refusal);
        }
    }

    /// Before the model is true, what it lacks may be there all the same: that is no last word.
    fn when_known(&self, link: &Link, command: &Command, refusal: Refusal) -> Refusal {
        let may_change = match refusal.code {
            Code::NotFound | Code::Conflict => true,
            // Whose it is can only be told of what is known.
            Code::Forbidden => link.pbx.concerned(command).is_none(),
            _ => false,
        };
        if self.is_synced || !may_change {
            return refusal;
        }
        unavailable(&link.server.id, BEING_SYNCED)
    }

    /// Sends the next action of something that was asked.
    fn continue_with(&mut self, link: &mut Link, next: Next) {
        let Next { ticket, action, deadline, trace } = next;
        let mut sent = Sent::begin(&trace, &link.server, &action);
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
        match self.session.submit(action, timeout_ms, link.now_ms()) {
            Ok(id) => {
                sent.has_id(|| self.session.action_id(id));
                self.waiting.insert(id, Waiting::Asked(ticket, sent));
            }
            Err(error) => {
                let refusal = submit_refusal(&link.server.id, &error);
                sent.refused(&refusal);
                self.running.refuse(ticket, refusal);
            }
        }
    }

    pub(super) fn go_on(&mut self, link: &mut Link, step: Step) {
        match step {
            Step::Send(next) => self.continue_with(link, next),
            Step::Done(plan, reply) => {
                link.pbx.carried_out(plan.effects, now(), link.publisher.pending());
                // Whoever asked may have gone: nobody to tell.
                drop(reply.send(Ok(plan.result)));
            }
            Step::Over => {}
        }
    }
}

/// What to say when the session takes no more actions.
fn submit_refusal(server: &str, error: &ami_proto::SubmitError) -> Refusal {
    Refusal::new(Code::TooManyRequests, format!("server {server:?}: {error}"))
}
