//! What of the recordings is wanted: the query string, read strictly. Pure.

use crate::{entry::Entry, index};
use std::borrow::Cow;
use telepulse_plugin_sdk::language::{Refusal, Timestamp};

/// How many recordings are told at a time, unless somebody says otherwise, and at most.
const USUAL: usize = 50;
const MOST: usize = 200;

/// A question for recordings.
#[derive(Debug)]
pub(crate) struct Search {
    call: Option<String>,
    agent: Option<String>,
    queue: Option<String>,
    number: Option<String>,
    server: Option<String>,
    rule: Option<String>,
    text: Option<String>,
    /// Recordings that began then or later.
    pub(crate) since: Option<Timestamp>,
    /// Recordings that began before.
    pub(crate) until: Option<Timestamp>,
    pub(crate) limit: usize,
    /// Where the part before ended.
    pub(crate) after: Option<String>,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            call: None,
            agent: None,
            queue: None,
            number: None,
            server: None,
            rule: None,
            text: None,
            since: None,
            until: None,
            limit: USUAL,
            after: None,
        }
    }
}

const NAMES: &str = "call, agent, queue, number, server, rule, text, since, until, limit and after";

impl Search {
    /// Reads a query string.
    pub(crate) fn read(query: Option<&str>) -> Result<Self, Refusal> {
        let mut search = Self::default();
        let mut seen: Vec<Cow<'_, str>> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if seen.contains(&name) {
                return Err(Refusal::field(name, "is given twice"));
            }
            if value.is_empty() || value.contains(char::is_control) || value.contains('\u{fffd}') {
                return Err(Refusal::field(name, "must be text of at least one character"));
            }
            search.set(&name, value.into_owned())?;
            seen.push(name);
        }
        Ok(search)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), Refusal> {
        match name {
            "call" => self.call = Some(value),
            "agent" => self.agent = Some(value),
            "queue" => self.queue = Some(value),
            "number" => self.number = Some(value),
            "server" => self.server = Some(value),
            "rule" => self.rule = Some(value),
            "text" => self.text = Some(value.to_lowercase()),
            "since" => self.since = Some(moment("since", &value)?),
            "until" => self.until = Some(moment("until", &value)?),
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                let message = format!("must be a number from 1 to {MOST}");
                self.limit = limit.ok_or_else(|| Refusal::field("limit", message))?;
            }
            "after" if index::since(&value).is_some() => self.after = Some(value),
            "after" => {
                return Err(Refusal::field(
                    "after",
                    "must be what `next` said in the answer before",
                ));
            }
            _ => {
                let message = format!("is unknown; there are {NAMES}");
                return Err(Refusal::field(name, message));
            }
        }
        Ok(())
    }

    /// Whether these recordings are among those that are wanted, apart from when they were made.
    pub(crate) fn wants(&self, entry: &Entry) -> bool {
        let is = |wanted: &Option<String>, found: &[&str]| {
            wanted.as_ref().is_none_or(|wanted| found.contains(&wanted.as_str()))
        };
        let agents: Vec<&str> = entry.agents.iter().map(String::as_str).collect();
        is(&self.call, &[&entry.id])
            && is(&self.agent, &agents)
            && is(&self.queue, &[entry.queue.as_deref().unwrap_or_default()])
            && is(&self.number, &[&entry.from, &entry.to, &entry.did])
            && is(&self.server, &[&entry.server])
            && is(&self.rule, &[entry.policy.as_ref().map_or("", |policy| &policy.rule)])
            && self.text.as_ref().is_none_or(|text| says(entry, text))
    }
}

/// Whether a text is anywhere in what is known.
fn says(entry: &Entry, text: &str) -> bool {
    let words = [&entry.id, &entry.server, &entry.from, &entry.to, &entry.did];
    let policy = entry.policy.as_ref().map(|policy| &policy.rule);
    let files = entry.files.iter().map(|file| &file.file);
    let doers = entry.trail.iter().filter_map(|step| step.by.as_ref());
    let mut all =
        words.into_iter().chain(&entry.queue).chain(&entry.agents).chain(policy).chain(files);
    all.any(|word| word.to_lowercase().contains(text))
        || doers.into_iter().any(|word| word.to_lowercase().contains(text))
}

fn moment(field: &'static str, text: &str) -> Result<Timestamp, Refusal> {
    let read = serde_json::from_value(text.into());
    read.map_err(|_| Refusal::field(field, "must be a time, like \"2026-11-20T22:08:00Z\""))
}
