//! Which channels are one call: by Linkedid, and by talking with each other.

use telepulse_language::{Disposition, SmolStr};

use crate::call::{Call, Ending};
use crate::channel::{Ix, Party};
use crate::pbx::{Out, Pbx};

impl Pbx {
    /// A new channel joins its Linkedid's call, or begins one.
    pub(crate) fn join_call(&mut self, ix: Ix, out: &mut Out<'_>) {
        let channel = &self.channels[ix];
        let is_first = channel.uniqueid == channel.linkedid;
        let call = match self.by_linkedid.get(&channel.linkedid) {
            Some(&call) => call,
            None => self.new_call(ix),
        };
        self.channels[ix].call = call;
        let had_channels = !self.calls[call].channels.is_empty();
        self.calls[call].channels.push(ix);
        if is_first && self.calls[call].first.is_none() {
            self.calls[call].first = Some(ix);
        }
        self.learn_parties(ix);
        let channel = &self.channels[ix];
        let call = &mut self.calls[call];
        if had_channels {
            call.has_others |= !channel.is_local;
        } else if channel.agent.is_none() {
            self.tell_started(ix, None, out);
        }
    }

    fn new_call(&mut self, ix: Ix) -> Ix {
        let channel = &self.channels[ix];
        let linkedid = channel.linkedid.clone();
        let call = self.calls.insert(Call {
            id: self.ended.fresh(self.call_id(&linkedid)),
            linkedids: vec![linkedid.clone()],
            channels: Vec::new(),
            first: None,
            started: channel.created,
            answered: None,
            from: Party::default(),
            to: SmolStr::default(),
            queue: self.sync.call_queues.get(&linkedid).cloned(),
            agents: Vec::new(),
            picked_up: None,
            has_others: false,
            dial_status: None,
            ending: Ending::default(),
            recordings: Vec::new(),
        });
        self.by_linkedid.insert(linkedid, call);
        call
    }

    /// Fills in who calls whom, as soon as a channel knows.
    pub(crate) fn learn_parties(&mut self, ix: Ix) {
        let channel = &self.channels[ix];
        let call = &mut self.calls[channel.call];
        if channel.is_caller() {
            if call.first.is_some_and(|first| first != ix) {
                return;
            }
            if call.from.number.is_empty() {
                let own = channel.agent.map(|agent| &self.extensions[agent].number);
                let number = own.unwrap_or(&channel.caller.number).clone();
                call.from = Party { number, name: channel.caller.name.clone() };
            }
            if call.to.is_empty() {
                call.to = channel.dialled.clone();
            }
        } else if call.first.is_none() && call.from.number.is_empty() {
            call.from = channel.connected.clone();
        }
    }

    /// A channel's Linkedid is another now: its call and that one's are one.
    pub(crate) fn relink(&mut self, ix: Ix, linkedid: &str, out: &mut Out<'_>) {
        self.channels[ix].linkedid = linkedid.into();
        let call = self.channels[ix].call;
        if let Some(&other) = self.by_linkedid.get(linkedid) {
            self.merge(call, other, out);
        } else {
            self.calls[call].linkedids.push(linkedid.into());
            self.by_linkedid.insert(linkedid.into(), call);
        }
    }

    /// Who talks with each other is in one call (a pickup, an attended transfer).
    pub(crate) fn merge_in_bridge(&mut self, channel: Ix, bridge: Ix, out: &mut Out<'_>) {
        for at in 0..self.bridges[bridge].members.len() {
            let member = self.bridges[bridge].members[at];
            self.merge(self.channels[channel].call, self.channels[member].call, out);
        }
    }

    /// Makes two calls one: the older stays, the other ends in it.
    fn merge(&mut self, a: Ix, b: Ix, out: &mut Out<'_>) {
        if a == b {
            return;
        }
        let age = |call: Ix| (self.calls[call].started, &self.calls[call].id);
        let (kept, gone) = if age(a) <= age(b) { (a, b) } else { (b, a) };
        let merged = self.calls.remove(gone);
        for &channel in &merged.channels {
            self.channels[channel].call = kept;
        }
        for linkedid in &merged.linkedids {
            self.by_linkedid.insert(linkedid.clone(), kept);
        }
        let call = &mut self.calls[kept];
        let into = call.id.clone();
        call.linkedids.extend(merged.linkedids.iter().cloned());
        call.channels.extend(&merged.channels);
        call.first = call.first.or(merged.first);
        call.recordings.extend(merged.recordings.iter().cloned());
        call.has_others = true;
        call.answered = call.answered.or(merged.answered);
        if call.queue.is_none() {
            call.queue.clone_from(&merged.queue);
        }
        for part in &merged.agents {
            if call.part(part.agent).is_none() {
                call.agents.push(*part);
            }
        }
        self.ended.add(&merged.id);
        self.tell_ended(&merged, Disposition::Merged, Some(into), out);
        self.touch_call(kept);
    }
}
