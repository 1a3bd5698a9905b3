//! Commands about conferences, refused where there is none.

use ami_proto::{Action, actions};
use telepulse_language::{Code, ConferenceMember, Refusal};

use super::{Effect, Plan, Rule, conflict};
use crate::conferences::Conference;
use crate::pbx::Pbx;

/// What ConfBridge calls everybody.
const ALL: &str = "all";

const RULES: &[Rule] = &[
    Rule { words: "no conference by that name", code: Some(Code::NotFound) },
    Rule { words: "no channel by that name", code: Some(Code::Conflict) },
];

impl Pbx {
    pub(super) fn plan_kick(&self, member: &ConferenceMember) -> Result<Plan, Refusal> {
        let room = self.find_conference(&member.conference)?;
        let channel = self.find_member_of(room, member)?;
        Ok(Plan::new(vec![actions::confbridge_kick(&room.name, channel)]).rules(RULES))
    }

    pub(super) fn plan_conference_mute(
        &self,
        member: &ConferenceMember,
        is_muted: bool,
    ) -> Result<Plan, Refusal> {
        let room = self.find_conference(&member.conference)?;
        let named = self.find_member_of(room, member)?;
        let mut meant = room
            .members
            .iter()
            .filter(|member| named == ALL || *self.channels[member.channel].name == *named);
        if meant.all(|member| member.is_muted == is_muted) {
            return Ok(Plan::nothing());
        }
        let action: Action = actions::confbridge_mute(&room.name, named, is_muted);
        Ok(Plan::new(vec![action]).rules(RULES))
    }

    pub(super) fn plan_lock(&self, name: &str, is_locked: bool) -> Result<Plan, Refusal> {
        let room = self.find_conference(name)?;
        if room.is_locked == is_locked {
            return Ok(Plan::nothing());
        }
        let effect = Effect::Lock(room.name.clone(), is_locked);
        let action = actions::confbridge_lock(&room.name, is_locked);
        Ok(Plan::new(vec![action]).effects(vec![effect]).rules(RULES))
    }

    fn find_conference(&self, name: &str) -> Result<&Conference, Refusal> {
        let room = self.by_conference.get(name).ok_or_else(|| self.no_conference())?;
        Ok(&self.conferences[*room])
    }

    /// The member's channel as Asterisk names it, or the word for everybody.
    fn find_member_of(
        &self,
        room: &Conference,
        member: &ConferenceMember,
    ) -> Result<&str, Refusal> {
        let Some(channel) = &member.channel else { return Ok(ALL) };
        let channel = self.find_channel(channel)?;
        let name = &self.channels[channel].name;
        if room.members.iter().any(|member| member.channel == channel) {
            Ok(name)
        } else {
            let message = format!("{name} is not in conference {:?}", &*room.name);
            Err(conflict(message).with_field("channel"))
        }
    }
}
