//! Many connections, some of which see the same: each gets what it would get alone.

use super::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    /// A connection comes, with one feed.
    Join(u64, usize, usize),
    /// It asks for more, by another filter.
    Add(u64, usize),
    Drop(u64),
    Leave(u64),
    /// It sees as somebody else from now on.
    Become(u64, usize),
    Append(Vec<Event>),
    Turn,
}

fn steps() -> impl Strategy<Value = Step> {
    let conn = || 0..6_u64;
    prop_oneof![
        3 => (conn(), 0..3_usize, 0..2_usize).prop_map(|(conn, filter, who)| Step::Join(conn, filter, who)),
        1 => (conn(), 0..3_usize).prop_map(|(conn, filter)| Step::Add(conn, filter)),
        1 => conn().prop_map(Step::Drop),
        1 => conn().prop_map(Step::Leave),
        1 => (conn(), 0..2_usize).prop_map(|(conn, who)| Step::Become(conn, who)),
        6 => prop::collection::vec(events(), 1..5).prop_map(Step::Append),
        4 => Just(Step::Turn),
    ]
}

/// What one connection has to get.
struct Expected {
    client: Arc<Memory>,
    sights: BTreeMap<u64, Sight>,
    /// Events of the stream that were looked at.
    seen: u64,
    events: Vec<u64>,
}

impl Expected {
    fn look(&mut self, bus: &LocalBus) {
        for entry in bus.stream().read(self.seen, usize::MAX).unwrap() {
            self.seen = entry.seq;
            if self.sights.values().any(|sight| sight.shows(&entry)) {
                self.events.push(entry.seq);
            }
        }
    }

    fn check(&self) {
        let got = self.client.out().into_iter().filter_map(|out| match out {
            Out::Event(seq) => Some(seq),
            Out::Reply(_) => None,
            Out::Lagged(missed) => panic!("nobody lags here, {missed} missed"),
        });
        assert_eq!(got.collect::<Vec<_>>(), self.events);
    }
}

proptest! {
    #[test]
    fn each_gets_what_it_would_get_alone(
        filters in prop::array::uniform3(filters()),
        people in prop::array::uniform2(principals()),
        steps in prop::collection::vec(steps(), 1..60),
    ) {
        let people = people.map(Arc::new);
        let bus = LocalBus::new("e".into(), usize::MAX);
        let hub = Hub::new(bus.clone());
        let mut open = BTreeMap::<u64, (Expected, Arc<Principal>)>::new();
        let subscribe = |conn: u64, feed: u64, filter: usize| {
            hub.attach(conn, feed, filters[filter].clone(), None).unwrap();
            hub.release(conn, feed, text("reply"), &[]);
        };
        for step in steps {
            match step {
                Step::Join(conn, filter, who) if !open.contains_key(&conn) => {
                    let client = Arc::new(Memory::default());
                    let who = people[who].clone();
                    hub.open(conn, client.clone(), Some(who.clone()));
                    subscribe(conn, 1, filter);
                    let sights = [(1, Sight::new(filters[filter].clone(), who.clone()))].into();
                    let seen = bus.stream().tail();
                    open.insert(conn, (Expected { client, sights, seen, events: vec![] }, who));
                }
                Step::Add(conn, filter) if let Some((expected, who)) = open.get_mut(&conn) => {
                    if expected.sights.contains_key(&2) {
                        // What one feed has not shown yet the one in its place does not.
                        drain(&hub);
                    }
                    expected.look(&bus);
                    subscribe(conn, 2, filter);
                    let sight = Sight::new(filters[filter].clone(), who.clone());
                    expected.sights.insert(2, sight);
                }
                Step::Drop(conn) if let Some((expected, _)) = open.get_mut(&conn) => {
                    drain(&hub);
                    expected.look(&bus);
                    hub.detach(conn, 2);
                    expected.sights.remove(&2);
                }
                Step::Leave(conn) if let Some((mut expected, _)) = open.remove(&conn) => {
                    drain(&hub);
                    expected.look(&bus);
                    hub.close(conn);
                    expected.check();
                }
                Step::Become(conn, who) if let Some((expected, me)) = open.get_mut(&conn) => {
                    drain(&hub);
                    expected.look(&bus);
                    *me = people[who].clone();
                    hub.set_principal(conn, me);
                    for sight in expected.sights.values_mut() {
                        *sight = sight.of(me.clone());
                    }
                }
                Step::Append(events) => {
                    bus.append(events);
                }
                Step::Turn => {
                    hub.turn();
                }
                _ => {}
            }
        }
        drain(&hub);
        for (conn, (mut expected, _)) in open {
            expected.look(&bus);
            expected.check();
            hub.close(conn);
        }
        prop_assert!(hub.is_empty());
    }
}
