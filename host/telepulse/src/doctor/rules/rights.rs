//! Rights of the manager user: what needs which, what is missing, what is too much.

use super::{list, user_place};
use crate::doctor::{
    facts::{Offered, ServerFacts},
    finding::Finding,
};
use std::collections::{BTreeMap, BTreeSet};

/// What we need an action for: its name, the classes any of which gives it, the one to grant, what
/// for, and the module that brings it (empty: Asterisk itself).
type Need = (&'static str, &'static [&'static str], &'static str, &'static str, &'static str);

const NEEDS: [Need; 22] = [
    ("Filter", &["system"], "system", "asking for the events that are wanted alone", ""),
    ("CoreSettings", &["system", "reporting"], "reporting", "knowing the version", ""),
    ("CoreStatus", &["system", "reporting"], "reporting", "noticing a restart", ""),
    ("Status", &["system", "call", "reporting"], "call", "knowing the calls at login", ""),
    ("CoreShowChannels", &["system", "reporting"], "reporting", "audits", ""),
    ("ExtensionStateList", &["call", "reporting"], "call", "the state of extensions", ""),
    ("DeviceStateList", &["call", "reporting"], "call", "the state of devices", ""),
    ("PresenceStateList", &["call", "reporting"], "call", "presence", ""),
    ("Originate", &["originate"], "originate", "`dial`, `spy`, `whisper`, `barge`", ""),
    ("Hangup", &["system", "call"], "call", "`hangup`", ""),
    ("Redirect", &["call"], "call", "`transfer`, `pickup`", ""),
    ("Setvar", &["call"], "call", "`setVariable`", ""),
    ("MuteAudio", &["system"], "system", "`mute`, `unmute`", "res_mutestream.so"),
    ("MixMonitor", &["system"], "system", "`record`", "app_mixmonitor.so"),
    ("StopMixMonitor", &["system", "call"], "call", "ending a recording", "app_mixmonitor.so"),
    ("QueueAdd", &["agent"], "agent", "`queueAdd`", "app_queue.so"),
    ("QueuePause", &["agent"], "agent", "`queuePause`", "app_queue.so"),
    ("QueueStatus", &[], "", "queues and their members", "app_queue.so"),
    ("Park", &["call"], "call", "`park`", "res_parking.so"),
    ("ParkedCalls", &[], "", "parked calls", "res_parking.so"),
    ("ConfbridgeKick", &["call"], "call", "conferences", "app_confbridge.so"),
    ("ConfbridgeListRooms", &["reporting"], "reporting", "conferences", "app_confbridge.so"),
];

/// Event classes that we need, and what for.
const READS: [(&str, &str); 3] = [
    ("system", "FullyBooted and Shutdown, registrations of phones"),
    ("call", "every call, line, conference and parked call"),
    ("agent", "queues: callers, members, completed calls"),
];

/// Rights that are part of what we ask for, besides.
const FINE_WRITE: [&str; 6] = ["system", "call", "agent", "user", "originate", "reporting"];
const FINE_READ: [&str; 5] = ["system", "call", "agent", "user", "reporting"];

/// Each class that some action has for itself, so that its being offered proves the right.
pub(super) fn live_write(offered: &[Offered]) -> BTreeSet<&str> {
    let mut rights: BTreeSet<&str> = offered
        .iter()
        .filter_map(|one| match one.classes.as_slice() {
            [class] => Some(class.as_str()),
            _ => None,
        })
        .collect();
    for one in offered.iter().filter(|one| !one.classes.is_empty()) {
        if !one.classes.iter().any(|class| rights.contains(class.as_str()))
            && one.classes.iter().any(|class| class == "reporting")
        {
            rights.insert("reporting");
        }
    }
    rights
}

fn is_offered(offered: &[Offered], action: &str) -> bool {
    offered.iter().any(|one| one.action.eq_ignore_ascii_case(action))
}

fn is_all(classes: &BTreeSet<String>) -> bool {
    classes.contains("all")
}

pub(super) fn missing_write(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let Some(offered) = &facts.answers.offered else { return Vec::new() };
    let rights = live_write(offered);
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (action, classes, grant, purpose, module) in NEEDS {
        let has_right = classes.is_empty() || classes.iter().any(|class| rights.contains(class));
        let without = missing.get(grant).is_some_and(|list| list.contains(&purpose));
        if !has_right && !without && !is_offered(offered, action) && !is_absent(offered, module) {
            missing.entry(grant).or_default().push(purpose);
        }
    }
    if missing.is_empty() {
        return Vec::new();
    }
    let all: BTreeSet<&str> = rights
        .iter()
        .copied()
        .filter(|right| FINE_WRITE.contains(right))
        .chain(missing.keys().copied())
        .collect();
    let line = format!("write = {}", list(all).replace(", ", ","));
    missing
        .into_iter()
        .map(|(class, purposes)| {
            let what = format!(
                "the user lacks the write right `{class}`: without it, no {}",
                list(purposes)
            );
            Finding::error(code_of_write(class), user_place(facts), what)
                .manager(&facts.settings.username, [line.clone()])
        })
        .collect()
}

fn code_of_write(class: &str) -> &'static str {
    match class {
        "system" => "missing-write-system",
        "call" => "missing-write-call",
        "agent" => "missing-write-agent",
        "originate" => "missing-write-originate",
        _ => "missing-write-reporting",
    }
}

/// Which rights to read there are is told by the configuration alone; without `system`, though, no
/// `FullyBooted` comes.
pub(super) fn missing_read(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let Some(user) = &facts.manager.user else {
        if facts.answers.is_fully_booted {
            return Vec::new();
        }
        let what = "no FullyBooted came after the login: the user lacks the read right `system`, \
                    or Asterisk is still starting";
        return vec![
            Finding::error("missing-read-system", user_place(facts), what)
                .manager(&facts.settings.username, [read_line()]),
        ];
    };
    let classes = user.classes("read");
    let codes = ["missing-read-system", "missing-read-call", "missing-read-agent"];
    let missing = READS.into_iter().zip(codes);
    missing
        .filter(|((class, _), _)| !is_all(&classes) && !classes.contains(*class))
        .map(|((class, purpose), code)| {
            let what = format!("the user lacks the read right `{class}`: without it, no {purpose}");
            Finding::error(code, user_place(facts), what)
                .manager(&facts.settings.username, [read_line()])
        })
        .collect()
}

fn read_line() -> String {
    format!("read = {}", FINE_READ.join(","))
}

pub(super) fn excess_write(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let Some(offered) = &facts.answers.offered else { return Vec::new() };
    let rights = live_write(offered);
    let line = format!("write = {}", FINE_WRITE.join(","));
    let excess: Vec<&str> =
        rights.iter().copied().filter(|right| !FINE_WRITE.contains(right)).collect();
    let dangerous: Vec<&str> =
        excess.iter().copied().filter(|right| ["command", "config"].contains(right)).collect();
    let harmless: Vec<&str> =
        excess.into_iter().filter(|right| !dangerous.contains(right)).collect();
    let mut findings = Vec::new();
    if !dangerous.is_empty() {
        let what = format!(
            "the user may write `{}`, which TelePulse never uses: whoever has the secret can run \
             programs on the Asterisk machine and change its configuration",
            list(&dangerous)
        );
        let finding = Finding::warning("excess-write-dangerous", user_place(facts), what);
        findings.push(finding.manager(&facts.settings.username, [line.clone()]));
    }
    if !harmless.is_empty() {
        let what = format!("the user may write `{}`, which TelePulse never uses", list(&harmless));
        let finding = Finding::warning("excess-write", user_place(facts), what);
        findings.push(finding.manager(&facts.settings.username, [line]));
    }
    findings
}

pub(super) fn excess_read(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let Some(user) = &facts.manager.user else { return Vec::new() };
    let classes = user.classes("read");
    let excess: Vec<&String> =
        classes.iter().filter(|class| !FINE_READ.contains(&class.as_str())).collect();
    if excess.is_empty() {
        return Vec::new();
    }
    let what = format!(
        "the user may read `{}`, which TelePulse asks for only when a plugin subscribes to it; \
         `dialplan` brings what callers write without its line breaks escaped, `dtmf` the keys \
         that they press",
        list(excess)
    );
    let finding = Finding::warning("excess-read", user_place(facts), what);
    vec![finding.manager(&facts.settings.username, [read_line()])]
}

/// Whether a module is not there: what everybody has of it is not offered. Then nothing tells whether
/// there is a right to the rest of it.
fn is_absent(offered: &[Offered], module: &str) -> bool {
    NEEDS.iter().any(|(action, classes, _, _, of)| {
        !module.is_empty() && *of == module && classes.is_empty() && !is_offered(offered, action)
    })
}

/// Actions that the rights cover and that are not offered: their module is not there.
pub(super) fn modules(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let Some(offered) = &facts.answers.offered else { return Vec::new() };
    let rights = live_write(offered);
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (action, classes, _, purpose, module) in NEEDS.into_iter().filter(|need| !need.4.is_empty())
    {
        let has_right = classes.is_empty() || classes.iter().any(|class| rights.contains(class));
        if has_right && !is_offered(offered, action) {
            let purposes = missing.entry(module).or_default();
            if !purposes.contains(&purpose) {
                purposes.push(purpose);
            }
        }
    }
    missing
        .into_iter()
        .map(|(module, purposes)| {
            let what = format!("{module} is not loaded: there is no {}", list(purposes));
            Finding::note("module-missing", "modules.conf", what).paste(
                "modules.conf",
                "[modules]".to_owned(),
                [format!("load = {module}")],
                "asterisk -rx 'module load …'",
            )
        })
        .collect()
}

/// The file says something else than what is in force.
pub(super) fn stale(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    const TOLD: [&str; 6] = ["system", "call", "originate", "user", "command", "config"];
    let (Some(offered), Some(user)) = (&facts.answers.offered, &facts.manager.user) else {
        return Vec::new();
    };
    let (live, written) = (live_write(offered), user.classes("write"));
    let differ: Vec<&str> = TOLD
        .into_iter()
        .filter(|class| live.contains(class) != (is_all(&written) || written.contains(*class)))
        .collect();
    if differ.is_empty() {
        return Vec::new();
    }
    let what = format!(
        "the file says something else of the write rights `{}` than what is in force: it was \
         changed and not loaded",
        list(differ)
    );
    let finding = Finding::warning("not-loaded", user_place(facts), what);
    vec![finding.cure("asterisk -rx 'manager reload'")]
}
