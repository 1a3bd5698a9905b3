//! What a worker has taken from its mailbox and not done. Pure but for the waiting.

use super::at;
use crate::{
    effects::Reply,
    mailbox::{BATCH, Outbox},
    ports::{BusEvent, Happening},
};
use futures_util::future::OptionFuture;
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// An event that ended this many instances on its own is set aside.
const DEADLY: u32 = 2;
/// An event that the plugin asked for again this often is set aside.
pub(super) const RETRIES: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What has been taken from the mailbox and is not done.
#[derive(Default)]
pub(super) struct Work {
    pub(super) happenings: Vec<Happening>,
    pub(super) replies: Vec<Reply>,
    /// Events to be handed over again, before any from the mailbox.
    again: VecDeque<Arc<BusEvent>>,
    /// One at a time: one of them ended an instance.
    singly: bool,
    /// How often the first of them was tried.
    tries: u32,
    /// Events rest until then.
    rest_until: Option<Instant>,
}

impl Work {
    /// Waits until there is something to do. Events, and the next timer, count if `serving`.
    pub(super) async fn arrives(
        &mut self,
        outbox: &mut Outbox,
        timer: Option<Instant>,
        serving: bool,
    ) {
        let ready = serving && self.rest_until.is_none() && !self.again.is_empty();
        if ready || !self.happenings.is_empty() || !self.replies.is_empty() {
            return;
        }
        let wanted = serving && self.rest_until.is_none();
        let wake = [timer, self.rest_until].into_iter().flatten().min().filter(|_| serving);
        tokio::select! {
            () = outbox.receive(&mut self.happenings, &mut self.replies, wanted) => {}
            Some(()) = OptionFuture::from(wake.map(at)) => {}
        }
    }

    /// Gives back what was taken from the mailbox, so that it is there for whoever comes next.
    pub(super) fn give_back(&mut self, outbox: &Outbox) {
        outbox.put_back(self.again.drain(..));
    }

    /// Whether nothing is left of what was taken.
    pub(super) fn is_done(&self) -> bool {
        self.happenings.is_empty() && self.replies.is_empty() && self.again.is_empty()
    }

    /// There is nobody to do it.
    pub(super) fn discard(&mut self) {
        self.happenings.clear();
        self.replies.clear();
    }

    /// The next batch of events.
    pub(super) fn batch(&mut self, outbox: &Outbox, now: Instant) -> VecDeque<Arc<BusEvent>> {
        if self.rest_until.is_some_and(|until| until > now) {
            return VecDeque::new();
        }
        self.rest_until = None;
        if self.again.is_empty() {
            self.singly = false;
            self.tries = 0;
            return outbox.take_events(BATCH);
        }
        let most = if self.singly { 1 } else { BATCH };
        self.again.drain(..self.again.len().min(most)).collect()
    }

    /// Puts back what was not done, before everything else.
    pub(super) fn put_back(&mut self, mut batch: VecDeque<Arc<BusEvent>>) {
        batch.append(&mut self.again);
        self.again = batch;
    }

    /// The instance is gone that had this batch. Answers the event that is set aside.
    pub(super) fn ended_by(&mut self, mut batch: VecDeque<Arc<BusEvent>>) -> Option<Arc<BusEvent>> {
        let mut aside = None;
        if batch.len() == 1 {
            self.singly = true;
            self.tries += 1;
            if self.tries >= DEADLY {
                self.tries = 0;
                aside = batch.pop_front();
            }
        } else {
            self.singly = true;
            self.tries = 0;
        }
        self.put_back(batch);
        aside
    }

    /// The plugin wants the rest again. Answers the event that is set aside.
    pub(super) fn retry(
        &mut self,
        mut rest: VecDeque<Arc<BusEvent>>,
        progressed: bool,
        now: Instant,
    ) -> Option<Arc<BusEvent>> {
        self.tries = if progressed { 1 } else { self.tries + 1 };
        let mut aside = None;
        if self.tries > RETRIES {
            self.tries = 0;
            aside = rest.pop_front();
        } else {
            let pause = FIRST_PAUSE * 2u32.saturating_pow(self.tries - 1);
            self.rest_until = Some(now + pause.min(LONGEST_PAUSE));
        }
        self.put_back(rest);
        aside
    }
}
