//! `transfer`: which channel moves, found through bridges and `Local/` chains.

use ami_proto::actions;
use serde_json::json;
use telepulse_language::{Code, Refusal, Target, Timestamp, Transfer, TransferKind};

use super::{Effect, Plan, Rule, conflict};
use crate::channel::Ix;
use crate::pbx::Pbx;

const RULES: &[Rule] = &[
    Rule { words: "no such channel", code: Some(Code::Conflict) },
    Rule { words: "does not exist", code: Some(Code::Conflict) },
];

impl Pbx {
    pub(super) fn plan_transfer(
        &self,
        transfer: &Transfer,
        now: Timestamp,
    ) -> Result<Plan, Refusal> {
        if transfer.kind == TransferKind::Attended {
            return self.plan_consultation(transfer);
        }
        let to = match transfer.kind {
            TransferKind::Voicemail => self.voicemail_of(&transfer.to)?,
            TransferKind::Blind | TransferKind::Attended => transfer.to.to_string(),
        };
        let moves = match &transfer.target {
            Target::Agent(number) => self.handed_over_by(number)?,
            Target::Channel(channel) => {
                let channel = self.find_channel(channel)?;
                self.movable(channel, "channel")?
            }
            Target::Call(id) => {
                let call = self.find_call(id)?;
                self.movable(self.caller_of(call)?, "call")?
            }
        };
        let channel = &self.channels[moves];
        let call = json!({ "call": self.calls[channel.call].id });
        let context = &self.config.context;
        let plan = if let [other] = self.others(moves).as_slice() {
            // Whom it talks to transfers it, as by the keys of a phone: Asterisk then tells of it.
            let other = &self.channels[*other].name;
            Plan::new(vec![actions::blind_transfer(other, context, &to)])
        } else {
            let told = Effect::Tell(self.redirected(moves, &to, now));
            let action = actions::redirect(&channel.name, context, &to, "1");
            Plan::new(vec![action]).effects(vec![told])
        };
        Ok(plan.result(call).rules(RULES))
    }

    /// Asterisk is made to believe that the agent's phone pressed the keys for it.
    fn plan_consultation(&self, transfer: &Transfer) -> Result<Plan, Refusal> {
        let Target::Agent(number) = &transfer.target else {
            let message = "is needed: in an attended transfer an agent talks to both";
            return Err(Refusal::field("agent", message));
        };
        self.handed_over_by(number)?;
        let own = &self.channels[self.find_line(number)?];
        let action = actions::atxfer(&own.name, &self.config.context, &transfer.to);
        let call = &self.calls[own.call].id;
        Ok(Plan::new(vec![action]).result(json!({ "call": call })).rules(RULES))
    }

    /// What is dialled to leave words for an extension.
    fn voicemail_of(&self, number: &str) -> Result<String, Refusal> {
        let template = self.config.voicemail.as_deref().ok_or_else(|| {
            let server = &self.config.server;
            conflict(format!(
                "server {server:?} has no `voicemail`: set in its [[server]] what is dialled to \
                 reach a voicemail box, such as \"*{{ext}}\""
            ))
            .with_field("kind")
        })?;
        Ok(template.replace("{ext}", number))
    }

    /// Whom an extension talks with: that channel goes on alone.
    pub(super) fn handed_over_by(&self, number: &str) -> Result<Ix, Refusal> {
        let own = self.find_line(number)?;
        match self.others(own).as_slice() {
            [other] => Ok(*other),
            [] => {
                let message =
                    format!("extension {number} talks with nobody who could be transferred");
                Err(conflict(message).with_field("agent"))
            }
            several => {
                let names: Vec<&str> =
                    several.iter().map(|other| &*self.channels[*other].name).collect();
                let message = format!(
                    "extension {number} talks with several; name the channel that moves: {}",
                    names.join(", ")
                );
                Err(conflict(message).with_field("agent"))
            }
        }
    }

    /// The caller's channel: the first, or another that called, if just one is left.
    pub(super) fn caller_of(&self, call: Ix) -> Result<Ix, Refusal> {
        let call = &self.calls[call];
        if let Some(first) = call.first.filter(|first| !self.channels[*first].is_local) {
            return Ok(first);
        }
        let mut callers = call.channels.iter().copied().filter(|channel| {
            self.channels[*channel].is_caller() && !self.channels[*channel].is_local
        });
        match (callers.next(), callers.next()) {
            (Some(caller), None) => Ok(caller),
            _ => Err(conflict("the caller has left this call; name the channel that moves")
                .with_field("call")),
        }
    }

    /// A channel that is in the dialplan or in a bridge; one that still rings can go nowhere.
    pub(super) fn movable(&self, channel: Ix, field: &str) -> Result<Ix, Refusal> {
        let live = &self.channels[channel];
        if live.is_up() || (live.is_caller() && !live.is_originated) {
            Ok(channel)
        } else {
            let message = format!("{} is not answered yet and cannot be transferred", live.name);
            Err(conflict(message).with_field(field))
        }
    }
}
