//! What a query answers: the model as it stands, in the language's items.

use std::collections::BTreeSet;

use telepulse_language::{
    Agent, Call, CallChannel, Caller, ConferenceParty, ConferenceRoom, Filter, Lines, ParkedCall,
    Query, QueryKind, Queue, SmolStr, Snapshot, User,
};

use crate::call::Call as LiveCall;
use crate::conferences::Member;
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

/// What is known, if it is.
fn some(word: &SmolStr) -> Option<SmolStr> {
    (!word.is_empty()).then(|| word.clone())
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
        if wants(QueryKind::Parked) {
            found.parked = self.list_parked(filter);
        }
        if wants(QueryKind::Conferences) {
            found.conferences = self.list_conferences(filter);
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
                    agents().next().is_none()
                        || agents().any(|agent| wanted.contains(agent.as_str()))
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
            from: call.from.number.clone(),
            to: call.to.clone(),
            queue: call.queue.clone(),
            channels: channels
                .map(|channel| CallChannel {
                    channel: channel.name.clone(),
                    agent: channel.agent.map(|agent| self.extensions[agent].number.clone()),
                    number: channel.caller.number.clone(),
                    state: channel.state.word().into(),
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
                agent: extension.number.clone(),
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
                agent: extension.number.clone(),
                server: self.config.server.clone(),
                status: extension.user(),
                extension_status: extension.status(),
                device: extension.device.clone(),
                name: some(&extension.name),
                address: some(&extension.address),
                presence: extension.presence.clone(),
            })
            .collect();
        users.sort_by(|a, b| a.agent.cmp(&b.agent));
        users
    }

    fn list_parked(&self, filter: &Filter) -> Vec<ParkedCall> {
        let mut parked: Vec<ParkedCall> = self
            .channels
            .iter()
            .filter_map(|(_, channel)| Some((channel, channel.parked.as_ref()?)))
            .map(|(channel, space)| ParkedCall {
                call: self.calls[channel.call].id.clone(),
                server: self.config.server.clone(),
                space: space.number.clone(),
                lot: space.lot.clone(),
                channel: channel.name.clone(),
                agent: channel.agent.map(|agent| self.number(agent).clone()),
                number: channel.caller.number.clone(),
                name: channel.caller.name.clone(),
                by: space.by.clone(),
                since: space.since,
                timeout: space.timeout,
            })
            .filter(|parked| passes(filter.agents.as_ref(), parked.agent.as_deref()))
            .collect();
        parked.sort_by(|a, b| (&a.lot, &a.space).cmp(&(&b.lot, &b.space)));
        parked
    }

    fn list_conferences(&self, filter: &Filter) -> Vec<ConferenceRoom> {
        let rooms = self.conferences.iter().map(|(_, room)| ConferenceRoom {
            conference: room.name.clone(),
            server: self.config.server.clone(),
            since: room.since,
            locked: room.is_locked,
            members: room.members.iter().map(|member| self.party_item(member)).collect(),
        });
        let mut rooms: Vec<ConferenceRoom> = rooms
            .filter(|room| {
                let mut agents = room.members.iter().filter_map(|member| member.agent.as_deref());
                filter
                    .agents
                    .as_ref()
                    .is_none_or(|wanted| agents.any(|agent| wanted.contains(agent)))
            })
            .collect();
        rooms.sort_by(|a, b| a.conference.cmp(&b.conference));
        rooms
    }

    fn party_item(&self, member: &Member) -> ConferenceParty {
        let channel = &self.channels[member.channel];
        ConferenceParty {
            channel: channel.name.clone(),
            call: self.calls[channel.call].id.clone(),
            agent: channel.agent.map(|agent| self.number(agent).clone()),
            number: channel.caller.number.clone(),
            name: channel.caller.name.clone(),
            admin: member.is_admin,
            muted: self.is_muted(member.channel),
            talking: member.is_talking,
            since: member.since,
        }
    }

    fn list_queues(&self, filter: &Filter) -> Vec<Queue> {
        let mut queues: Vec<Queue> = self
            .queues
            .iter()
            .filter(|queue| passes(filter.queues.as_ref(), Some(&queue.name)))
            .map(|queue| Queue {
                queue: queue.name.clone(),
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
            .map(|(position, waiting)| {
                let party = self.caller_party(waiting);
                Caller {
                    call: match self.by_uniqueid.get(&waiting.uniqueid) {
                        Some(channel) => self.calls[self.channels[*channel].call].id.clone(),
                        None => self.call_id(&waiting.uniqueid),
                    },
                    number: party.number.clone(),
                    name: party.name.clone(),
                    position,
                    since: waiting.since,
                }
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
                    agent: self.agent_of_member(member).clone(),
                    queue: queue.name.clone(),
                    server: self.config.server.clone(),
                    status: told.status,
                    reason: told.reason,
                    penalty: told.penalty,
                    calls_taken: told.calls_taken,
                    last_call: told.last_call,
                    name: member.name.clone(),
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
