//! Calls in progress: what is known of each, and how far its recording is. Pure.

use crate::rules::Facts;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use telepulse_plugin_sdk::language::{DecisionReason, RecordingChange};

/// The most that are followed; beyond, the oldest is forgotten.
const MOST: usize = 10_000;
/// The most acts of ours that are expected to show.
const MOST_EXPECTED: usize = 20;
/// How long after an act what happens is its doing, in milliseconds.
const EXPECTED_MS: u64 = 10_000;

/// One call.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Live {
    pub(crate) facts: Facts,
    pub(crate) phase: Phase,
    /// What the rule that matched has recorded.
    pub(crate) recorded: Option<Recorded>,
    /// Something of it is, or was, recorded, by whosever order.
    pub(crate) is_recorded: bool,
    /// It has been kept before: what is kept must not say what is so no more.
    pub(crate) is_kept: bool,
    /// By the channel that is recorded.
    channels: BTreeMap<String, Channel>,
    /// While something of it is paused: when it goes on by itself.
    pub(crate) paused_until: Option<u64>,
    /// A pause was refused in passing, or is not answered yet: when it is ordered again.
    pub(crate) pause_again: Option<u64>,
    /// Card data is spoken: what begins to be recorded pauses at once.
    pub(crate) has_card: bool,
    /// What `callerInfo` said at the places that rules ask for.
    pub(crate) said: BTreeMap<String, String>,
    /// What we have ordered and not seen yet.
    expected: VecDeque<Act>,
}

/// What is recorded on one channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Channel {
    /// How many recordings run. One, as a rule.
    running: u32,
    /// One mutes them all.
    is_paused: bool,
}

/// How far the decision is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// No rule has matched yet.
    #[default]
    Open,
    /// Somebody has to agree.
    Asking { rule: String, deadline: u64, is_early: bool },
    /// It is ordered, and not answered yet.
    Ordered {
        recorded: Recorded,
        reason: DecisionReason,
        is_early: bool,
        tries: u32,
        /// When it is ordered again, if nothing has come of it by then.
        #[serde(default)]
        next_try: u64,
    },
    /// It is decided.
    Decided,
}

/// What a rule has recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) rule: String,
    /// As it was ordered.
    pub(crate) file: String,
    /// Asterisk has told that it runs.
    #[serde(default)]
    pub(crate) is_begun: bool,
}

/// Something that we do, which events of Asterisk's cannot tell who did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Act {
    pub(crate) change: RecordingChange,
    pub(crate) by: String,
    pub(crate) why: String,
    pub(crate) at: u64,
}

impl Recorded {
    /// Whether it is this one that Asterisk names: with the folder, which the order leaves out.
    pub(crate) fn is_at(&self, file: &str) -> bool {
        let front = file.strip_suffix(&self.file);
        front.is_some_and(|front| front.is_empty() || front.ends_with('/'))
    }
}

impl Live {
    /// Whether it is worth to outlive a crash.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        self.is_kept
            || self.phase != Phase::Open
            || self.is_recorded
            || self.paused_until.is_some()
            || self.has_card
    }

    /// Something happened to a recording on a channel.
    pub(crate) fn happened(&mut self, channel: &str, change: RecordingChange) {
        let own = self.channels.entry(channel.to_owned()).or_default();
        match change {
            RecordingChange::Started => own.running += 1,
            // Where nobody saw it begin, it runs all the same.
            RecordingChange::Paused => {
                (own.running, own.is_paused) = (own.running.max(1), true);
            }
            RecordingChange::Resumed => own.is_paused = false,
            RecordingChange::Stopped => own.running = own.running.saturating_sub(1),
        }
        if own.running == 0 {
            self.channels.remove(channel);
        }
    }

    /// Whether a recording of the call is paused still.
    pub(crate) fn is_paused(&self) -> bool {
        self.channels.values().any(|channel| channel.is_paused)
    }

    /// Nothing of it is paused, whatever was told.
    pub(crate) fn all_resumed(&mut self) {
        self.channels.values_mut().for_each(|channel| channel.is_paused = false);
        self.paused_until = None;
    }

    /// Takes over the recordings of a call that has become part of this one.
    pub(crate) fn join(&mut self, other: Self) {
        self.facts.join(other.facts);
        self.is_recorded |= other.is_recorded;
        self.channels.extend(other.channels);
        self.has_card |= other.has_card;
        self.paused_until = self.paused_until.max(other.paused_until);
        self.pause_again = self.pause_again.max(other.pause_again);
    }

    pub(crate) fn expect(&mut self, act: Act) {
        if self.expected.len() == MOST_EXPECTED {
            self.expected.pop_front();
        }
        self.expected.push_back(act);
    }

    /// Whose doing a change is that nobody's command was: one act may show on several channels.
    pub(crate) fn doer(&mut self, change: RecordingChange, now: u64) -> Option<&Act> {
        self.expected.retain(|act| now.saturating_sub(act.at) <= EXPECTED_MS);
        self.last(change)
    }

    /// What we did last of that kind.
    pub(crate) fn last(&self, change: RecordingChange) -> Option<&Act> {
        self.expected.iter().rev().find(|act| act.change == change)
    }
}

/// By id.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Calls {
    live: HashMap<String, Live>,
    /// The oldest first.
    order: VecDeque<String>,
    /// When which call is to be looked at; those that are over may stand here still.
    agenda: BTreeSet<(u64, String)>,
}

impl Calls {
    pub(crate) fn get(&mut self, call: &str) -> Option<&mut Live> {
        self.live.get_mut(call)
    }

    /// The call, which begins if it is not known.
    pub(crate) fn begun(&mut self, call: &str, server: &str) -> &mut Live {
        if !self.live.contains_key(call) {
            self.add(call.to_owned(), Live::default());
        }
        let live = self.live.entry(call.to_owned()).or_default();
        if live.facts.server.is_empty() {
            server.clone_into(&mut live.facts.server);
        }
        live
    }

    pub(crate) fn add(&mut self, call: String, live: Live) {
        if self.live.insert(call.clone(), live).is_none() {
            self.order.push_back(call);
        }
        while self.order.len() > MOST {
            let Some(oldest) = self.order.pop_front() else { break };
            self.live.remove(&oldest);
        }
    }

    pub(crate) fn forget(&mut self, call: &str) -> Option<Live> {
        let live = self.live.remove(call)?;
        self.order.retain(|other| other != call);
        Some(live)
    }

    /// The calls in which an agent talks, on a server if that is known, the youngest first. One that only rings
    /// is none of them.
    pub(crate) fn of_agent(&self, agent: &str, server: &str) -> Vec<String> {
        let is_one = |call: &&String| {
            self.live.get(*call).is_some_and(|live| {
                (server.is_empty() || live.facts.server == server)
                    && live.facts.answered.iter().any(|own| own == agent)
            })
        };
        self.order.iter().rev().filter(is_one).cloned().collect()
    }

    /// Has a call looked at.
    pub(crate) fn look_at(&mut self, call: &str, moment: u64) {
        self.agenda.insert((moment, call.to_owned()));
    }

    /// When the next call is to be looked at.
    pub(crate) fn next(&self) -> Option<u64> {
        self.agenda.first().map(|(moment, _)| *moment)
    }

    /// The calls to be looked at by now.
    pub(crate) fn due(&mut self, now: u64) -> Vec<String> {
        let later = self.agenda.split_off(&(now + 1, String::new()));
        let due = std::mem::replace(&mut self.agenda, later);
        let mut calls: Vec<String> = due.into_iter().map(|(_, call)| call).collect();
        calls.dedup();
        calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_bounded_and_found_by_agent() {
        let mut calls = Calls::default();
        for number in 0..MOST + 5 {
            let live = calls.begun(&number.to_string(), "pbx1");
            live.facts.answered.push(if number % 2 == 0 { "201" } else { "202" }.to_owned());
        }
        assert_eq!((calls.live.len(), calls.order.len()), (MOST, MOST));
        assert!(calls.get("4").is_none() && calls.get("5").is_some());
        let last = (MOST + 4).to_string();
        assert_eq!(calls.of_agent("201", "pbx1").first(), Some(&last));
        assert_eq!(calls.of_agent("201", "pbx2"), [""; 0]);
        calls.forget(&last);
        assert!(!calls.of_agent("201", "").contains(&last));
        calls.begun("rings", "pbx1").facts.called.push("203".to_owned());
        assert_eq!(calls.of_agent("203", ""), [""; 0]);
    }

    #[test]
    fn what_is_due_comes_once() {
        let mut calls = Calls::default();
        for (call, moment) in [("a", 5), ("b", 3), ("c", 7)] {
            calls.look_at(call, moment);
        }
        assert_eq!(calls.next(), Some(3));
        assert_eq!(calls.due(5), ["b", "a"]);
        assert_eq!((calls.due(6).len(), calls.next()), (0, Some(7)));
    }

    #[test]
    fn an_act_of_ours_is_known_again_for_a_while() {
        let mut live = Live::default();
        let act = |change, at| Act { change, by: "x".into(), why: String::new(), at };
        live.expect(act(RecordingChange::Paused, 1_000));
        assert!(live.doer(RecordingChange::Resumed, 1_000).is_none());
        assert!(live.doer(RecordingChange::Paused, 2_000).is_some());
        assert!(live.doer(RecordingChange::Paused, 2_000).is_some(), "on another channel, too");
        assert!(live.doer(RecordingChange::Paused, 12_000).is_none());
    }

    #[test]
    fn it_is_paused_until_no_channel_is() {
        use RecordingChange::{Paused, Resumed, Started, Stopped};
        let mut live = Live::default();
        for (channel, change, is_paused) in [
            ("a", Started, false),
            ("a", Started, false),
            ("a", Paused, true),
            ("a", Stopped, true),
            ("b", Paused, true),
            ("b", Stopped, true),
            ("b", Resumed, true),
            ("a", Stopped, false),
            ("a", Stopped, false),
        ] {
            live.happened(channel, change);
            assert_eq!(live.is_paused(), is_paused, "{channel} {change:?}");
        }
    }
}
