//! The rules: each looks at facts and gives what it finds. Pure; the time is passed in.

mod ari;
mod events;
mod link;
mod local;
mod login;
mod manager;
mod people;
mod rights;
mod version;

use super::{
    facts::{LocalFacts, Login, ServerFacts},
    finding::Finding,
};

/// A rule about one server. The time is in seconds since 1970.
type ServerRule = fn(&ServerFacts, i64) -> Vec<Finding>;
/// A rule about this machine.
type LocalRule = fn(&LocalFacts) -> Vec<Finding>;

/// About the way to the server and the login.
const WAY: [ServerRule; 5] =
    [link::reach, link::certificate, link::encryption, login::outcome, login::file];

/// About what a server says once we are in.
const WITHIN: [ServerRule; 22] = [
    rights::missing_write,
    rights::missing_read,
    rights::excess_write,
    rights::excess_read,
    rights::modules,
    rights::stale,
    manager::write_timeout,
    manager::multiple_logins,
    manager::web,
    manager::broken_lists,
    manager::open_to_all,
    events::filter,
    events::needless,
    events::hidden_by_user,
    events::disabled,
    people::hints,
    people::device_template,
    people::context,
    people::queues,
    version::asterisk,
    version::clock,
    version::capacity,
];

const LOCAL: [LocalRule; 14] = [
    local::mistakes,
    local::secrets_in_plain,
    local::readable_by_all,
    local::nobody,
    local::powerless,
    local::guessable,
    local::admin_in_clear,
    local::store,
    local::ports,
    local::plugins_folder,
    local::plugin_files,
    local::grants,
    local::twins,
    local::open_files,
];

/// All that is found about a server.
pub(super) fn of_server(facts: &ServerFacts, now: i64) -> Vec<Finding> {
    let is_in = facts.login == Login::Accepted;
    let within: &[ServerRule] = if is_in { &WITHIN } else { &[] };
    let rules = WAY.iter().chain(within).chain(&[ari::outcome as ServerRule, ari::user]);
    let mut findings: Vec<Finding> = rules
        .flat_map(|rule| rule(facts, now))
        .map(|finding| finding.of(&facts.settings.id))
        .collect();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// All that is found on this machine.
pub(super) fn of_machine(facts: &LocalFacts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = LOCAL.iter().flat_map(|rule| rule(facts)).collect();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// Words with commas between.
fn list<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
    words.join(", ")
}

/// The place of a server.
fn place(facts: &ServerFacts) -> String {
    format!("{}:{}", facts.settings.host, facts.settings.port)
}

/// The place of our user in manager.conf.
fn user_place(facts: &ServerFacts) -> String {
    format!("manager.conf, [{}]", facts.settings.username)
}
