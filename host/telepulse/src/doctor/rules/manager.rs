//! Settings of manager.conf that are no rights.

use super::user_place;
use crate::doctor::{conf::Section, facts::ServerFacts, finding::Finding};
use std::net::IpAddr;

/// Milliseconds below which a client that is busy for a moment is cut.
const TIMEOUT_MS: u64 = 1_000;

fn both(facts: &ServerFacts) -> [Option<&Section>; 2] {
    [facts.manager.user.as_ref(), facts.manager.general.as_ref()]
}

pub(super) fn write_timeout(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let Some(user) = &facts.manager.user else { return Vec::new() };
    let timeout = user.number("writetimeout");
    if timeout.is_some_and(|timeout| timeout >= TIMEOUT_MS) {
        return Vec::new();
    }
    let said = timeout.map_or("not set, so 100 ms".to_owned(), |timeout| format!("{timeout} ms"));
    let what = format!(
        "writetimeout is {said}: Asterisk cuts a client that does not read for as long, which a \
         network that stalls is enough for"
    );
    let finding = Finding::warning("short-write-timeout", user_place(facts), what);
    vec![finding.manager(&facts.settings.username, ["writetimeout = 5000"])]
}

pub(super) fn multiple_logins(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let said = both(facts).into_iter().flatten().find_map(|it| it.truth("allowmultiplelogin"));
    if said != Some(false) {
        return Vec::new();
    }
    let what = "a second login is not allowed: after a lost connection TelePulse stays away until \
                Asterisk has noticed the loss, and `record` and `doctor` cannot log in beside it";
    let finding = Finding::warning("no-second-login", user_place(facts), what);
    vec![finding.manager(&facts.settings.username, ["allowmultiplelogin = yes"])]
}

pub(super) fn web(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    if facts.manager.general.as_ref().and_then(|general| general.truth("webenabled")) != Some(true)
    {
        return Vec::new();
    }
    let what = "the manager answers over HTTP, too, which TelePulse does not use: one more door \
                for the same secrets";
    let finding = Finding::warning("web-manager", "manager.conf, [general]", what);
    vec![finding.manager("general", ["webenabled = no"])]
}

pub(super) fn broken_lists(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let said = facts.manager.general.as_ref().and_then(|it| it.truth("brokeneventsaction"));
    if said != Some(true) {
        return Vec::new();
    }
    let what = "brokeneventsaction takes the answer to the action Events away: changing what is \
                sent waits for it in vain";
    let finding = Finding::warning("broken-events-action", "manager.conf, [general]", what);
    vec![finding.manager("general", ["brokeneventsaction = no"])]
}

/// A manager that everybody can reach and try.
pub(super) fn open_to_all(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let (Some(user), Some(general)) = (&facts.manager.user, &facts.manager.general) else {
        return Vec::new();
    };
    let address: Option<IpAddr> = general.get("bindaddr").and_then(|text| text.parse().ok());
    // Without bindaddr Asterisk listens everywhere.
    let is_everywhere = address.is_none_or(|address| address.is_unspecified());
    let has_list = ["permit", "deny", "acl"].iter().any(|key| user.get(key).is_some());
    if !is_everywhere || has_list {
        return Vec::new();
    }
    let what = "the manager listens everywhere and the user may come from anywhere: who can reach \
                the port can try secrets";
    let finding = Finding::warning("no-access-list", user_place(facts), what);
    vec![finding.manager(
        &facts.settings.username,
        ["deny = 0.0.0.0/0.0.0.0", "permit = …    ; TelePulse's address /255.255.255.255"],
    )]
}
