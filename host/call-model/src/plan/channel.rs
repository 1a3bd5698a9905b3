//! Commands about one channel: keys, silence, variables.

use ami_proto::actions;
use telepulse_language::{Code, Dtmf, GetVariable, Hearing, Mute, Refusal, SetVariable};

use super::{Effect, Plan, Rule};
use crate::pbx::Pbx;

const RULES: &[Rule] = &[
    Rule { words: "no such channel", code: Some(Code::Conflict) },
    Rule { words: "channel not found", code: Some(Code::Conflict) },
    Rule { words: "channel not specified", code: Some(Code::Conflict) },
];

impl Pbx {
    pub(super) fn plan_dtmf(&self, dtmf: &Dtmf) -> Result<Plan, Refusal> {
        let channel = &self.channels[self.find_channel(&dtmf.channel)?];
        let press = |digit: char| actions::play_dtmf(&channel.name, digit);
        Ok(Plan::new(dtmf.digits.chars().map(press).collect()).rules(RULES))
    }

    pub(super) fn plan_mute(&self, mute: &Mute, is_muted: bool) -> Result<Plan, Refusal> {
        let channel = &self.channels[self.find_channel(&mute.channel)?];
        let direction = match mute.hearing {
            Hearing::Said => "in",
            Hearing::Heard => "out",
            Hearing::Both => "all",
        };
        let effect = (mute.hearing != Hearing::Heard)
            .then(|| Effect::Mute(channel.uniqueid.clone(), is_muted));
        let action = actions::mute_audio(&channel.name, direction, is_muted);
        Ok(Plan::new(vec![action]).effects(effect.into_iter().collect()).rules(RULES))
    }

    pub(super) fn plan_set_variable(&self, set: &SetVariable) -> Result<Plan, Refusal> {
        let channel = &self.channels[self.find_channel(&set.channel)?];
        let action = actions::set_var(Some(&channel.name), &set.name, &set.value);
        Ok(Plan::new(vec![action]).rules(RULES))
    }

    pub(super) fn plan_get_variable(&self, get: &GetVariable) -> Result<Plan, Refusal> {
        let channel = &self.channels[self.find_channel_or_first(&get.channel)?];
        let action = actions::get_var(Some(&channel.name), &get.name);
        Ok(Plan::new(vec![action]).reads("Value", "value").rules(RULES))
    }
}
