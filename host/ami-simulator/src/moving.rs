//! How channels go elsewhere: into bridges and out of them, by redirect and by blind transfer.

use crate::centre::{Centre, Step};
use crate::channel::{BridgeId, ChannelId, Doing};
use crate::ending::Cause;
use crate::wire::Class;

impl Centre {
    /// Into a bridge that there is.
    pub(crate) fn enter_bridge(&mut self, id: BridgeId, channel: ChannelId) {
        let Some(bridge) = self.bridges.get_mut(&id) else { return };
        bridge.channels.push(channel);
        let bridge = bridge.clone();
        self.set_doing(channel, Doing::Talking(id));
        self.tell_bridge("BridgeEnter", &bridge, Some(channel));
    }

    /// Out of its bridge, which goes on without it.
    pub(crate) fn leave_bridge(&mut self, channel: ChannelId) -> Option<BridgeId> {
        let Some(Doing::Talking(id)) = self.doing(channel).cloned() else { return None };
        let bridge = self.bridges.get_mut(&id)?;
        bridge.channels.retain(|other| *other != channel);
        let bridge = bridge.clone();
        self.tell_bridge("BridgeLeave", &bridge, Some(channel));
        self.set_doing(channel, Doing::Alone);
        Some(id)
    }

    /// Takes two channels that talk to each other apart, to be led to different places.
    pub(crate) fn part(&mut self, one: ChannelId, other: ChannelId) {
        let Some(Doing::Talking(bridge)) = self.doing(one).cloned() else { return };
        if self.doing(other) == Some(&Doing::Talking(bridge)) {
            self.break_up(bridge, one, &[one, other], Cause::NORMAL);
        }
    }

    /// Leads a channel to another extension; whom it talked to or called is hung up. False if it
    /// only rings yet.
    pub(crate) fn redirect(&mut self, channel: ChannelId, context: &str, exten: &str) -> bool {
        let Some(doing) = self.doing(channel).cloned() else { return false };
        if matches!(doing, Doing::Called(_)) {
            return false;
        }
        if let Some(led) = self.channels.get_mut(&channel) {
            context.clone_into(&mut led.context);
            exten.clone_into(&mut led.exten);
            led.priority = 1;
        }
        match doing {
            Doing::Talking(bridge) => {
                self.break_up(bridge, channel, &[channel], Cause::NORMAL);
            }
            Doing::Calling(callee) => {
                self.tell_dial("DialEnd", callee, &[("DialStatus", "CANCEL")]);
                let device = self.remove(callee, Cause::UNKNOWN);
                if let Some(device) = device {
                    self.refresh(&device);
                }
            }
            Doing::Queued { queue, rings } => self.abandon(channel, &queue, rings),
            Doing::Parked(space) => self.leave_lot(channel, space),
            Doing::Conferring(room) => self.leave_room(channel, &room),
            Doing::Listening(_) => self.stop_listening(channel),
            Doing::Alone | Doing::Called(_) => {}
        }
        self.set_doing(channel, Doing::Alone);
        self.later(1, Step::Enter(channel));
        true
    }

    /// Whom the channel talks to goes to the extension; the channel ends. False if it talks to
    /// nobody.
    pub(crate) fn blind_transfer(&mut self, from: ChannelId, context: &str, exten: &str) -> bool {
        let Some(Doing::Talking(id)) = self.doing(from).cloned() else { return false };
        let Some(bridge) = self.bridges.get(&id).cloned() else { return false };
        let Some(to) = bridge.channels.iter().copied().find(|other| *other != from) else {
            return false;
        };
        self.tell("Unhold", from, &[]);
        let text = self.event("BlindTransfer", Class::Call).field("Result", "Success");
        let (Some(transferer), Some(transferee)) =
            (self.channels.get(&from), self.channels.get(&to))
        else {
            return false;
        };
        let text = transferee.show("Transferee", transferer.show("Transferer", text));
        let text = bridge
            .show(text)
            .field("IsExternal", "Yes")
            .field("Context", context)
            .field("Extension", exten);
        self.emit(Class::Call, text);
        if let Some(led) = self.channels.get_mut(&to) {
            context.clone_into(&mut led.context);
            exten.clone_into(&mut led.exten);
            led.priority = 1;
        }
        if self.is_lot(exten) {
            let parker = self.channels.get(&from).map(|from| from.device.clone());
            self.park(to, parker, None);
            self.hang_up(from, Cause::NORMAL);
            return true;
        }
        self.break_up(id, to, &[to], Cause::NORMAL);
        self.later(1, Step::Enter(to));
        true
    }
}
