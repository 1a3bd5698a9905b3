//! Any order of attaching, releasing, detaching and publishing gives exactly the reference's
//! sequence, however the hub's turns fall and however slowly a client that is behind reads.

use super::{model::Model, *};

const CONN: u64 = 7;

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<Event>),
    Turn,
    Attach {
        feed: u64,
        filter: Filter,
        back: Option<u64>,
    },
    /// The snapshot held so much of each server, counted back from the newest event.
    Release {
        feed: u64,
        after: Vec<(&'static str, u64)>,
    },
    Detach(u64),
}

fn steps() -> impl Strategy<Value = Step> {
    let burst = prop::collection::vec(events(), 200..600);
    let few = prop::collection::vec(events(), 1..6);
    let back = prop::option::weighted(0.3, 0..400_u64);
    let part = |server: &'static str| prop::option::weighted(0.8, (Just(server), 0..8_u64));
    let after = (part(SERVERS[0]), part(SERVERS[1]))
        .prop_map(|(first, second)| first.into_iter().chain(second).collect());
    prop_oneof![
        8 => few.prop_map(Step::Append),
        1 => burst.prop_map(Step::Append),
        4 => Just(Step::Turn),
        3 => (0..3_u64, filters(), back)
            .prop_map(|(feed, filter, back)| Step::Attach { feed, filter, back }),
        4 => (0..3_u64, after).prop_map(|(feed, after)| Step::Release { feed, after }),
        1 => (0..3_u64).prop_map(Step::Detach),
    ]
}

struct Run {
    bus: Arc<LocalBus>,
    hub: Arc<Hub>,
    client: Arc<Memory>,
    model: Model,
    principal: Arc<Principal>,
}

impl Run {
    fn new(principal: Principal) -> Self {
        let bus = LocalBus::new("e".into(), usize::MAX);
        let hub = Hub::new(bus.clone());
        let client = Arc::new(Memory::default());
        let principal = Arc::new(principal);
        hub.open(CONN, client.clone(), Some(principal.clone()));
        Self { bus, hub, client, model: Model::default(), principal }
    }

    /// The client reads all there is.
    fn drain(&self) {
        self.client.lock().room = None;
        self.turn();
        drain(&self.hub);
    }

    /// A turn, in which only a client that is behind is slow: one that is pushed to would lag.
    fn turn(&self) -> bool {
        if std::mem::take(&mut self.client.lock().hungry) {
            self.hub.resume(CONN);
        }
        self.hub.turn()
    }

    fn step(&mut self, number: usize, step: Step) {
        match step {
            Step::Append(events) => {
                self.bus.append(events.clone());
                self.model.append(events);
            }
            Step::Turn => drop(self.turn()),
            Step::Attach { feed, filter, back } => {
                // What a replaced feed has not sent yet is not owed: here it has sent all.
                self.drain();
                let tail = self.bus.stream().tail();
                let since = back.map(|back| tail.saturating_sub(back));
                let asked = since.map(|since| ("e".to_owned(), since));
                let attached = self.hub.attach(CONN, feed, filter.clone(), asked).unwrap();
                assert_eq!(attached.seq, since.unwrap_or(tail));
                assert_eq!((attached.epoch.as_str(), attached.replayed), ("e", back.is_some()));
                self.model.attach(feed, Sight::new(filter, self.principal.clone()), since);
            }
            Step::Release { feed, after } => {
                let tail = self.bus.stream().tail();
                let after: Vec<_> = after
                    .into_iter()
                    .map(|(server, back)| (server.to_owned(), tail.saturating_sub(back)))
                    .collect();
                let reply = format!("reply {number}");
                if !self.model.is_held(feed) {
                    // A reply to nothing may overtake events that are still to be pushed.
                    self.drain();
                }
                self.hub.release(CONN, feed, text(&reply), &after);
                self.model.release(feed, &reply, after);
            }
            Step::Detach(feed) => {
                self.drain();
                self.hub.detach(CONN, feed);
                self.model.detach(feed);
            }
        }
    }
}

fn strictly_growing(out: &[Out]) -> bool {
    let seqs = out.iter().filter_map(|out| match out {
        Out::Event(seq) => Some(*seq),
        _ => None,
    });
    seqs.is_sorted_by(|a, b| a < b)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_connection_gets_exactly_the_references_sequence(
        principal in prop_oneof![Just(Principal::default()), principals()],
        steps in prop::collection::vec(steps(), 1..40),
    ) {
        let mut run = Run::new(principal);
        // Only what a further feed asks for from before its time comes out of order.
        let in_order = steps.iter().all(|step| match step {
            Step::Attach { back, .. } => back.is_none(),
            Step::Release { after, .. } => after.len() != 1,
            _ => true,
        });
        for (number, step) in steps.into_iter().enumerate() {
            run.step(number, step);
        }
        run.drain();
        let out = run.client.out();
        prop_assert_eq!(&out, &run.model.out);
        prop_assert!(!in_order || strictly_growing(&out), "{:?}", out);
        run.hub.close(CONN);
        prop_assert!(run.hub.is_empty());
    }

    #[test]
    fn a_slow_reader_catches_up_at_its_own_pace(
        rooms in prop::collection::vec(0..40_usize, 1..60),
        filter in filters(),
        events in prop::collection::vec(events(), 300..900),
    ) {
        let mut run = Run::new(Principal::default());
        run.step(0, Step::Append(events));
        run.step(1, Step::Attach { feed: 1, filter, back: Some(800) });
        run.client.lock().room = Some(0);
        run.step(2, Step::Release { feed: 1, after: vec![] });
        for room in rooms {
            run.client.lock().room = Some(room);
            run.turn();
        }
        run.drain();
        prop_assert_eq!(run.client.out(), run.model.out);
    }
}

#[test]
fn a_held_feed_holds_its_connection_and_no_other() {
    let mut run = Run::new(Principal::default());
    let other = Arc::new(Memory::default());
    run.hub.open(8, other.clone(), Some(anybody()));
    run.hub.attach(8, 1, Filter::default(), None).unwrap();
    run.hub.release(8, 1, text("other"), &[]);
    let append =
        |run: &mut Run| run.step(0, Step::Append(vec![event("paint", "pbx1", None, None)]));

    run.step(1, Step::Attach { feed: 1, filter: Filter::default(), back: None });
    run.step(2, Step::Release { feed: 1, after: vec![] });
    append(&mut run);
    run.step(3, Step::Attach { feed: 2, filter: Filter::default(), back: None });
    append(&mut run);
    append(&mut run);
    run.drain();
    let before = vec![Out::Reply("reply 2".into()), Out::Event(1)];
    assert_eq!(run.client.out(), before);
    assert_eq!(other.out().len(), 4);

    // The snapshot holds event 2, which feed 1 shows before it; 3 comes after it, once.
    run.step(4, Step::Release { feed: 2, after: vec![("pbx1", 1)] });
    run.drain();
    let after = [Out::Event(2), Out::Reply("reply 4".into()), Out::Event(3)];
    assert_eq!(run.client.out(), [before, after.to_vec()].concat());
}

/// The second snapshot is newer than what the first feed still has to show: it comes behind that, also
/// when reading it takes several turns.
#[test]
fn a_reply_waits_for_older_events_of_another_feed() {
    let mut run = Run::new(Principal::default());
    let painted = || event("paint", "pbx2", None, None);
    run.step(0, Step::Attach { feed: 1, filter: Filter::default(), back: None });
    run.step(1, Step::Append(std::iter::repeat_with(painted).take(3_000).collect()));
    run.step(2, Step::Attach { feed: 2, filter: Filter::default(), back: None });
    for (number, feed) in [(3, 1), (4, 2)] {
        run.step(number, Step::Release { feed, after: vec![("pbx1", 0)] });
    }
    run.drain();
    let out = run.client.out();
    assert_eq!(
        (&out[0], &out[3_001]),
        (&Out::Reply("reply 3".into()), &Out::Reply("reply 4".into()))
    );
    assert_eq!(out, run.model.out);
}
