//! Events that come before the Newchannel of the channel that they are about.
//!
//! Asterisk tells of channels by another way than of what happens to them in a parking lot, a
//! conference or a queue. Where a channel gets there within a few milliseconds (a `Local/` channel does)
//! its arrival there is told first. Such events wait here until the channel is known.

use ami_proto::Message;
use std::collections::VecDeque;
use telepulse_language::{SmolStr, Timestamp};

use crate::pbx::{Out, Pbx};
use crate::text::field;

/// So many events wait; the oldest is forgotten first. Most are no early ones, but echoes of channels
/// that are gone.
const ROOM: usize = 256;
/// So long they wait.
const PATIENCE_MS: u64 = 5_000;

/// Events of channels that are not known yet, in the order in which they came.
#[derive(Default)]
pub(crate) struct Early {
    events: VecDeque<(Timestamp, SmolStr, Message)>,
}

impl Pbx {
    /// Keeps an event whose channel, by the Uniqueid under `key`, is not known.
    pub(crate) fn keep_early(&mut self, key: &str, message: &Message, out: &Out<'_>) {
        let uniqueid = field(message, key);
        if uniqueid.is_empty() || self.by_uniqueid.contains_key(uniqueid) {
            return;
        }
        let events = &mut self.early.events;
        let is_old = |(came, ..): &(Timestamp, SmolStr, Message)| {
            out.now.0.saturating_sub(came.0) > PATIENCE_MS
        };
        while events.len() >= ROOM || events.front().is_some_and(is_old) {
            events.pop_front();
        }
        events.push_back((out.now, uniqueid.into(), message.detached()));
    }

    /// What was kept of a channel does not hold any more.
    pub(crate) fn forget_early(&mut self, uniqueid: &str) {
        self.early.events.retain(|(_, id, _)| *id != *uniqueid);
    }

    /// The channel is known now: takes in what was kept of it.
    pub(crate) fn catch_up(&mut self, uniqueid: &str, out: &mut Out<'_>) {
        if self.early.events.is_empty() {
            return;
        }
        let kept = self.early.events.iter().filter(|(_, id, _)| *id == *uniqueid);
        let kept: Vec<Message> = kept.map(|(.., message)| message.clone()).collect();
        self.forget_early(uniqueid);
        for message in kept {
            if let Some(event) = message.event() {
                self.dispatch(event, &message, out);
            }
        }
    }
}
