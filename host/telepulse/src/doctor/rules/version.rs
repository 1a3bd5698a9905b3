//! Asterisk itself: its version, its clock, its bounds.

use super::place;
use crate::doctor::{facts::ServerFacts, finding::Finding};
use ami_proto::AsteriskVersion;

/// The oldest version whose events the model reads without loss.
const OLDEST: u32 = 18;
/// Major versions and when their security fixes end, in seconds since 1970 (docs.asterisk.org).
const ENDS: [(u32, i64, &str); 5] = [
    (18, 1_760_918_400, "2025-10-20"),
    (20, 1_823_904_000, "2027-10-19"),
    (21, 1_760_745_600, "2025-10-18"),
    (22, 1_886_803_200, "2029-10-16"),
    (23, 1_823_558_400, "2027-10-15"),
];
/// Milliseconds by which clocks may differ.
const CLOCK_MS: u64 = 2_000;
/// Milliseconds after which an answer is slow.
const SLOW_MS: u64 = 500;

pub(super) fn asterisk(facts: &ServerFacts, now: i64) -> Vec<Finding> {
    let Some(text) = &facts.answers.asterisk else { return Vec::new() };
    let Some((major, _)) = AsteriskVersion::parse(text).numbers() else {
        let what = format!("Asterisk says that it is {text:?}, a version that we do not know");
        return vec![Finding::note("unknown-version", place(facts), what)];
    };
    if major < OLDEST {
        let what = format!(
            "Asterisk {text} is older than {OLDEST}: it lacks events that the model needs, and \
             security fixes"
        );
        let finding = Finding::error("too-old", place(facts), what);
        return vec![finding.cure("install Asterisk 22, which gets fixes until 2029")];
    }
    let end = ENDS.iter().find(|(known, _, _)| *known == major);
    match end {
        Some((_, end, date)) if *end < now => {
            let what = format!("Asterisk {text} has had no security fixes since {date}");
            let finding = Finding::warning("end-of-life", place(facts), what);
            vec![finding.cure("install Asterisk 22, which gets fixes until 2029")]
        }
        _ => Vec::new(),
    }
}

pub(super) fn clock(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(ahead) = facts.answers.clock_ahead_ms.filter(|ms| ms.unsigned_abs() > CLOCK_MS) {
        let sense = if ahead > 0 { "ahead of" } else { "behind" };
        let seconds = ahead.unsigned_abs() / 1000;
        let what = format!(
            "its clock is {seconds} s {sense} ours: times in recordings and call records do not \
             agree with ours"
        );
        let finding = Finding::warning("clock-differs", place(facts), what);
        findings.push(finding.cure("on both machines: `timedatectl set-ntp true`"));
    }
    if let Some(latency) = facts.answers.latency_ms.filter(|ms| *ms > SLOW_MS) {
        let what = format!("an answer took {latency} ms: everything on a screen is as late");
        let finding = Finding::warning("slow", place(facts), what);
        findings.push(finding.cure("is the network slow, or is Asterisk overloaded?"));
    }
    findings
}

pub(super) fn capacity(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let (Some(theirs), Some(ours)) = (facts.answers.max_calls, facts.settings.max_calls) else {
        return Vec::new();
    };
    if theirs == 0 || theirs >= u64::from(ours) {
        return Vec::new();
    }
    let what = format!("Asterisk takes {theirs} calls at most, maxCalls says {ours}");
    let finding = Finding::note("fewer-calls", "asterisk.conf, [options]", what);
    vec![finding.own("[[server]]", [format!("maxCalls = {theirs}")])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dates_are_the_seconds() {
        for (major, seconds, date) in ENDS {
            let told = jiff::Timestamp::from_second(seconds).unwrap().to_string();
            assert!(told.starts_with(date), "{major}: {told}");
        }
    }
}
