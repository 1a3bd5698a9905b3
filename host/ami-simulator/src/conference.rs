//! Conferences: who is in which room, who can be heard, who talks.

use crate::centre::Centre;
use crate::channel::{Bridge, ChannelId, Doing, Purpose};
use crate::ending::Cause;
use crate::wire::{Class, Text};

/// A conference that goes on.
#[derive(Debug)]
pub(crate) struct Room {
    bridge: Bridge,
    pub(crate) guests: Vec<Guest>,
    pub(crate) locked: bool,
}

/// Somebody in a conference.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) channel: ChannelId,
    pub(crate) muted: bool,
    pub(crate) talking: bool,
    pub(crate) since_ms: u64,
}

/// Why a conference cannot be asked for something.
pub(crate) enum NoRoom {
    /// There is none at all.
    None,
    /// There are others.
    NotThis,
}

impl Centre {
    /// Application ConfBridge, and Answer before it.
    pub(crate) fn join_room(&mut self, channel: ChannelId, name: &str) {
        self.pick_up(channel);
        if self.rooms.get(name).is_some_and(|room| room.locked) {
            return self.end_alone(channel, 16);
        }
        if let Some(joining) = self.channels.get_mut(&channel) {
            joining.priority = 2;
            "ConfBridge".clone_into(&mut joining.application);
            name.clone_into(&mut joining.data);
            joining.doing = Doing::Conferring(name.to_owned());
        }
        if !self.rooms.contains_key(name) {
            self.open_room(name);
        }
        let now_ms = self.now_ms;
        let Some(room) = self.rooms.get_mut(name) else { return };
        room.bridge.channels.push(channel);
        room.guests.push(Guest { channel, muted: false, talking: false, since_ms: now_ms });
        let others: Vec<ChannelId> = room
            .guests
            .iter()
            .map(|guest| guest.channel)
            .filter(|other| *other != channel)
            .collect();
        let bridge = room.bridge.clone();
        match others.as_slice() {
            [] => self.tell("MusicOnHoldStart", channel, &[("Class", "default")]),
            [alone] => self.tell("MusicOnHoldStop", *alone, &[]),
            _ => {}
        }
        self.tell_bridge("BridgeEnter", &bridge, Some(channel));
        self.tell_room("ConfbridgeJoin", name, Some(channel), &[("Admin", "No"), ("Muted", "No")]);
        self.attend(channel);
    }

    fn open_room(&mut self, name: &str) {
        let bridge = Bridge::new(self.uuid(), Purpose::Conference(name.to_owned()));
        // The announcer is in it only from now on.
        let created = bridge.show(self.event("BridgeCreate", Class::Call)).end();
        let created = created.replace("BridgeNumChannels: 1\r\n", "BridgeNumChannels: 0\r\n");
        self.emit_ended(Class::Call, created);
        let room = Room { bridge, guests: Vec::new(), locked: false };
        self.rooms.insert(name.to_owned(), room);
        self.tell_room("ConfbridgeStart", name, None, &[]);
        self.tell_device(&format!("confbridge:{name}"), "INUSE");
    }

    fn tell_room(
        &mut self,
        event: &str,
        name: &str,
        channel: Option<ChannelId>,
        more: &[(&str, &str)],
    ) {
        let Some(room) = self.rooms.get(name) else { return };
        let text = self.event(event, Class::Call).field("Conference", name);
        let text = room.bridge.show(text);
        let text = match channel.and_then(|channel| self.channels.get(&channel)) {
            Some(shown) => shown.show("", text),
            None => text,
        };
        let text = more.iter().fold(text, |text, (key, value)| text.field(key, value));
        self.emit(Class::Call, text);
    }

    /// Out of the room; the last one closes it.
    pub(crate) fn leave_room(&mut self, channel: ChannelId, name: &str) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        let Some(at) = room.guests.iter().position(|guest| guest.channel == channel) else {
            return;
        };
        let guest = room.guests.remove(at);
        let remain: Vec<ChannelId> = room.guests.iter().map(|guest| guest.channel).collect();
        if guest.talking {
            let more = [("TalkingStatus", "off"), ("Admin", "No")];
            self.tell_room("ConfbridgeTalking", name, Some(channel), &more);
        }
        self.tell_room("ConfbridgeLeave", name, Some(channel), &[("Admin", "No")]);
        if let Some(room) = self.rooms.get_mut(name) {
            room.bridge.channels.retain(|other| *other != channel);
            let bridge = room.bridge.clone();
            self.tell_bridge("BridgeLeave", &bridge, Some(channel));
        }
        match remain.as_slice() {
            [] => {
                self.tell("MusicOnHoldStop", channel, &[]);
                self.close_room(name);
            }
            [alone] => self.tell("MusicOnHoldStart", *alone, &[("Class", "default")]),
            _ => {}
        }
        self.set_doing(channel, Doing::Alone);
    }

    fn close_room(&mut self, name: &str) {
        self.tell_room("ConfbridgeEnd", name, None, &[]);
        let Some(room) = self.rooms.remove(name) else { return };
        let gone = room.bridge.show(self.event("BridgeDestroy", Class::Call)).end();
        let gone = gone.replace("BridgeNumChannels: 1\r\n", "BridgeNumChannels: 0\r\n");
        self.emit_ended(Class::Call, gone);
        self.tell_device(&format!("confbridge:{name}"), "NOT_INUSE");
    }

    /// The phone of `extension` begins to talk in its conference, or stops. False if it is in none.
    pub fn speak_from_phone(&mut self, extension: &str, on: bool) -> bool {
        let Some((device, _)) = self.phone_of(extension) else { return false };
        let channels = self.channels_of(&device.clone());
        let confers = |id: &ChannelId| matches!(self.doing(*id), Some(Doing::Conferring(_)));
        let Some(channel) = channels.into_iter().find(confers) else { return false };
        self.speak(channel, on);
        true
    }

    pub(crate) fn speak(&mut self, channel: ChannelId, on: bool) {
        let Some(Doing::Conferring(name)) = self.doing(channel).cloned() else { return };
        let guests = self.rooms.get_mut(&name).map(|room| room.guests.iter_mut());
        let Some(guest) = guests.into_iter().flatten().find(|guest| guest.channel == channel)
        else {
            return;
        };
        if guest.talking == on || (guest.muted && on) {
            return;
        }
        guest.talking = on;
        let more = [("TalkingStatus", if on { "on" } else { "off" }), ("Admin", "No")];
        self.tell_room("ConfbridgeTalking", &name, Some(channel), &more);
    }

    /// The guests that an action means by a channel's name, or by `all`.
    pub(crate) fn guests(&self, name: &str, wanted: &str) -> Result<Vec<ChannelId>, NoRoom> {
        let Some(room) = self.rooms.get(name) else {
            return Err(if self.rooms.is_empty() { NoRoom::None } else { NoRoom::NotThis });
        };
        let is_meant = |channel: &ChannelId| {
            let name = self.channels.get(channel).map(|channel| channel.name.as_str());
            wanted.eq_ignore_ascii_case("all") || name == Some(wanted)
        };
        Ok(room.guests.iter().map(|guest| guest.channel).filter(is_meant).collect())
    }

    pub(crate) fn mute_guest(&mut self, name: &str, channel: ChannelId, muted: bool) {
        let guests = self.rooms.get_mut(name).map(|room| room.guests.iter_mut());
        if let Some(guest) = guests.into_iter().flatten().find(|guest| guest.channel == channel) {
            guest.muted = muted;
            let event = if muted { "ConfbridgeMute" } else { "ConfbridgeUnmute" };
            self.tell_room(event, name, Some(channel), &[("Admin", "No")]);
        }
    }

    pub(crate) fn kick(&mut self, name: &str, channel: ChannelId) {
        self.leave_room(channel, name);
        if let Some(kicked) = self.channels.get_mut(&channel) {
            // Its dialplan goes on, to the end.
            kicked.priority += 1;
        }
        self.finish(&[], Some(channel), Cause::NORMAL);
    }

    pub(crate) fn room_bridge(&self, name: &str) -> Option<&Bridge> {
        self.rooms.get(name).map(|room| &room.bridge)
    }

    /// The conferences' bridges, for lists.
    pub(crate) fn room_bridges(&self) -> impl Iterator<Item = &Bridge> {
        self.rooms.values().map(|room| &room.bridge)
    }

    pub(crate) fn show_guest(&self, name: &str, guest: &Guest, text: Text) -> Text {
        let word = |is: bool| if is { "Yes" } else { "No" };
        let text = text
            .field("Conference", name)
            .field("Admin", "No")
            .field("MarkedUser", "No")
            .field("WaitMarked", "No")
            .field("EndMarked", "No")
            .field("EndMarkedAny", "No")
            .field("Waiting", "No")
            .field("Muted", word(guest.muted))
            .field("Talking", word(guest.talking))
            .field("AnsweredTime", self.now_ms.saturating_sub(guest.since_ms) / 1000);
        match self.channels.get(&guest.channel) {
            Some(channel) => channel.show("", text),
            None => text,
        }
    }
}
