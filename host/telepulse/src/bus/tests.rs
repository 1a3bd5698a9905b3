//! What the bus promises: who gets what and in which order, and how requests end. The same for every bus.

use super::{nats::tests::NatsServer, *};
use std::sync::{Mutex, MutexGuard, PoisonError};
use telepulse_language::{Details, Other, QueueCount, SmolStr, Timestamp};

/// Keeps what it gets.
#[derive(Default)]
pub(super) struct Seen(Mutex<Vec<Arc<Message>>>);

impl Seen {
    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Arc<Message>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn addresses(&self) -> Vec<String> {
        self.lock().iter().map(|message| message.address.to_string()).collect()
    }
}

impl EventSink for Seen {
    fn deliver(&self, event: &Arc<Message>) {
        self.lock().push(Arc::clone(event));
    }
}

pub(super) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub(super) fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::parse(text).unwrap()).collect()
}

pub(super) fn subscribe(bus: &dyn Bus, texts: &[&str]) -> (Arc<Seen>, Guard) {
    let seen = Arc::new(Seen::default());
    let guard = bus.subscribe(&patterns(texts), seen.clone());
    (seen, guard)
}

pub(super) fn count(count: u32) -> Event {
    Event {
        server: "pbx1".into(),
        time: Timestamp(0),
        agent: None,
        queue: Some("sales".into()),
        details: QueueCount { count }.into(),
    }
}

/// Waits until all that was appended is in the stream; the number up to which it is.
pub(super) async fn settled(bus: &dyn Bus) -> u64 {
    let (tell, told) = oneshot::channel();
    bus.when_in(Box::new(move |seq: u64| {
        // Who waits no more is not told.
        let _ = tell.send(seq);
    }));
    let within = tokio::time::timeout(Duration::from_secs(30), told);
    within.await.expect("NATS takes events").unwrap()
}

/// The tests of this file on each bus.
macro_rules! on_each {
    ($($name:ident),* $(,)?) => {
        mod local {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::LocalBus::new("e1".into(), 100)).await;
            })*
        }
        mod nats {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let server = super::NatsServer::start();
                let bus = super::NatsBus::start(&server.settings(), "tp1", 100).await.unwrap();
                super::$name(bus).await;
            })*
        }
    };
}

on_each!(
    a_message_goes_once_to_each_who_subscribed,
    events_are_numbered_and_published_under_their_type,
    nothing_gets_below_the_events_without_a_number,
    every_subscriber_sees_the_streams_order_whoever_appends,
    what_was_said_is_in_when_it_is_told_to_be,
    a_request_is_answered,
    a_request_ends_whatever_the_server_does,
    another_subscription_in_its_place_leaves_no_gap,
);

async fn a_message_goes_once_to_each_who_subscribed(bus: Arc<dyn Bus>) {
    let (raw, _raw) = subscribe(&*bus, &["telepulse.proxy.event", "telepulse.proxy.*.pbx1"]);
    let (status, status_guard) = subscribe(&*bus, &["telepulse.proxy.status"]);
    let newchannel = address("telepulse.proxy.event.pbx1.Newchannel");
    let connected = address("telepulse.proxy.status.pbx%201");
    let mut changes = bus.subscriptions_changed();
    let below = |root: &str| bus.wanted_below(&address(root));
    assert_eq!(below("telepulse.proxy.event.pbx1"), Below::All);
    assert_eq!(below("telepulse.proxy.status"), Below::All);
    assert_eq!(below("telepulse.other"), Below::none());
    assert_eq!(below("telepulse"), Below::Names(["proxy".to_owned()].into()));

    bus.publish(&newchannel, Some(&"pbx1".into()), Bytes::from_static(b"{}"));
    bus.publish(&connected, Some(&"pbx 1".into()), Bytes::from_static(b"[]"));
    assert_eq!(raw.addresses(), ["telepulse.proxy.event.pbx1.Newchannel"]);
    let got = status.lock()[0].clone();
    assert_eq!((got.seq, &*got.kind, got.server.as_deref()), (0, "pbx 1", Some("pbx 1")));
    assert_eq!(got.payload, "[]");
    assert!(got.time_ns > 0);

    drop(status_guard);
    bus.publish(&connected, None, Bytes::from_static(b"[]"));
    assert_eq!(status.lock().len(), 1);
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    assert_eq!(below("telepulse.proxy.status"), Below::Names(["pbx1".to_owned()].into()));
}

async fn events_are_numbered_and_published_under_their_type(bus: Arc<dyn Bus>) {
    let (all, _all) = subscribe(&*bus, &["telepulse.event"]);
    let (own, _own) = subscribe(&*bus, &["telepulse.event.paint"]);
    let paint = Other { kind: "paint".into(), fields: serde_json::Map::new() };
    let paint = Event { server: SmolStr::default(), details: Details::Other(paint), ..count(0) };
    bus.append(vec![count(1), paint, count(2)]);
    assert_eq!(settled(&*bus).await, 3);
    assert_eq!(
        all.addresses(),
        ["telepulse.event.queueCount", "telepulse.event.paint", "telepulse.event.queueCount"]
    );
    assert_eq!(all.lock().iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(own.lock()[0].server, None);
    assert_eq!(own.addresses(), ["telepulse.event.paint"]);
    assert_eq!(bus.stream().tail(), 3);
    assert!(!bus.stream().epoch().is_empty());
    let last: serde_json::Value = serde_json::from_slice(&all.lock()[2].payload).unwrap();
    assert_eq!((&last["event"], &last["seq"]), (&"queueCount".into(), &3.into()));
    assert_eq!((&last["queue"], &last["count"]), (&"sales".into(), &2.into()));
}

async fn nothing_gets_below_the_events_without_a_number(bus: Arc<dyn Bus>) {
    let (all, _guard) = subscribe(&*bus, &["telepulse"]);
    bus.publish(&address("telepulse.event.queueCount"), None, Bytes::new());
    bus.publish(&address("telepulse.event"), None, Bytes::new());
    bus.publish(&address("telepulse.eventful"), None, Bytes::new());
    assert_eq!(all.addresses(), ["telepulse.eventful"]);
}

async fn every_subscriber_sees_the_streams_order_whoever_appends(bus: Arc<dyn Bus>) {
    let (seen, _guard) = subscribe(&*bus, &["telepulse.event"]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    bus.append(vec![count(1), count(2)]);
                }
            });
        }
    });
    settled(&*bus).await;
    let seqs: Vec<_> = seen.lock().iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=400).collect::<Vec<_>>());
}

async fn what_was_said_is_in_when_it_is_told_to_be(bus: Arc<dyn Bus>) {
    for round in 1..=20 {
        let (taken, is_taken) = oneshot::channel();
        let batch = (0..40).map(count).collect();
        bus.append_beside(0, batch, Box::new(move || taken.send(()).unwrap()));
        is_taken.await.unwrap();
        assert_eq!(settled(&*bus).await, round * 40);
        bus.append(Vec::new());
        assert_eq!(bus.stream().tail(), round * 40);
    }
    let read = bus.stream().read(790, 100).unwrap();
    assert_eq!(
        read.iter().map(|entry| entry.seq).collect::<Vec<_>>(),
        (791..=800).collect::<Vec<_>>()
    );
    assert_eq!(bus.stream().read(0, 1).unwrap_err().oldest, 701, "100 are kept");
}

async fn a_request_is_answered(bus: Arc<dyn Bus>) {
    let to = address("telepulse.command");
    let mut served = bus.serve(&to, 1).unwrap();
    assert_eq!(bus.serve(&to, 1).err(), Some(AlreadyServed));
    let headers = Headers::within(Duration::from_secs(5)).from_plugin("rest".into());
    let answer = bus.request(&to, Bytes::from_static(b"?"), headers);
    let incoming = served.recv().await.unwrap();
    assert_eq!(incoming.payload, "?");
    assert_eq!(incoming.headers.plugin.as_deref(), Some("rest"));
    incoming.reply.send(Bytes::from_static(b"!")).unwrap();
    assert_eq!(answer.await, Ok(Bytes::from_static(b"!")));
}

async fn a_request_ends_whatever_the_server_does(bus: Arc<dyn Bus>) {
    let to = address("telepulse.command");
    let ask = || bus.request(&to, Bytes::new(), Headers::within(Duration::from_secs(1)));
    let name = || to.to_string();
    assert_eq!(ask().await, Err(RequestError::NobodyServes(name())));

    let mut served = bus.serve(&to, 1).unwrap();
    let waiting = ask();
    assert_eq!(ask().await, Err(RequestError::Full(name())));
    assert_eq!(waiting.await, Err(RequestError::Deadline(name())));
    drop(served.recv().await);

    let dropped = ask();
    drop(served.recv().await);
    let answer: serde_json::Value = serde_json::from_slice(&dropped.await.unwrap()).unwrap();
    assert_eq!(answer["error"]["code"], "internal");

    drop(served);
    // What is told beyond this process takes a moment.
    let gone = async { while ask().await != Err(RequestError::NobodyServes(name())) {} };
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
    assert!(bus.serve(&to, 1).is_ok());
}

async fn another_subscription_in_its_place_leaves_no_gap(bus: Arc<dyn Bus>) {
    let seen = Arc::new(Seen::default());
    let with = |more: &[&str]| patterns(&[more, &["telepulse.event"]].concat());
    let mut guard = bus.subscribe(&with(&[]), seen.clone());
    let publisher = {
        let bus = bus.clone();
        std::thread::spawn(move || {
            for number in 0..20_000 {
                bus.append(vec![count(number)]);
            }
        })
    };
    let more: [&[&str]; 2] = [&["a.b"], &["telepulse.event.queueCount", "c"]];
    for round in 0.. {
        guard = bus.resubscribe(guard, &with(more[round % 2]), seen.clone());
        if publisher.is_finished() && bus.stream().tail() == 20_000 {
            break;
        }
    }
    publisher.join().unwrap();
    settled(&*bus).await;
    assert_eq!(seen.addresses().len(), 20_000, "each once");
    drop(guard);
    bus.append(vec![count(0)]);
    settled(&*bus).await;
    assert_eq!(seen.addresses().len(), 20_000, "nobody listens any more");
}
