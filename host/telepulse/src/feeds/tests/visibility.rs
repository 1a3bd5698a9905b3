//! What a feed shows, as the contract words it, and that the index finds all who are shown it.

use super::*;
use crate::feeds::index::Index;

/// Contract sections 2 (filters) and 10, 3 (rights), as written there.
fn reference(filter: &Filter, principal: &Principal, event: &Event) -> bool {
    let kind = event.details.kind();
    let fields = [
        (&filter.events, Some(kind)),
        (&filter.servers, Some(event.server.as_str())),
        (&filter.agents, event.agent.as_deref()),
        (&filter.queues, event.queue.as_deref()),
    ];
    for (list, value) in fields {
        if let (Some(list), Some(value)) = (list, value)
            && !list.contains(value)
        {
            return false;
        }
    }
    let visible_server = match &principal.servers {
        Some(servers) => servers.contains(event.server.as_str()),
        None => true,
    };
    if !visible_server {
        return false;
    }
    if kind == "serverStatus" || kind == "resync" {
        return true;
    }
    if kind == "originateFailed"
        && event.agent.is_some()
        && event.agent.as_deref() == principal.extension.as_deref()
    {
        return true;
    }
    let visible = |list: &Option<BTreeSet<String>>, value: &Option<SmolStr>| match (list, value) {
        (None, _) => true,
        (Some(list), Some(value)) => list.contains(value.as_str()),
        (Some(_), None) => false,
    };
    visible(&principal.agents, &event.agent) && visible(&principal.queues, &event.queue)
}

/// The types that the limited may see without scope have none (contract section 2).
fn as_in_the_language(mut event: Event) -> Event {
    match event.details.kind() {
        "serverStatus" | "resync" => (event.agent, event.queue) = (None, None),
        "originateFailed" => event.queue = None,
        _ => {}
    }
    event
}

fn entries(events: Vec<Event>) -> Vec<Arc<Entry>> {
    let bus = LocalBus::new("e".into(), 1000);
    bus.append(events);
    bus.stream().read(0, 1000).unwrap()
}

proptest! {
    #[test]
    fn each_is_shown_what_the_contract_says(
        events in prop::collection::vec(events().prop_map(as_in_the_language), 1..20),
        viewers in prop::collection::vec((filters(), principals()), 1..20),
    ) {
        let mut index = Index::default();
        let sights: Vec<_> = viewers
            .iter()
            .map(|(filter, principal)| Sight::new(filter.clone(), Arc::new(principal.clone())))
            .collect();
        for (number, sight) in sights.iter().enumerate() {
            index.insert(number, sight);
        }
        for (entry, event) in entries(events.clone()).iter().zip(&events) {
            let mut found = BTreeSet::new();
            index.find(entry, |feed| {
                found.insert(feed);
            });
            for (number, (filter, principal)) in viewers.iter().enumerate() {
                let expected = reference(filter, principal, event);
                prop_assert_eq!(sights[number].shows(entry), expected, "{:?} {:?}", event, sights[number]);
                prop_assert!(!expected || found.contains(&number), "{:?} {:?}", event, sights[number]);
            }
        }
        for (number, sight) in sights.iter().enumerate() {
            index.remove(number, sight);
        }
        prop_assert!(index.is_empty());
    }
}

#[test]
fn an_event_costs_nothing_for_those_who_do_not_want_it() {
    let mut index = Index::default();
    let only = |word: &str| Some(BTreeSet::from([word.to_owned()]));
    let nobody_limited = Arc::new(Principal::default());
    for number in 0..1000 {
        let (agents, queues) = (only(&number.to_string()), only(&format!("q{number}")));
        let filter = Filter { agents, queues, ..Filter::default() };
        index.insert(number, &Sight::new(filter, nobody_limited.clone()));
    }
    let limited = Arc::new(Principal { queues: only("q7"), ..Principal::default() });
    index.insert(1000, &Sight::new(Filter::default(), limited));
    let check = |agent: Option<&str>, queue: Option<&str>, expected: usize| {
        let mut found = 0;
        let entry = &entries(vec![event("activeLines", "pbx1", agent, queue)])[0];
        index.find(entry, |_| found += 1);
        assert_eq!(found, expected, "{agent:?} {queue:?}");
    };
    check(Some("7"), None, 1);
    check(None, Some("q7"), 2);
    check(None, Some("q8"), 1);
    check(Some("7"), Some("q8"), 1);
    check(Some("none"), Some("q7"), 1);
    check(Some("none"), None, 0);
}
