//! The action Atxfer: one party waits while the other asks a third one; whoever asked hands over by
//! hanging up, or is back when the third one goes.

use crate::centre::{Centre, INTERNAL, Step};
use crate::channel::{Bridge, BridgeId, ChannelId, Doing, Purpose};
use crate::ending::Cause;
use crate::local::Pair;
use crate::wire::Class;

/// How long Asterisk takes the keys for it to be pressed.
const KEYS_MS: u64 = 300;

/// Somebody asks before handing over.
#[derive(Debug, Clone)]
pub(crate) struct Consultation {
    /// Who asks.
    by: ChannelId,
    /// Where the other party waits.
    first: BridgeId,
    /// Where `by` asks.
    second: BridgeId,
    /// The half of a `Local` channel that stands for who is asked.
    near: ChannelId,
}

impl Centre {
    /// The keys are pressed. False if the channel talks to nobody.
    pub(crate) fn begin_consultation(&mut self, by: ChannelId, exten: &str) -> bool {
        let talks = self.partner(by).is_some();
        if talks {
            self.later(KEYS_MS, Step::Consult(by, exten.to_owned()));
        }
        talks
    }

    /// Whom the channel talks to.
    pub(crate) fn partner(&self, channel: ChannelId) -> Option<ChannelId> {
        let Some(Doing::Talking(bridge)) = self.doing(channel) else { return None };
        let bridge = self.bridges.get(bridge)?;
        bridge.channels.iter().copied().find(|other| *other != channel)
    }

    fn is_consulting(&self, bridge: BridgeId) -> bool {
        self.consultations.iter().any(|asks| asks.first == bridge || asks.second == bridge)
    }

    /// The other party hears music, and the extension is called.
    pub(crate) fn consult(&mut self, by: ChannelId, exten: &str) {
        let Some(Doing::Talking(first)) = self.doing(by).cloned() else { return };
        let (Some(held), Some(asking)) = (self.partner(by), self.channels.get(&by)) else { return };
        // Keys that were pressed in the middle of another one.
        if !self.exists(exten) || self.is_consulting(first) {
            return;
        }
        let (caller, linkedid) = (asking.caller.clone(), asking.linkedid.clone());
        self.tell("Hold", by, &[]);
        self.wait_with_music(held, true);
        let second = self.next_id();
        let (near, far) = self.local_pair(Pair {
            context: INTERNAL,
            exten,
            uniqueids: [None, None],
            linkedid: Some(linkedid),
            doing: Doing::Talking(second),
        });
        let bridge = Bridge::new(self.uuid(), Purpose::Talk);
        self.tell_bridge("BridgeCreate", &bridge, None);
        self.bridges.insert(second, bridge);
        self.consultations.push(Consultation { by, first, second, near });
        self.call_itself(far, &caller);
        self.tell_local_bridge(near, far);
        self.connect_line(near, caller);
        self.enter_bridge(second, near);
        self.leave_bridge(by);
        self.enter_bridge(second, by);
        if let Some(bridge) = self.bridges.get_mut(&second) {
            bridge.owner = Some(by);
        }
        self.connect_unknown(by);
        self.enter(far);
        if let Some(party) = self.channels.get(&far).and_then(|far| far.connected.clone()) {
            self.connect_line(by, party);
        }
    }

    /// Music for who waits, and its end.
    fn wait_with_music(&mut self, channel: ChannelId, on: bool) {
        let Some(waiting) = self.channels.get_mut(&channel) else { return };
        waiting.held = on;
        let device = waiting.device.clone();
        if on {
            self.tell("MusicOnHoldStart", channel, &[("Class", "default")]);
        } else {
            self.tell("MusicOnHoldStop", channel, &[]);
        }
        self.refresh(&device);
    }

    fn connect_unknown(&mut self, channel: ChannelId) {
        if let Some(changed) = self.channels.get_mut(&channel) {
            changed.connected = None;
            self.tell("NewConnectedLine", channel, &[]);
        }
    }

    /// A channel goes that takes part in a consultation. True if all is done for it.
    pub(crate) fn consultation_ends(&mut self, channel: ChannelId, cause: Cause) -> bool {
        let index = self.consultations.iter().position(|asks| {
            let waits =
                self.bridges.get(&asks.first).is_some_and(|b| b.channels.contains(&channel));
            asks.by == channel || asks.near == channel || waits
        });
        let Some(index) = index else { return false };
        let asks = self.consultations.remove(index);
        let second = Some(&Doing::Talking(asks.second));
        if self.doing(asks.by) != second || self.doing(asks.near) != second {
            return false;
        }
        let Some(held) = self.bridges.get(&asks.first).and_then(|b| b.channels.first().copied())
        else {
            return false;
        };
        if asks.by == channel {
            self.hand_over(&asks, held, cause);
            true
        } else if asks.near == channel {
            self.come_back(&asks, held, cause);
            true
        } else {
            // Who waited has gone: the two others talk on.
            false
        }
    }

    /// A bridge ends as a whole; who waits for somebody in it is left alone.
    pub(crate) fn forget_consultations(&mut self, bridge: BridgeId) {
        let Some(index) = self
            .consultations
            .iter()
            .position(|asks| asks.first == bridge || asks.second == bridge)
        else {
            return;
        };
        let asks = self.consultations.remove(index);
        let waits = self.bridges.get(&asks.first).and_then(|first| first.channels.first().copied());
        if let Some(held) = waits {
            self.later(1, Step::LeftAlone(asks.first, held));
        }
    }

    /// Who asked hangs up: the two others talk.
    fn hand_over(&mut self, asks: &Consultation, held: ChannelId, cause: Cause) {
        let (Some(first), Some(second)) =
            (self.bridges.get(&asks.first), self.bridges.get(&asks.second))
        else {
            return;
        };
        let merge = first.show_as("To", self.event("BridgeMerge", Class::Call));
        let merge = second.show_as("From", merge);
        self.emit(Class::Call, merge);
        self.leave_bridge(asks.near);
        if let Some(first) = self.bridges.get_mut(&asks.first) {
            // Its dialplan was that of who has gone.
            first.owner = None;
        }
        self.wait_with_music(held, false);
        self.enter_bridge(asks.first, asks.near);
        let party = self.channels.get(&held).map(|held| held.caller.clone());
        let target = self.channels.get(&asks.near).map(|near| near.caller.clone());
        if let Some(party) = party {
            self.connect_line(asks.near, party.clone());
            if let Some(asked) = self.asked_by(asks.near) {
                self.connect_line(asked, party);
            }
        }
        self.tell_attended_transfer(asks, held);
        if let Some(target) = target {
            self.connect_line(held, target);
        }
        let service = self.bridges.get_mut(&asks.first).and_then(|first| first.service.take());
        if let Some(service) = service {
            self.complete(&service, "transfer");
        }
        self.break_up(asks.second, asks.by, &[], cause);
    }

    /// Whom the far half has called.
    fn asked_by(&self, near: ChannelId) -> Option<ChannelId> {
        let far = self.channels.get(&near)?.half?;
        match self.doing(far)? {
            Doing::Calling(callee) => Some(*callee),
            _ => self.partner(far),
        }
    }

    fn tell_attended_transfer(&mut self, asks: &Consultation, held: ChannelId) {
        let (Some(by), Some(held), Some(near)) =
            (self.channels.get(&asks.by), self.channels.get(&held), self.channels.get(&asks.near))
        else {
            return;
        };
        let (Some(first), Some(second)) =
            (self.bridges.get(&asks.first), self.bridges.get(&asks.second))
        else {
            return;
        };
        let text = self.event("AttendedTransfer", Class::Call).field("Result", "Success");
        let text = first.show_as("Orig", by.show("OrigTransferer", text));
        let text = second.show_as("Second", by.show("SecondTransferer", text));
        let text = near
            .show("TransferTarget", held.show("Transferee", text))
            .field("IsExternal", "No")
            .field("DestType", "Bridge")
            .field("DestBridgeUniqueid", &first.uniqueid);
        self.emit(Class::Call, text);
    }

    /// Who was asked has gone: who asked is back with who waited.
    fn come_back(&mut self, asks: &Consultation, held: ChannelId, cause: Cause) {
        self.leave_bridge(asks.near);
        self.leave_bridge(asks.by);
        self.enter_bridge(asks.first, asks.by);
        self.wait_with_music(held, false);
        self.tell("Unhold", asks.by, &[]);
        if let Some(second) = self.bridges.remove(&asks.second) {
            self.tell_bridge("BridgeDestroy", &second, None);
        }
        if let Some(party) = self.channels.get(&held).map(|held| held.caller.clone()) {
            self.connect_line(asks.by, party);
        }
        self.remove(asks.near, cause);
    }
}
