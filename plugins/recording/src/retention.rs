//! How long recordings are listed, and when their audio is removed.

use crate::{
    audio,
    entry::Entry,
    index::{self, Due},
    settings::Settings,
};
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
    // Counted from the beginning: nobody may tell when the call has ended.
    let ms = u64::try_from(kept.as_millis()).unwrap_or(u64::MAX);
    index::remove_at(&entry.id, Timestamp(entry.since.0.saturating_add(ms)))
}

/// Removes some of what has been there for long enough, behind a key; answers where to go on if there may be more.
pub(crate) fn clean(settings: &Settings, now: Timestamp, after: Option<&str>) -> Option<String> {
    let (due, next) = index::due(now, after, AT_A_TIME).unwrap_or_else(|why| {
        log::warn!("what is to be removed is not known: {why}");
        Default::default()
    });
    for Due { key, call } in due {
        match remove(settings, &call) {
            Ok(is_removed) => {
                metrics::add("removed", u64::from(is_removed), &[]);
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
    next
}

/// Removes a call's audio, and its entry when all of it is gone. Answers whether anything was known of it.
fn remove(settings: &Settings, call: &str) -> Result<bool, String> {
    let Some(entry) = index::get(call)? else { return Ok(false) };
    let files = entry.files.iter().map(|file| remove_file(settings, &entry.server, &file.file));
    // One that stays does not keep the others.
    let kept: Vec<String> = files.filter_map(Result::err).collect();
    if !kept.is_empty() {
        return Err(kept.join("; "));
    }
    index::take(call).map(|_| true)
}

fn remove_file(settings: &Settings, server: &str, file: &str) -> Result<(), String> {
    let path = audio::path(settings, server, file)?;
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            let path = path.display();
            Err(format!("{path}: {error}; the folder must be granted with mode = \"rw\" (files)"))
        }
        _ => Ok(()),
    }
}
