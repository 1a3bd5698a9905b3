//! Calls in progress that data was found for, bounded. Pure.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::{HashMap, VecDeque};

/// The most that are remembered; beyond, the oldest is forgotten, and who rings there later is not told.
const MOST: usize = 8_192;
/// The most that their values take, in bytes.
const MOST_BYTES: usize = 8 << 20;

/// What is known of one call.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Known {
    /// The caller's number.
    pub(super) number: String,
    pub(super) value: Box<RawValue>,
    /// Extensions that were told; none stands for everybody who sees the call.
    told: Vec<Option<String>>,
}

impl Known {
    pub(super) fn new(number: String, value: Box<RawValue>) -> Self {
        Self { number, value, told: Vec::new() }
    }

    fn bytes(&self) -> usize {
        self.value.get().len()
    }

    /// Whether nobody was told yet.
    pub(super) fn is_new(&self) -> bool {
        self.told.is_empty()
    }

    pub(super) fn is_news_to(&self, agent: Option<&str>) -> bool {
        !self.told.iter().any(|told| told.as_deref() == agent)
    }
}

/// By id.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Calls {
    known: HashMap<String, Known>,
    /// The oldest first; those that are over may stand here still.
    order: VecDeque<String>,
    bytes: usize,
}

impl Calls {
    pub(super) fn get(&self, call: &str) -> Option<&Known> {
        self.known.get(call)
    }

    pub(super) fn add(&mut self, call: String, known: Known) {
        self.bytes += known.bytes();
        self.order.push_back(call.clone());
        self.known.insert(call, known);
        while self.order.len() > MOST || self.bytes > MOST_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.remove(&oldest);
        }
    }

    pub(super) fn told(&mut self, call: &str, agent: Option<String>) {
        if let Some(known) = self.known.get_mut(call)
            && known.is_news_to(agent.as_deref())
        {
            known.told.push(agent);
        }
    }

    pub(super) fn forget(&mut self, call: &str) {
        if self.remove(call) {
            self.order.retain(|other| other != call);
        }
    }

    fn remove(&mut self, call: &str) -> bool {
        let removed = self.known.remove(call);
        self.bytes -= removed.as_ref().map_or(0, Known::bytes);
        removed.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{json, value::to_raw_value};

    fn known(value: &serde_json::Value) -> Known {
        Known::new("1".to_owned(), to_raw_value(value).unwrap())
    }

    #[test]
    fn calls_are_bounded_in_number_and_bytes() {
        let mut calls = Calls::default();
        for number in 0..MOST + 10 {
            calls.add(number.to_string(), known(&json!(1)));
        }
        assert_eq!((calls.known.len(), calls.order.len(), calls.bytes), (MOST, MOST, MOST));
        assert!(calls.get("9").is_none() && calls.get("10").is_some());
        let large = json!("x".repeat(MOST_BYTES / 2));
        for call in ["a", "b", "c"] {
            calls.add(call.to_owned(), known(&large));
        }
        assert!(calls.bytes <= MOST_BYTES, "{}", calls.bytes);
        assert!(calls.get("c").is_some() && calls.get("a").is_none());
        calls.forget("c");
        calls.forget("c");
        assert_eq!((calls.known.len(), calls.order.len()), (0, 0));
        assert_eq!(calls.bytes, 0);
    }

    #[test]
    fn each_is_told_once() {
        let mut calls = Calls::default();
        calls.add("a".to_owned(), known(&json!({})));
        assert!(calls.get("a").unwrap().is_new());
        for agent in [None, Some("201")] {
            assert!(calls.get("a").unwrap().is_news_to(agent));
            calls.told("a", agent.map(str::to_owned));
            assert!(!calls.get("a").unwrap().is_news_to(agent));
        }
    }
}
