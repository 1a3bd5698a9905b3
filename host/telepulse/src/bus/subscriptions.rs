//! Who subscribed to what, found by address: those who want something else cost nothing.

use super::{Address, EventSink, Message, Pattern};
use rustc_hash::FxHashMap;
use std::{
    ops::Deref,
    sync::{Arc, PoisonError, RwLock},
};

/// So few are asked one by one: that is as fast as looking them up.
const FEW: usize = 4;
/// Addresses that are remembered; what comes after is looked for each time.
const ADDRESSES: usize = 16_384;

/// One subscription.
pub(super) struct Subscription {
    pub(super) id: u64,
    pub(super) patterns: Vec<Pattern>,
    pub(super) sink: Arc<dyn EventSink>,
}

impl Subscription {
    fn wants(&self, address: &Address) -> bool {
        self.patterns.iter().any(|pattern| pattern.covers(address))
    }
}

/// All subscriptions of a moment, in the order in which they came.
#[derive(Default)]
pub(super) struct Subscriptions {
    all: Vec<Arc<Subscription>>,
    /// Who wants an address, since it was asked for the first time. Most addresses come again and again.
    found: RwLock<FxHashMap<Box<str>, Wanting>>,
}

type Wanting = Arc<[Arc<Subscription>]>;

impl Deref for Subscriptions {
    type Target = [Arc<Subscription>];
    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl Subscriptions {
    pub(super) fn new(all: Vec<Arc<Subscription>>) -> Self {
        Self { all, found: RwLock::default() }
    }

    /// Hands a message to all who want it; made only if somebody does.
    pub(super) fn hand_over(&self, address: &Address, message: impl FnOnce() -> Arc<Message>) {
        if self.all.len() <= FEW {
            let mut wanting = self.all.iter().filter(|one| one.wants(address)).peekable();
            if wanting.peek().is_some() {
                let message = message();
                wanting.for_each(|one| one.sink.deliver(&message));
            }
            return;
        }
        let wanting = self.wanting(address);
        if !wanting.is_empty() {
            let message = message();
            wanting.iter().for_each(|one| one.sink.deliver(&message));
        }
    }

    fn wanting(&self, address: &Address) -> Wanting {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(wanting) = found.get(address.as_str()) {
            return Arc::clone(wanting);
        }
        drop(found);
        let wanting: Wanting = self.all.iter().filter(|one| one.wants(address)).cloned().collect();
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        if found.len() < ADDRESSES {
            found.insert(address.as_str().into(), Arc::clone(&wanting));
        }
        wanting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl EventSink for Counter {
        fn deliver(&self, _: &Arc<Message>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn message() -> Arc<Message> {
        Arc::new(Message {
            seq: 0,
            time_ns: 0,
            address: "a".into(),
            kind: "a".into(),
            server: None,
            payload: bytes::Bytes::new(),
        })
    }

    fn addresses(starred: bool) -> impl Strategy<Value = String> {
        let words: &[&str] = if starred { &["a", "b", "c", "*"] } else { &["a", "b", "c"] };
        prop::collection::vec(prop::sample::select(words.to_vec()), 1..4)
            .prop_map(|words| words.join("."))
            .prop_filter("a first token", |address| !address.starts_with('*'))
    }

    proptest! {
        /// Found by address or asked one by one: the same get it, also the second time.
        #[test]
        fn the_index_finds_who_wants_it(
            patterns in prop::collection::vec(prop::collection::vec(addresses(true), 0..3), 0..12),
            published in prop::collection::vec(addresses(false), 1..30),
        ) {
            let sinks: Vec<Arc<Counter>> = patterns.iter().map(|_| Arc::default()).collect();
            let patterns: Vec<Vec<Pattern>> = patterns
                .iter()
                .map(|list| list.iter().map(|text| Pattern::parse(text).unwrap()).collect())
                .collect();
            let all = sinks.iter().zip(&patterns).zip(0..).map(|((sink, patterns), id)| {
                Arc::new(Subscription { id, patterns: patterns.clone(), sink: sink.clone() })
            });
            let subscriptions = Subscriptions::new(all.collect());
            let mut expected = vec![0; sinks.len()];
            for address in published {
                let address = Address::parse(&address).unwrap();
                for (patterns, expected) in patterns.iter().zip(&mut expected) {
                    *expected += usize::from(patterns.iter().any(|one| one.covers(&address)));
                }
                subscriptions.hand_over(&address, message);
            }
            let got: Vec<usize> = sinks.iter().map(|sink| sink.0.load(Ordering::Relaxed)).collect();
            prop_assert_eq!(got, expected);
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let sink = Arc::new(Counter::default());
        let all = (0..10).map(|id| {
            let patterns = vec![Pattern::parse("x").unwrap()];
            Arc::new(Subscription { id, patterns, sink: sink.clone() })
        });
        let subscriptions = Subscriptions::new(all.collect());
        for number in 0..ADDRESSES + 100 {
            subscriptions.hand_over(&Address::parse(&format!("x.{number}")).unwrap(), message);
        }
        assert_eq!(subscriptions.found.read().unwrap().len(), ADDRESSES);
        assert_eq!(sink.0.load(Ordering::Relaxed), 10 * (ADDRESSES + 100));
    }
}
