//! A call's start, answer and end, told to each extension that takes part.

use telepulse_language::{CallAnswered, CallEnded, CallStarted, Disposition, SmolStr};

use crate::call::{Call, Part};
use crate::channel::Ix;
use crate::channels::End;
use crate::pbx::{Out, Pbx};
use crate::snapshot::State;

impl Pbx {
    /// Tells an extension of a call that its channel joined, once. One that is called joins when
    /// its phone rings: before that, its channel may come to nothing.
    pub(crate) fn announce(&mut self, ix: Ix, out: &mut Out<'_>) {
        let channel = &self.channels[ix];
        let Some(agent) = channel.agent else { return };
        let joins = channel.is_caller() || channel.state > State::Reserved;
        let call = channel.call;
        if !joins || self.calls[call].part(agent).is_some() {
            return;
        }
        self.calls[call].agents.push(Part { agent, has_answered: false });
        self.tell_started(ix, Some(agent), out);
    }

    pub(crate) fn tell_started(&self, ix: Ix, agent: Option<Ix>, out: &mut Out<'_>) {
        let channel = &self.channels[ix];
        let call = &self.calls[channel.call];
        let (from, to) = self.sides(ix, agent);
        let details = CallStarted {
            call: call.id.clone(),
            from,
            to,
            direction: agent.map(|_| channel.direction),
        };
        self.tell(agent.map(|agent| self.number(agent)), call.queue.as_ref(), details, out);
    }

    /// Who calls whom: seen by the agent, if there is one, else by the whole call.
    fn sides(&self, ix: Ix, agent: Option<Ix>) -> (SmolStr, SmolStr) {
        let channel = &self.channels[ix];
        let call = &self.calls[channel.call];
        match agent {
            Some(agent) if channel.is_caller() => {
                (self.number(agent).clone(), self.other_party(ix).0.clone())
            }
            Some(agent) => {
                let other = self.other_party(ix).0;
                let from = if other.is_empty() { &call.from.number } else { other };
                (from.clone(), self.number(agent).clone())
            }
            None => (call.from.number.clone(), call.to.clone()),
        }
    }

    /// A channel is up: a caller's is when somebody or some application answered, another's when it
    /// answered itself. One that was originated is when its own phone was picked up, which is no
    /// answer yet.
    pub(crate) fn on_up(&mut self, ix: Ix, out: &mut Out<'_>) {
        let channel = &self.channels[ix];
        if !channel.is_up() || channel.is_local {
            return;
        }
        if channel.is_originated {
            self.calls[channel.call].picked_up.get_or_insert(out.now);
        } else {
            self.answer(channel.call, out);
        }
    }

    /// The call is answered, if it was not: tells every extension that talks now and was not told.
    pub(crate) fn answer(&mut self, ix: Ix, out: &mut Out<'_>) {
        let is_news = self.calls[ix].answered.is_none();
        let now = out.now;
        self.calls[ix].answered.get_or_insert(now);
        for at in 0..self.calls[ix].agents.len() {
            let Part { agent, has_answered } = self.calls[ix].agents[at];
            if has_answered {
                continue;
            }
            if let Some(channel) = self.talking(ix, agent) {
                self.calls[ix].agents[at].has_answered = true;
                self.tell_answered(channel, Some(agent), out);
            }
        }
        if is_news
            && self.calls[ix].agents.is_empty()
            && let Some(&channel) = self.calls[ix].channels.first()
        {
            self.tell_answered(channel, None, out);
        }
    }

    /// The agent's channel in the call that is up, if it called or is joined with somebody.
    fn talking(&self, call: Ix, agent: Ix) -> Option<Ix> {
        self.calls[call].channels.iter().copied().find(|ix| {
            let channel = &self.channels[*ix];
            let is_joined = channel.bridge.is_some_and(|bridge| {
                let bridge = &self.bridges[bridge];
                bridge.kind.joins() && bridge.members.len() > 1
            });
            let has_called = channel.is_caller() && !channel.is_originated;
            channel.agent == Some(agent) && channel.is_up() && (is_joined || has_called)
        })
    }

    fn tell_answered(&self, ix: Ix, agent: Option<Ix>, out: &mut Out<'_>) {
        let call = &self.calls[self.channels[ix].call];
        let (from, to) = self.sides(ix, agent);
        let wait = out.now.seconds_since(call.started);
        let details = CallAnswered { call: call.id.clone(), from, to, wait };
        self.tell(agent.map(|agent| self.number(agent)), call.queue.as_ref(), details, out);
    }

    /// A channel leaves its call; with the last one the call is over.
    pub(crate) fn leave_call(&mut self, ix: Ix, end: &End<'_>, out: &mut Out<'_>) {
        let channel = &self.channels[ix];
        let call = &mut self.calls[channel.call];
        call.channels.retain(|other| *other != ix);
        let is_first = call.first == Some(ix);
        if is_first {
            call.first = None;
        }
        call.ending.is_lost = matches!(end, End::Lost);
        if let End::Hangup { cause, text } = end
            && (is_first || !call.ending.by_first)
            && !(channel.is_local && call.ending.cause != 0)
        {
            call.ending.cause = *cause;
            call.ending.text = (*text).into();
            call.ending.by_first = is_first;
        }
        if call.channels.is_empty() {
            let mut call = self.calls.remove(channel.call);
            self.ended.add(&call.id);
            self.completing.add(&call);
            for linkedid in &call.linkedids {
                self.by_linkedid.remove(linkedid);
            }
            if !call.has_others {
                // Nobody else was ever reached for: it talked with an application.
                call.answered = call.answered.or(call.picked_up);
            }
            self.tell_ended(&call, call.disposition(), None, out);
        }
    }

    pub(crate) fn tell_ended(
        &self,
        call: &Call,
        disposition: Disposition,
        merged_into: Option<SmolStr>,
        out: &mut Out<'_>,
    ) {
        let is_lost = disposition == Disposition::Lost;
        let details = CallEnded {
            call: call.id.clone(),
            from: call.from.number.clone(),
            to: call.to.clone(),
            started: call.started,
            answered: call.answered,
            duration: out.now.seconds_since(call.started),
            talk_time: call.answered.map_or(0, |answered| out.now.seconds_since(answered)),
            disposition,
            cause: if is_lost { 0 } else { call.ending.cause },
            cause_text: if is_lost {
                SmolStr::new_static("lost: it ended while the link to Asterisk was down")
            } else {
                call.ending.text.clone()
            },
            recordings: call.recordings.clone(),
            merged_into,
        };
        let queue = call.queue.as_ref();
        for part in &call.agents {
            self.tell(Some(self.number(part.agent)), queue, details.clone(), out);
        }
        if call.agents.is_empty() {
            self.tell(None, queue, details, out);
        }
    }
}
