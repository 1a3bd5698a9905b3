//! What is known of the recordings of one call. Pure.

use crate::rules::{Facts, Way};
use serde::{Deserialize, Serialize};
use telepulse_plugin_sdk::language::{
    DecisionReason, Principal, RecordMode, RecordingChange, Timestamp,
};

/// The most that is kept of a call; beyond, what comes is not noted any more.
const MOST_FILES: usize = 50;
const MOST_STEPS: usize = 500;

/// The recordings of one call, as they are listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// The call.
    pub(crate) id: String,
    pub(crate) server: String,
    /// When the first recording began.
    pub(crate) since: Timestamp,
    pub(crate) from: String,
    pub(crate) to: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) did: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) direction: Option<Way>,
    /// Those who took part: they, and who is limited to them, may hear it.
    pub(crate) agents: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<String>,
    /// Once the call is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<Timestamp>,
    /// Of the call, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) duration: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<Decided>,
    pub(crate) files: Vec<File>,
    /// What happened to them, who did it, and when.
    pub(crate) trail: Vec<Step>,
}

/// The rule that a recording is there for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Decided {
    pub(crate) rule: String,
    pub(crate) reason: DecisionReason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retention_days: Option<u32>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct File {
    /// As Asterisk names it.
    pub(crate) file: String,
    /// How it keeps the two sides, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<RecordMode>,
}

/// Something that happened to a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) time: Timestamp,
    pub(crate) change: RecordingChange,
    pub(crate) file: String,
    /// Who did it: an extension, a user, or `recording` where a rule did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    /// For what reason, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

impl Entry {
    pub(crate) fn new(id: &str, facts: &Facts, since: Timestamp) -> Self {
        let mut entry = Self {
            id: id.to_owned(),
            server: facts.server.clone(),
            since,
            from: String::new(),
            to: String::new(),
            did: String::new(),
            direction: None,
            agents: Vec::new(),
            queue: None,
            ended: None,
            duration: None,
            policy: None,
            files: Vec::new(),
            trail: Vec::new(),
        };
        entry.learn(facts);
        entry
    }

    /// Takes over what is known of the call by now.
    pub(crate) fn learn(&mut self, facts: &Facts) {
        for (own, known) in
            [(&mut self.from, &facts.from), (&mut self.to, &facts.to), (&mut self.did, &facts.did)]
        {
            if !known.is_empty() {
                own.clone_from(known);
            }
        }
        self.direction = facts.way().or(self.direction);
        self.queue = facts.queue.clone().or_else(|| self.queue.take());
        for agent in facts.parties() {
            self.add_agent(agent);
        }
    }

    pub(crate) fn add_agent(&mut self, agent: &str) {
        if !self.agents.iter().any(|known| known == agent) {
            self.agents.push(agent.to_owned());
        }
    }

    /// A file that there is; the same one comes once, by whichever name is longer: one is what was ordered, the
    /// other where Asterisk put it.
    pub(crate) fn add_file(&mut self, name: &str, mode: Option<RecordMode>) {
        if name.is_empty() {
            return;
        }
        let ends = |long: &str, short: &str| {
            long.strip_suffix(short).is_some_and(|front| front.is_empty() || front.ends_with('/'))
        };
        let is_same = |file: &File| ends(&file.file, name) || ends(name, &file.file);
        match self.files.iter().position(is_same) {
            Some(place) => {
                let known = &mut self.files[place];
                if name.len() > known.file.len() {
                    name.clone_into(&mut known.file);
                }
                known.mode = known.mode.or(mode);
            }
            None if self.files.len() < MOST_FILES => {
                self.files.push(File { file: name.to_owned(), mode });
            }
            None => {}
        }
    }

    pub(crate) fn note(&mut self, step: Step) {
        if self.trail.len() < MOST_STEPS {
            self.trail.push(step);
        }
    }

    /// Takes over another call's recordings, which has become part of this one.
    pub(crate) fn absorb(&mut self, other: Self) {
        for file in other.files {
            self.add_file(&file.file, file.mode);
        }
        for agent in &other.agents {
            self.add_agent(agent);
        }
        self.trail.extend(other.trail);
        self.trail.sort_by_key(|step| step.time);
        self.trail.truncate(MOST_STEPS);
        self.policy = self.policy.take().or(other.policy);
        self.since = self.since.min(other.since);
    }

    /// Whether somebody may know of it: who is limited to some agents, one of them must have taken part.
    pub(crate) fn is_visible_to(&self, who: &Principal) -> bool {
        let queue = self.queue.as_deref();
        let sees = |agent: Option<&str>| who.may_see(Some(&self.server), agent, queue);
        !who.is_anonymous() && (sees(None) || self.agents.iter().any(|agent| sees(Some(agent))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let facts = Facts {
            server: "pbx1".into(),
            queue: Some("sales".into()),
            called: vec!["201".into(), "202".into()],
            answered: vec!["201".into()],
            ..Facts::default()
        };
        Entry::new("c1", &facts, Timestamp(1))
    }

    #[test]
    fn a_file_is_there_once_by_its_longest_name() {
        let mut entry = entry();
        entry.add_file("a/one.wav", Some(RecordMode::Mixed));
        entry.add_file("/spool/a/one.wav", None);
        entry.add_file("one.wav", None);
        entry.add_file("/spool/a/none.wav", None);
        entry.add_file("", None);
        let files: Vec<_> = entry.files.iter().map(|file| (&*file.file, file.mode)).collect();
        let expected = [("/spool/a/one.wav", Some(RecordMode::Mixed)), ("/spool/a/none.wav", None)];
        assert_eq!(files, expected);
    }

    #[test]
    fn who_is_limited_sees_what_is_theirs() {
        let list = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect());
        let user = Principal { name: "ann".into(), ..Principal::default() };
        for (who, expected) in [
            (user.clone(), true),
            (Principal::anonymous(), false),
            (Principal { agents: list(&["201"]), ..user.clone() }, true),
            (Principal { agents: list(&["202"]), ..user.clone() }, false),
            (Principal { agents: list(&[]), ..user.clone() }, false),
            (Principal { queues: list(&["sales"]), ..user.clone() }, true),
            (Principal { queues: list(&["support"]), ..user.clone() }, false),
            (Principal { agents: list(&["201"]), queues: list(&["x"]), ..user.clone() }, false),
            (Principal { servers: list(&["pbx2"]), ..user }, false),
        ] {
            assert_eq!(entry().is_visible_to(&who), expected, "{who:?}");
        }
    }

    #[test]
    fn a_call_that_joins_another_brings_its_recordings() {
        let step = |time, file: &str| Step {
            time: Timestamp(time),
            change: RecordingChange::Started,
            file: file.to_owned(),
            by: None,
            why: None,
        };
        let (mut kept, mut gone) = (entry(), entry());
        kept.add_file("b.wav", None);
        kept.note(step(5, "b.wav"));
        gone.add_file("a.wav", None);
        gone.add_agent("202");
        gone.note(step(3, "a.wav"));
        kept.absorb(gone);
        assert_eq!(
            (kept.files.len(), &*kept.agents),
            (2, &["201".to_owned(), "202".to_owned()][..])
        );
        let times: Vec<_> = kept.trail.iter().map(|step| step.time.0).collect();
        assert_eq!(times, [3, 5]);
    }
}
