//! `[settings]` of `recording.toml`.

use crate::{
    hours::Zone,
    rules::{Begin, Rule},
};
use serde::Deserialize;
use std::time::Duration;
use telepulse_plugin_sdk::config;

/// The most rules.
const MOST_RULES: usize = 500;
const DAY: u64 = 86_400;

/// What is recorded here, and where it lies.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The first that matches decides.
    pub(crate) rules: Vec<Rule>,
    pub(crate) time_zone: Zone,
    pause_seconds: u64,
    keep_days: u32,
    /// Where recordings are.
    pub(crate) folders: Vec<Folder>,
}

/// Where the recordings of a server are.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Folder {
    /// Whose they are; everybody's when left out.
    server: Option<String>,
    /// Here.
    pub(crate) path: String,
    /// As that Asterisk names the folder, if otherwise.
    asterisk: Option<String>,
}

impl Folder {
    pub(crate) fn is_of(&self, server: &str) -> bool {
        self.server.as_ref().is_none_or(|own| own == server)
    }

    pub(crate) fn as_named(&self) -> &str {
        self.asterisk.as_deref().unwrap_or(&self.path)
    }

    fn check(&self) -> Result<(), String> {
        for (key, path) in [("path", &*self.path), ("asterisk", self.as_named())] {
            let is_good = path.starts_with('/')
                && path.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
            if !is_good {
                return Err(format!(
                    "{key}: must be a folder's whole path, like \"/var/spool/asterisk/monitor\", without \
                     . and .. and without / at its end"
                ));
            }
        }
        Ok(())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            time_zone: Zone::default(),
            pause_seconds: 120,
            keep_days: 90,
            folders: Vec::new(),
        }
    }
}

impl Settings {
    /// A rule by its name; one of an operator who has changed them since is gone.
    pub(crate) fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }

    /// How long a pause lasts, in milliseconds.
    pub(crate) fn pause_ms(&self, rule: Option<&Rule>) -> u64 {
        rule.and_then(|rule| rule.pause_seconds).unwrap_or(self.pause_seconds) * 1_000
    }

    /// How long a recording is listed.
    pub(crate) fn kept(&self, retention_days: Option<u32>) -> Duration {
        Duration::from_secs(u64::from(retention_days.unwrap_or(self.keep_days)) * DAY)
    }

    /// Whether a rule may want a call before it is answered.
    pub(crate) fn begins_at_ring(&self) -> bool {
        self.rules.iter().any(|rule| rule.start == Begin::Ring)
    }

    /// What an operator must not write, all of it, for the instance that starts to say.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut mistakes = Vec::new();
        if !(1..=86_400).contains(&self.pause_seconds) {
            mistakes.push("pauseSeconds: must be 1 to 86400".to_owned());
        }
        if !(1..=36_500).contains(&self.keep_days) {
            mistakes.push("keepDays: must be 1 to 36500".to_owned());
        }
        if self.rules.len() > MOST_RULES {
            mistakes.push(format!("rules: there may be {MOST_RULES}"));
        }
        for (place, rule) in self.rules.iter().enumerate() {
            let name = &rule.name;
            if let Err(why) = rule.check() {
                mistakes.push(format!("rules[{place}] {name:?}: {why}"));
            }
            if self.rules[..place].iter().any(|other| other.name == *name) {
                mistakes.push(format!("rules[{place}]: there is a rule {name:?} already"));
            }
        }
        for (place, folder) in self.folders.iter().enumerate() {
            if let Err(why) = folder.check() {
                mistakes.push(format!("folders[{place}].{why}"));
            }
        }
        if mistakes.is_empty() {
            Ok(())
        } else {
            Err(format!("[settings] {}", mistakes.join("; ")))
        }
    }
}

/// Reads them.
pub(crate) fn read() -> Result<Settings, String> {
    config::settings()
}
