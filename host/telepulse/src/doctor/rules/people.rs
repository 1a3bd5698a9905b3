//! Extensions and queues: does what the configuration says find them?

use super::list;
use crate::doctor::{
    facts::{Member, Queue, ServerFacts},
    finding::Finding,
};
use call_model::ExtensionPattern;
use std::collections::BTreeMap;

/// Member status: the device is not there.
const INVALID: u8 = 4;
/// How many names are told.
const NAMES: usize = 8;

fn pattern(facts: &ServerFacts) -> Option<ExtensionPattern> {
    facts.settings.extensions.parse().ok()
}

/// The template, read backwards.
fn extension<'d>(template: &str, device: &'d str, pattern: &ExtensionPattern) -> Option<&'d str> {
    let (before, after) = template.split_once("{ext}").unwrap_or((template, ""));
    let number = device.strip_prefix(before)?.strip_suffix(after)?;
    pattern.matches(number).then_some(number)
}

pub(super) fn hints(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let (Some(hints), Some(pattern)) = (&facts.answers.hints, pattern(facts)) else {
        return Vec::new();
    };
    let server = &facts.settings;
    if hints.is_empty() {
        let device = server.device.replace("{ext}", "201");
        let what = "there are no hints: extensions are found by the device template alone, and what \
             Asterisk knows of several devices of one extension is not seen";
        let finding = Finding::warning("no-hints", "extensions.conf", what);
        return vec![finding.cure("a hint for each extension, or one pattern for all").paste(
            "extensions.conf",
            format!("[{}]", server.context),
            [format!("exten => 201,hint,{device}")],
            "asterisk -rx 'dialplan reload'",
        )];
    }
    // A pattern is for as many as it likes.
    let is_one = |extension: &str| extension.starts_with('_') || pattern.matches(extension);
    if hints.iter().any(|hint| is_one(&hint.extension)) {
        return Vec::new();
    }
    let some = list(hints.iter().take(NAMES).map(|hint| &hint.extension));
    let what = format!(
        "no hint is for an extension as `extensions` describes them ({}); there are: {some}",
        server.extensions
    );
    let finding = Finding::error("extensions-match-nothing", "telepulse.toml, [[server]]", what);
    vec![finding.own("[[server]]", ["extensions = \"^[0-9A-Za-z_-]+$\"    # what these are like"])]
}

pub(super) fn device_template(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let (Some(devices), Some(pattern)) = (&facts.answers.devices, pattern(facts)) else {
        return Vec::new();
    };
    let template = &facts.settings.device;
    let is_found = devices.iter().any(|device| extension(template, device, &pattern).is_some());
    if is_found || devices.is_empty() {
        return Vec::new();
    }
    let some = list(devices.iter().take(NAMES));
    let what = format!("the device template {template:?} fits none of the devices: {some}, …");
    let finding = Finding::warning("device-matches-nothing", "telepulse.toml, [[server]]", what);
    vec![match better(devices, &pattern) {
        Some(better) => finding.own("[[server]]", [format!("device = {better:?}")]),
        None => finding.cure("set `device` to what the phones are called, or give each a hint"),
    }]
}

/// The template that most devices fit.
fn better(devices: &[String], pattern: &ExtensionPattern) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for device in devices {
        if let Some((technology, name)) = device.split_once('/')
            && pattern.matches(name)
        {
            *counts.entry(technology).or_default() += 1;
        }
    }
    let (technology, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    Some(format!("{technology}/{{ext}}"))
}

pub(super) fn context(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    if facts.answers.has_context != Some(false) {
        return Vec::new();
    }
    let context = &facts.settings.context;
    let what = format!(
        "the dialplan has no context {context:?}, where dialled numbers are looked up: `dial` and \
         `transfer` fail"
    );
    let finding = Finding::error("no-context", "telepulse.toml, [[server]]", what);
    let hints = facts.answers.hints.as_deref().unwrap_or_default();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for hint in hints {
        *counts.entry(&hint.context).or_default() += 1;
    }
    vec![match counts.into_iter().max_by_key(|(_, count)| *count) {
        Some((most, _)) => {
            finding.own("[[server]]", [format!("context = {most:?}    # where the hints are")])
        }
        None => finding
            .cure("`asterisk -rx 'dialplan show'` lists the contexts; FreePBX has from-internal"),
    }]
}

pub(super) fn queues(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let (Some(queues), Some(pattern)) = (&facts.answers.queues, pattern(facts)) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let empty: Vec<&String> =
        queues.iter().filter(|queue| queue.members.is_empty()).map(|queue| &queue.name).collect();
    if !empty.is_empty() {
        let what = format!("queues without a member now: {}", list(empty));
        findings.push(Finding::note("queue-without-members", "queues.conf", what).cure(
            "`queueAdd` or the dialplan's AddQueueMember log agents in; `member => PJSIP/201` in \
             queues.conf makes one for ever",
        ));
    }
    findings.extend(about_members(
        queues,
        "queue-member-invalid",
        "have a device that is not there",
        |it| it.status == INVALID,
    ));
    let hinted: Vec<&str> = facts
        .answers
        .hints
        .iter()
        .flatten()
        .flat_map(|hint| hint.devices.split(['&', ',']))
        .collect();
    findings.extend(about_members(
        queues,
        "queue-member-unknown",
        "belong to no extension, by hint or template: no agent will be shown for them",
        |it| {
            it.status != INVALID
                && [&it.state_interface, &it.interface].iter().all(|device| {
                    !hinted.contains(&device.as_str())
                        && extension(&facts.settings.device, device, &pattern).is_none()
                        && local(device).is_none_or(|number| !pattern.matches(number))
                })
        },
    ));
    findings
}

/// `Local/201@agents/n` is 201.
fn local(device: &str) -> Option<&str> {
    device.strip_prefix("Local/")?.split('@').next()
}

fn about_members(
    queues: &[Queue],
    code: &'static str,
    words: &str,
    is_meant: impl Fn(&Member) -> bool,
) -> Option<Finding> {
    let meant: Vec<String> = queues
        .iter()
        .flat_map(|queue| queue.members.iter().map(move |member| (queue, member)))
        .filter(|(_, member)| is_meant(member))
        .map(|(queue, member)| format!("{} of {}", member.interface, queue.name))
        .take(NAMES)
        .collect();
    if meant.is_empty() {
        return None;
    }
    let what = format!("members of queues {words}: {}", list(&meant));
    let finding = Finding::warning(code, "queues.conf", what);
    Some(finding.cure("correct the member's interface, or set `device` and the hints right"))
}
