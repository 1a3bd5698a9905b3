//! Applications that a phone is called for: listening in on a channel, taking a call that rings.

use crate::centre::{Centre, Step};
use crate::channel::{Called, ChannelId, Doing, State};
use crate::ending::Cause;
use crate::wire::Class;

impl Centre {
    /// The phone was called for an application, and answered.
    pub(crate) fn run_application(&mut self, channel: ChannelId, name: &str, data: &str) {
        self.run(channel, name, data);
        match name.to_ascii_lowercase().as_str() {
            "chanspy" => self.listen(channel, data),
            "pickupchan" | "pickup" => self.take_ringing(channel, data),
            "hangup" => self.later(1, Step::Over(channel)),
            // Whatever else it is, it goes on until somebody hangs up.
            _ => {}
        }
    }

    /// Application ChanSpy: `NAME` or `UNIQUEID,OPTIONS`. Finding nobody, it goes on waiting.
    fn listen(&mut self, by: ChannelId, data: &str) {
        let wanted = data.split(',').next().unwrap_or_default();
        let target = self.channel_named(wanted).filter(|target| *target != by);
        if let Some(target) = target {
            self.set_doing(by, Doing::Listening(target));
            self.tell_spying("ChanSpyStart", by, target);
        }
    }

    fn tell_spying(&mut self, event: &str, by: ChannelId, target: ChannelId) {
        if let (Some(spyer), Some(spyee)) = (self.channels.get(&by), self.channels.get(&target)) {
            let text = spyer.show("Spyer", self.event(event, Class::Call));
            self.emit(Class::Call, spyee.show("Spyee", text));
        }
    }

    /// A channel goes: nobody listens to it any more, nor it to anybody.
    pub(crate) fn stop_listening(&mut self, channel: ChannelId) {
        if let Some(Doing::Listening(target)) = self.doing(channel).cloned() {
            self.tell_spying("ChanSpyStop", channel, target);
            self.set_doing(channel, Doing::Alone);
        }
        let listens = |(_, other): &(&ChannelId, &crate::channel::Channel)| {
            other.doing == Doing::Listening(channel)
        };
        let listeners: Vec<ChannelId> =
            self.channels.iter().filter(listens).map(|(id, _)| *id).collect();
        for listener in listeners {
            self.tell_spying("ChanSpyStop", listener, channel);
            self.set_doing(listener, Doing::Alone);
            let options = self.channels.get(&listener).and_then(|one| one.data.split_once(','));
            // Option E; without it there is silence until somebody hangs up.
            if options.is_some_and(|(_, options)| options.contains('E')) {
                self.later(1, Step::Over(listener));
            }
        }
    }

    /// Application PickupChan: takes the place of a channel that rings.
    fn take_ringing(&mut self, by: ChannelId, data: &str) {
        let wanted = data.split([',', '&']).next().unwrap_or_default();
        let ringing = self.channel_named(wanted).and_then(|target| {
            let channel = self.channels.get(&target)?;
            let rings = channel.state == State::Ringing && target != by;
            match &channel.doing {
                Doing::Called(Called::Dialled { by: caller }) if rings => {
                    Some((target, *caller, None))
                }
                Doing::Called(Called::Offered { by: caller, queue, since_ms }) if rings => {
                    Some((target, *caller, Some((queue.clone(), *since_ms))))
                }
                _ => None,
            }
        });
        let Some((target, caller, queue)) = ringing else {
            return self.later(1, Step::Over(by));
        };
        let Some(from) = self.channels.get(&caller).map(|caller| caller.caller.clone()) else {
            return;
        };
        self.connect_line(by, from);
        self.tell_pickup(by, target);
        if let Some(party) = self.channels.get(&by).map(|by| by.caller.clone()) {
            self.connect_line(caller, party);
        }
        let interface = self.channels.get(&target).map(|target| target.device.clone());
        let interface = interface.unwrap_or_default();
        let called = match &queue {
            Some((queue, since_ms)) => {
                Called::Offered { by: caller, queue: queue.clone(), since_ms: *since_ms }
            }
            None => Called::Dialled { by: caller },
        };
        self.take_place(by, target, called);
        match queue {
            Some((queue, since_ms)) => {
                self.serve_as(caller, by, &queue, since_ms, &interface, false);
            }
            None => self.answer_dialled(caller, by, false),
        }
        self.refresh(&interface);
        // Of one call, which is the older one's.
        let linkedid = self.channels.get(&caller).map(|caller| caller.linkedid.clone());
        if let (Some(by), Some(linkedid)) = (self.channels.get_mut(&by), linkedid) {
            by.linkedid = linkedid;
        }
    }

    fn tell_pickup(&mut self, by: ChannelId, target: ChannelId) {
        if let (Some(one), Some(other)) = (self.channels.get(&by), self.channels.get(&target)) {
            let text = other.show("Target", one.show("", self.event("Pickup", Class::Call)));
            self.emit(Class::Call, text);
        }
    }

    /// `by` is the one that is called from now on; the other one is told that it was answered.
    fn take_place(&mut self, by: ChannelId, target: ChannelId, called: Called) {
        self.set_doing(by, Doing::Called(called.clone()));
        match called {
            Called::Dialled { by: caller } => self.set_doing(caller, Doing::Calling(by)),
            Called::Offered { by: caller, queue, .. } => {
                self.set_doing(caller, Doing::Queued { queue, rings: Some(by) });
            }
            Called::Originated(_) => {}
        }
        if let Some(left) = self.channels.get_mut(&target) {
            "s".clone_into(&mut left.exten);
            left.doing = Doing::Alone;
        }
        self.remove(target, Cause::ELSEWHERE);
    }
}
