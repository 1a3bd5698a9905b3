//! Commands become actions: found out against the model, or refused with a typed reason.

mod dial;
mod find;
mod hangup;
mod queues;
mod transfer;

use std::collections::BTreeSet;

use ami_proto::{Action, Message};
use serde_json::{Value, json};
use telepulse_language::{Code, Command, Principal, Refusal, Timestamp};

use crate::pbx::Pbx;

pub(crate) use dial::Pending;

/// What a command comes down to.
#[derive(Debug)]
pub struct Plan {
    /// To be sent one after the other; the first refusal ends it. Empty: there is nothing to do,
    /// because it is so already.
    pub actions: Vec<Action>,
    /// The result for who asked, once every action was accepted.
    pub result: Value,
    /// How Asterisk's refusals of these actions are to be taken.
    rules: &'static [Rule],
}

/// What a refusal in Asterisk's words means.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Part of the `Message` header, in lower case.
    words: &'static str,
    /// What it comes to; `None`: what was wanted is so already, and all is well.
    code: Option<Code>,
}

impl Plan {
    fn new(actions: Vec<Action>) -> Self {
        Self { actions, result: json!({}), rules: &[] }
    }

    fn result(self, result: Value) -> Self {
        Self { result, ..self }
    }

    fn rules(self, rules: &'static [Rule]) -> Self {
        Self { rules, ..self }
    }

    /// Whether the response to action number `step` lets the plan go on; otherwise what to tell
    /// who asked.
    pub fn check(&self, step: usize, response: &Message) -> Result<(), Refusal> {
        if !response.is_error() {
            return Ok(());
        }
        let words = response.get_lossy("Message").unwrap_or_default();
        let words = if words.is_empty() { "no reason given".into() } else { words };
        let lower = words.to_ascii_lowercase();
        let code = match self.rules.iter().find(|rule| lower.contains(rule.words)) {
            Some(Rule { code: None, .. }) => return Ok(()),
            Some(Rule { code: Some(code), .. }) => *code,
            None => Code::RejectedByServer,
        };
        let place = if step == 0 { String::new() } else { format!(" (step {})", step + 1) };
        Err(Refusal::new(code, format!("Asterisk refused{place}: {words}")))
    }
}

impl Pbx {
    /// Finds out what a command comes down to as things stand.
    ///
    /// `who` decides only what needs more than the command's own right (a raw channel in `dial`);
    /// whether the command may be given at all is checked before. `entropy` is any 64 random bits.
    ///
    /// Errors: `notFound` and `conflict` with the field, `forbidden`, `badRequest`. Nothing is sent
    /// then.
    pub fn plan(
        &mut self,
        command: &Command,
        who: Option<&Principal>,
        entropy: u64,
        now: Timestamp,
    ) -> Result<Plan, Refusal> {
        let plan = match command {
            Command::Dial(dial) => self.plan_dial(dial, who, entropy, now),
            Command::Hangup(hangup) => self.plan_hangup(hangup),
            Command::Transfer(transfer) => self.plan_transfer(transfer),
            Command::QueueAdd(add) => self.plan_queue_add(add),
            Command::QueueRemove(remove) => self.plan_queue_remove(remove),
            Command::QueuePause(pause) => {
                let reason = pause.reason.as_deref();
                self.plan_queue_pause(&pause.agent, pause.queue.as_deref(), true, reason)
            }
            Command::QueueUnpause(unpause) => {
                let reason = unpause.reason.as_deref();
                self.plan_queue_pause(&unpause.agent, unpause.queue.as_deref(), false, reason)
            }
        }?;
        for action in &plan.actions {
            action.check().map_err(|error| Refusal::new(Code::BadRequest, error.to_string()))?;
        }
        Ok(plan)
    }

    /// The extensions that take part in what a command is about; `None` if this server has no such
    /// call, channel, extension or queue.
    pub fn concerned(&self, command: &Command) -> Option<BTreeSet<String>> {
        match command {
            Command::Dial(dial) => self.concerned_by_dial(&dial.from),
            Command::Hangup(hangup) => self.concerned_by(&hangup.target),
            Command::Transfer(transfer) => self.concerned_by(&transfer.target),
            Command::QueueAdd(add) => self.concerned_by_queue(&add.agent, Some(&add.queue)),
            Command::QueueRemove(gone) => self.concerned_by_queue(&gone.agent, Some(&gone.queue)),
            Command::QueuePause(pause) => {
                self.concerned_by_queue(&pause.agent, pause.queue.as_deref())
            }
            Command::QueueUnpause(unpause) => {
                self.concerned_by_queue(&unpause.agent, unpause.queue.as_deref())
            }
        }
    }
}

/// Nothing of that name here.
fn not_found(field: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(Code::NotFound, message).with_field(field)
}

/// It is here, but cannot be done as things stand.
fn conflict(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::Conflict, message)
}
