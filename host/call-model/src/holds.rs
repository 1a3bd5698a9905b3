//! Hold, and music: what a channel does to the other side, and what it hears.

use ami_proto::Message;
use telepulse_language::{CallHeld, CallResumed};

use crate::pbx::{Out, Pbx};

impl Pbx {
    pub(crate) fn on_hold(&mut self, message: &Message, out: &mut Out<'_>) {
        self.on_channel(message, out);
        let Some(ix) = self.known_channel(message, "Uniqueid") else { return };
        let audio = &mut self.channels[ix].audio;
        if audio.holds.is_some() {
            return;
        }
        audio.holds = Some(out.now);
        let channel = &self.channels[ix];
        let call = &self.calls[channel.call];
        let details = CallHeld {
            call: call.id.clone(),
            channel: channel.name.clone(),
            number: self.other_party(ix).0.clone(),
        };
        let agent = channel.agent.map(|agent| self.number(agent));
        self.tell(agent, call.queue.as_ref(), details, out);
        self.touch(self.channels[ix].agent);
    }

    pub(crate) fn on_unhold(&mut self, message: &Message, out: &mut Out<'_>) {
        self.on_channel(message, out);
        let Some(ix) = self.known_channel(message, "Uniqueid") else { return };
        let Some(since) = self.channels[ix].audio.holds.take() else { return };
        let channel = &self.channels[ix];
        let call = &self.calls[channel.call];
        let details = CallResumed {
            call: call.id.clone(),
            channel: channel.name.clone(),
            number: self.other_party(ix).0.clone(),
            duration: out.now.seconds_since(since),
        };
        let agent = channel.agent.map(|agent| self.number(agent));
        self.tell(agent, call.queue.as_ref(), details, out);
        self.touch(self.channels[ix].agent);
    }

    pub(crate) fn on_music(&mut self, starts: bool, message: &Message, out: &mut Out<'_>) {
        self.on_channel(message, out);
        let Some(ix) = self.known_channel(message, "Uniqueid") else {
            return self.keep_early("Uniqueid", message, out);
        };
        self.channels[ix].audio.hears_music = starts;
        self.touch(self.channels[ix].agent);
    }
}
