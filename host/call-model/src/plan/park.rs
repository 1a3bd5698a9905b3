//! `park`: a party waits in a parking lot.

use ami_proto::actions;
use serde_json::json;
use telepulse_language::{Code, Park, Refusal, Target};

use super::{Plan, Rule, conflict};
use crate::channel::Ix;
use crate::pbx::Pbx;

/// The most seconds that a call may be parked: a day.
const MAX_TIMEOUT: u32 = 86_400;

const RULES: &[Rule] = &[
    Rule { words: "does not exist", code: Some(Code::Conflict) },
    Rule { words: "no such channel", code: Some(Code::Conflict) },
    Rule { words: "parking lot", code: Some(Code::NotFound) },
];

impl Pbx {
    pub(super) fn plan_park(&self, park: &Park) -> Result<Plan, Refusal> {
        if park.timeout.is_some_and(|timeout| !(1..=MAX_TIMEOUT).contains(&timeout)) {
            let message = format!("must be 1 to {MAX_TIMEOUT} seconds");
            return Err(Refusal::field("timeout", message));
        }
        let (parked, by) = match &park.target {
            Target::Agent(number) => (self.handed_over_by(number)?, Some(self.find_line(number)?)),
            Target::Channel(channel) => {
                (self.movable(self.find_channel(channel)?, "channel")?, None)
            }
            Target::Call(id) => {
                let call = self.find_call(id)?;
                (self.movable(self.caller_of(call)?, "call")?, None)
            }
        };
        let channel = &self.channels[parked];
        if let Some(space) = &channel.parked {
            let message = format!("{} is parked already, at {}", channel.name, space.number);
            return Err(conflict(message).with_field("call"));
        }
        let told = park.announce_to.as_deref().map(|to| self.told(parked, to)).transpose()?;
        let name = |ix: Ix| &*self.channels[ix].name;
        let action = actions::park(
            &channel.name,
            by.map(name),
            told.map(name),
            park.timeout.map(|seconds| u64::from(seconds) * 1000),
            park.lot.as_deref(),
        );
        let call = &self.calls[channel.call].id;
        Ok(Plan::new(vec![action]).result(json!({ "call": call })).rules(RULES))
    }

    /// The channel of who is told the space: it talks with the one that is parked.
    fn told(&self, parked: Ix, to: &str) -> Result<Ix, Refusal> {
        let agent = self.find_extension(to, "announceTo")?;
        let mut others = self.others(parked).into_iter();
        others.find(|ix| self.channels[*ix].agent == Some(agent)).ok_or_else(|| {
            let message = format!("extension {to} does not talk with who is parked");
            conflict(message).with_field("announceTo")
        })
    }
}
