//! What the bus promises: who gets what and in which order, and how requests end.

use super::*;
use std::sync::{Mutex, MutexGuard, PoisonError};
use telepulse_language::{Details, Other, QueueCount, SmolStr, Timestamp};

/// Keeps what it gets.
#[derive(Default)]
struct Seen(Mutex<Vec<Arc<Message>>>);

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Message>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn addresses(&self) -> Vec<String> {
        self.lock().iter().map(|message| message.address.to_string()).collect()
    }
}

impl EventSink for Seen {
    fn deliver(&self, event: &Arc<Message>) {
        self.lock().push(Arc::clone(event));
    }
}

fn bus() -> Arc<LocalBus> {
    LocalBus::new("e1".into(), 100)
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn subscribe(bus: &dyn Bus, patterns: &[&str]) -> (Arc<Seen>, Guard) {
    let seen = Arc::new(Seen::default());
    let patterns: Vec<_> = patterns.iter().map(|text| Pattern::parse(text).unwrap()).collect();
    let guard = bus.subscribe(&patterns, seen.clone());
    (seen, guard)
}

fn count(count: u32) -> Event {
    Event {
        server: "pbx1".into(),
        time: Timestamp(0),
        agent: None,
        queue: Some("sales".into()),
        details: QueueCount { count }.into(),
    }
}

#[test]
fn a_message_goes_once_to_each_who_subscribed() {
    let bus = bus();
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

#[test]
fn events_are_numbered_and_published_under_their_type() {
    let bus = bus();
    let (all, _all) = subscribe(&*bus, &["telepulse.event"]);
    let (own, _own) = subscribe(&*bus, &["telepulse.event.paint"]);
    let paint = Other { kind: "paint".into(), fields: serde_json::Map::new() };
    let paint = Event { server: SmolStr::default(), details: Details::Other(paint), ..count(0) };
    assert_eq!(bus.append(vec![count(1), paint, count(2)]), 3);
    assert_eq!(
        all.addresses(),
        ["telepulse.event.queueCount", "telepulse.event.paint", "telepulse.event.queueCount"]
    );
    assert_eq!(all.lock().iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(own.lock()[0].server, None);
    assert_eq!(own.addresses(), ["telepulse.event.paint"]);
    assert_eq!(bus.stream().tail(), 3);
    assert_eq!(bus.stream().epoch(), "e1");
}

#[test]
fn nothing_gets_below_the_events_without_a_number() {
    let bus = bus();
    let (all, _guard) = subscribe(&*bus, &["telepulse"]);
    bus.publish(&address("telepulse.event.queueCount"), None, Bytes::new());
    bus.publish(&address("telepulse.event"), None, Bytes::new());
    bus.publish(&address("telepulse.eventful"), None, Bytes::new());
    assert_eq!(all.addresses(), ["telepulse.eventful"]);
}

#[test]
fn every_subscriber_sees_the_streams_order_whoever_appends() {
    let bus = bus();
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
    let seqs: Vec<_> = seen.lock().iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=400).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_request_is_answered() {
    let bus = bus();
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

#[tokio::test(start_paused = true)]
async fn a_request_ends_whatever_the_server_does() {
    let bus = bus();
    let to = address("telepulse.command");
    let ask = || bus.request(&to, Bytes::new(), Headers::within(Duration::from_secs(5)));
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
    assert_eq!(ask().await, Err(RequestError::NobodyServes(name())));
    assert!(bus.serve(&to, 1).is_ok());
}

#[test]
fn another_subscription_in_its_place_leaves_no_gap() {
    let bus = LocalBus::new("e".into(), 16);
    let seen = Arc::new(Seen::default());
    let patterns = |more: &[&str]| -> Vec<Pattern> {
        let all = more.iter().chain(&["telepulse.event"]);
        all.map(|text| Pattern::parse(text).unwrap()).collect()
    };
    let mut guard = bus.subscribe(&patterns(&[]), seen.clone());
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
        guard = bus.resubscribe(guard, &patterns(more[round % 2]), seen.clone());
        if publisher.is_finished() {
            break;
        }
    }
    publisher.join().unwrap();
    assert_eq!(seen.addresses().len(), 20_000, "each once");
    drop(guard);
    bus.append(vec![count(0)]);
    assert_eq!(seen.addresses().len(), 20_000, "nobody listens any more");
}
