//! Queues as events tell of them: members log on, pause and serve; callers wait.

use ami_proto::Message;
use telepulse_language::{
    AgentComplete, CallerChange, MemberStatus, QueueCaller, QueueCount, SmolStr, Timestamp,
};

use crate::channel::{Ix, Party};
use crate::pbx::{Out, Pbx};
use crate::queue::{Member, Queue, Waiting};
use crate::snapshot::Snapshot;
use crate::text::{field, name, number};

impl Pbx {
    pub(crate) fn queue(&self, name: &str) -> Option<&Queue> {
        self.queues.iter().find(|queue| *queue.name == *name)
    }

    /// The queue of a message, made if it is new.
    pub(crate) fn queue_of(&mut self, message: &Message) -> Option<Ix> {
        let name = field(message, "Queue");
        if name.is_empty() {
            return None;
        }
        let round = self.sync.round;
        let queue =
            self.queues.iter().position(|queue| *queue.name == *name).unwrap_or_else(|| {
                self.queues.push(Queue::new(name, round));
                self.queues.len() - 1
            });
        self.queues[queue].seen = round;
        Some(queue)
    }

    /// Events that hold a member's whole state.
    pub(crate) fn on_member(&mut self, message: &Message, out: &mut Out<'_>) {
        let key = (field(message, "Queue").into(), Member::interface_of(message).into());
        self.sync.removed.remove(&key);
        self.member(message, out);
    }

    /// Takes in what an event or a list item says of a member.
    pub(crate) fn member(&mut self, message: &Message, out: &mut Out<'_>) {
        let interface = Member::interface_of(message);
        let Some(queue) = self.queue_of(message).filter(|_| !interface.is_empty()) else { return };
        let found = self.queues[queue].member(interface);
        let at = found.unwrap_or_else(|| {
            self.queues[queue].members.push(Member::default());
            self.queues[queue].members.len() - 1
        });
        let round = self.sync.round;
        let member = &mut self.queues[queue].members[at];
        member.update(message);
        member.seen = round;
        let told = member.tell();
        if member.told.as_ref() == Some(&told) {
            return;
        }
        member.told = Some(told.clone());
        let name = member.name.clone();
        let queue = &self.queues[queue];
        let agent = self.agent_of_member(&queue.members[at]);
        self.tell(Some(&agent), Some(&queue.name), told, out);
        self.learn_member_name(&agent, &name);
    }

    pub(crate) fn on_member_removed(&mut self, message: &Message, out: &mut Out<'_>) {
        let interface = Member::interface_of(message);
        if self.sync.is_running {
            let key = (field(message, "Queue").into(), interface.into());
            self.sync.removed.insert(key);
        }
        let Some(queue) = self.queue_of(message) else { return };
        if let Some(member) = self.queues[queue].member(interface) {
            self.remove_member(queue, member, out);
        }
    }

    pub(crate) fn remove_member(&mut self, queue: Ix, member: Ix, out: &mut Out<'_>) {
        let member = self.queues[queue].members.remove(member);
        let mut told = member.tell();
        told.status = MemberStatus::LoggedOff;
        told.reason = None;
        let agent = self.agent_of_member(&member);
        self.tell(Some(&agent), Some(&self.queues[queue].name), told, out);
    }

    pub(crate) fn on_caller_join(&mut self, message: &Message, out: &mut Out<'_>) {
        let Some(snapshot) = Snapshot::read(message) else { return };
        let Some(channel) = self.see(&snapshot, out) else {
            return self.keep_early("Uniqueid", message, out);
        };
        let Some(queue) = self.queue_of(message) else { return };
        let caller = Waiting {
            uniqueid: snapshot.uniqueid.into(),
            party: Party {
                number: snapshot.caller_number.into(),
                name: (&*snapshot.caller_name).into(),
            },
            since: out.now,
            seen: self.sync.round,
            has_abandoned: false,
        };
        let key = (self.queues[queue].name.clone(), caller.uniqueid.clone());
        self.sync.left.remove(&key);
        self.insert_caller(queue, caller, number(message, "Position"), out);
        self.tell_count(queue, out);
        self.came_through(channel, queue);
        if self.channels[channel].is_originated && self.channels[channel].is_up() {
            // Whoever waits in a queue has been put through to it.
            self.channels[channel].is_originated = false;
            self.on_up(channel, out);
        }
    }

    /// Puts a caller into a queue at a position from 1, or moves one who waits there already.
    fn insert_caller(
        &mut self,
        queue: Ix,
        mut caller: Waiting,
        position: Option<usize>,
        out: &mut Out<'_>,
    ) {
        let callers = &mut self.queues[queue].callers;
        let known = callers.iter().position(|other| other.uniqueid == caller.uniqueid);
        if let Some(at) = known {
            caller.since = callers.remove(at).since;
        }
        if let Some(&channel) = self.by_uniqueid.get(&caller.uniqueid) {
            self.channels[channel].is_waiting = true;
        }
        let end = callers.len();
        let at = position.map_or(end, |position| position.saturating_sub(1).min(end));
        callers.insert(at, caller);
        if known.is_none() {
            self.tell_caller(queue, at, CallerChange::Joined, out);
        }
    }

    fn tell_caller(&self, queue: Ix, at: Ix, change: CallerChange, out: &mut Out<'_>) {
        let queue = &self.queues[queue];
        let caller = &queue.callers[at];
        let channel = self.by_uniqueid.get(&caller.uniqueid);
        let call = channel.map(|channel| self.calls[self.channels[*channel].call].id.clone());
        let has_gone = change != CallerChange::Joined;
        let details = QueueCaller {
            change,
            call: call.unwrap_or_default(),
            number: self.caller_party(caller).number.clone(),
            name: self.caller_party(caller).name.clone(),
            position: u32::try_from(at + 1).unwrap_or(u32::MAX),
            wait: has_gone.then(|| out.now.seconds_since(caller.since)),
        };
        self.tell(None, Some(&queue.name), details, out);
    }

    /// Who waits: as its channel shows it by now, which may be another than when it came (it was
    /// transferred into the queue, say).
    pub(crate) fn caller_party<'c>(&'c self, caller: &'c Waiting) -> &'c Party {
        match self.by_uniqueid.get(&caller.uniqueid) {
            Some(channel) => &self.channels[*channel].caller,
            None => &caller.party,
        }
    }

    /// A caller waits there no more.
    fn remove_caller(&mut self, queue: Ix, at: Ix, change: CallerChange, out: &mut Out<'_>) {
        let has_abandoned = self.queues[queue].callers[at].has_abandoned;
        let change = if has_abandoned { CallerChange::Abandoned } else { change };
        self.tell_caller(queue, at, change, out);
        self.queues[queue].callers.remove(at);
    }

    /// Callers whom neither listing nor event has seen in this round.
    pub(crate) fn end_lost_callers(&mut self, out: &mut Out<'_>) {
        let round = self.sync.round;
        for queue in 0..self.queues.len() {
            while let Some(at) =
                self.queues[queue].callers.iter().position(|caller| caller.seen != round)
            {
                self.remove_caller(queue, at, CallerChange::Left, out);
            }
            self.tell_count(queue, out);
        }
    }

    /// The call of this channel is, or was, in the queue.
    pub(crate) fn came_through(&mut self, channel: Ix, queue: Ix) {
        let call = self.channels[channel].call;
        let name = &self.queues[queue].name;
        if self.calls[call].queue.as_ref() != Some(name) {
            self.calls[call].queue = Some(name.clone());
            self.touch_call(call);
        }
    }

    pub(crate) fn on_caller_leave(&mut self, message: &Message, out: &mut Out<'_>) {
        self.on_channel_if_known(message, out);
        let uniqueid = field(message, "Uniqueid");
        if !self.by_uniqueid.contains_key(uniqueid) {
            self.forget_early(uniqueid);
        }
        if self.sync.is_running {
            self.sync.left.insert((field(message, "Queue").into(), uniqueid.into()));
        }
        let Some(queue) = self.queue_of(message) else { return };
        if let Some(at) = self.queues[queue].caller(uniqueid) {
            self.remove_caller(queue, at, CallerChange::Left, out);
            self.tell_count(queue, out);
        }
    }

    /// It says why; QueueCallerLeave follows.
    pub(crate) fn on_caller_abandon(&mut self, message: &Message, out: &mut Out<'_>) {
        self.on_channel_if_known(message, out);
        let Some(queue) = self.queue_of(message) else { return };
        if let Some(at) = self.queues[queue].caller(field(message, "Uniqueid")) {
            self.queues[queue].callers[at].has_abandoned = true;
        }
    }

    /// Events at a call's end may come after its channels are gone.
    fn on_channel_if_known(&mut self, message: &Message, out: &mut Out<'_>) {
        if self.known_channel(message, "Uniqueid").is_some() {
            self.on_channel(message, out);
        }
    }

    /// A channel is gone or elsewhere: it waits nowhere any more.
    pub(crate) fn caller_gone(&mut self, uniqueid: &str, change: CallerChange, out: &mut Out<'_>) {
        for queue in 0..self.queues.len() {
            if let Some(at) = self.queues[queue].caller(uniqueid) {
                self.remove_caller(queue, at, change, out);
                self.tell_count(queue, out);
            }
        }
    }

    pub(crate) fn tell_count(&mut self, queue: Ix, out: &mut Out<'_>) {
        let live = &mut self.queues[queue];
        let count = live.count();
        if live.told != Some(count) {
            live.told = Some(count);
            let name = &self.queues[queue].name;
            self.tell(None, Some(name), QueueCount { count }, out);
        }
    }

    /// A member is called or connected: both channels are known to be a queue's.
    pub(crate) fn on_agent_called(&mut self, message: &Message, out: &mut Out<'_>) {
        self.on_channel_if_known(message, out);
        let Some(channel) = self.known_channel(message, "Uniqueid") else { return };
        if let Some(queue) = self.queue_of(message) {
            self.came_through(channel, queue);
        }
    }

    pub(crate) fn on_agent_complete(&mut self, message: &Message, out: &mut Out<'_>) {
        let Some(queue) = self.queue_of(message) else { return };
        let interface = Member::interface_of(message);
        let member = self.queues[queue].member(interface).map(|at| &self.queues[queue].members[at]);
        // A member who logged off in mid-call is known by the interface alone.
        let gone = Member { interface: interface.into(), ..Member::default() };
        let agent = self.agent_of_member(member.unwrap_or(&gone));
        let (call, recordings) = self.completed(message).unzip();
        let recordings = recordings.unwrap_or_default();
        let details = AgentComplete {
            queue: field(message, "Queue").into(),
            unique_id: field(message, "Uniqueid").into(),
            call,
            talk_time: number(message, "TalkTime").unwrap_or(0),
            hold_time: number(message, "HoldTime").unwrap_or(0),
            recording: recordings.last().cloned(),
            recordings,
            reason: field(message, "Reason").into(),
        };
        self.tell(Some(&agent), None, details, out);
    }

    /// The call that an agent is done with, and its recordings: one that lives, or is just over.
    fn completed(&self, message: &Message) -> Option<(SmolStr, Vec<SmolStr>)> {
        let channels = ["Uniqueid", "DestUniqueid"];
        if let Some(channel) = channels.iter().find_map(|key| self.known_channel(message, key)) {
            let call = &self.calls[self.channels[channel].call];
            return Some((call.id.clone(), call.recordings.clone()));
        }
        let over = self.completing.find(field(message, "Linkedid"))?;
        Some((over.call.clone(), over.recordings.clone()))
    }

    /// A caller in a listing (`QueueEntry`).
    pub(crate) fn entry(&mut self, message: &Message, out: &mut Out<'_>) {
        let Some(queue) = self.queue_of(message) else { return };
        let uniqueid = field(message, "Uniqueid");
        let waited: u64 = number(message, "Wait").unwrap_or(0);
        let caller = Waiting {
            uniqueid: uniqueid.into(),
            party: Party {
                number: field(message, "CallerIDNum").into(),
                name: (&*name(message, "CallerIDName")).into(),
            },
            since: Timestamp(out.now.0.saturating_sub(waited.saturating_mul(1000))),
            seen: self.sync.round,
            has_abandoned: false,
        };
        self.insert_caller(queue, caller, number(message, "Position"), out);
        if let Some(&channel) = self.by_uniqueid.get(uniqueid) {
            self.came_through(channel, queue);
        }
    }
}
