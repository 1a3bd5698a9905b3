//! `transfer`: which channel moves, found through bridges and `Local/` chains.

use ami_proto::actions;
use serde_json::json;
use telepulse_language::{Code, Refusal, Target, Transfer, TransferKind};

use super::{Plan, Rule, conflict};
use crate::channel::Ix;
use crate::pbx::Pbx;

const RULES: &[Rule] = &[
    Rule { words: "no such channel", code: Some(Code::Conflict) },
    Rule { words: "does not exist", code: Some(Code::Conflict) },
];

impl Pbx {
    pub(super) fn plan_transfer(&self, transfer: &Transfer) -> Result<Plan, Refusal> {
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
        // A redirected channel leaves its bridge, which lets go whom it talked to: a blind transfer.
        let action = match transfer.kind {
            TransferKind::Blind => {
                actions::redirect(&channel.name, &self.config.context, &transfer.to, "1")
            }
        };
        let call = &self.calls[channel.call].id;
        Ok(Plan::new(vec![action]).result(json!({ "call": call })).rules(RULES))
    }

    /// Whom an extension talks with: that channel goes on alone.
    fn handed_over_by(&self, number: &str) -> Result<Ix, Refusal> {
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
    fn caller_of(&self, call: Ix) -> Result<Ix, Refusal> {
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
    fn movable(&self, channel: Ix, field: &str) -> Result<Ix, Refusal> {
        let live = &self.channels[channel];
        if live.is_up() || (live.is_caller() && !live.is_originated) {
            Ok(channel)
        } else {
            let message = format!("{} is not answered yet and cannot be transferred", live.name);
            Err(conflict(message).with_field(field))
        }
    }
}
