//! Comparing the model with what Asterisk lists while the link is up, and mending what differs.
//!
//! An audit is a synchronisation that nobody is told of: a listing only changes what no event has
//! touched since it was asked for, so on a PBX at rest whatever it changes had been wrong. Under load
//! some of what it finds was on its way as an event and came first by the listing.

use super::{
    link::Link,
    request::Answer,
    talk::{BEING_SYNCED, Talk},
};
use serde_json::{Value, json};
use std::{sync::atomic::Ordering::Relaxed, time::Duration};
use telepulse_language::{Code, Event, Refusal, Stamped};
use tokio::time::Instant;

/// How often a link is audited whose server sends what a caller or a dialplan can forge.
const EVERY: Duration = Duration::from_secs(20);
/// How many differences are shown; all are counted and mended.
const SHOWN: usize = 100;

/// An audit that is going on.
#[derive(Default)]
pub(super) struct Audit {
    /// What the listings changed so far, as clients are told of it.
    pub(super) found: Vec<Event>,
    /// Who asked for it; nobody if it was time for it.
    asked: Vec<Answer<Value>>,
}

impl Talk {
    /// Audits on request: everything that is listed at login is listed again.
    pub(super) fn audit_asked(&mut self, link: &mut Link, reply: Answer<Value>) {
        if !self.is_synced {
            let refusal = super::request::unavailable(&link.server.id, BEING_SYNCED);
            // Whoever asked may have gone: nobody to tell.
            return drop(reply.send(Err(refusal)));
        }
        if let Some(audit) = &mut self.audit {
            return audit.asked.push(reply);
        }
        let listings = link.pbx.begin_sync(super::now());
        self.audit = Some(Audit { asked: vec![reply], ..Audit::default() });
        self.list_anew(link, listings);
    }

    /// Audits because it is time to.
    pub(super) fn audit_due(&mut self, link: &mut Link) {
        self.next_audit = self.interest.is_forgeable().then(|| Instant::now() + EVERY);
        if self.next_audit.is_some() && self.is_synced && self.audit.is_none() {
            let listings = link.pbx.begin_audit(super::now());
            self.audit = Some(Audit::default());
            self.list_anew(link, listings);
        }
    }

    /// Something came between.
    pub(super) fn drop_audit(&mut self, link: &Link) {
        for reply in self.audit.take().into_iter().flat_map(|audit| audit.asked) {
            let message = format!("server {:?}: the audit was broken off", link.server.id);
            // Whoever asked may have gone: nobody to tell.
            drop(reply.send(Err(Refusal::new(Code::ServerUnavailable, message))));
        }
    }
}

impl Audit {
    /// Every listing is in: tells what differed.
    pub(super) fn finish(mut self, link: &mut Link) {
        link.pbx.finish_sync(super::now(), &mut self.found);
        let differences = self.found.len();
        if differences > 0 {
            link.figures.mended.fetch_add(differences as u64, Relaxed);
            let server = &link.server.id;
            tracing::warn!(server, differences, "the model differed from the listings: mended");
        }
        let report = report(&self.found);
        for reply in self.asked {
            // Whoever asked may have gone: nobody to tell.
            drop(reply.send(Ok(report.clone())));
        }
        link.publisher.pending().append(&mut self.found);
    }
}

/// `{"differences","items"}`: how many, and the first of them as the events that mend them.
fn report(found: &[Event]) -> Value {
    let shown = found.iter().take(SHOWN).cloned();
    let items: Vec<Value> = shown
        .map(|event| {
            let mut item = json!(Stamped { seq: 0, event });
            // It has no place in the stream yet.
            item.as_object_mut().map(|item| item.remove("seq"));
            item
        })
        .collect();
    json!({ "differences": found.len(), "items": items })
}
