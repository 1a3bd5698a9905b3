//! Channels are made, and what they show changes.

use std::collections::BTreeMap;

use crate::centre::Centre;
use crate::channel::{Channel, ChannelId, Doing, Party, State};

/// What channels are numbered by.
#[derive(Debug, Default)]
pub(crate) struct Names {
    phones: u32,
    locals: u32,
    uniqueids: u32,
}

/// What a channel starts with.
pub(crate) struct NewChannel<'a> {
    pub(crate) device: &'a str,
    pub(crate) state: State,
    pub(crate) caller: Party,
    pub(crate) context: &'a str,
    pub(crate) exten: &'a str,
    /// Told by whoever asked for the channel.
    pub(crate) uniqueid: Option<&'a str>,
    /// The call that it becomes part of.
    pub(crate) linkedid: Option<String>,
    pub(crate) doing: Doing,
}

impl Centre {
    /// A new channel of a device. Events tell of it; nothing else is told yet.
    pub(crate) fn create(&mut self, new: NewChannel<'_>) -> ChannelId {
        let name = format!("{}-{:08x}", new.device, self.names.phones);
        self.names.phones += 1;
        self.create_named(name, new)
    }

    /// Both halves of a new `Local` channel: the near one, and the one that goes into the dialplan.
    pub(crate) fn create_pair(
        &mut self,
        near: NewChannel<'_>,
        far: NewChannel<'_>,
    ) -> (ChannelId, ChannelId) {
        let name = format!("{}-{:08x}", near.device, self.names.locals);
        self.names.locals += 1;
        let near = self.create_named(format!("{name};1"), near);
        let linkedid = self.channels.get(&near).map(|near| near.linkedid.clone());
        let far = self.create_named(format!("{name};2"), NewChannel { linkedid, ..far });
        for (one, other) in [(near, far), (far, near)] {
            if let Some(one) = self.channels.get_mut(&one) {
                one.half = Some(other);
            }
        }
        (near, far)
    }

    fn create_named(&mut self, name: String, new: NewChannel<'_>) -> ChannelId {
        let id = self.next_id();
        let count = self.names.uniqueids;
        let made = format!("{}-{}.{count}", self.settings.system_name, self.now_s());
        let uniqueid = new.uniqueid.map_or(made, str::to_owned);
        self.names.uniqueids += 1;
        let channel = Channel {
            name,
            device: new.device.to_owned(),
            state: new.state,
            caller: new.caller,
            connected: None,
            context: new.context.to_owned(),
            exten: new.exten.to_owned(),
            priority: 1,
            linkedid: new.linkedid.unwrap_or_else(|| uniqueid.clone()),
            uniqueid,
            application: String::new(),
            data: String::new(),
            started_ms: self.now_ms,
            held: false,
            doing: new.doing,
            variables: BTreeMap::new(),
            recordings: 0,
            half: None,
        };
        self.channels.insert(id, channel);
        if let Some(device) = self.devices.get_mut(new.device) {
            device.channels.insert(id);
        }
        self.tell("Newchannel", id, &[]);
        id
    }

    pub(crate) fn set_state(&mut self, channel: ChannelId, state: State) {
        if let Some(changed) = self.channels.get_mut(&channel) {
            changed.state = state;
            let local = changed.half.map(|_| changed.device.clone());
            self.tell("Newstate", channel, &[]);
            if let Some(local) = local {
                self.tell_device(&local, "INUSE");
            }
        }
    }

    /// Under whose number and name the channel goes from now on.
    pub(crate) fn call_itself(&mut self, channel: ChannelId, party: &Party) {
        let Some(changed) = self.channels.get_mut(&channel) else { return };
        if std::mem::replace(&mut changed.caller, party.clone()) != *party {
            let more = [("CID-CallingPres", "0 (Presentation Allowed, Not Screened)")];
            self.tell("NewCallerid", channel, &more);
        }
    }

    /// Application Answer.
    pub(crate) fn pick_up(&mut self, channel: ChannelId) {
        let Some(found) = self.channels.get(&channel) else { return };
        if found.state == State::Up {
            return;
        }
        let device = found.device.clone();
        self.set_state(channel, State::Up);
        self.refresh(&device);
        self.near_answers(channel);
    }

    /// Whom the channel is told that it talks to.
    pub(crate) fn connect_line(&mut self, channel: ChannelId, party: Party) {
        if let Some(changed) = self.channels.get_mut(&channel) {
            changed.connected = Some(party);
            self.tell("NewConnectedLine", channel, &[]);
        }
    }
}
