//! A call's way through a queue: joining, being offered to members, being served, giving up.

use crate::centre::{Centre, INTERNAL, Step};
use crate::channel::{Called, ChannelId, Doing, Service, State};
use crate::making::NewChannel;
use crate::queue::{Caller, Queue};
use crate::wire::{Class, Text};

/// From the decision to ring a member to the first ringing of the phone.
const TO_RING_MS: u64 = 60;
/// How long a member's phone rings before the caller is offered to the next one.
const MEMBER_TIMEOUT_MS: u64 = 15_000;
/// What lies between two offers of a caller.
const RETRY_MS: u64 = 1_000;

impl Centre {
    /// Application Queue, and Answer before it.
    pub(crate) fn join(&mut self, channel: ChannelId, queue: &str) {
        let Some(joining) = self.channels.get(&channel) else { return };
        if joining.state != State::Up {
            self.pick_up(channel);
        }
        let now_ms = self.now_ms;
        let Some(found) = self.queue_mut(queue) else { return };
        let position = found.callers.len() + 1;
        found.callers.push(Caller { channel, joined_ms: now_ms, original: position });
        if let Some(joined) = self.channels.get_mut(&channel) {
            joined.priority = 2;
            "Queue".clone_into(&mut joined.application);
            queue.clone_into(&mut joined.data);
            joined.doing = Doing::Queued { queue: queue.to_owned(), rings: None };
        }
        if position == 1 {
            self.tell_device(&format!("Queue:{queue}"), "RINGING");
        }
        let count = position.to_string();
        let more = [("Queue", queue), ("Position", &count), ("Count", &count)];
        self.tell_agent("QueueCallerJoin", channel, None, &more);
        self.tell("MusicOnHoldStart", channel, &[("Class", "default")]);
        self.later(RETRY_MS / 10, Step::Offer(queue.to_owned()));
        let patience = self.pick(self.settings.patience_ms.clone());
        self.later(patience, Step::GiveUp(channel));
    }

    /// An event of queues about a caller, and maybe a member's channel.
    fn tell_agent(
        &mut self,
        name: &str,
        caller: ChannelId,
        member: Option<ChannelId>,
        more: &[(&str, &str)],
    ) {
        let text = self.show(caller, "", self.event(name, Class::Agent));
        let text = match member {
            Some(member) => self.show(member, "Dest", text),
            None => text,
        };
        self.emit(
            Class::Agent,
            more.iter().fold(text, |text, (key, value)| text.field(key, value)),
        );
    }

    fn show(&self, channel: ChannelId, role: &str, text: Text) -> Text {
        match self.channels.get(&channel) {
            Some(shown) => shown.show(role, text),
            None => text,
        }
    }

    /// Rings a free member for each caller that no phone rings for.
    pub(crate) fn offer(&mut self, queue: &str) {
        while let Some(caller) = self.first_unserved(queue)
            && let Some(member) = self.queue_mut(queue).and_then(Queue::take_turn)
        {
            self.offer_to(caller, queue, &member.interface, &member.name);
        }
    }

    fn first_unserved(&self, queue: &str) -> Option<ChannelId> {
        let found = self.queues.iter().find(|found| found.name == queue)?;
        let unserved = |channel: &ChannelId| {
            matches!(self.doing(*channel), Some(Doing::Queued { rings: None, .. }))
        };
        found.callers.iter().map(|caller| caller.channel).find(unserved)
    }

    fn offer_to(&mut self, by: ChannelId, queue: &str, interface: &str, member: &str) {
        let (Some(caller), Some(device)) = (self.channels.get(&by), self.devices.get(interface))
        else {
            return;
        };
        let (from, exten, linkedid) =
            (caller.caller.clone(), caller.exten.clone(), caller.linkedid.clone());
        let party = device.party();
        let offered = Called::Offered { by, queue: queue.to_owned(), since_ms: self.now_ms };
        let callee = self.create(NewChannel {
            device: interface,
            state: State::Down,
            caller: party.clone(),
            context: INTERNAL,
            exten: "s",
            uniqueid: None,
            linkedid: Some(linkedid),
            doing: Doing::Called(offered),
        });
        self.set_doing(by, Doing::Queued { queue: queue.to_owned(), rings: Some(callee) });
        // DialBegin shows the new channel as it was made, though AgentCalled comes before it.
        let begin = self.show(by, "", self.event("DialBegin", Class::Call));
        let begin = self.show(callee, "Dest", begin).field("DialString", interface);
        if let Some(called) = self.channels.get_mut(&callee) {
            called.connected = Some(from);
            called.exten = exten;
            "AppQueue".clone_into(&mut called.application);
            "(Outgoing Line)".clone_into(&mut called.data);
        }
        let more = [("Queue", queue), ("Interface", interface), ("MemberName", member)];
        self.tell_agent("AgentCalled", by, Some(callee), &more);
        self.emit(Class::Call, begin);
        self.connect_line(by, party);
        // Nobody else is offered this member from now on, though the phone does not ring yet.
        self.reserve(interface);
        self.later(TO_RING_MS, Step::Ring(callee));
        self.later(MEMBER_TIMEOUT_MS, Step::NoAnswer(callee));
    }

    /// A member that is about to ring is taken in all its queues; it is told when the phone rings.
    fn reserve(&mut self, interface: &str) {
        for queue in &mut self.queues {
            if let Some(member) = queue.member_mut(interface) {
                member.status = 6;
            }
        }
    }

    /// The member answers.
    pub(crate) fn serve(&mut self, by: ChannelId, callee: ChannelId, queue: &str, since_ms: u64) {
        let Some(interface) = self.channels.get(&callee).map(|callee| callee.device.clone()) else {
            return;
        };
        self.serve_as(by, callee, queue, since_ms, &interface, true);
    }

    /// The same for who took the member's place, and has answered before.
    pub(crate) fn serve_as(
        &mut self,
        by: ChannelId,
        callee: ChannelId,
        queue: &str,
        since_ms: u64,
        interface: &str,
        rings: bool,
    ) {
        let (now_ms, interface) = (self.now_ms, interface.to_owned());
        if rings {
            self.set_state(callee, State::Up);
        }
        self.tell_dial("DialEnd", callee, &[("DialStatus", "ANSWER")]);
        self.tell("MusicOnHoldStop", by, &[]);
        let waited = self.leave(by, queue);
        let hold_s = waited.map_or(0, |caller| now_ms.saturating_sub(caller.joined_ms) / 1000);
        let Some(found) = self.queue_mut(queue) else { return };
        found.hold_s = average(found.hold_s, hold_s, found.completed);
        found.served_in_time += u32::from(hold_s <= found.service_level_s);
        let Some(member) = found.member_mut(&interface) else { return };
        member.in_call = true;
        let member = member.name.clone();
        let more = [
            ("Queue", queue),
            ("Interface", &interface),
            ("MemberName", &member),
            ("HoldTime", &hold_s.to_string()),
            ("RingTime", &(now_ms.saturating_sub(since_ms) / 1000).to_string()),
        ];
        self.tell_agent("AgentConnect", by, Some(callee), &more);
        let service = Service {
            queue: queue.to_owned(),
            interface,
            hold_s,
            since_ms: now_ms,
            caller: by,
            member: callee,
        };
        self.talk(by, callee, Some(service));
        self.record_some(by);
    }

    /// Takes the caller out of the queue.
    fn leave(&mut self, caller: ChannelId, queue: &str) -> Option<Caller> {
        let found = self.queue_mut(queue)?;
        let index = found.callers.iter().position(|waiting| waiting.channel == caller)?;
        let left = found.callers.remove(index);
        let count = found.callers.len();
        if count == 0 {
            self.tell_device(&format!("Queue:{queue}"), "NOT_INUSE");
        }
        let (position, count) = ((index + 1).to_string(), count.to_string());
        let more = [("Queue", queue), ("Position", &position), ("Count", &count)];
        self.tell_agent("QueueCallerLeave", caller, None, &more);
        Some(left)
    }

    /// The member did not answer in time; the caller is offered to the next one.
    pub(crate) fn offer_unanswered(&mut self, by: ChannelId, callee: ChannelId, queue: &str) {
        let Some(device) = self.channels.get(&callee).map(|callee| callee.device.clone()) else {
            return;
        };
        let found = self.queues.iter().find(|found| found.name == queue);
        let member = found.and_then(|found| found.member(&device));
        let name = member.map(|member| member.name.clone()).unwrap_or_default();
        let more = [
            ("Queue", queue),
            ("Interface", &device),
            ("MemberName", &name),
            ("RingTime", &MEMBER_TIMEOUT_MS.to_string()),
        ];
        self.tell_agent("AgentRingNoAnswer", by, Some(callee), &more);
        self.tell_dial("DialEnd", callee, &[("DialStatus", "NOANSWER")]);
        self.withdraw(by, callee, queue);
        self.later(RETRY_MS, Step::Offer(queue.to_owned()));
    }

    /// Stops ringing a member.
    pub(crate) fn withdraw(&mut self, by: ChannelId, callee: ChannelId, queue: &str) {
        self.tell_dial("DialEnd", callee, &[("DialStatus", "CANCEL")]);
        let device = self.remove(callee, super::ending::Cause::UNKNOWN);
        self.set_doing(by, Doing::Queued { queue: queue.to_owned(), rings: None });
        self.freed(device.as_deref());
    }

    /// Tells the device's new state; a member that never got to ring is free again without a word.
    fn freed(&mut self, device: Option<&str>) {
        let Some(name) = device else { return };
        self.refresh(name);
        let Some(status) = self.devices.get(name).map(|device| device.told.of_member()) else {
            return;
        };
        for queue in &mut self.queues {
            if let Some(member) = queue.member_mut(name) {
                member.status = status;
            }
        }
    }

    /// The caller leaves without having been served.
    pub(crate) fn abandon(&mut self, caller: ChannelId, queue: &str, rings: Option<ChannelId>) {
        if let Some(callee) = rings {
            self.withdraw(caller, callee, queue);
        }
        self.tell("MusicOnHoldStop", caller, &[]);
        let now_ms = self.now_ms;
        let Some(found) = self.queue_mut(queue) else { return };
        let waiting = |waiting: &Caller| waiting.channel == caller;
        let Some(index) = found.callers.iter().position(waiting) else { return };
        found.abandoned += 1;
        let more = [
            ("Queue", queue),
            ("Position", &(index + 1).to_string()),
            ("OriginalPosition", &found.callers[index].original.to_string()),
            ("HoldTime", &((now_ms - found.callers[index].joined_ms) / 1000).to_string()),
        ];
        self.tell_agent("QueueCallerAbandon", caller, None, &more);
        self.leave(caller, queue);
    }

    /// The end of a talk that came through a queue.
    pub(crate) fn complete(&mut self, service: &Service, reason: &str) {
        let (now_ms, now_s) = (self.now_ms, self.now_s());
        let talk_s = now_ms.saturating_sub(service.since_ms) / 1000;
        let Some(found) = self.queue_mut(&service.queue) else { return };
        found.talk_s = average(found.talk_s, talk_s, found.completed);
        found.completed += 1;
        let mut name = String::new();
        if let Some(member) = found.member_mut(&service.interface) {
            name.clone_from(&member.name);
            member.calls_taken += 1;
            member.last_call = now_s;
            member.in_call = false;
        }
        let more = [
            ("Queue", service.queue.as_str()),
            ("Interface", &service.interface),
            ("MemberName", &name),
            ("HoldTime", &service.hold_s.to_string()),
            ("TalkTime", &talk_s.to_string()),
            ("Reason", reason),
        ];
        self.tell_agent("AgentComplete", service.caller, Some(service.member), &more);
    }
}

/// As Asterisk forms it: an exponential average, which begins with the first value.
fn average(old: u64, new: u64, count: u32) -> u64 {
    if count == 0 { new } else { (old * 3 + new) / 4 }
}
