//! `Local` channels: two halves, of which one goes into the dialplan and the other stands for it.
//!
//! Phones here send no sound, so Asterisk would not optimize them away: they stay as long as the call.

use crate::centre::Centre;
use crate::channel::{Called, ChannelId, Doing, Party, State};
use crate::making::NewChannel;
use crate::wire::Class;

/// Where a new pair leads, and what it is part of.
pub(crate) struct Pair<'a> {
    pub(crate) context: &'a str,
    pub(crate) exten: &'a str,
    /// Given to the near half and to the far one.
    pub(crate) uniqueids: [Option<&'a str>; 2],
    pub(crate) linkedid: Option<String>,
    /// What the near half is about.
    pub(crate) doing: Doing,
}

impl Centre {
    /// Makes both halves; returns the near one, and the one that is to enter the dialplan.
    pub(crate) fn local_pair(&mut self, pair: Pair<'_>) -> (ChannelId, ChannelId) {
        let device = format!("Local/{}@{}", pair.exten, pair.context);
        let half = |state, uniqueid, linkedid, doing| NewChannel {
            device: &device,
            state,
            caller: Party::unknown(),
            context: pair.context,
            exten: pair.exten,
            uniqueid,
            linkedid,
            doing,
        };
        let near = half(State::Down, pair.uniqueids[0], pair.linkedid, pair.doing);
        let far = half(State::Ring, pair.uniqueids[1], None, Doing::Alone);
        self.create_pair(near, far)
    }

    /// Tells that the halves are one.
    pub(crate) fn tell_local_bridge(&mut self, near: ChannelId, far: ChannelId) {
        let (Some(one), Some(two)) = (self.channels.get(&near), self.channels.get(&far)) else {
            return;
        };
        let text = one.show("LocalOne", self.event("LocalBridge", Class::Call));
        let text = two
            .show("LocalTwo", text)
            .field("Context", &one.context)
            .field("Exten", &one.exten)
            .field("LocalOptimization", "Yes");
        self.emit(Class::Call, text);
    }

    /// What the far half calls rings: so does the near one, under the number of who is called.
    pub(crate) fn near_rings(&mut self, far: ChannelId) {
        let Some((near, party)) = self.near_of(far) else { return };
        let before = self.channels.get(&near).map(|near| near.caller.clone());
        if let (Some(half), Some(party)) = (self.channels.get_mut(&near), &party) {
            half.caller = party.clone();
        }
        self.set_state(near, State::Ringing);
        if before != party {
            let more = [("CID-CallingPres", "0 (Presentation Allowed, Not Screened)")];
            self.tell("NewCallerid", near, &more);
        }
        self.tell_dial("DialState", near, &[("DialStatus", "RINGING")]);
    }

    /// The far half is answered: so is the near one.
    pub(crate) fn near_answers(&mut self, far: ChannelId) {
        let Some((near, _)) = self.near_of(far) else { return };
        match self.doing(near).cloned() {
            Some(Doing::Called(Called::Originated(wish))) => self.answer_originated(near, wish),
            Some(_) if self.state_of(near) != Some(State::Up) => {
                self.set_state(near, State::Up);
                self.tell_dial("DialEnd", near, &[("DialStatus", "ANSWER")]);
            }
            _ => {}
        }
    }

    /// The near half, and whom the far one was told that it talks to.
    fn near_of(&self, far: ChannelId) -> Option<(ChannelId, Option<Party>)> {
        let channel = self.channels.get(&far)?;
        let near = channel.half.filter(|_| channel.name.ends_with(";2"))?;
        Some((near, channel.connected.clone()))
    }

    /// The other half has ended: so does this one.
    pub(crate) fn half_gone(&mut self, channel: ChannelId, code: u32) {
        if self.channels.contains_key(&channel) {
            let cause = super::ending::Cause::new(code);
            self.hang_up(channel, cause);
        }
    }

    pub(crate) fn state_of(&self, channel: ChannelId) -> Option<State> {
        self.channels.get(&channel).map(|channel| channel.state)
    }
}
