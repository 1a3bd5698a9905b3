//! Which calls are recorded, and how: rules, of which the first that matches decides. Pure.

use crate::{
    hours::{Hours, Moment},
    pattern::Pattern,
    template::Template,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use telepulse_plugin_sdk::language::{Extension, RecordMode, VariableName};

/// Parts of a hundred that `percent` is looked at in.
const HUNDREDTHS: u64 = 10_000;

/// One of `[[settings.rules]]`. What is left out matches every call.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Rule {
    /// What it is called in events and lists.
    pub(crate) name: String,
    queues: Option<Vec<Pattern>>,
    agents: Option<Vec<Pattern>>,
    directions: Option<Vec<Way>>,
    /// Of the other party.
    numbers: Option<Vec<Pattern>>,
    dids: Option<Vec<Pattern>>,
    servers: Option<Vec<Pattern>>,
    hours: Option<Vec<Hours>>,
    /// How many of a hundred calls that match.
    percent: Option<f64>,
    /// Somebody has to agree.
    pub(crate) consent: Option<Consent>,
    /// Whether a call that matches is recorded, or not.
    #[serde(default = "yes")]
    pub(crate) record: bool,
    #[serde(default)]
    pub(crate) start: Begin,
    #[serde(default)]
    pub(crate) mode: RecordMode,
    file: Option<Template>,
    /// An extension that says that the call is recorded.
    pub(crate) announcement: Option<Extension>,
    /// Seconds between beeps.
    pub(crate) beep_seconds: Option<u16>,
    /// How long a pause lasts.
    pub(crate) pause_seconds: Option<u64>,
    /// How long the recording is to be kept.
    pub(crate) retention_days: Option<u32>,
    /// Whether its audio is removed then.
    #[serde(default)]
    pub(crate) delete: bool,
}

fn yes() -> bool {
    true
}

/// When a recording begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Begin {
    /// An agent's phone rings, or an agent calls.
    Ring,
    /// An agent talks.
    #[default]
    Answer,
}

/// Which way a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Way {
    /// To an agent.
    In,
    /// From an agent.
    Out,
    /// From one agent to another.
    Internal,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Internal => "internal",
        })
    }
}

/// Who has to say that a call may be recorded, and what counts when nobody does.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Consent {
    /// A variable of the caller's channel.
    pub(crate) variable: Option<VariableName>,
    /// A place in `info` of a `callerInfo`, as a JSON pointer.
    pub(crate) info: Option<String>,
    /// What means yes; anything else means no.
    #[serde(default = "agreed")]
    is: Vec<String>,
    /// How long it is waited for.
    #[serde(default = "a_while")]
    pub(crate) deadline_ms: u64,
    /// What counts then.
    #[serde(default)]
    pub(crate) fallback: Fallback,
}

fn agreed() -> Vec<String> {
    ["yes", "true", "1"].map(str::to_owned).into()
}

fn a_while() -> u64 {
    2_000
}

/// What counts when nobody said anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Fallback {
    /// The call is recorded.
    Record,
    /// It is not.
    #[default]
    DontRecord,
}

impl Consent {
    /// What a value means; nothing, if it says nothing.
    pub(crate) fn says(&self, value: &str) -> Option<bool> {
        (!value.is_empty()).then(|| self.is.iter().any(|yes| yes.eq_ignore_ascii_case(value)))
    }
}

/// What is known of a call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Facts {
    pub(crate) server: String,
    pub(crate) from: String,
    /// The number that was called first.
    pub(crate) did: String,
    /// Whom the call reached, or last reached for.
    pub(crate) to: String,
    pub(crate) queue: Option<String>,
    /// Agents who call.
    pub(crate) callers: Vec<String>,
    /// Agents who are called: all whose phones ring or rang.
    pub(crate) called: Vec<String>,
    /// Agents who talk or have talked.
    pub(crate) answered: Vec<String>,
}

impl Facts {
    /// All agents, in the order in which they came.
    pub(crate) fn agents(&self) -> impl Iterator<Item = &str> {
        self.callers.iter().chain(&self.called).map(String::as_str)
    }

    /// Those who take part: who calls, and who talks. One whose phone only rang does not.
    pub(crate) fn parties(&self) -> impl Iterator<Item = &str> {
        let has_called = |agent: &&String| !self.callers.contains(agent);
        self.callers.iter().chain(self.answered.iter().filter(has_called)).map(String::as_str)
    }

    /// The agent whose call it is: one who takes part, or while it rings one of those who may.
    pub(crate) fn agent(&self) -> Option<&str> {
        self.parties().next().or_else(|| self.agents().next())
    }

    /// Whether an agent's phone rings, or rang, and no more than that is known.
    pub(crate) fn only_rang(&self, agent: &str) -> bool {
        self.called.iter().any(|own| own == agent) && !self.parties().any(|own| own == agent)
    }

    /// Those whom a rule's `agents` is about. Until one who was called talks it may be any of them.
    fn concerned(&self, start: Begin) -> Vec<&str> {
        let has_answered = self.called.iter().any(|agent| self.answered.contains(agent));
        if start == Begin::Answer && has_answered {
            self.parties().collect()
        } else {
            self.agents().collect()
        }
    }

    /// Takes over the agents of a call that has become part of this one.
    pub(crate) fn join(&mut self, other: Self) {
        let is_new = |known: &Self, agent: &String| !known.agents().any(|own| own == agent);
        let callers = other.callers.into_iter().filter(|agent| is_new(self, agent));
        let callers: Vec<String> = callers.collect();
        self.callers.extend(callers);
        let called = other.called.into_iter().filter(|agent| is_new(self, agent));
        let called: Vec<String> = called.collect();
        self.called.extend(called);
        for agent in other.answered {
            self.answers(agent);
        }
    }

    /// An agent talks; answers whether that is news.
    pub(crate) fn answers(&mut self, agent: String) -> bool {
        let is_news = !self.answered.contains(&agent);
        if is_news {
            self.answered.push(agent);
        }
        is_news
    }

    pub(crate) fn way(&self) -> Option<Way> {
        match (self.callers.is_empty(), self.called.is_empty()) {
            (true, true) => None,
            (true, false) => Some(Way::In),
            (false, true) => Some(Way::Out),
            (false, false) => Some(Way::Internal),
        }
    }

    /// The party that is no agent of ours; within the house, who calls.
    pub(crate) fn number(&self) -> &str {
        if self.way() == Some(Way::Out) { &self.did } else { &self.from }
    }
}

impl Rule {
    /// Whether it is for this call at this moment.
    fn matches(&self, call: &str, facts: &Facts, now: Moment) -> bool {
        let any = |patterns: &Option<Vec<Pattern>>, words: &[&str]| match patterns {
            None => true,
            Some(patterns) => {
                words.iter().any(|word| patterns.iter().any(|pattern| pattern.matches(word)))
            }
        };
        let agents = facts.concerned(self.start);
        let queue: Vec<&str> = facts.queue.as_deref().into_iter().collect();
        let is_way = |ways: &Vec<Way>| facts.way().is_some_and(|way| ways.contains(&way));
        any(&self.queues, &queue)
            && any(&self.agents, &agents)
            && any(&self.numbers, &[facts.number()])
            && any(&self.dids, &[&facts.did])
            && any(&self.servers, &[&facts.server])
            && self.directions.as_ref().is_none_or(is_way)
            && self.hours.as_ref().is_none_or(|all| all.iter().any(|hours| hours.contain(now)))
            && self.percent.is_none_or(|percent| is_sampled(call, &self.name, percent))
    }

    pub(crate) fn template(&self) -> Template {
        let usual = || Template::usual(self.mode == RecordMode::Stereo);
        self.file.clone().unwrap_or_else(usual)
    }

    /// What is wrong with it in itself.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.name.is_empty() || self.name.len() > 64 || self.name.contains(char::is_control) {
            return Err("name: must be 1 to 64 characters".to_owned());
        }
        if self.percent.is_some_and(|percent| !(0.0..=100.0).contains(&percent)) {
            return Err("percent: must be 0 to 100".to_owned());
        }
        if self.beep_seconds.is_some_and(|seconds| !(5..=3600).contains(&seconds)) {
            return Err("beepSeconds: must be 5 to 3600".to_owned());
        }
        if self.pause_seconds.is_some_and(|seconds| !(1..=86_400).contains(&seconds)) {
            return Err("pauseSeconds: must be 1 to 86400".to_owned());
        }
        if self.retention_days.is_some_and(|days| !(1..=36_500).contains(&days)) {
            return Err("retentionDays: must be 1 to 36500".to_owned());
        }
        if self.delete && self.retention_days.is_none() {
            return Err("delete: needs retentionDays, after which the audio is removed".to_owned());
        }
        if (self.mode == RecordMode::Stereo) != self.template().is_raw() {
            return Err(
                "file: must end in .raw with mode = \"stereo\", and not without it".to_owned()
            );
        }
        match &self.consent {
            Some(consent) => consent.check().map_err(|why| format!("consent.{why}")),
            None => Ok(()),
        }
    }
}

impl Consent {
    fn check(&self) -> Result<(), String> {
        if self.variable.is_none() && self.info.is_none() {
            return Err("variable: or info must say where consent is told".to_owned());
        }
        if self.info.as_ref().is_some_and(|pointer| !pointer.starts_with('/')) {
            return Err("info: must be a JSON pointer, like \"/consent\"".to_owned());
        }
        if self.is.is_empty() || self.is.iter().any(String::is_empty) {
            return Err("is: must name what means yes".to_owned());
        }
        if (100..=30_000).contains(&self.deadline_ms) {
            Ok(())
        } else {
            Err("deadlineMs: must be 100 to 30000".to_owned())
        }
    }
}

/// The first rule that matches.
pub(crate) fn first<'r>(
    rules: &'r [Rule],
    call: &str,
    facts: &Facts,
    now: Moment,
) -> Option<&'r Rule> {
    rules.iter().find(|rule| rule.matches(call, facts, now))
}

/// Whether a call is one of those few: the same answer however often it is asked.
fn is_sampled(call: &str, rule: &str, percent: f64) -> bool {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in call.bytes().chain([0]).chain(rule.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    // Ids of calls differ in their ends, which are hardly mixed yet.
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    let place = u32::try_from(hash % HUNDREDTHS).unwrap_or_default();
    f64::from(place) < percent * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hours::Zone;
    use serde_json::{Value, json};

    /// Friday, 20 November 2026, 22:08 UTC.
    const FRIDAY: u64 = 1_795_212_480_000;

    fn rule(fields: &Value) -> Rule {
        let mut all = json!({"name": "r"});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    fn facts() -> Facts {
        Facts {
            server: "pbx1".into(),
            from: "+4930123".into(),
            did: "600".into(),
            to: "201".into(),
            queue: Some("sales".into()),
            callers: vec![],
            called: vec!["201".into(), "202".into()],
            answered: vec![],
        }
    }

    #[test]
    fn every_condition_must_hold() {
        let now = Zone::default().moment(FRIDAY);
        let out = Facts { callers: vec!["201".into()], called: vec![], queue: None, ..facts() };
        let internal = Facts { callers: vec!["203".into()], ..facts() };
        let answered = Facts { answered: vec!["201".into()], ..facts() };
        for (fields, expected) in [
            (json!({}), [true, true, true]),
            (json!({"queues": ["sales"]}), [true, false, true]),
            (json!({"queues": []}), [false, false, false]),
            (json!({"queues": ["s*", "x"], "agents": ["202"]}), [true, false, true]),
            (json!({"agents": ["201"]}), [true, true, true]),
            (json!({"agents": ["203"]}), [false, false, true]),
            (json!({"directions": ["in"]}), [true, false, false]),
            (json!({"directions": ["out", "internal"]}), [false, true, true]),
            (json!({"numbers": ["+49*"]}), [true, false, true]),
            (json!({"numbers": ["600"]}), [false, true, false]),
            (json!({"dids": ["6??"]}), [true, true, true]),
            (json!({"servers": ["pbx2"]}), [false, false, false]),
            (json!({"hours": ["Mon-Fri 22:00-23:00"]}), [true, true, true]),
            (json!({"hours": ["Mon-Fri 08:00-18:00", "Sat 09:00-12:00"]}), [false, false, false]),
            (json!({"percent": 0}), [false, false, false]),
            (json!({"percent": 100}), [true, true, true]),
        ] {
            let found = [facts(), out.clone(), internal.clone()]
                .map(|facts| rule(&fields).matches("c1", &facts, now));
            assert_eq!(found, expected, "{fields}");
        }
        for (fields, expected) in [
            (json!({"agents": ["201"]}), true),
            (json!({"agents": ["202"]}), false),
            (json!({"agents": ["202"], "start": "ring"}), true),
        ] {
            assert_eq!(rule(&fields).matches("c1", &answered, now), expected, "{fields}");
        }
    }

    #[test]
    fn the_first_that_matches_decides() {
        let rules = [
            rule(&json!({"name": "never", "queues": ["billing"], "record": false})),
            rule(&json!({"name": "sales", "queues": ["sales"]})),
            rule(&json!({"name": "rest"})),
        ];
        let now = Zone::default().moment(FRIDAY);
        let name = |facts: &Facts| first(&rules, "c", facts, now).map(|rule| rule.name.clone());
        assert_eq!(name(&facts()).as_deref(), Some("sales"));
        assert_eq!(name(&Facts::default()).as_deref(), Some("rest"));
        assert!(first(&rules[..2], "c", &Facts::default(), now).is_none());
    }

    #[test]
    fn so_many_of_a_hundred_are_sampled_and_always_the_same() {
        let calls: Vec<String> = (0..10_000).map(|id| format!("pbx1-1795243126.{id}")).collect();
        let sampled =
            |percent: f64| calls.iter().filter(|call| is_sampled(call, "r", percent)).count();
        for (percent, around) in [(0.5, 20..80), (20.0, 1_850..2_150), (90.0, 8_850..9_150)] {
            assert!(around.contains(&sampled(percent)), "{percent}: {}", sampled(percent));
        }
        assert_eq!((sampled(0.0), sampled(100.0)), (0, 10_000));
        assert_eq!(is_sampled("c", "r", 50.0), is_sampled("c", "r", 50.0));
    }

    #[test]
    fn consent_is_yes_no_or_nothing() {
        let rule = rule(&json!({"consent": {"variable": "C", "is": ["Yes", "1"]}}));
        let consent = rule.consent.unwrap();
        let said = ["yes", "1", "no", "maybe", ""].map(|value| consent.says(value));
        assert_eq!(said, [Some(true), Some(true), Some(false), Some(false), None]);
    }
}
