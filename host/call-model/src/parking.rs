//! Parking lots: who waits in which space.

use ami_proto::Message;
use telepulse_language::{Parked, SmolStr, Timestamp, UnparkReason, Unparked};

use crate::channel::Ix;
use crate::pbx::{Out, Pbx};
use crate::text::{field, number};

/// Where a channel is parked.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    /// The number to dial to get it back.
    pub(crate) number: SmolStr,
    pub(crate) lot: SmolStr,
    /// Seconds that it may wait, all in all.
    pub(crate) timeout: u64,
    pub(crate) since: Timestamp,
    /// The extension that parked it.
    pub(crate) by: Option<SmolStr>,
}

impl Pbx {
    pub(crate) fn on_parked(&mut self, message: &Message, out: &mut Out<'_>) {
        if let Some(channel) = self.known_channel(message, "ParkeeUniqueid") {
            self.channels[channel].parked_heard = self.sync.round;
            self.park(channel, message, out);
        } else {
            self.keep_early("ParkeeUniqueid", message, out);
        }
    }

    /// ParkedCallSwap: the channel of the event stands where another was parked, as by an attended
    /// transfer into a lot.
    pub(crate) fn on_parked_swap(&mut self, message: &Message, out: &mut Out<'_>) {
        let (lot, number) = (field(message, "Parkinglot"), field(message, "ParkingSpace"));
        let before = self.channels.iter().find(|(_, channel)| {
            channel
                .parked
                .as_ref()
                .is_some_and(|space| *space.lot == *lot && *space.number == *number)
        });
        if let Some(before) = before.map(|(ix, _)| ix) {
            self.channels[before].parked_heard = self.sync.round;
            self.unpark(before, UnparkReason::Left, None, out);
        }
        self.on_parked(message, out);
    }

    /// Takes in what an event or a list item says of a parked channel.
    fn park(&mut self, channel: Ix, message: &Message, out: &mut Out<'_>) {
        let waited: u64 = number(message, "ParkingDuration").unwrap_or(0);
        let left: u64 = number(message, "ParkingTimeout").unwrap_or(0);
        let space = Space {
            number: field(message, "ParkingSpace").into(),
            lot: field(message, "Parkinglot").into(),
            timeout: left + waited,
            since: Timestamp(out.now.0.saturating_sub(waited.saturating_mul(1000))),
            by: self.extension_of_device(field(message, "ParkerDialString")),
        };
        let is_same = self.channels[channel]
            .parked
            .as_ref()
            .is_some_and(|known| known.number == space.number && known.lot == space.lot);
        if is_same {
            return;
        }
        self.unpark(channel, UnparkReason::Left, None, out);
        let details = Parked {
            call: self.calls[self.channels[channel].call].id.clone(),
            space: space.number.clone(),
            lot: space.lot.clone(),
            timeout: left,
            by: space.by.clone(),
        };
        self.channels[channel].parked = Some(Box::new(space));
        let agent = self.channels[channel].agent;
        self.tell(agent.map(|agent| self.number(agent)), None, details, out);
        self.touch(agent);
    }

    pub(crate) fn on_unparked(&mut self, event: &str, message: &Message, out: &mut Out<'_>) {
        let Some(channel) = self.known_channel(message, "ParkeeUniqueid") else {
            return self.forget_early(field(message, "ParkeeUniqueid"));
        };
        self.channels[channel].parked_heard = self.sync.round;
        let (reason, by) = match event {
            "UnParkedCall" => {
                let retriever = self.known_channel(message, "RetrieverUniqueid");
                let agent = retriever.and_then(|channel| self.channels[channel].agent);
                (UnparkReason::Retrieved, agent.map(|agent| self.number(agent).clone()))
            }
            "ParkedCallTimeOut" => (UnparkReason::Timeout, None),
            _ => (UnparkReason::Hangup, None),
        };
        self.unpark(channel, reason, by, out);
    }

    pub(crate) fn unpark(
        &mut self,
        channel: Ix,
        reason: UnparkReason,
        by: Option<SmolStr>,
        out: &mut Out<'_>,
    ) {
        let Some(space) = self.channels[channel].parked.take() else { return };
        let details = Unparked {
            call: self.calls[self.channels[channel].call].id.clone(),
            space: space.number,
            lot: space.lot,
            reason,
            by,
        };
        let agent = self.channels[channel].agent;
        self.tell(agent.map(|agent| self.number(agent)), None, details, out);
        self.touch(agent);
    }

    /// ParkedCalls: what no event has told of since the listing was asked for is as it says.
    pub(crate) fn fold_parked(&mut self, items: &[Message], out: &mut Out<'_>) {
        let round = self.sync.round;
        let mut listed = Vec::with_capacity(items.len());
        for item in items {
            if let Some(channel) = self.known_channel(item, "ParkeeUniqueid")
                && self.channels[channel].parked_heard != round
            {
                self.park(channel, item, out);
                listed.push(channel);
            }
        }
        let gone = self.channels.iter().filter(|(ix, channel)| {
            channel.parked.is_some() && channel.parked_heard != round && !listed.contains(ix)
        });
        let gone: Vec<Ix> = gone.map(|(ix, _)| ix).collect();
        for channel in gone {
            self.unpark(channel, UnparkReason::Left, None, out);
        }
    }

    fn extension_of_device(&self, device: &str) -> Option<SmolStr> {
        self.agent_of_device(device).map(|agent| self.number(agent).clone())
    }
}
