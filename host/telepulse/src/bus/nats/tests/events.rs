//! Events: the same on every node, whatever happens to NATS.

use super::*;
use crate::bus::tests::{count, settled, subscribe};
use telepulse_language::Stamped;

/// The events that a node has, as number and count.
pub(super) fn read(bus: &dyn Bus, after: u64) -> Vec<(u64, u32)> {
    let entries = bus.stream().read(after, usize::MAX).unwrap();
    entries.iter().map(|entry| (entry.seq, number(&entry.json()))).collect()
}

fn number(json: &[u8]) -> u32 {
    let stamped: Stamped = serde_json::from_slice(json).unwrap();
    match stamped.event.details {
        telepulse_language::Details::QueueCount(it) => it.count,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_has_the_same_events_under_the_same_numbers() {
    let server = NatsServer::start();
    let (one, other) = two(&server).await;
    let (seen, _guard) = subscribe(&*other, &["telepulse.event.queueCount"]);
    assert_eq!(one.stream().epoch(), other.stream().epoch());
    std::thread::scope(|scope| {
        for (bus, offset) in [(&one, 0), (&other, 100_000)] {
            scope.spawn(move || (0..1_000).for_each(|it| bus.append(vec![count(offset + it)])));
        }
    });
    settled(&*one).await;
    settled(&*other).await;
    until("all events", || one.stream().tail() == 2_000 && other.stream().tail() == 2_000).await;
    let all = read(&*one, 0);
    assert_eq!(all, read(&*other, 0));
    let frames = |bus: &NatsBus| {
        let entries = bus.stream().read(0, usize::MAX).unwrap();
        entries.iter().map(|entry| entry.frame().clone()).collect::<Vec<_>>()
    };
    assert_eq!(frames(&one), frames(&other), "to the byte");
    for offset in [0, 100_000] {
        let of_one: Vec<_> = all
            .iter()
            .map(|(_, it)| *it)
            .filter(|it| (offset..offset + 1_000).contains(it))
            .collect();
        assert_eq!(of_one, (offset..offset + 1_000).collect::<Vec<_>>(), "as it was said");
    }
    assert_eq!(seen.lock().len(), 2_000);

    let later = node(&server, "later").await;
    assert_eq!(read(&*later, 0), all, "who comes later has the history");
    assert_eq!(later.stream().epoch(), one.stream().epoch());
    one.stop().await;
    let again = NatsBus::start(&server.settings(), "one", 500).await.unwrap();
    assert_eq!(read(&*again, 1_500), all[1_500..], "and who starts again");
    assert_eq!(again.stream().read(1_499, 1).unwrap_err().oldest, 1_501);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_when_nats_is_killed_amidst_events() {
    let mut server = NatsServer::start();
    let (one, other) = two(&server).await;
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let appending = {
        let (one, stop) = (one.clone(), stop.clone());
        std::thread::spawn(move || {
            let mut next = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                one.append((next..next + 20).map(count).collect());
                next += 20;
                std::thread::sleep(Duration::from_millis(1));
            }
            next
        })
    };
    for _ in 0..3 {
        let before = other.stream().tail();
        until("events", || other.stream().tail() > before + 300).await;
        server.kill();
        until("NATS's end", || one.condition().unwrap().trouble.is_some()).await;
        server.start_again();
        until("NATS", || one.condition().unwrap().trouble.is_none()).await;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let said = appending.join().unwrap();
    let last = settled(&*one).await;
    until("the last", || other.stream().tail() >= last).await;
    for bus in [&one, &other] {
        let after = bus.stream().tail().saturating_sub(9_000);
        let counts: Vec<u32> = read(&**bus, after).iter().map(|(_, count)| *count).collect();
        let first = counts[0];
        assert_eq!(counts, (first..said).collect::<Vec<_>>(), "each once and in order");
    }
    let after = last.saturating_sub(9_000);
    assert_eq!(read(&*one, after), read(&*other, after), "under the same numbers");
    let later = node(&server, "later").await;
    assert_eq!(read(&*later, after), read(&*one, after), "also for who comes later");
    let condition = one.condition().unwrap();
    assert_eq!((condition.events_waiting, condition.events_dropped), (0, 0), "{condition:?}");
    assert!(condition.connections >= 4, "{condition:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_while_nats_is_away_is_made_up_for() {
    let mut server = NatsServer::start();
    let room = Room { events: 100, bytes: 1 << 20, under_way: 10 };
    let one = NatsBus::with_room(&server.settings(), "one", 1_000, room).await.unwrap();
    let other = node(&server, "other").await;
    one.append(vec![count(0)]);
    settled(&*one).await;
    server.kill();
    until("NATS's end", || !one.node.is_up()).await;
    (1..=300).for_each(|it| one.append(vec![count(it)]));
    assert_eq!(one.condition().unwrap().events_dropped, 200);
    server.start_again();
    until("the resync", || one.condition().unwrap().events_waiting == 0).await;
    one.append(vec![count(301)]);
    let last = settled(&*one).await;
    until("the last", || other.stream().tail() == last).await;
    for bus in [&one, &other] {
        let oldest = bus.stream().read(0, 1).unwrap_err().oldest;
        let entries = bus.stream().read(oldest - 1, 10).unwrap();
        let kinds: Vec<&str> = entries.iter().map(|entry| entry.kind()).collect();
        assert_eq!(kinds, ["resync", "queueCount"], "who is behind begins anew");
        assert_eq!(&*entries[0].server, "pbx1");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_falls_behind_the_streams_limits_is_told() {
    let server = NatsServer::start();
    let (one, _other) = two(&server).await;
    let behind = node(&server, "behind").await;
    one.append((0..10).map(count).collect());
    settled(&*one).await;
    until("all", || behind.stream().tail() == 10).await;
    // It hears nothing for a while, as one whose network is gone.
    behind.node.stop.cancel();
    one.append((10..15_000).map(count).collect());
    settled(&*one).await;
    assert_eq!(behind.stream().tail(), 10);
    let again = node(&server, "behind").await;
    assert_eq!(again.stream().tail(), 15_000);
    assert_eq!(again.stream().read(10, 1).unwrap_err().oldest, 5_001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nats_forgot_all_everybody_begins_anew() {
    let mut server = NatsServer::start();
    let settings = Nats { on_disk: false, ..server.settings() };
    let start = async |name| NatsBus::start(&settings, name, 1_000).await.unwrap();
    let (one, other) = (start("one").await, start("other").await);
    one.append((0..100).map(count).collect());
    settled(&*one).await;
    until("all", || other.stream().tail() == 100).await;
    let epoch = one.stream().epoch();
    server.kill();
    until("NATS's end", || !one.node.is_up()).await;
    one.append((100..120).map(count).collect());
    server.start_again();
    let last = settled(&*one).await;
    until("the new stream", || other.stream().tail() == last).await;
    assert_ne!(one.stream().epoch(), epoch);
    assert_eq!(one.stream().epoch(), other.stream().epoch());
    let all = read(&*one, 0);
    assert_eq!(read(&*other, 0), all);
    assert_eq!(all.iter().map(|(_, it)| *it).collect::<Vec<_>>(), (100..120).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_nats_never_takes_does_not_keep_those_behind_it() {
    let server = NatsServer::start();
    let (one, other) = two(&server).await;
    let jetstream = jetstream(&server).await;
    let found = jetstream.get_stream("TELEPULSE").await.unwrap().cached_info().config.clone();
    let small = async_nats::jetstream::stream::Config { max_message_size: 2_000, ..found };
    jetstream.update_stream(small).await.unwrap();
    let large = telepulse_language::Event { queue: Some("q".repeat(1_500).into()), ..count(2) };
    one.append(vec![count(1), large, count(3)]);
    let last = settled(&*one).await;
    until("the last", || other.stream().tail() == last).await;
    for bus in [&one, &other] {
        let oldest = bus.stream().read(0, 1).unwrap_err().oldest;
        let entries = bus.stream().read(oldest - 1, 10).unwrap();
        let kinds: Vec<&str> = entries.iter().map(|entry| entry.kind()).collect();
        assert_eq!(kinds, ["resync", "queueCount"]);
        assert_eq!(number(&entries[1].json()), 3);
    }
    assert_eq!(one.condition().unwrap().events_dropped, 1);
}

/// What an operator may do to the stream.
async fn jetstream(server: &NatsServer) -> async_nats::jetstream::Context {
    async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_stream_is_removed_under_us_everybody_begins_anew() {
    let server = NatsServer::start();
    let (one, other) = two(&server).await;
    one.append((0..100).map(count).collect());
    settled(&*one).await;
    until("all", || other.stream().tail() == 100).await;
    let epoch = one.stream().epoch();
    let jetstream = jetstream(&server).await;
    jetstream.delete_stream("TELEPULSE").await.unwrap();
    one.append((100..120).map(count).collect());
    let last = settled(&*one).await;
    until("the new stream", || other.stream().tail() == last).await;
    assert_ne!(one.stream().epoch(), epoch);
    assert_eq!(one.stream().epoch(), other.stream().epoch());
    assert_eq!(read(&*one, 0), read(&*other, 0));
    let counts: Vec<u32> = read(&*one, 0).iter().map(|(_, it)| *it).collect();
    assert_eq!(counts, (100..120).collect::<Vec<_>>());
    let connections = [&one, &other].map(|it| it.condition().unwrap().connections);
    assert_eq!(connections, [1, 1], "the connection was there all the time");

    // Nobody says anything, and another makes it anew.
    let epoch = one.stream().epoch();
    let config = jetstream.get_stream("TELEPULSE").await.unwrap().cached_info().config.clone();
    jetstream.delete_stream("TELEPULSE").await.unwrap();
    jetstream.create_stream(config).await.unwrap();
    until("the third", || [&one, &other].iter().all(|it| it.stream().epoch() != epoch)).await;
    other.append(vec![count(7)]);
    let last = settled(&*other).await;
    until("the event", || one.stream().tail() == last).await;
    assert_eq!(read(&*one, 0), read(&*other, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_write_into_the_stream_is_left_out_and_does_no_harm() {
    let server = NatsServer::start();
    let one = node(&server, "one").await;
    let jetstream = jetstream(&server).await;
    let most = u64::MAX;
    for (label, payload) in [
        (String::new(), "{}"),
        (r#"["x",1,0,0,"queueCount","pbx1",null,null,5,false]"#.to_owned(), "rubbish"),
        (r#"["x",1,0,0,"queueCount","pbx1",null,null,99,false]"#.to_owned(), "{\"a\":1}"),
        (format!(r#"["y",{most},0,{most},"queueCount","pbx1",null,null,99,false]"#), "{}"),
        (format!(r#"["z",{most},{most},{most},"queueCount","pbx1",null,null,1,false]"#), "{}"),
    ] {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Telepulse-Event", label);
        let subject = "telepulse.event.queueCount";
        let sent = jetstream.publish_with_headers(subject, headers, payload.into()).await.unwrap();
        // It is in the stream.
        sent.await.unwrap();
    }
    one.append(vec![count(7)]);
    assert_eq!(settled(&*one).await, 6);
    assert_eq!(read(&*one, 0), [(6, 7)]);
}
