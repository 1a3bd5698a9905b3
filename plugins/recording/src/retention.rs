//! How long recordings are listed, and when their audio is removed.

use crate::{audio, entry::Entry, index, settings::Settings};
use std::{fs, io, time::Duration};
use telepulse_plugin_sdk::{language::Timestamp, log, metrics};

/// How many are removed at a time.
const AT_A_TIME: u32 = 100;
/// How long an entry outlives its audio's time, so that what cannot be removed yet is tried again.
const GRACE: Duration = Duration::from_hours(24 * 30);

/// Lists an entry for as long as its rule says, and has its audio removed then if it says so.
pub(crate) fn keep(settings: &Settings, entry: &Entry) -> Result<(), String> {
    let policy = entry.policy.as_ref();
    let kept = settings.kept(policy.and_then(|policy| policy.retention_days));
    let rule = policy.and_then(|policy| settings.rule(&policy.rule));
    let is_removed = rule.is_some_and(|rule| rule.delete);
    if !is_removed {
        return index::put(entry, kept);
    }
    index::put(entry, kept + GRACE)?;
    if entry.ended.is_some() {
        let moment = entry.since.0 + u64::try_from(kept.as_millis()).unwrap_or(u64::MAX);
        index::remove_at(&entry.id, Timestamp(moment))?;
    }
    Ok(())
}

/// Removes what has been there for long enough.
pub(crate) fn clean(settings: &Settings, now: Timestamp) {
    let due = index::due(now, AT_A_TIME).unwrap_or_else(|why| {
        log::warn!("what is to be removed is not known: {why}");
        Vec::new()
    });
    for (key, call) in due {
        match remove(settings, &call) {
            Ok(()) => {
                metrics::add("removed", 1, &[]);
                if let Err(why) = index::removed(&key) {
                    log::warn!(call = call; "that its recordings are removed is not kept: {why}");
                }
            }
            Err(why) => {
                metrics::add("unremoved", 1, &[]);
                log::error!(call = call; "its recordings are not removed: {why}");
            }
        }
    }
}

fn remove(settings: &Settings, call: &str) -> Result<(), String> {
    let Some(entry) = index::get(call)? else { return Ok(()) };
    for file in &entry.files {
        let path = audio::path(settings, &entry.server, &file.file)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let path = path.display();
                return Err(format!(
                    "{path}: {error}; the folder must be granted with mode = \"rw\" (files)"
                ));
            }
            _ => {}
        }
    }
    index::take(call).map(drop)
}
