//! What becomes of a call's recordings when it is over, or goes on as another.

use super::{LIVE, Recorder, unkept};
use crate::{
    calls::{Live, Phase},
    entry::Entry,
    index, retention,
};
use serde::Deserialize;
use telepulse_plugin_sdk::{kv, language::Timestamp};

/// What is read of `callEnded`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct End {
    server: String,
    call: String,
    agent: Option<String>,
    queue: Option<String>,
    from: String,
    to: String,
    started: Timestamp,
    duration: u64,
    time: Timestamp,
    recordings: Vec<String>,
    merged_into: Option<String>,
}

impl Recorder {
    /// A call is over. That is not tried again where it cannot be kept: the events behind it have to be in time.
    pub(super) fn over(&mut self, end: End) {
        let call = end.call.clone();
        if let Err(why) = self.ended(end) {
            unkept(&call, &why);
        }
    }

    /// Its entry is what it will be.
    fn ended(&mut self, end: End) -> Result<(), String> {
        let live = self.calls.forget(&end.call);
        if live.as_ref().is_some_and(Live::is_worth_keeping)
            && let Err(why) = kv::take(&format!("{LIVE}{}", end.call))
        {
            unkept(&end.call, &why);
        }
        if let Some(into) = &end.merged_into {
            return self.merged(&end, live, into);
        }
        if end.recordings.is_empty() {
            return Ok(());
        }
        let facts = live.map(|live| live.facts).unwrap_or_default();
        let known = index::get(&end.call)?;
        let mut entry = known.unwrap_or_else(|| Entry::new(&end.call, &facts, end.started));
        entry.learn(&facts);
        for (own, told) in [
            (&mut entry.server, &end.server),
            (&mut entry.from, &end.from),
            (&mut entry.to, &end.to),
        ] {
            if own.is_empty() {
                own.clone_from(told);
            }
        }
        entry.queue = entry.queue.take().or(end.queue);
        // It is told for those, too, whose phones only rang.
        if let Some(agent) = end.agent.filter(|agent| *agent == end.from) {
            entry.add_agent(&agent);
        }
        for file in &end.recordings {
            entry.add_file(file, None);
        }
        entry.ended = Some(end.time);
        entry.duration = Some(end.duration);
        retention::keep(&self.settings, &entry)
    }

    /// It goes on as another call, and its recordings with it.
    fn merged(&mut self, end: &End, live: Option<Live>, into: &str) -> Result<(), String> {
        if let Some(live) = live {
            let kept = self.calls.begun(into, &end.server);
            if kept.phase == Phase::Open && live.phase == Phase::Decided {
                kept.phase = Phase::Decided;
                kept.recorded.clone_from(&live.recorded);
            }
            kept.join(live);
            let moments = [kept.paused_until, kept.pause_again];
            for moment in moments.into_iter().flatten() {
                self.calls.look_at(into, moment);
            }
            self.keep(into);
        }
        let Some(gone) = index::get(&end.call)? else { return Ok(()) };
        let entry = match index::get(into)? {
            Some(mut entry) => {
                entry.absorb(gone);
                entry
            }
            None => Entry { id: into.to_owned(), ..gone },
        };
        // Where there is no room for it, it stays listed as what it was.
        retention::keep(&self.settings, &entry)?;
        index::take(&end.call).map(drop)
    }
}
