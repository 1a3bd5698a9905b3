//! Queue membership: log on, log off, pause; what is so already needs no action.

use ami_proto::actions::{self, QueueMember};
use telepulse_language::{Code, QueueAdd, QueueRemove, Refusal};

use super::{Plan, Rule, not_found};
use crate::pbx::Pbx;
use crate::queue::{Member, Queue};

const ADD: &[Rule] = &[
    Rule { words: "already there", code: None },
    Rule { words: "no such queue", code: Some(Code::NotFound) },
];
const REMOVE: &[Rule] = &[
    Rule { words: "not there", code: Some(Code::NotFound) },
    Rule { words: "no such queue", code: Some(Code::NotFound) },
    Rule { words: "not dynamic", code: Some(Code::Conflict) },
];
const PAUSE: &[Rule] = &[Rule { words: "interface not found", code: Some(Code::NotFound) }];

impl Pbx {
    pub(super) fn plan_queue_add(&self, add: &QueueAdd) -> Result<Plan, Refusal> {
        let queue = self.find_queue(&add.queue)?;
        if let Some(member) = self.member_of(queue, &add.agent) {
            let differs = add.penalty.filter(|penalty| *penalty != member.penalty);
            let penalty = differs.map(|penalty| {
                actions::queue_penalty(Some(&queue.name), &member.interface, penalty)
            });
            return Ok(Plan::new(penalty.into_iter().collect()).rules(PAUSE));
        }
        let agent = self.find_extension(&add.agent, "agent")?;
        let member = QueueMember {
            interface: self.extensions[agent].device.to_string(),
            name: add.name.as_ref().map(ToString::to_string),
            penalty: add.penalty,
            ..QueueMember::default()
        };
        Ok(Plan::new(vec![actions::queue_add(&queue.name, &member)]).rules(ADD))
    }

    pub(super) fn plan_queue_remove(&self, remove: &QueueRemove) -> Result<Plan, Refusal> {
        let queue = self.find_queue(&remove.queue)?;
        let member = self.find_member(queue, &remove.agent)?;
        let action = actions::queue_remove(&queue.name, &member.interface);
        Ok(Plan::new(vec![action]).rules(REMOVE))
    }

    pub(super) fn plan_queue_pause(
        &self,
        agent: &str,
        queue: Option<&str>,
        is_paused: bool,
        reason: Option<&str>,
    ) -> Result<Plan, Refusal> {
        let members: Vec<(&Queue, &Member)> = match queue {
            Some(name) => {
                let queue = self.find_queue(name)?;
                vec![(queue, self.find_member(queue, agent)?)]
            }
            None => self.memberships(agent).collect(),
        };
        if members.is_empty() {
            return Err(not_found("agent", format!("{agent} is a member of no queue")));
        }
        let is_so = |member: &Member| {
            member.is_paused == is_paused
                && (!is_paused || reason.is_none_or(|reason| *member.reason == *reason))
        };
        let actions = members
            .into_iter()
            .filter(|(_, member)| !is_so(member))
            .map(|(queue, member)| {
                actions::queue_pause(Some(&queue.name), &member.interface, is_paused, reason)
            })
            .collect();
        Ok(Plan::new(actions).rules(PAUSE))
    }

    fn find_queue(&self, name: &str) -> Result<&Queue, Refusal> {
        self.queue(name).ok_or_else(|| {
            let server = &self.config.server;
            not_found("queue", format!("there is no queue {name:?} on server {server:?}"))
        })
    }

    fn find_member<'q>(&self, queue: &'q Queue, agent: &str) -> Result<&'q Member, Refusal> {
        self.member_of(queue, agent).ok_or_else(|| {
            not_found("agent", format!("{agent} is no member of queue {:?}", &*queue.name))
        })
    }

    fn member_of<'q>(&self, queue: &'q Queue, agent: &str) -> Option<&'q Member> {
        queue.members.iter().find(|member| self.agent_of_member(member) == agent)
    }

    /// The queues in which an extension serves.
    pub(super) fn memberships<'p>(
        &'p self,
        agent: &'p str,
    ) -> impl Iterator<Item = (&'p Queue, &'p Member)> {
        self.queues.iter().filter_map(move |queue| Some((queue, self.member_of(queue, agent)?)))
    }
}
