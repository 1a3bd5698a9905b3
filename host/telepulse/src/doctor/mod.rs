//! `telepulse doctor`: what is wrong between us and an Asterisk, or on this machine, and the line that
//! mends it. Facts are gathered by a thin shell (`gather/`); what they mean is said by rules (`rules/`),
//! which are pure.

mod added;
pub mod conf;
pub mod facts;
mod finding;
mod gather;
mod rules;
mod show;
#[cfg(test)]
mod tests;
mod validity;

pub use finding::{Finding, Paste, Severity};
pub use gather::Looks;
pub use show::{json, text};

use crate::{clock, config::Server};
use facts::{Login, ServerFacts};
use std::path::Path;

/// What a doctor says.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was looked at and how it is, one line each.
    pub seen: Vec<String>,
    /// What was found, the worst first of each server.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether there is something to be done.
    pub fn is_trouble(&self) -> bool {
        self.findings.iter().any(Finding::is_trouble)
    }

    /// Adds what is found of a server, which is one of the configuration or of the admin API.
    fn add(&mut self, facts: &ServerFacts, is_configured: bool) {
        self.seen.push(seen(facts));
        let now = i64::try_from(clock::now_ms() / 1000).unwrap_or(i64::MAX);
        let findings = rules::of_server(facts, now).into_iter();
        self.findings.extend(findings.map(|it| if is_configured { it } else { added::told(it) }));
    }
}

/// Looks at one server that was added over the admin API.
pub async fn server(server: &Server, looks: &Looks) -> Report {
    let facts = gather::of_server(server, looks).await;
    let mut report = Report::default();
    report.add(&facts, false);
    report
}

/// Looks at this machine, and at all servers of a configuration or at the one named. `None`: it has
/// no such server. `tell` is called before each part.
pub async fn everything(
    file: &Path,
    only: Option<&str>,
    looks: &Looks,
    mut tell: impl FnMut(&str),
) -> Option<Report> {
    tell("this machine");
    let (local, servers) = gather::of_machine(file).await;
    let mut report = Report { seen: Vec::new(), findings: rules::of_machine(&local) };
    let is_usable = local.used.is_some();
    let asked: Vec<&Server> =
        servers.iter().filter(|server| only.is_none_or(|id| id == server.id)).collect();
    if is_usable && asked.is_empty() && only.is_some() {
        return None;
    }
    if let Some(used) = &local.used {
        let state = if used.is_running { "TelePulse runs" } else { "TelePulse does not run" };
        report.seen.push(format!("{}: {state}; servers: {}", file.display(), servers.len()));
    }
    for server in asked {
        tell(&server.id);
        let facts = gather::of_server(server, looks).await;
        let is_configured =
            local.used.as_ref().is_some_and(|used| used.config.servers.contains(server));
        report.add(&facts, is_configured);
    }
    Some(report)
}

/// How a server is, in one line.
fn seen(facts: &ServerFacts) -> String {
    let server = &facts.settings;
    let place = format!("{} ({}:{})", server.id, server.host, server.port);
    if facts.login != Login::Accepted {
        return format!("{place}: no login");
    }
    let answers = &facts.answers;
    let count = |count: Option<usize>| count.map_or("?".to_owned(), |count| count.to_string());
    format!(
        "{place}: Asterisk {}, answers in {} ms; hints: {}, devices: {}, queues: {}",
        answers.asterisk.as_deref().unwrap_or("of unknown version"),
        answers.latency_ms.map_or("?".to_owned(), |ms| ms.to_string()),
        count(answers.hints.as_ref().map(Vec::len)),
        count(answers.devices.as_ref().map(Vec::len)),
        count(answers.queues.as_ref().map(Vec::len)),
    )
}
