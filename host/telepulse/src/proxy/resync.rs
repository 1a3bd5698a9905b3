//! Filling the model from Asterisk's own listings: after each login, and after events were left out.

use super::{
    link::Link,
    talk::{Talk, Waiting},
};
use ami_proto::{Action, Outcome};
use call_model::Listing;
use telepulse_language::{Details, Event, Resync, ServerState};

/// How long one listing may take before the connection is given up.
const LISTING_TIMEOUT_MS: u64 = 30_000;

impl Talk {
    /// Live events are left out from here: the model is not true any more.
    pub(super) fn fall_behind(&mut self, link: &mut Link) {
        self.is_synced = false;
        self.drop_audit(link);
        link.lost.get_or_insert_with(super::now);
        self.left_out_before = self.session.stats().shed;
        let reason = "events come faster than they can be worked off: they are left out";
        tracing::warn!(server = link.server.id, reason);
        link.figures.failed(reason);
        link.publisher.state(ServerState::Syncing, Some(reason));
    }

    /// Every event that comes is taken again.
    pub(super) fn caught_up(&mut self, link: &mut Link) {
        let left_out = self.session.stats().shed - self.left_out_before;
        let reason = format!("{left_out} events were left out, because they came too fast");
        tracing::warn!(server = link.server.id, reason);
        link.figures.failed(&reason);
        self.begin_sync(link, Some(&reason));
    }

    /// The model is filled from the listings while live events are already applied.
    pub(super) fn begin_sync(&mut self, link: &mut Link, reason: Option<&str>) {
        self.is_synced = false;
        self.drop_audit(link);
        link.publisher.state(ServerState::Syncing, reason);
        let listings = link.pbx.begin_sync(super::now());
        self.list_anew(link, listings);
    }

    /// Asks for listings; answers to earlier ones are of no use any more.
    pub(super) fn list_anew(&mut self, link: &mut Link, listings: Vec<Listing>) {
        self.sync += 1;
        self.listings_left = 0;
        self.list(link, listings);
        self.finish_if_done(link);
    }

    fn list(&mut self, link: &mut Link, listings: Vec<Listing>) {
        for listing in listings {
            let action = listing.action();
            if self.submit(link, action, Waiting::Listing(self.sync, listing)) {
                self.listings_left += 1;
            }
        }
    }

    pub(super) fn submit(&mut self, link: &mut Link, action: Action, waiting: Waiting) -> bool {
        let name = action.name().to_owned();
        match self.session.submit(action, LISTING_TIMEOUT_MS, link.now_ms()) {
            Ok(id) => {
                self.waiting.insert(id, waiting);
                true
            }
            Err(error) => {
                self.lost(&format!("{name} could not be sent: {error}"));
                false
            }
        }
    }

    pub(super) fn on_listing(&mut self, link: &mut Link, listing: &Listing, outcome: &Outcome) {
        self.listings_left -= 1;
        let Outcome::Response { response, items } = outcome else {
            return self
                .lost(&format!("{} was not answered: {outcome:?}", listing.action().name()));
        };
        if !outcome.is_whole() {
            // What it leaves out would be taken for gone.
            return self.lost(&format!("{} was cut short", listing.action().name()));
        }
        let events = match &mut self.audit {
            Some(audit) => &mut audit.found,
            None => link.publisher.pending(),
        };
        let more = link.pbx.fold(listing, response, items, super::now(), events);
        self.list(link, more);
        self.finish_if_done(link);
    }

    fn finish_if_done(&mut self, link: &mut Link) {
        if self.listings_left > 0 || self.end.is_some() {
            return;
        }
        match self.audit.take() {
            Some(audit) => audit.finish(link),
            None => self.finish_sync(link),
        }
    }

    fn finish_sync(&mut self, link: &mut Link) {
        (self.is_synced, self.was_synced) = (true, true);
        let now = super::now();
        let events = link.publisher.pending();
        link.pbx.finish_sync(now, events);
        if let Some(from) = link.lost.take() {
            events.push(Event {
                server: link.server.id.as_str().into(),
                time: now,
                agent: None,
                queue: None,
                details: Details::from(Resync { from, to: now }),
            });
        }
        link.publisher.state(ServerState::Connected, None);
    }
}
