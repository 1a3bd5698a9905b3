//! `hangup`: of a call every channel, of a channel or an extension just that one.

use ami_proto::{Action, actions};
use telepulse_language::{Code, Hangup, Refusal, Target};

use super::{Plan, Rule};
use crate::channel::Ix;
use crate::pbx::Pbx;

/// The channel was named: that it is gone is news to who asked.
const OF_A_CHANNEL: &[Rule] = &[Rule { words: "no such channel", code: Some(Code::NotFound) }];
/// A call or a line shall be over: what is gone already need not be ended.
const OF_A_CALL: &[Rule] = &[Rule { words: "no such channel", code: None }];

impl Pbx {
    pub(super) fn plan_hangup(&self, hangup: &Hangup) -> Result<Plan, Refusal> {
        if hangup.cause.is_some_and(|cause| !(1..=127).contains(&cause)) {
            return Err(Refusal::field("cause", "must be 1 to 127 (Q.850)"));
        }
        let (channels, rules) = match &hangup.target {
            Target::Call(id) => (self.ends_of(self.find_call(id)?), OF_A_CALL),
            Target::Channel(channel) => (vec![self.find_channel(channel)?], OF_A_CHANNEL),
            Target::Agent(number) => (vec![self.find_line(number)?], OF_A_CALL),
        };
        let end = |channel: &Ix| -> Action {
            actions::hangup(&self.channels[*channel].name, hangup.cause)
        };
        Ok(Plan::new(channels.iter().map(end).collect()).rules(rules))
    }

    /// The phones and trunks of a call, the caller's first; its `Local/` halves end with them.
    fn ends_of(&self, call: Ix) -> Vec<Ix> {
        let all = &self.calls[call].channels;
        let mut ends: Vec<Ix> =
            all.iter().copied().filter(|channel| !self.channels[*channel].is_local).collect();
        if ends.is_empty() {
            ends.clone_from(all);
        }
        ends.sort_by_key(|channel| !self.channels[*channel].is_caller());
        ends
    }
}
