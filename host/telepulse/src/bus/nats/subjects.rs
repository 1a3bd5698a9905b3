//! Addresses as NATS's subjects and back. What an address may hold (`[A-Za-z0-9_%-]`, dots between tokens)
//! a subject may hold too, so they are the same but for the prefix.

use crate::bus::{Address, EVENTS, Pattern, is_event};
use std::collections::BTreeSet;

/// Where nodes tell each other what they want. No address can be this: none holds a `~`.
const NODES: &str = "telepulse~nodes";
/// What is below so many tokens comes by one subscription, and so in the order in which it was sent.
const STEM: usize = 2;

/// The subjects of one platform.
#[derive(Clone, Debug)]
pub(super) struct Subjects {
    /// Empty, or with a dot at its end.
    prefix: String,
}

impl Subjects {
    pub(super) fn new(prefix: Option<&str>) -> Self {
        Self { prefix: prefix.map(|prefix| format!("{prefix}.")).unwrap_or_default() }
    }

    pub(super) fn of(&self, address: &str) -> String {
        format!("{}{address}", self.prefix)
    }

    /// The address of a subject, if it is one of ours.
    pub(super) fn address(&self, subject: &str) -> Option<Address> {
        Address::parse(subject.strip_prefix(&self.prefix)?).ok()
    }

    /// All events.
    pub(super) fn events(&self) -> String {
        format!("{}{EVENTS}.>", self.prefix)
    }

    /// Where one node tells what it wants.
    pub(super) fn node(&self, node: &str) -> String {
        format!("{}{NODES}.{node}", self.prefix)
    }

    /// Where all nodes do.
    pub(super) fn nodes(&self) -> String {
        self.node("*")
    }

    /// What to subscribe to for all that is at a stem and below it.
    pub(super) fn below(&self, stem: &str) -> Vec<String> {
        if stem.is_empty() { vec![self.of(">")] } else { vec![self.of(stem), self.of(stem) + ".>"] }
    }
}

/// Below which addresses a node must listen to get all that its patterns cover, no address twice. They are
/// wider than the patterns: two subscriptions would not keep the order of what comes by both, and nobody
/// sends what no pattern covers. Events are not among it: they come by their stream.
pub(super) fn stems(patterns: &[Pattern]) -> BTreeSet<String> {
    let stems: BTreeSet<String> = patterns
        .iter()
        .filter(|pattern| !is_event(pattern.as_str()))
        .map(|pattern| {
            let tokens = pattern.as_str().split('.').take(STEM).take_while(|token| *token != "*");
            tokens.collect::<Vec<_>>().join(".")
        })
        .collect();
    let covers = |wide: &str, narrow: &str| {
        let below = narrow.strip_prefix(wide);
        wide.is_empty() || below.is_some_and(|below| below.starts_with('.'))
    };
    let is_covered = |stem: &String| stems.iter().any(|other| other != stem && covers(other, stem));
    stems.iter().filter(|stem| !is_covered(stem)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_subject_and_comes_back() {
        for (prefix, subject) in [
            (None, "telepulse.proxy.event.pbx%201.AOC-D_"),
            (Some("acme.blue"), "acme.blue.telepulse.proxy.event.pbx%201.AOC-D_"),
        ] {
            let subjects = Subjects::new(prefix);
            let address =
                Address::build(&["telepulse", "proxy", "event", "pbx 1", "AOC-D_"]).unwrap();
            assert_eq!(subjects.of(address.as_str()), subject);
            assert_eq!(subjects.address(subject).unwrap().as_str(), address.as_str());
        }
        let subjects = Subjects::new(Some("acme"));
        for foreign in ["telepulse.event.x", "acme", "acme.$JS.API.INFO", "acmetelepulse.event"] {
            assert!(subjects.address(foreign).is_none(), "{foreign}");
        }
        assert_eq!(subjects.events(), "acme.telepulse.event.>");
        assert_eq!(subjects.nodes(), "acme.telepulse~nodes.*");
        assert_eq!(subjects.below(""), ["acme.>"]);
        assert_eq!(subjects.below("a.b"), ["acme.a.b", "acme.a.b.>"]);
    }

    #[test]
    fn one_subscription_serves_all_patterns_of_a_stem() {
        let check = |patterns: &[&str], expected: &[&str]| {
            let parsed: Vec<_> =
                patterns.iter().map(|text| Pattern::parse(text).unwrap()).collect();
            assert_eq!(
                stems(&parsed),
                expected.iter().map(ToString::to_string).collect(),
                "{patterns:?}"
            );
        };
        check(&[], &[]);
        check(&["telepulse.event", "telepulse.event.activeLines"], &[]);
        check(
            &["telepulse.proxy.event.pbx1.Hangup", "telepulse.proxy.status", "acme.orders.new"],
            &["acme.orders", "telepulse.proxy"],
        );
        check(&["telepulse.proxy", "telepulse"], &["telepulse"]);
        check(&["telepulse.*.event"], &["telepulse"]);
        check(&["acme", "acme.a", "acmes.a"], &["acme", "acmes.a"]);
        check(&["*.event", "acme"], &[""]);
    }
}
