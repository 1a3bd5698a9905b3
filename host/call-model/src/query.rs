//! What a query answers: the model as it stands, in the language's items.

use std::collections::BTreeSet;

use telepulse_language::{
    Agent, Call, CallChannel, Caller, Filter, Lines, Query, QueryKind, Queue, Snapshot, User,
};

use crate::call::Call as LiveCall;
use crate::pbx::Pbx;
use crate::queue::Queue as LiveQueue;
use crate::snapshot::State;

/// Whether an optional scope value passes a filter's list: what has none is let through.
fn passes(list: Option<&BTreeSet<String>>, value: Option<&str>) -> bool {
    match (list, value) {
        (Some(list), Some(value)) => list.contains(value),
        _ => true,
    }
}

impl Pbx {
    /// What was asked for, as far as the query's filter lets it through; the other lists stay
    /// empty. Servers are not the model's to list.
    pub fn query(&self, query: &Query) -> Snapshot {
        let filter = &query.filter;
        let mut found = Snapshot::default();
        if !passes(filter.servers.as_ref(), Some(&self.config.server)) {
            return found;
        }
        let wants =
            |kind: QueryKind| matches!(query.query, QueryKind::Snapshot) || query.query == kind;
        if wants(QueryKind::Calls) {
            found.calls = self.list_calls(filter);
        }
        if wants(QueryKind::Lines) {
            found.lines = self.list_lines(filter);
        }
        if wants(QueryKind::Users) {
            found.users = self.list_users(filter);
        }
        if wants(QueryKind::Queues) {
            found.queues = self.list_queues(filter);
        }
        if wants(QueryKind::Agents) {
            let queues = self.queues.iter();
            found.agents = queues.flat_map(|queue| self.list_members(queue, filter)).collect();
            found.agents.sort_by(|a, b| (&a.queue, &a.agent).cmp(&(&b.queue, &b.agent)));
        }
        found
    }

    fn list_calls(&self, filter: &Filter) -> Vec<Call> {
        let mut calls: Vec<Call> = self
            .calls
            .iter()
            .map(|(_, call)| self.call_item(call))
            .filter(|call| {
                let agents = || call.channels.iter().filter_map(|channel| channel.agent.as_ref());
                let agents_pass = filter.agents.as_ref().is_none_or(|wanted| {
                    agents().next().is_none() || agents().any(|agent| wanted.contains(agent))
                });
                agents_pass && passes(filter.queues.as_ref(), call.queue.as_deref())
            })
            .collect();
        calls.sort_by(|a, b| (a.started, &a.call).cmp(&(b.started, &b.call)));
        calls
    }

    fn call_item(&self, call: &LiveCall) -> Call {
        let channels = call.channels.iter().map(|ix| &self.channels[*ix]);
        let is_ringing = channels.clone().any(|channel| channel.state == State::Ringing);
        Call {
            call: call.id.clone(),
            server: self.config.server.clone(),
            state: call.state(is_ringing),
            started: call.started,
            answered: call.answered,
            from: call.from.number.to_string(),
            to: call.to.to_string(),
            queue: call.queue.as_ref().map(ToString::to_string),
            channels: channels
                .map(|channel| CallChannel {
                    channel: channel.name.to_string(),
                    agent: channel.agent.map(|agent| self.extensions[agent].number.to_string()),
                    number: channel.caller.number.to_string(),
                    state: channel.state.word().to_owned(),
                })
                .collect(),
        }
    }

    fn list_lines(&self, filter: &Filter) -> Vec<Lines> {
        let mut lines: Vec<Lines> = self
            .extensions
            .iter()
            .filter(|extension| !extension.told.lines.is_empty())
            .filter(|extension| passes(filter.agents.as_ref(), Some(&extension.number)))
            .map(|extension| Lines {
                agent: extension.number.to_string(),
                server: self.config.server.clone(),
                lines: extension.told.lines.clone(),
            })
            .collect();
        lines.sort_by(|a, b| a.agent.cmp(&b.agent));
        lines
    }

    fn list_users(&self, filter: &Filter) -> Vec<User> {
        let mut users: Vec<User> = self
            .extensions
            .iter()
            .filter(|extension| passes(filter.agents.as_ref(), Some(&extension.number)))
            .map(|extension| User {
                agent: extension.number.to_string(),
                server: self.config.server.clone(),
                status: extension.user(),
                extension_status: extension.status(),
                device: extension.device.to_string(),
                name: None,
                presence: None,
            })
            .collect();
        users.sort_by(|a, b| a.agent.cmp(&b.agent));
        users
    }

    fn list_queues(&self, filter: &Filter) -> Vec<Queue> {
        let mut queues: Vec<Queue> = self
            .queues
            .iter()
            .filter(|queue| passes(filter.queues.as_ref(), Some(&queue.name)))
            .map(|queue| Queue {
                queue: queue.name.to_string(),
                server: self.config.server.clone(),
                count: queue.count(),
                callers: self.list_callers(queue),
                members: self.list_members(queue, filter),
            })
            .collect();
        queues.sort_by(|a, b| a.queue.cmp(&b.queue));
        queues
    }

    fn list_callers(&self, queue: &LiveQueue) -> Vec<Caller> {
        (1..)
            .zip(&queue.callers)
            .map(|(position, waiting)| Caller {
                call: match self.by_uniqueid.get(&waiting.uniqueid) {
                    Some(channel) => self.calls[self.channels[*channel].call].id.clone(),
                    None => self.call_id(&waiting.uniqueid),
                },
                number: waiting.party.number.to_string(),
                name: waiting.party.name.to_string(),
                position,
                since: waiting.since,
            })
            .collect()
    }

    fn list_members(&self, queue: &LiveQueue, filter: &Filter) -> Vec<Agent> {
        let mut members: Vec<Agent> = queue
            .members
            .iter()
            .map(|member| {
                let told = member.tell();
                Agent {
                    agent: self.agent_of_member(member).to_owned(),
                    queue: queue.name.to_string(),
                    server: self.config.server.clone(),
                    status: told.status,
                    reason: told.reason,
                    penalty: told.penalty,
                    calls_taken: told.calls_taken,
                    last_call: told.last_call,
                    name: member.name.to_string(),
                }
            })
            .filter(|member| {
                passes(filter.agents.as_ref(), Some(&member.agent))
                    && passes(filter.queues.as_ref(), Some(&member.queue))
            })
            .collect();
        members.sort_by(|a, b| a.agent.cmp(&b.agent));
        members
    }
}
