//! Bridges are sets of channels; who talks with whom follows from them.

use ami_proto::Message;
use telepulse_language::CallerChange;
use telepulse_language::SmolStr;

use crate::channel::Ix;
use crate::pbx::{Out, Pbx};
use crate::snapshot::{BridgeKind, Snapshot};
use crate::text::field;

/// A bridge with somebody in it.
#[derive(Clone, Debug)]
pub(crate) struct Bridge {
    pub(crate) id: SmolStr,
    pub(crate) kind: BridgeKind,
    /// In the order in which they entered.
    pub(crate) members: Vec<Ix>,
}

impl Pbx {
    pub(crate) fn on_bridge_enter(&mut self, message: &Message, out: &mut Out<'_>) {
        let bridge = field(message, "BridgeUniqueid");
        let Some(snapshot) = Snapshot::read(message) else { return };
        let Some(channel) = self.see(&snapshot, out) else {
            return self.keep_early("Uniqueid", message, out);
        };
        if bridge.is_empty() {
            return;
        }
        self.sync.unbridged.remove(snapshot.uniqueid);
        if std::mem::take(&mut self.channels[channel].is_waiting) {
            // Whoever is in a bridge waits in no queue. Of a caller who is taken out of one by force
            // (parked, say) Asterisk does not tell that it left.
            self.caller_gone(snapshot.uniqueid, CallerChange::Left, out);
        }
        self.channels[channel].placed = self.sync.round;
        self.place(channel, bridge, BridgeKind::read(message), out);
    }

    pub(crate) fn on_bridge_leave(&mut self, message: &Message, out: &mut Out<'_>) {
        let Some(channel) = self.known_channel(message, "Uniqueid") else {
            if self.sync.is_running {
                self.sync.unbridged.insert(field(message, "Uniqueid").into());
            }
            self.forget_early(field(message, "Uniqueid"));
            return;
        };
        self.on_channel(message, out);
        self.channels[channel].placed = self.sync.round;
        // It may be in the next bridge already: the two come by different ways.
        let bridge = self.by_bridge.get(field(message, "BridgeUniqueid")).copied();
        if bridge.is_some() && self.channels[channel].bridge == bridge {
            self.unplace(channel);
        }
    }

    pub(crate) fn on_bridge_destroy(&mut self, message: &Message, _out: &mut Out<'_>) {
        let Some(&bridge) = self.by_bridge.get(field(message, "BridgeUniqueid")) else { return };
        for channel in self.bridges[bridge].members.clone() {
            self.channels[channel].placed = self.sync.round;
            self.unplace(channel);
        }
    }

    /// Puts a channel into a bridge, and takes it out of the one where it was.
    pub(crate) fn place(&mut self, channel: Ix, id: &str, kind: BridgeKind, out: &mut Out<'_>) {
        let bridge = if let Some(&bridge) = self.by_bridge.get(id) {
            self.bridges[bridge].kind = kind;
            bridge
        } else {
            let bridge = Bridge { id: id.into(), kind, members: Vec::new() };
            let bridge = self.bridges.insert(bridge);
            self.by_bridge.insert(id.into(), bridge);
            bridge
        };
        if self.channels[channel].bridge != Some(bridge) {
            self.unplace(channel);
            self.channels[channel].bridge = Some(bridge);
            self.bridges[bridge].members.push(channel);
        }
        self.touch_bridge(bridge);
        if kind == BridgeKind::Talk {
            self.merge_in_bridge(channel, bridge, out);
        }
        if kind.joins() && self.bridges[bridge].members.len() > 1 {
            for at in 0..self.bridges[bridge].members.len() {
                let member = self.bridges[bridge].members[at];
                self.answer(self.channels[member].call, out);
            }
        }
    }

    /// Takes a channel out of its bridge.
    pub(crate) fn unplace(&mut self, channel: Ix) {
        let Some(bridge) = self.channels[channel].bridge.take() else { return };
        self.channels[channel].audio.holds = None;
        self.touch(self.channels[channel].agent);
        self.touch_bridge(bridge);
        let members = &mut self.bridges[bridge].members;
        members.retain(|member| *member != channel);
        if members.is_empty() {
            let bridge = self.bridges.remove(bridge);
            self.by_bridge.remove(&bridge.id);
        }
    }

    pub(crate) fn touch_bridge(&mut self, bridge: Ix) {
        for at in 0..self.bridges[bridge].members.len() {
            let member = self.bridges[bridge].members[at];
            self.touch(self.channels[member].agent);
        }
    }
}
