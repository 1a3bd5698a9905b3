//! Transfers, whoever makes them: a phone by its own keys, or a command.

use ami_proto::Message;
use telepulse_language::{CallTransferred, Event, SmolStr, Timestamp, TransferredHow};

use crate::channel::Ix;
use crate::pbx::{Out, Pbx};
use crate::text::field;

impl Pbx {
    pub(crate) fn on_blind_transfer(&mut self, message: &Message, out: &mut Out<'_>) {
        if field(message, "Result") != "Success" {
            return;
        }
        let by = self.party_of(message, "TransfererUniqueid", "TransfererCallerIDNum");
        // Asterisk names the near half of a `Local/` chain; who goes is whoever is behind it.
        let transferer = self.known_channel(message, "TransfererUniqueid");
        let party = match transferer.map(|ix| self.others(ix)).as_deref() {
            Some([other]) => self.number_of(*other),
            _ => self.party_of(message, "TransfereeUniqueid", "TransfereeCallerIDNum"),
        };
        let to = SmolStr::new(field(message, "Extension"));
        let channel = ["TransfererUniqueid", "TransfereeUniqueid"]
            .iter()
            .find_map(|key| self.known_channel(message, key));
        if let Some(channel) = channel {
            let details = self.transferred(channel, TransferredHow::Blind, by, party, to);
            self.tell_transferred(channel, &details, out);
        }
    }

    pub(crate) fn on_attended_transfer(&mut self, message: &Message, out: &mut Out<'_>) {
        if field(message, "Result") != "Success" {
            return;
        }
        let by = self.party_of(message, "OrigTransfererUniqueid", "OrigTransfererCallerIDNum");
        let party = self.party_of(message, "TransfereeUniqueid", "TransfereeCallerIDNum");
        let mut to = self.party_of(message, "TransferTargetUniqueid", "TransferTargetCallerIDNum");
        if to.is_empty() {
            // Seen once, with a local channel in between: no target, or one without a number. Then it is
            // whom the transferer saw last.
            to = field(message, "SecondTransfererConnectedLineNum").into();
        }
        let channel = ["OrigTransfererUniqueid", "TransfereeUniqueid"]
            .iter()
            .find_map(|key| self.known_channel(message, key));
        if let Some(channel) = channel {
            let details = self.transferred(channel, TransferredHow::Attended, by, party, to);
            self.tell_transferred(channel, &details, out);
        }
    }

    /// The extension of a channel, or of who is behind it, else the number that it shows.
    fn party_of(&self, message: &Message, uniqueid: &str, number: &str) -> SmolStr {
        let channel = self.known_channel(message, uniqueid);
        let behind = channel.and_then(|ix| self.other_half(ix)).map(|half| self.others(half));
        if let Some([other]) = behind.as_deref() {
            return self.number_of(*other);
        }
        match channel.and_then(|ix| self.channels[ix].agent) {
            Some(agent) => self.number(agent).clone(),
            None => field(message, number).into(),
        }
    }

    fn number_of(&self, channel: Ix) -> SmolStr {
        let channel = &self.channels[channel];
        match channel.agent {
            Some(agent) => self.number(agent).clone(),
            None => channel.caller.number.clone(),
        }
    }

    fn transferred(
        &self,
        channel: Ix,
        kind: TransferredHow,
        by: SmolStr,
        party: SmolStr,
        to: SmolStr,
    ) -> CallTransferred {
        let call = self.calls[self.channels[channel].call].id.clone();
        CallTransferred { call, kind, by: (!by.is_empty()).then_some(by), party, to }
    }

    /// Tells each extension that has a channel in the call; where there is none, nobody in particular.
    fn tell_transferred(&self, channel: Ix, details: &CallTransferred, out: &mut Out<'_>) {
        let call = &self.calls[self.channels[channel].call];
        let live = call.channels.iter().filter_map(|channel| self.channels[*channel].agent);
        let mut agents: Vec<Ix> = live.collect();
        agents.sort_unstable();
        agents.dedup();
        for agent in &agents {
            self.tell(Some(self.number(*agent)), call.queue.as_ref(), details.clone(), out);
        }
        if agents.is_empty() {
            self.tell(None, call.queue.as_ref(), details.clone(), out);
        }
    }

    /// What is to be told once a channel that talks with nobody was sent elsewhere: Asterisk has no
    /// event for it.
    pub(crate) fn redirected(&self, channel: Ix, to: &str, now: Timestamp) -> Vec<Event> {
        let party = self.number_of(channel);
        let details = self.transferred(
            channel,
            TransferredHow::Blind,
            SmolStr::default(),
            party,
            SmolStr::new(to),
        );
        let mut events = Vec::new();
        self.tell_transferred(channel, &details, &mut Out { now, events: &mut events });
        events
    }
}
