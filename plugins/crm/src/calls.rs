//! Calls with the world outside, and whose phones ring or talk in them: what pops up where, and who is to know what
//! of the caller. Pure.

use crate::number::{Number, Plan};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use telepulse_plugin_sdk::language::{Direction, Line, LineState, Popup, PopupReason, PopupState};

/// The most calls that are followed at a time; beyond, the oldest is forgotten.
const MOST: usize = 8_192;

/// What is to be told or done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// An extension's page shows something else.
    Popup { server: String, agent: String, popup: Popup },
    /// Somebody has to be told what is known of the caller: nothing new.
    Tell { call: String, agent: String },
    /// Nobody knows yet who calls.
    LookUp { call: String },
    /// Another extension rings or talks in a call whose caller is being looked up.
    Joined { call: String },
}

/// What is known of a caller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Caller {
    /// Nobody was asked.
    #[default]
    Unasked,
    /// Somebody was asked.
    Asked,
    /// This; null where nobody knows the number.
    Known(Value),
}

impl Caller {
    /// What is known, if somebody was asked and answered.
    pub(crate) fn info(&self) -> Option<&Value> {
        match self {
            Self::Known(info) => Some(info),
            Self::Unasked | Self::Asked => None,
        }
    }
}

/// A call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) server: String,
    /// The other side's number.
    pub(crate) number: Number,
    pub(crate) caller: Caller,
    pub(crate) is_out: bool,
    /// Extensions that see it now.
    agents: BTreeMap<String, Side>,
    /// Extensions that ever talked in it, the last one last.
    pub(crate) talked: Vec<String>,
    /// Those, and those whose phone only rang.
    pub(crate) ever: BTreeSet<String>,
}

/// An extension in a call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Side {
    is_up: bool,
    /// Somebody was told of it: what comes from an outage is no news.
    is_shown: bool,
    /// Nobody wants to see it any more.
    is_closed: bool,
}

impl Call {
    /// Extensions that ring or talk in it.
    pub(crate) fn agents(&self) -> impl Iterator<Item = &String> {
        self.agents.keys()
    }
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Calls {
    known: BTreeMap<String, Call>,
    /// The oldest first; those that are over may stand here still.
    order: VecDeque<String>,
    /// By server and extension.
    lines: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Calls {
    pub(crate) fn get(&self, call: &str) -> Option<&Call> {
        self.known.get(call)
    }

    /// Calls with this number.
    pub(crate) fn with(&self, e164: &str) -> Vec<String> {
        let calls = self.known.iter().filter(|(_, call)| call.number.e164 == e164);
        calls.map(|(id, _)| id.clone()).collect()
    }

    /// An extension's lines have changed: they are these. What is no news is remembered, and told when it comes again.
    pub(crate) fn lines(
        &mut self,
        plan: &Plan,
        (server, agent): (&str, &str),
        lines: &[Line],
        is_news: bool,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut present = BTreeSet::new();
        for line in lines {
            if self.follow(plan, server, line) {
                present.insert(line.call.to_string());
                if is_news || !self.is_at(&line.call, agent) {
                    self.stand(agent, line, is_news, &mut changes);
                }
            }
        }
        let agents = self.lines.entry(server.to_owned()).or_default();
        let before = agents.remove(agent).unwrap_or_default();
        for call in before.difference(&present) {
            changes.extend(self.leave(call, agent));
        }
        if !present.is_empty() {
            self.lines.entry(server.to_owned()).or_default().insert(agent.to_owned(), present);
        }
        changes
    }

    /// Whether a line is of a call that is followed, from now on if not before.
    fn follow(&mut self, plan: &Plan, server: &str, line: &Line) -> bool {
        let id = line.call.as_str();
        if self.known.contains_key(id) {
            return true;
        }
        // Whoever dials sees nothing before somebody answers.
        if line.state == LineState::Dialing {
            return false;
        }
        let Some(number) = plan.read(&line.number) else { return false };
        let call = Call {
            server: server.to_owned(),
            number,
            caller: Caller::Unasked,
            is_out: line.direction == Direction::Out,
            agents: BTreeMap::new(),
            talked: Vec::new(),
            ever: BTreeSet::new(),
        };
        self.add(id, call);
        true
    }

    fn is_at(&self, id: &str, agent: &str) -> bool {
        self.known.get(id).is_some_and(|call| call.agents.contains_key(agent))
    }

    /// An extension stands in a call as its line says.
    fn stand(&mut self, agent: &str, line: &Line, is_news: bool, changes: &mut Vec<Change>) {
        let id = line.call.as_str();
        let is_up = match line.state {
            LineState::Ringing => false,
            LineState::Dialing => return,
            _ => true,
        };
        let Some(call) = self.known.get_mut(id) else { return };
        let before = call.agents.get(agent).cloned().unwrap_or_default();
        let is_new = !before.is_shown;
        let side = Side { is_up, is_shown: is_news, is_closed: before.is_closed };
        if before == side {
            return;
        }
        call.agents.insert(agent.to_owned(), side.clone());
        call.ever.insert(agent.to_owned());
        if is_up {
            call.talked.retain(|other| other != agent);
            call.talked.push(agent.to_owned());
        }
        if !is_news {
            return;
        }
        if !side.is_closed {
            let state = if is_up { PopupState::Up } else { PopupState::Ringing };
            changes.push(popup(id, call, agent, state, None));
        }
        if is_new {
            let call_id = id.to_owned();
            changes.push(match call.caller {
                Caller::Unasked => {
                    call.caller = Caller::Asked;
                    Change::LookUp { call: call_id }
                }
                Caller::Asked => Change::Joined { call: call_id },
                Caller::Known(_) => Change::Tell { call: call_id, agent: agent.to_owned() },
            });
        }
    }

    fn add(&mut self, id: &str, call: Call) {
        self.order.push_back(id.to_owned());
        self.known.insert(id.to_owned(), call);
        while self.order.len() > MOST {
            let Some(oldest) = self.order.pop_front() else { break };
            self.known.remove(&oldest);
        }
    }

    /// An extension is not in a call any more.
    fn leave(&mut self, id: &str, agent: &str) -> Option<Change> {
        let call = self.known.get_mut(id)?;
        let side = call.agents.remove(agent)?;
        if side.is_closed || !side.is_shown {
            return None;
        }
        let is_talked = call.agents.values().any(|side| side.is_up);
        let (state, reason) = match (side.is_up, is_talked) {
            (true, _) => (PopupState::Closed, PopupReason::OnHook),
            (false, true) => (PopupState::Down, PopupReason::AnsweredElsewhere),
            (false, false) => (PopupState::Down, PopupReason::NotAnswered),
        };
        Some(popup(id, call, agent, state, Some(reason)))
    }

    /// Somebody closes what popped up at an extension; the error is for whoever does.
    pub(crate) fn close(&mut self, id: &str, agent: &str) -> Option<Change> {
        let call = self.known.get_mut(id)?;
        let side = call.agents.get_mut(agent).filter(|side| !side.is_closed)?;
        side.is_closed = true;
        Some(popup(id, call, agent, PopupState::Closed, Some(PopupReason::ByHand)))
    }

    /// It is known who calls; answers whom to tell.
    pub(crate) fn tell(&mut self, id: &str, info: &Value) -> Vec<String> {
        let Some(call) = self.known.get_mut(id) else { return Vec::new() };
        call.caller = Caller::Known(info.clone());
        call.agents.keys().cloned().collect()
    }

    /// It could not be found out who calls: whoever joins may have more luck.
    pub(crate) fn unknown(&mut self, id: &str) {
        if let Some(call) = self.known.get_mut(id)
            && call.caller == Caller::Asked
        {
            call.caller = Caller::Unasked;
        }
    }

    /// A call is over.
    pub(crate) fn end(&mut self, id: &str) -> (Option<Call>, Vec<Change>) {
        let agents: Vec<String> =
            self.known.get(id).map_or_else(Vec::new, |call| call.agents.keys().cloned().collect());
        let changes = agents.iter().filter_map(|agent| self.leave(id, agent)).collect();
        let ended = self.known.remove(id);
        if let Some(call) = &ended {
            self.order.retain(|other| other != id);
            if let Some(lines) = self.lines.get_mut(&call.server) {
                for agent in agents {
                    if let Some(calls) = lines.get_mut(&agent) {
                        calls.remove(id);
                    }
                }
            }
        }
        (ended, changes)
    }
}

fn popup(
    id: &str,
    call: &Call,
    agent: &str,
    state: PopupState,
    reason: Option<PopupReason>,
) -> Change {
    Change::Popup {
        server: call.server.clone(),
        agent: agent.to_owned(),
        popup: Popup { call: id.into(), number: call.number.e164.as_str().into(), state, reason },
    }
}

#[cfg(test)]
mod tests;
