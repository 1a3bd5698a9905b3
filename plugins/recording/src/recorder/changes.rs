//! What happens to recordings: by commands, by events of a CRM, and by itself when a pause has lasted.

use super::Recorder;
use crate::{calls::Act, entry::Step, orders};
use serde::Deserialize;
use serde_json::Value;
use telepulse_plugin_sdk::{
    clock,
    language::{Code, RecordingChange, Refusal, Timestamp},
    log, metrics,
};

/// When a resumption is ordered again that nothing came of, in milliseconds.
const AGAIN: u64 = 5_000;
/// When a pause is ordered again that was refused in passing, in milliseconds.
const PAUSE_AGAIN: u64 = 1_000;
/// And when one that is not answered: later than the core says that nobody does.
const UNANSWERED: u64 = 6_000;
/// Who did what rules did.
const OURSELVES: &str = "recording";
const SPOKEN: &str = "card data is spoken";

/// What is read of `recording`.
#[derive(Deserialize)]
pub(super) struct Changed {
    server: String,
    call: String,
    channel: String,
    agent: Option<String>,
    queue: Option<String>,
    time: Timestamp,
    change: RecordingChange,
    file: String,
    by: Option<String>,
}

/// A CRM says that card data is spoken, or not any more.
#[derive(Deserialize)]
pub(super) struct Card {
    #[serde(default)]
    server: String,
    call: Option<String>,
    agent: Option<String>,
    change: CardChange,
    by: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum CardChange {
    Start,
    End,
}

impl Recorder {
    /// A recording began, paused, went on or ended.
    pub(super) fn changed(&mut self, told: Changed) {
        let Changed { server, call, channel, agent, queue, time, change, file, by } = told;
        let now = clock::now().0;
        let recorded = self.calls.get(&call).and_then(|live| live.recorded.clone());
        let rule = recorded.as_ref().and_then(|recorded| self.settings.rule(&recorded.rule));
        let (pause, mode) = (self.settings.pause_ms(rule), rule.map(|rule| rule.mode));
        let ours = recorded.filter(|recorded| recorded.is_at(&file));
        let live = self.calls.begun(&call, &server);
        live.is_recorded = true;
        live.happened(&channel, change);
        if let Some(recorded) = live.recorded.as_mut().filter(|_| ours.is_some()) {
            recorded.is_begun = true;
        }
        live.facts.queue = queue.or_else(|| live.facts.queue.take());
        // A phone that only rings may be recorded, too, but its agent does not take part.
        let agent = agent.filter(|agent| !live.facts.only_rang(agent));
        let act = live.doer(change, now).filter(|_| by.is_none()).cloned();
        let pauses_at_once = change == RecordingChange::Started && live.has_card;
        match change {
            RecordingChange::Paused => live.paused_until = Some(now + pause),
            RecordingChange::Started => {}
            _ if live.is_paused() => {}
            RecordingChange::Resumed | RecordingChange::Stopped => live.paused_until = None,
        }
        if let Some(moment) = live.paused_until {
            self.calls.look_at(&call, moment);
        }
        // What cannot be listed pauses all the same.
        if pauses_at_once {
            self.order_change(&call, RecordingChange::Paused, OURSELVES, SPOKEN);
        }
        let is_ours = ours.is_some();
        let (doer, why) = match (act, ours) {
            (Some(Act { by, why, .. }), _) => (Some(by), Some(why)),
            (None, Some(recorded)) if change == RecordingChange::Started && by.is_none() => {
                (Some(OURSELVES.to_owned()), Some(format!("rule {}", recorded.rule)))
            }
            (None, _) => (by, None),
        };
        self.edit(&call, |entry| {
            if let Some(agent) = &agent {
                entry.add_agent(agent);
            }
            entry.add_file(&file, mode.filter(|_| is_ours));
            entry.note(Step { time, change, file, by: doer, why });
        });
        self.keep(&call);
    }

    /// What is spoken now is not to be kept, or is again.
    pub(super) fn card(&mut self, told: Card, kind: &str) -> Result<(), String> {
        let Card { server, call, agent, change, by } = told;
        let found = match (call, &agent) {
            (Some(call), None) => Vec::from_iter(self.calls.get(&call).is_some().then_some(call)),
            (None, Some(agent)) => self.calls.of_agent(agent, &server),
            _ => return Err(format!("{kind}: one of `call` and `agent` says whose card it is")),
        };
        let is_agents = agent.is_some();
        let by = by.or(agent).unwrap_or_else(|| kind.to_owned());
        if found.is_empty() {
            let why =
                if is_agents { "that agent talks in no call" } else { "there is no such call" };
            if change == CardChange::Start {
                unpaused("", "nothing", why);
            }
            return Err(format!("{kind} of {by}: {why}; it may be over"));
        }
        for call in found {
            // A pause of somebody else's in another call of the agent is not ended.
            let has_card = self.calls.get(&call).is_some_and(|live| live.has_card);
            if change == CardChange::Start || has_card || !is_agents {
                self.card_of(&call, change, &by);
            }
        }
        Ok(())
    }

    /// The same, of one call.
    fn card_of(&mut self, call: &str, change: CardChange, by: &str) {
        let now = clock::now().0;
        let recorded = self.calls.get(call).and_then(|live| live.recorded.as_ref());
        let rule = recorded.and_then(|recorded| self.settings.rule(&recorded.rule));
        let pause = self.settings.pause_ms(rule);
        let Some(live) = self.calls.get(call) else { return };
        live.has_card = change == CardChange::Start;
        live.pause_again = None;
        // What is paused already tells no pause any more, and this card is not spoken faster for that.
        if live.has_card && live.paused_until.is_some() {
            live.paused_until = Some(now + pause);
        }
        let (change, why) = match change {
            CardChange::Start => (RecordingChange::Paused, SPOKEN),
            CardChange::End => (RecordingChange::Resumed, "no card data is spoken any more"),
        };
        self.order_change(call, change, by, why);
        self.keep(call);
    }

    /// A pause has lasted.
    pub(super) fn resume_late(&mut self, call: &str, now: u64) {
        let Some(live) = self.calls.get(call) else { return };
        match live.paused_until {
            Some(moment) if moment <= now => {
                live.paused_until = Some(now + AGAIN);
                live.has_card = false;
                self.calls.look_at(call, now + AGAIN);
                self.order_change(
                    call,
                    RecordingChange::Resumed,
                    OURSELVES,
                    "the pause has lasted",
                );
                self.keep(call);
            }
            Some(moment) => self.calls.look_at(call, moment),
            None => {}
        }
    }

    /// A pause was refused in passing, and the card is spoken still.
    pub(super) fn pause_late(&mut self, call: &str, now: u64) {
        let Some(live) = self.calls.get(call) else { return };
        let Some(moment) = live.pause_again.filter(|_| live.has_card) else { return };
        if moment > now {
            return self.calls.look_at(call, moment);
        }
        let act = live.last(RecordingChange::Paused);
        let by = act.map_or_else(|| OURSELVES.to_owned(), |act| act.by.clone());
        live.pause_again = Some(now + UNANSWERED);
        self.calls.look_at(call, now + UNANSWERED);
        self.order_change(call, RecordingChange::Paused, &by, SPOKEN);
    }

    fn order_change(&mut self, call: &str, change: RecordingChange, by: &str, why: &str) {
        let Some(live) = self.calls.get(call) else { return };
        let (by, why, at) = (by.to_owned(), why.to_owned(), clock::now().0);
        live.expect(Act { change, by, why, at });
        if let Err(why) = orders::change(call, &live.facts.server, change) {
            // It has too much to do: nothing was sent.
            self.change_answered(call, change, Err(Refusal::new(Code::TooManyRequests, why)));
        }
    }

    /// A pause that does not come about is worth a line; a resumption that never can is given up.
    pub(super) fn change_answered(
        &mut self,
        call: &str,
        change: RecordingChange,
        outcome: Result<Value, Refusal>,
    ) {
        let Err(refusal) = outcome else { return self.change_done(call, change) };
        let is_for_good = matches!(refusal.code, Code::Conflict | Code::NotFound);
        if change == RecordingChange::Paused {
            self.pause_refused(call, &refusal);
        } else if is_for_good {
            if let Some(live) = self.calls.get(call) {
                live.all_resumed();
            }
        } else {
            log::error!(call = call; "its recording does not change: {refusal}");
            metrics::add("failed", 1, &[]);
        }
    }

    fn change_done(&mut self, call: &str, change: RecordingChange) {
        if let Some(live) = self.calls.get(call).filter(|_| change == RecordingChange::Paused) {
            live.pause_again = None;
        }
    }

    /// Where that may pass it is tried again, as long as the card is spoken, and told once.
    fn pause_refused(&mut self, call: &str, refusal: &Refusal) {
        // To pause twice does no harm: what may have been done counts as well.
        let may_pass = matches!(
            refusal.code,
            Code::ServerUnavailable | Code::TooManyRequests | Code::Timeout | Code::UnknownOutcome
        );
        let why = match refusal.code {
            Code::Conflict | Code::NotFound => "nothing",
            _ => "refused",
        };
        let again = clock::now().0 + PAUSE_AGAIN;
        let Some(live) = self.calls.get(call) else { return };
        let is_again = live.pause_again.is_some();
        live.pause_again = (may_pass && live.has_card).then_some(again);
        if live.pause_again.is_some() {
            self.calls.look_at(call, again);
        }
        if !is_again {
            unpaused(call, why, &refusal.to_string());
            self.keep(call);
        }
    }
}

/// Card data is spoken, and nothing pauses: there was nothing to pause, or it was refused.
fn unpaused(call: &str, why: &str, told: &str) {
    metrics::add("unpaused", 1, &[("why", why)]);
    log::warn!(call = call; "no recording pauses while card data is spoken: {told}");
}
