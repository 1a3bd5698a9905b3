//! Whom a command is about: calls, channels and extensions by the names that people give them.

use std::collections::BTreeSet;

use telepulse_language::{
    ChannelName, Command, Hangup, LineState, Park, QueueAdd, QueuePause, QueueRemove, QueueUnpause,
    Record, Refusal, Target, Transfer,
};

use super::{conflict, not_found};
use crate::channel::Ix;
use crate::pbx::Pbx;
use crate::snapshot::BridgeKind;

/// What a word can name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Named {
    Extension(Ix),
    Channel(Ix),
    Call(Ix),
}

impl Pbx {
    pub(super) fn find_extension(&self, number: &str, field: &str) -> Result<Ix, Refusal> {
        self.by_number.get(number).copied().ok_or_else(|| self.no_extension(number, field))
    }

    pub(super) fn find_call(&self, id: &str) -> Result<Ix, Refusal> {
        let found = self.calls.iter().find(|(_, call)| call.id == id);
        found.map(|(call, _)| call).ok_or_else(|| self.no_call())
    }

    /// By Uniqueid or by name.
    pub(super) fn find_channel(&self, channel: &ChannelName) -> Result<Ix, Refusal> {
        let by_name = || self.channels.iter().find(|(_, live)| *live.name == **channel);
        self.by_uniqueid
            .get(channel.as_str())
            .copied()
            .or_else(|| by_name().map(|(channel, _)| channel))
            .ok_or_else(|| self.no_channel())
    }

    /// The same, or by a call's id the caller's channel, or who is left of the call.
    pub(super) fn find_channel_or_first(&self, channel: &ChannelName) -> Result<Ix, Refusal> {
        let of_call = || self.main_channel(self.find_call(channel).ok()?);
        self.find_channel(channel).or_else(|refusal| of_call().ok_or(refusal))
    }

    /// The caller's channel, or that of who is left of the call.
    pub(super) fn main_channel(&self, call: Ix) -> Option<Ix> {
        let call = &self.calls[call];
        let is_real = |channel: &Ix| !self.channels[*channel].is_local;
        call.first.filter(is_real).or_else(|| call.channels.iter().copied().find(is_real))
    }

    /// What is said of a target that is not there. The same is said of one that who asks may not
    /// see, so that nobody learns what exists.
    pub fn unknown(&self, command: &Command) -> Refusal {
        match command {
            Command::Dial(dial) => self.no_extension(&dial.from, "from"),
            Command::Hangup(Hangup { target, .. })
            | Command::Transfer(Transfer { target, .. })
            | Command::Record(Record { target, .. })
            | Command::Park(Park { target, .. }) => match target {
                Target::Call(_) => self.no_call(),
                Target::Channel(_) => self.no_channel(),
                Target::Agent(number) => self.no_extension(number, "agent"),
            },
            Command::Spy(_) | Command::Whisper(_) | Command::Barge(_) | Command::Pickup(_) => {
                self.no_target()
            }
            Command::Dtmf(_)
            | Command::Mute(_)
            | Command::Unmute(_)
            | Command::SetVariable(_)
            | Command::GetVariable(_) => self.no_channel(),
            Command::ConferenceKick(_)
            | Command::ConferenceMute(_)
            | Command::ConferenceUnmute(_)
            | Command::ConferenceLock(_)
            | Command::ConferenceUnlock(_) => self.no_conference(),
            Command::Message(message) => self.no_extension(&message.to, "to"),
            Command::QueueAdd(QueueAdd { agent, .. })
            | Command::QueueRemove(QueueRemove { agent, .. })
            | Command::QueuePause(QueuePause { agent, .. })
            | Command::QueueUnpause(QueueUnpause { agent, .. }) => {
                self.no_extension(agent, "agent")
            }
        }
    }

    fn no_extension(&self, number: &str, field: &str) -> Refusal {
        let server = &self.config.server;
        not_found(field, format!("server {server:?} knows no extension {number}"))
    }

    pub(super) fn no_call(&self) -> Refusal {
        let server = &self.config.server;
        not_found("call", format!("there is no such call on server {server:?}; it may be over"))
    }

    fn no_channel(&self) -> Refusal {
        let server = &self.config.server;
        not_found("channel", format!("there is no such channel on server {server:?}"))
    }

    pub(super) fn no_target(&self) -> Refusal {
        let server = &self.config.server;
        not_found(
            "target",
            format!("server {server:?} knows no such extension, channel or call; it may be over"),
        )
    }

    pub(super) fn no_conference(&self) -> Refusal {
        let server = &self.config.server;
        not_found("conference", format!("there is no such conference on server {server:?}"))
    }

    /// What one word names: an extension, a channel or a call.
    pub(super) fn named(&self, word: &str) -> Option<Named> {
        if let Some(&agent) = self.by_number.get(word) {
            return Some(Named::Extension(agent));
        }
        let by_name = || self.channels.iter().find(|(_, live)| *live.name == *word);
        let channel = self.by_uniqueid.get(word).copied();
        if let Some(channel) = channel.or_else(|| by_name().map(|(channel, _)| channel)) {
            return Some(Named::Channel(channel));
        }
        self.calls.iter().find(|(_, call)| *call.id == *word).map(|(call, _)| Named::Call(call))
    }

    /// The one channel of an extension that is meant: of several, the only one that is active (not
    /// on hold, parked or merely ringing). Otherwise the candidates are named.
    pub(super) fn find_line(&self, number: &str) -> Result<Ix, Refusal> {
        let agent = self.find_extension(number, "agent")?;
        let channels = &self.extensions[agent].channels;
        let active = |channel: &Ix| {
            let line = self.channels[*channel].line.map(|(state, _)| state);
            matches!(line, Some(LineState::Up | LineState::Conference | LineState::Dialing))
        };
        match channels.as_slice() {
            [] => Err(conflict(format!("extension {number} is in no call")).with_field("agent")),
            [channel] => Ok(*channel),
            several => {
                let mut active = several.iter().copied().filter(active);
                match (active.next(), active.next()) {
                    (Some(channel), None) => Ok(channel),
                    _ => Err(self.ambiguous(number, several)),
                }
            }
        }
    }

    fn ambiguous(&self, number: &str, channels: &[Ix]) -> Refusal {
        let names: Vec<&str> = channels.iter().map(|ix| &*self.channels[*ix].name).collect();
        conflict(format!(
            "extension {number} has several calls; name one of its channels: {}",
            names.join(", ")
        ))
        .with_field("agent")
    }

    /// The channels that a channel talks with: those in its bridge, and behind them the far ends
    /// of `Local/` chains.
    pub(crate) fn others(&self, channel: Ix) -> Vec<Ix> {
        let mut found = Vec::new();
        let mut passed = vec![channel];
        let mut open = vec![channel];
        while let Some(here) = open.pop() {
            let Some(bridge) = self.channels[here].bridge.map(|bridge| &self.bridges[bridge])
            else {
                continue;
            };
            if !matches!(bridge.kind, BridgeKind::Talk) {
                continue;
            }
            for &member in &bridge.members {
                if passed.contains(&member) {
                    continue;
                }
                passed.push(member);
                if !self.channels[member].is_local {
                    found.push(member);
                } else if let Some(half) = self.other_half(member)
                    && !passed.contains(&half)
                {
                    passed.push(half);
                    open.push(half);
                }
            }
        }
        found
    }

    /// The other half of a `Local/` channel: it is in the same call.
    pub(crate) fn other_half(&self, channel: Ix) -> Option<Ix> {
        let name = crate::channel::other_half(&self.channels[channel].name)?;
        let call = &self.calls[self.channels[channel].call];
        call.channels.iter().copied().find(|ix| *self.channels[*ix].name == *name)
    }

    /// The extensions with a channel in the call, or that had one.
    fn agents_of(&self, call: Ix) -> BTreeSet<String> {
        let call = &self.calls[call];
        let live = call.channels.iter().filter_map(|channel| self.channels[*channel].agent);
        let agents = live.chain(call.agents.iter().map(|part| part.agent));
        agents.map(|agent| self.extensions[agent].number.to_string()).collect()
    }

    pub(super) fn concerned_by(&self, target: &Target) -> Option<BTreeSet<String>> {
        match target {
            Target::Call(id) => Some(self.agents_of(self.find_call(id).ok()?)),
            Target::Channel(channel) => {
                let channel = self.find_channel(channel).ok()?;
                Some(self.agents_of(self.channels[channel].call))
            }
            Target::Agent(number) => {
                let agent = *self.by_number.get(number.as_str())?;
                let mut concerned = BTreeSet::from([number.to_string()]);
                if let Ok(channel) = self.find_line(&self.extensions[agent].number) {
                    concerned.extend(self.agents_of(self.channels[channel].call));
                }
                Some(concerned)
            }
        }
    }

    /// Those who take part in what one word names.
    pub(super) fn concerned_by_name(&self, word: &str) -> Option<BTreeSet<String>> {
        Some(match self.named(word)? {
            Named::Call(call) => self.agents_of(call),
            Named::Channel(channel) => self.agents_of(self.channels[channel].call),
            Named::Extension(agent) => BTreeSet::from([self.number(agent).to_string()]),
        })
    }

    pub(super) fn concerned_by_conference(&self, name: &str) -> Option<BTreeSet<String>> {
        let room = &self.conferences[*self.by_conference.get(name)?];
        let agents = room.members.iter().filter_map(|member| self.channels[member.channel].agent);
        Some(agents.map(|agent| self.number(agent).to_string()).collect())
    }

    pub(super) fn concerned_by_dial(&self, from: &ChannelName) -> Option<BTreeSet<String>> {
        if from.contains('/') {
            // A raw channel may be anywhere; if it is a phone that is known, it is that one's.
            let agent = self.agent_of_device(from);
            let number = agent.map(|agent| self.extensions[agent].number.to_string());
            return Some(number.into_iter().collect());
        }
        self.by_number.contains_key(from.as_str()).then(|| BTreeSet::from([from.to_string()]))
    }

    pub(super) fn concerned_by_queue(
        &self,
        agent: &str,
        queue: Option<&str>,
    ) -> Option<BTreeSet<String>> {
        let has_queue = queue.is_none_or(|name| self.queue(name).is_some());
        let has_agent = self.by_number.contains_key(agent)
            || self.memberships(agent).any(|(on, _)| queue.is_none_or(|name| *on.name == *name));
        (has_queue && has_agent).then(|| BTreeSet::from([agent.to_owned()]))
    }
}
