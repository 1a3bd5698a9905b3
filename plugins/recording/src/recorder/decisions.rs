//! Whether a call is recorded: the first rule that matches, and the consent that it may ask for.

use super::Recorder;
use crate::{
    calls::{Live, Phase, Recorded},
    entry::Decided,
    orders,
    rules::{self, Begin, Fallback, Rule},
    settings::Settings,
    template::Values,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use telepulse_plugin_sdk::{
    bus, clock,
    language::{DecisionReason, RecordingDecision, Refusal},
    log, metrics,
};

const POLICY: &str = "telepulse.event.recordingPolicy";
/// How often a variable is looked at, in milliseconds.
const LOOKS: u64 = 250;
/// How often an order is given that is refused for reasons that pass.
const TRIES: u32 = 5;
/// How long is waited before the next try, in milliseconds, for each try that there was.
const PAUSE: u64 = 500;

/// When an order is given again that nothing answers, in milliseconds: later than the core says that nobody does.
const UNANSWERED: u64 = 6_000;

/// What is read of `callerInfo`.
#[derive(Deserialize)]
pub(super) struct Info {
    server: String,
    call: String,
    #[serde(rename = "info")]
    known: Value,
}

/// The details of `recordingPolicy`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    server: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'a str>,
    call: &'a str,
    rule: &'a str,
    decision: RecordingDecision,
    reason: DecisionReason,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_days: Option<u32>,
}

impl Recorder {
    /// Looks whether a rule matches a call that none has matched yet.
    pub(super) fn consider(&mut self, call: &str, begin: Begin) {
        let now = clock::now().0;
        let Some(live) = self.calls.get(call).filter(|live| live.phase == Phase::Open) else {
            return;
        };
        let moment = self.settings.time_zone.moment(now);
        let Some(rule) = rules::first(&self.settings.rules, call, &live.facts, moment) else {
            return;
        };
        if rule.start > begin {
            return;
        }
        let is_early = begin == Begin::Ring;
        let name = rule.name.clone();
        let Some(consent) = rule.consent.as_ref().filter(|_| rule.record) else {
            let decision = if rule.record { Some(is_early) } else { None };
            return self.decide(call, &name, DecisionReason::Rule, decision);
        };
        let deadline = now + consent.deadline_ms;
        let said = consent.info.as_ref().and_then(|place| live.said.get(place)).cloned();
        live.phase = Phase::Asking { rule: name, deadline, is_early };
        self.calls.look_at(call, deadline);
        match said {
            Some(said) => self.says(call, &said),
            None => self.ask(call),
        }
        self.keep(call);
    }

    /// What is due for a decision that is open still.
    pub(super) fn decide_late(&mut self, call: &str, now: u64) {
        match self.calls.get(call).map(|live| live.phase.clone()) {
            Some(Phase::Asking { rule, deadline, is_early }) if deadline <= now => {
                let consent = self.settings.rule(&rule).and_then(|rule| rule.consent.as_ref());
                let fallback = consent.map(|consent| consent.fallback).unwrap_or_default();
                let decision = (fallback == Fallback::Record).then_some(is_early);
                self.decide(call, &rule, DecisionReason::Fallback, decision);
            }
            Some(Phase::Asking { deadline, .. }) => {
                self.calls.look_at(call, deadline);
                self.ask(call);
            }
            Some(Phase::Ordered { next_try, .. }) if next_try <= now => self.order(call),
            Some(Phase::Ordered { next_try, .. }) => self.calls.look_at(call, next_try),
            _ => {}
        }
    }

    /// Asks for the variable that says whether it may be recorded, if the rule names one.
    fn ask(&mut self, call: &str) {
        let Some(live) = self.calls.get(call) else { return };
        let Phase::Asking { rule, .. } = &live.phase else { return };
        let consent = self.settings.rule(rule).and_then(|rule| rule.consent.as_ref());
        let Some(variable) = consent.and_then(|it| it.variable.as_ref()) else { return };
        if let Err(why) = orders::ask(call, &live.facts.server, variable) {
            log::warn!(call = call; "the variable {} is not asked for: {why}", variable.as_str());
            self.calls.look_at(call, clock::now().0 + LOOKS);
        }
    }

    /// The variable's value is known, or why it is not.
    pub(super) fn told(&mut self, call: &str, told: Result<Value, Refusal>) {
        let value = told.ok().and_then(|told| told["value"].as_str().map(str::to_owned));
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            return self.says(call, &value);
        }
        self.calls.look_at(call, clock::now().0 + LOOKS);
    }

    /// A CRM, or another system, knows something of the caller.
    pub(super) fn informed(&mut self, told: &Info) {
        let Info { server, call, known } = told;
        let consents = self.settings.rules.iter().filter_map(|rule| rule.consent.as_ref());
        let places = consents.filter_map(|consent| consent.info.as_ref());
        let said = places.filter_map(|place| Some((place.clone(), word(known.pointer(place)?)?)));
        let said: Vec<_> = said.collect();
        if said.is_empty() {
            return;
        }
        let live = self.calls.begun(call, server);
        live.said.extend(said);
        let Phase::Asking { rule, .. } = &live.phase else { return };
        let consent = self.settings.rule(rule).and_then(|rule| rule.consent.as_ref());
        let place = consent.and_then(|consent| consent.info.as_ref());
        if let Some(said) = place.and_then(|place| live.said.get(place)).cloned() {
            self.says(call, &said);
        }
    }

    /// Somebody said yes or no, in time or too late.
    fn says(&mut self, call: &str, said: &str) {
        let Some(live) = self.calls.get(call) else { return };
        let Phase::Asking { rule, is_early, .. } = live.phase.clone() else { return };
        let consent = self.settings.rule(&rule).and_then(|rule| rule.consent.as_ref());
        match consent.and_then(|consent| consent.says(said)) {
            Some(true) => self.decide(call, &rule, DecisionReason::ConsentGiven, Some(is_early)),
            Some(false) => self.decide(call, &rule, DecisionReason::ConsentRefused, None),
            None => {}
        }
    }

    /// It is decided: the call is recorded, perhaps early, or it is not.
    fn decide(&mut self, call: &str, rule: &str, reason: DecisionReason, is_early: Option<bool>) {
        let decision = if is_early.is_some() { "record" } else { "dontRecord" };
        metrics::add("decided", 1, &[("rule", rule), ("decision", decision)]);
        let Some(live) = self.calls.get(call) else { return };
        let Some((is_early, found)) = is_early.zip(self.settings.rule(rule)) else {
            live.phase = Phase::Decided;
            self.publish(call, rule, reason, None);
            self.keep(call);
            return;
        };
        let file = file(call, found, live, &self.settings);
        let recorded = Recorded { rule: rule.to_owned(), file, is_begun: false };
        live.recorded = Some(recorded.clone());
        live.phase = Phase::Ordered { recorded, reason, is_early, tries: 0, next_try: 0 };
        // What cannot be kept is recorded all the same: the order comes first.
        self.order(call);
        self.keep(call);
    }

    fn order(&mut self, call: &str) {
        let Some(live) = self.calls.get(call) else { return };
        let server = live.facts.server.clone();
        let Phase::Ordered { recorded, is_early, tries, .. } = &mut live.phase else { return };
        *tries += 1;
        let again = PAUSE * u64::from(*tries);
        let (is_early, Recorded { rule, file, .. }) = (*is_early, recorded.clone());
        let Some(rule) = self.settings.rule(&rule) else { return };
        match orders::start(call, &server, rule, &file, is_early) {
            // Until then its answer may come: whatever else is due, it is not ordered twice.
            Ok(()) => self.try_in(call, UNANSWERED),
            Err(why) => {
                log::warn!(call = call; "the order to record it is not given: {why}");
                self.try_in(call, again);
            }
        }
    }

    /// Has the order given again, if nothing comes of it by then.
    fn try_in(&mut self, call: &str, ms: u64) {
        let moment = clock::now().0 + ms;
        let Some(live) = self.calls.get(call) else { return };
        let Phase::Ordered { next_try, .. } = &mut live.phase else { return };
        *next_try = moment;
        self.calls.look_at(call, moment);
    }

    /// Asterisk records the call, or why it does not.
    pub(super) fn started(&mut self, call: &str, outcome: Result<Value, Refusal>) {
        let Some(live) = self.calls.get(call) else { return };
        let Phase::Ordered { recorded, reason, tries, .. } = live.phase.clone() else { return };
        let is_begun = live.recorded.as_ref().is_some_and(|recorded| recorded.is_begun);
        match outcome {
            Ok(_) => self.is_recorded(call, recorded, reason),
            // The order before was done, and its answer got lost.
            Err(refusal) if is_of_file(&refusal) && (is_begun || names(&refusal, &recorded)) => {
                self.is_recorded(call, recorded, reason);
            }
            // Somebody was faster: it is recorded, if not by this rule.
            Err(refusal) if is_of_file(&refusal) => self.give_up(call, &refusal),
            Err(refusal) if tries >= TRIES => self.give_up(call, &refusal),
            Err(_) => self.try_in(call, PAUSE * u64::from(tries)),
        }
    }

    fn is_recorded(&mut self, call: &str, recorded: Recorded, reason: DecisionReason) {
        let Recorded { rule, file, .. } = recorded;
        if let Some(live) = self.calls.get(call) {
            live.phase = Phase::Decided;
        }
        let retention_days = self.settings.rule(&rule).and_then(|it| it.retention_days);
        let mode = self.settings.rule(&rule).map(|rule| rule.mode);
        let decided = Decided { rule: rule.clone(), reason, retention_days };
        self.edit(call, |entry| {
            entry.policy = Some(decided);
            entry.add_file(&file, mode);
        });
        self.publish(call, &rule, reason, Some(&file));
        self.keep(call);
    }

    fn give_up(&mut self, call: &str, why: &Refusal) {
        log::warn!(call = call; "it is not recorded as its rule says: {why}");
        metrics::add("failed", 1, &[]);
        if let Some(live) = self.calls.get(call) {
            live.phase = Phase::Decided;
            live.recorded = None;
        }
        self.keep(call);
    }

    fn publish(&mut self, call: &str, rule: &str, reason: DecisionReason, file: Option<&str>) {
        let facts = self.calls.get(call).map(|live| live.facts.clone()).unwrap_or_default();
        let recorded = self.settings.rule(rule).filter(|_| file.is_some());
        let told = Told {
            server: &facts.server,
            agent: facts.agent(),
            queue: facts.queue.as_deref(),
            call,
            rule,
            decision: match file {
                Some(_) => RecordingDecision::Record,
                None => RecordingDecision::DontRecord,
            },
            reason,
            file,
            retention_days: recorded.and_then(|rule| rule.retention_days),
        };
        if let Err(why) = bus::publish_json(POLICY, &told) {
            log::error!(call = call; "what is decided is not told: {why}");
        }
    }
}

/// Whether it is refused because the call is recorded already.
fn is_of_file(refusal: &Refusal) -> bool {
    refusal.field.as_deref() == Some("file")
}

/// Whether a refusal names the file that was ordered as the one that is written: it ends with it.
fn names(refusal: &Refusal, recorded: &Recorded) -> bool {
    let file = refusal.message.rsplit_once(", into ").map(|(_, file)| file);
    file.is_some_and(|file| recorded.is_at(file))
}

/// The name of the file that a rule makes of a call.
fn file(call: &str, rule: &Rule, live: &Live, settings: &Settings) -> String {
    let facts = &live.facts;
    let moment = settings.time_zone.moment(clock::now().0);
    let direction = facts.way().map(|way| way.to_string()).unwrap_or_default();
    rule.template().fill(&Values {
        call,
        server: &facts.server,
        queue: facts.queue.as_deref().unwrap_or_default(),
        agent: facts.agent().unwrap_or_default(),
        number: facts.number(),
        did: &facts.did,
        direction: &direction,
        rule: &rule.name,
        date: moment.date,
        time: moment.time,
    })
}

/// A value of JSON as a word; nothing, if it is none.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(word) => Some(word.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}
