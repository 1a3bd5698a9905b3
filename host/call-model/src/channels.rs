//! Channels come, change and go: the events that every other part of the model hangs on.

use ami_proto::Message;
use telepulse_language::{CallerChange, ChannelState, Direction, SmolStr, Timestamp, UnparkReason};

use crate::channel::{Audio, Channel, Ix, Party, device_of, is_dialled};
use crate::pbx::{Out, Pbx};
use crate::recordings::Recordings;
use crate::snapshot::{Snapshot, State};
use crate::text::{field, number, set};

/// How a channel's end is known.
pub(crate) enum End<'e> {
    /// Asterisk said so, with a cause.
    Hangup { cause: u32, text: &'e str },
    /// It was missing from a listing.
    Lost,
}

impl Pbx {
    pub(crate) fn on_new_channel(&mut self, message: &Message, out: &mut Out<'_>) {
        let Some(snapshot) = Snapshot::read(message) else { return };
        if let Some(&known) = self.by_uniqueid.get(snapshot.uniqueid) {
            let is_same = *self.channels[known].name == *snapshot.channel;
            let is_listed = self.sync.is_running && self.channels[known].seen == self.sync.round;
            if is_same || is_listed {
                // A listing told of it before.
                return self.refresh(known, &snapshot, out);
            }
            // An id that came back: the end of the one who had it was missed.
            self.remove_channel(known, &End::Lost, out);
        }
        self.sync.hung_up.remove(snapshot.uniqueid);
        self.add_channel(&snapshot, out.now, out);
    }

    /// Events with a snapshot of a channel and nothing else.
    pub(crate) fn on_channel(&mut self, message: &Message, out: &mut Out<'_>) {
        if let Some(snapshot) = Snapshot::read(message) {
            self.see(&snapshot, out);
        }
    }

    pub(crate) fn on_rename(&mut self, message: &Message) {
        if let Some(channel) = self.known_channel(message, "Uniqueid") {
            set(&mut self.channels[channel].name, field(message, "Newname"));
            self.touch(self.channels[channel].agent);
        }
    }

    /// The cause with which an end was asked for tells more than the later Hangup's "normal".
    pub(crate) fn on_hangup_request(&mut self, message: &Message, out: &mut Out<'_>) {
        let Some(channel) = self.known_channel(message, "Uniqueid") else { return };
        if let Some(cause) = number(message, "Cause") {
            self.channels[channel].cause = Some(cause);
        }
        self.on_channel(message, out);
    }

    pub(crate) fn on_hangup(&mut self, message: &Message, out: &mut Out<'_>) {
        let Some(snapshot) = Snapshot::read(message) else { return };
        if self.sync.is_running {
            self.sync.hung_up.insert(snapshot.uniqueid.into());
        }
        if let Some(&channel) = self.by_uniqueid.get(snapshot.uniqueid) {
            let cause = number(message, "Cause").unwrap_or(0);
            let text = field(message, "Cause-txt");
            self.remove_channel(channel, &End::Hangup { cause, text }, out);
        } else {
            self.forget_early(snapshot.uniqueid);
        }
    }

    /// Takes in a live snapshot. A channel that is not known is made only while the model is being
    /// filled: later, its Newchannel would have come, and this is an echo of one that is gone.
    pub(crate) fn see(&mut self, snapshot: &Snapshot<'_>, out: &mut Out<'_>) -> Option<Ix> {
        if let Some(&channel) = self.by_uniqueid.get(snapshot.uniqueid) {
            self.refresh(channel, snapshot, out);
            return Some(channel);
        }
        let is_new = self.sync.is_running && !self.sync.hung_up.contains(snapshot.uniqueid);
        is_new.then(|| {
            let channel = self.add_channel(snapshot, out.now, out);
            self.channels[channel].heard = self.sync.round;
            channel
        })
    }

    /// Takes over what a live event says of a known channel.
    fn refresh(&mut self, ix: Ix, snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
        self.channels[ix].heard = self.sync.round;
        self.update_channel(ix, snapshot, out);
    }

    /// Takes over what an event or a listing says of a known channel.
    pub(crate) fn update_channel(&mut self, ix: Ix, snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
        let round = self.sync.round;
        let channel = &mut self.channels[ix];
        channel.seen = round;
        let mut changed = channel.update(snapshot);
        if channel.direction == Direction::Out
            && channel.dialled.is_empty()
            && is_dialled(snapshot.exten)
        {
            changed.parties = true;
            channel.dialled = snapshot.exten.into();
        }
        if !snapshot.channel.is_empty() {
            // A masquerade swaps names and says nothing.
            changed.parties |= set(&mut channel.name, snapshot.channel);
        }
        let agent = channel.agent;
        if *channel.linkedid != *snapshot.linkedid {
            self.relink(ix, snapshot.linkedid, out);
        }
        if changed.state {
            self.tell_channel(ix, None, out);
        }
        if changed.state || changed.parties {
            self.touch(agent);
            self.learn_name(ix);
            self.learn_parties(ix);
            self.announce(ix, out);
        }
        if changed.state {
            self.on_up(ix, out);
        }
    }

    /// A channel that was not known.
    pub(crate) fn add_channel(
        &mut self,
        snapshot: &Snapshot<'_>,
        created: Timestamp,
        out: &mut Out<'_>,
    ) -> Ix {
        let is_local = snapshot.is_local();
        let agent =
            if is_local { None } else { self.agent_of_device_or_new(device_of(snapshot.channel)) };
        let state = snapshot.state.unwrap_or_default();
        let is_first = snapshot.uniqueid == snapshot.linkedid;
        let is_caller = is_first || state == State::Ring;
        let mut dialled =
            if is_caller && is_dialled(snapshot.exten) { snapshot.exten } else { "" }.into();
        let pending = self.pending.get_mut(snapshot.uniqueid);
        if let Some(pending) = pending {
            pending.has_channel = true;
            dialled = pending.to.clone();
        }
        let ix = self.channels.insert(Channel {
            name: snapshot.channel.into(),
            uniqueid: snapshot.uniqueid.into(),
            linkedid: snapshot.linkedid.into(),
            state,
            caller: Party {
                number: snapshot.caller_number.into(),
                name: (&*snapshot.caller_name).into(),
            },
            connected: Party {
                number: snapshot.connected_number.into(),
                name: (&*snapshot.connected_name).into(),
            },
            dialled,
            agent,
            call: Ix::MAX,
            bridge: None,
            direction: if is_caller { Direction::Out } else { Direction::In },
            is_local,
            is_originated: is_first && matches!(state, State::Down | State::Ringing),
            audio: Audio::default(),
            recordings: Recordings::default(),
            parked: None,
            is_waiting: false,
            conference: None,
            spied_by: Vec::new(),
            dial_status: None,
            cause: None,
            created,
            line: None,
            seen: self.sync.round,
            heard: self.sync.round,
            placed: 0,
            parked_heard: 0,
        });
        self.by_uniqueid.insert(snapshot.uniqueid.into(), ix);
        if let Some(agent) = agent {
            self.extensions[agent].channels.push(ix);
            self.touch(Some(agent));
        }
        self.learn_name(ix);
        self.join_call(ix, out);
        self.tell_channel(ix, None, out);
        self.announce(ix, out);
        self.on_up(ix, out);
        self.catch_up(snapshot.uniqueid, out);
        ix
    }

    /// A channel is gone: so is everything that only it held.
    pub(crate) fn remove_channel(&mut self, ix: Ix, end: &End<'_>, out: &mut Out<'_>) {
        self.tell_channel(ix, Some(end), out);
        self.unpark(ix, UnparkReason::Hangup, None, out);
        self.leave_conference(ix, out);
        self.unplace(ix);
        let uniqueid = self.channels[ix].uniqueid.clone();
        self.caller_gone(&uniqueid, CallerChange::Abandoned, out);
        if let Some(agent) = self.channels[ix].agent {
            self.extensions[agent].channels.retain(|other| *other != ix);
            self.touch(Some(agent));
        }
        self.leave_call(ix, end, out);
        self.by_uniqueid.remove(&uniqueid);
        self.channels.remove(ix);
    }

    fn tell_channel(&self, ix: Ix, end: Option<&End<'_>>, out: &mut Out<'_>) {
        let channel = &self.channels[ix];
        let (number, name) = if channel.connected.number.is_empty() {
            (channel.dialled.clone(), SmolStr::default())
        } else {
            (channel.connected.number.clone(), channel.connected.name.clone())
        };
        let (cause, cause_text) = match end {
            Some(End::Hangup { cause, text }) => (Some(*cause), Some(SmolStr::new(text))),
            Some(End::Lost) | None => (None, None),
        };
        let details = ChannelState {
            channel: channel.name.clone(),
            call: self.calls[channel.call].id.clone(),
            state: SmolStr::new_static(match end {
                Some(_) => "hungup",
                None => channel.state.word(),
            }),
            number,
            name,
            cause,
            cause_text: cause_text.filter(|text| !text.is_empty()),
        };
        self.tell(channel.agent.map(|agent| self.number(agent)), None, details, out);
    }

    pub(crate) fn on_spy(&mut self, starts: bool, message: &Message, out: &Out<'_>) {
        let Some(spied) = self.known_channel(message, "SpyeeUniqueid") else {
            return self.keep_early("SpyeeUniqueid", message, out);
        };
        let spy = field(message, "SpyerChannel");
        let spies = &mut self.channels[spied].spied_by;
        spies.retain(|other| **other != *spy);
        if starts {
            spies.push(spy.into());
        }
        self.touch(self.channels[spied].agent);
    }
}
