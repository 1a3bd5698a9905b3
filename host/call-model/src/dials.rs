//! Attempts to reach somebody: who is dialled, how it ended, and what became of our own dials.

use ami_proto::Message;
use telepulse_language::OriginateFailed;

use crate::channel::{DialStatus, Ix};
use crate::pbx::{Out, Pbx};
use crate::plan::Pending;
use crate::snapshot::Snapshot;
use crate::text::{field, number};

impl Pbx {
    /// DialBegin and DialState: two snapshots, the first of which an Originate does not have.
    pub(crate) fn on_dial(&mut self, message: &Message, out: &mut Out<'_>) {
        for snapshot in [Snapshot::read(message), Snapshot::dest(message)].into_iter().flatten() {
            self.see(&snapshot, out);
        }
    }

    pub(crate) fn on_dial_end(&mut self, message: &Message, out: &mut Out<'_>) {
        self.on_dial(message, out);
        let Some(dest) = self.known_channel(message, "DestUniqueid") else { return };
        let status = DialStatus::from_ami(field(message, "DialStatus"));
        self.channels[dest].dial_status = status;
        if status.is_some_and(|status| status != DialStatus::Answered) {
            self.calls[self.channels[dest].call].dial_status = status;
        }
    }

    /// How an Originate of ours ended. It may come before the channel's own last events.
    pub(crate) fn on_originate_response(&mut self, message: &Message, out: &mut Out<'_>) {
        let id = field(message, "Uniqueid");
        let Some(pending) = self.pending.remove(id) else { return };
        if field(message, "Response").eq_ignore_ascii_case("Success") {
            return;
        }
        let channel = self.by_uniqueid.get(id).copied();
        let reason = self.why_failed(channel, number(message, "Reason"));
        self.tell_failed(id, &pending, reason, out);
    }

    /// The channel knows better than the response, which has one number for many things.
    fn why_failed(&self, channel: Option<Ix>, reason: Option<u32>) -> &'static str {
        let channel = channel.map(|channel| &self.channels[channel]);
        let status = channel.and_then(|channel| channel.dial_status);
        let cause = channel.and_then(|channel| channel.cause);
        match (status, cause, reason) {
            (Some(DialStatus::Busy), ..) | (_, Some(17), _) | (.., Some(5)) => "busy",
            (_, Some(21), _) => "rejected",
            (Some(DialStatus::NoAnswer), ..) | (_, Some(18 | 19), _) | (.., Some(1 | 3)) => {
                "no answer"
            }
            (_, Some(20), _) => "the phone is not registered",
            (.., Some(8)) => "congestion",
            (.., Some(0)) => "the phone could not be reached: unknown, or not registered",
            _ => "it could not be put through",
        }
    }

    pub(crate) fn tell_failed(&self, id: &str, pending: &Pending, reason: &str, out: &mut Out<'_>) {
        let agent = (!pending.asked_by.is_empty()).then_some(&pending.asked_by);
        let details = OriginateFailed { action_id: id.into(), reason: reason.into() };
        self.tell(agent, None, details, out);
    }
}
