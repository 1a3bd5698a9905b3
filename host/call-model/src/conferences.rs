//! Conferences (ConfBridge): who is in which, who can be heard, who talks.

use ami_proto::Message;
use telepulse_language::{Conference as Told, ConferenceChange, SmolStr, Timestamp};

use crate::channel::Ix;
use crate::pbx::{Out, Pbx};
use crate::snapshot::Snapshot;
use crate::text::{field, number};

/// A conference that goes on.
#[derive(Clone, Debug)]
pub(crate) struct Conference {
    pub(crate) name: SmolStr,
    pub(crate) since: Timestamp,
    pub(crate) is_locked: bool,
    /// In the order in which they came.
    pub(crate) members: Vec<Member>,
    /// Last synchronisation in which it was seen.
    seen: u32,
}

/// A channel in a conference.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) channel: Ix,
    pub(crate) since: Timestamp,
    pub(crate) is_muted: bool,
    pub(crate) is_talking: bool,
    pub(crate) is_admin: bool,
    /// Last synchronisation in which it was seen; `heard`, in which an event told of it.
    seen: u32,
    heard: u32,
}

impl Conference {
    fn member(&mut self, channel: Ix) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.channel == channel)
    }
}

impl Pbx {
    pub(crate) fn on_conference(&mut self, event: &str, message: &Message, out: &mut Out<'_>) {
        let name = field(message, "Conference");
        if name.is_empty() {
            return;
        }
        match event {
            "ConfbridgeStart" => {
                self.conference(name, out);
            }
            "ConfbridgeEnd" => {
                if let Some(&room) = self.by_conference.get(name) {
                    self.end_conference(room, out);
                }
            }
            "ConfbridgeJoin" => self.on_join(name, message, out),
            _ => self.on_member_of_conference(event, message, out),
        }
    }

    fn on_join(&mut self, name: &str, message: &Message, out: &mut Out<'_>) {
        let Some(snapshot) = Snapshot::read(message) else { return };
        let Some(channel) = self.see(&snapshot, out) else {
            return self.keep_early("Uniqueid", message, out);
        };
        self.sync.left_room.remove(snapshot.uniqueid);
        self.join_conference(name, channel, message, out.now, out);
        let round = self.sync.round;
        if let Some(member) = self.member_of_conference(channel) {
            member.heard = round;
        }
    }

    /// Takes in what an event or a list item says of a member who may be new.
    fn join_conference(
        &mut self,
        name: &str,
        channel: Ix,
        message: &Message,
        since: Timestamp,
        out: &mut Out<'_>,
    ) {
        let room = self.conference(name, out);
        let round = self.sync.round;
        if self.channels[channel].conference == Some(room) {
            if let Some(member) = self.conferences[room].member(channel) {
                member.seen = round;
            }
            return;
        }
        self.leave_conference(channel, out);
        let says = |key: &str| field(message, key).eq_ignore_ascii_case("yes");
        self.conferences[room].members.push(Member {
            channel,
            since,
            is_muted: says("Muted"),
            is_talking: says("Talking"),
            is_admin: says("Admin"),
            seen: round,
            heard: 0,
        });
        self.channels[channel].conference = Some(room);
        self.touch(self.channels[channel].agent);
        self.tell_conference(room, ConferenceChange::Joined, Some(channel), out);
    }

    /// Events about a channel that is in a conference already.
    fn on_member_of_conference(&mut self, event: &str, message: &Message, out: &mut Out<'_>) {
        if event == "ConfbridgeLeave" && self.sync.is_running {
            self.sync.left_room.insert(field(message, "Uniqueid").into());
        }
        let Some(channel) = self.known_channel(message, "Uniqueid") else {
            if event == "ConfbridgeLeave" {
                self.forget_early(field(message, "Uniqueid"));
            }
            return;
        };
        let round = self.sync.round;
        let Some(room) = self.channels[channel].conference else { return };
        let Some(member) = self.conferences[room].member(channel) else { return };
        (member.seen, member.heard) = (round, round);
        let change = match event {
            "ConfbridgeLeave" => return self.leave_conference(channel, out),
            "ConfbridgeMute" => {
                member.is_muted = true;
                ConferenceChange::Muted
            }
            "ConfbridgeUnmute" => {
                member.is_muted = false;
                ConferenceChange::Unmuted
            }
            "ConfbridgeTalking" => {
                member.is_talking = field(message, "TalkingStatus") == "on";
                if member.is_talking { ConferenceChange::Talking } else { ConferenceChange::Silent }
            }
            _ => return,
        };
        self.touch(self.channels[channel].agent);
        self.tell_conference(room, change, Some(channel), out);
    }

    fn member_of_conference(&mut self, channel: Ix) -> Option<&mut Member> {
        let room = self.channels[channel].conference?;
        self.conferences[room].member(channel)
    }

    /// The conference of this name, begun if it is new.
    fn conference(&mut self, name: &str, out: &mut Out<'_>) -> Ix {
        let round = self.sync.round;
        if let Some(&room) = self.by_conference.get(name) {
            self.conferences[room].seen = round;
            return room;
        }
        let room = self.conferences.insert(Conference {
            name: name.into(),
            since: out.now,
            is_locked: false,
            members: Vec::new(),
            seen: round,
        });
        self.by_conference.insert(name.into(), room);
        self.tell_conference(room, ConferenceChange::Started, None, out);
        room
    }

    /// A channel is in no conference any more.
    pub(crate) fn leave_conference(&mut self, channel: Ix, out: &mut Out<'_>) {
        let Some(room) = self.channels[channel].conference.take() else { return };
        self.conferences[room].members.retain(|member| member.channel != channel);
        self.touch(self.channels[channel].agent);
        self.tell_conference(room, ConferenceChange::Left, Some(channel), out);
    }

    fn end_conference(&mut self, room: Ix, out: &mut Out<'_>) {
        let members: Vec<Ix> =
            self.conferences[room].members.iter().map(|member| member.channel).collect();
        for channel in members {
            self.leave_conference(channel, out);
        }
        self.tell_conference(room, ConferenceChange::Ended, None, out);
        let room = self.conferences.remove(room);
        self.by_conference.remove(&room.name);
    }

    pub(crate) fn lock_conference(&mut self, name: &str, is_locked: bool, out: &mut Out<'_>) {
        let Some(&room) = self.by_conference.get(name) else { return };
        if self.conferences[room].is_locked != is_locked {
            self.conferences[room].is_locked = is_locked;
            let change =
                if is_locked { ConferenceChange::Locked } else { ConferenceChange::Unlocked };
            self.tell_conference(room, change, None, out);
        }
    }

    fn tell_conference(
        &self,
        room: Ix,
        change: ConferenceChange,
        channel: Option<Ix>,
        out: &mut Out<'_>,
    ) {
        let channel = channel.map(|channel| &self.channels[channel]);
        let details = Told {
            conference: self.conferences[room].name.clone(),
            change,
            channel: channel.map(|channel| channel.name.clone()),
            call: channel.map(|channel| self.calls[channel.call].id.clone()),
        };
        let agent = channel.and_then(|channel| channel.agent).map(|agent| self.number(agent));
        self.tell(agent, None, details, out);
    }

    /// ConfbridgeListRooms; the names of the rooms, whose members are to be listed too.
    pub(crate) fn fold_rooms(&mut self, items: &[Message], out: &mut Out<'_>) -> Vec<SmolStr> {
        let mut names = Vec::with_capacity(items.len());
        for item in items {
            let name = SmolStr::new(field(item, "Conference"));
            if name.is_empty() {
                // What ends the list.
                continue;
            }
            self.conference(&name, out);
            let is_locked = field(item, "Locked").eq_ignore_ascii_case("yes");
            self.lock_conference(&name, is_locked, out);
            names.push(name);
        }
        names
    }

    /// ConfbridgeList of one room.
    pub(crate) fn fold_room(&mut self, name: &str, items: &[Message], out: &mut Out<'_>) {
        let round = self.sync.round;
        for item in items {
            let Some(channel) = self.known_channel(item, "Uniqueid") else { continue };
            if self.sync.left_room.contains(&self.channels[channel].uniqueid) {
                continue;
            }
            let seconds: u64 = number(item, "AnsweredTime").unwrap_or(0);
            let since = Timestamp(out.now.0.saturating_sub(seconds.saturating_mul(1000)));
            self.join_conference(name, channel, item, since, out);
            let says = |key: &str| field(item, key).eq_ignore_ascii_case("yes");
            if let Some(member) = self.member_of_conference(channel)
                && member.heard != round
            {
                member.is_muted = says("Muted");
                member.is_talking = says("Talking");
                member.is_admin = says("Admin");
            }
            self.touch(self.channels[channel].agent);
        }
    }

    /// What neither listing nor event has seen in this round is over.
    pub(crate) fn end_lost_conferences(&mut self, out: &mut Out<'_>) {
        let round = self.sync.round;
        let rooms: Vec<Ix> = self.conferences.iter().map(|(room, _)| room).collect();
        for room in rooms {
            if self.conferences[room].seen != round {
                self.end_conference(room, out);
                continue;
            }
            let gone = self.conferences[room].members.iter().filter(|member| member.seen != round);
            let gone: Vec<Ix> = gone.map(|member| member.channel).collect();
            for channel in gone {
                self.leave_conference(channel, out);
            }
        }
    }
}
