//! One part of the history: which calls, and where the next part begins. Reads a bounded number of
//! calls; where few of them are wanted, a part is short and the next one goes on.

use super::{
    Part, kept,
    store::{Key, Store},
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    fmt,
    ops::{ControlFlow, Range},
    str::FromStr,
};
use telepulse_language::{EndedCall, Filter, Page, Principal, Refusal};

/// At most so many calls are read for one answer.
pub(super) const MAX_READ: usize = 20_000;

/// The key of the last call that was looked at, as clients hand it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor(Key);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0.0, self.0.1)
    }
}

impl FromStr for Cursor {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let read = || {
            let (ended, number) = text.split_once('-')?;
            Some(Self((ended.parse().ok()?, number.parse().ok()?)))
        };
        let message = "must be the `next` of an earlier answer";
        read().ok_or_else(|| Refusal::field("page.before", message))
    }
}

/// What is asked for, and by whom.
pub(super) struct Wanted {
    filter: Filter,
    page: Page,
    who: Option<Principal>,
}

impl Wanted {
    pub(super) fn new(filter: Filter, page: Page, who: Option<Principal>) -> Self {
        Self { filter, page, who }
    }

    /// Reads one part.
    pub(super) fn read(&self, store: &Store, before: Option<Cursor>) -> Result<Part, redb::Error> {
        let limit = self.page.limit.unwrap_or(Page::USUAL);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut part = Part::default();
        if let Some(call) = &self.page.call {
            let found = store.find(call)?.and_then(|json| kept::read(&json).ok());
            part.items.extend(found.and_then(|call| self.shown(call)).map(|call| json!(call)));
            return Ok(part);
        }
        let mut looked_at: Option<Key> = None;
        let mut read = 0;
        store.visit(self.range(before), |key, json| {
            if part.items.len() == limit || read == MAX_READ {
                part.next = looked_at.map(|key| Cursor(key).to_string());
                return ControlFlow::Break(());
            }
            read += 1;
            looked_at = Some(key);
            match kept::read(json) {
                Ok(call) => part.items.extend(self.shown(call).map(|call| json!(call))),
                Err(error) => tracing::error!(%error, ?key, "an ended call cannot be read"),
            }
            ControlFlow::Continue(())
        })?;
        Ok(part)
    }

    fn range(&self, before: Option<Cursor>) -> Range<Key> {
        let since = (self.page.since.map_or(0, |since| since.0), 0);
        let until = (self.page.until.map_or(u64::MAX, |until| until.0), 0);
        since..before.map_or(until, |before| before.0.min(until)).max(since)
    }

    fn shown(&self, call: EndedCall) -> Option<EndedCall> {
        let passes = |list: &Option<BTreeSet<String>>, value: &str| {
            list.as_ref().is_none_or(|list| list.contains(value))
        };
        let Filter { servers, agents, queues, .. } = &self.filter;
        let is_wanted = passes(servers, &call.server)
            && call.queue.as_deref().is_none_or(|queue| passes(queues, queue))
            && (call.agents.is_empty() || call.agents.iter().any(|agent| passes(agents, agent)))
            && self
                .page
                .number
                .as_deref()
                .is_none_or(|number| call.summary.from == number || call.summary.to == number);
        match &self.who {
            _ if !is_wanted => None,
            Some(who) => call_model::cut_ended(call, who),
            None => Some(call),
        }
    }
}
