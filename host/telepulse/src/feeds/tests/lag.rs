//! Who lags, who is told, and what a connection may ask for.

use super::*;

const CONN: u64 = 7;

fn start(history: usize) -> (Arc<LocalBus>, Arc<Hub>, Arc<Memory>) {
    let bus = LocalBus::new("e".into(), history);
    let hub = Hub::new(bus.clone());
    let client = Arc::new(Memory::default());
    hub.open(CONN, client.clone(), Some(anybody()));
    (bus, hub, client)
}

fn publish(bus: &LocalBus, count: usize) {
    bus.append(vec![event("paint", "pbx1", None, None); count]);
}

fn subscribe(hub: &Hub, conn: u64, feed: u64) {
    hub.attach(conn, feed, Filter::default(), None).unwrap();
    hub.release(conn, feed, text("reply"), &[]);
    drain(hub);
}

fn reply() -> Out {
    Out::Reply("reply".into())
}

#[test]
fn who_does_not_take_what_is_pushed_lags_until_it_subscribes_anew() {
    let (bus, hub, client) = start(1000);
    let other = Arc::new(Memory::default());
    hub.open(8, other.clone(), Some(anybody()));
    subscribe(&hub, CONN, 1);
    subscribe(&hub, 8, 1);
    client.lock().room = Some(1);
    publish(&bus, 3);
    drain(&hub);
    assert_eq!(client.out(), [reply(), Out::Event(1), Out::Lagged(2)]);
    client.lock().room = None;
    publish(&bus, 1);
    drain(&hub);
    assert_eq!(client.out().len(), 3);
    subscribe(&hub, CONN, 1);
    publish(&bus, 1);
    drain(&hub);
    assert_eq!(client.out()[3..], [reply(), Out::Event(5)]);
    assert_eq!(other.out().len(), 6, "nobody else notices");
}

#[test]
fn a_feed_held_for_too_long_lags_and_its_reply_still_comes() {
    let (bus, hub, client) = start(10);
    hub.attach(CONN, 1, Filter::default(), None).unwrap();
    publish(&bus, 25);
    drain(&hub);
    hub.release(CONN, 1, text("reply"), &[("pbx1".into(), 2)]);
    drain(&hub);
    assert_eq!(
        client.out(),
        [Out::Lagged(15), reply()].map(|out| out).into_iter().rev().collect::<Vec<_>>()
    );
}

#[test]
fn a_hub_that_falls_off_the_history_tells_everybody_who_is_fed() {
    let (bus, hub, client) = start(10);
    let idle = Arc::new(Memory::default());
    hub.open(8, idle.clone(), Some(anybody()));
    subscribe(&hub, CONN, 1);
    publish(&bus, 25);
    drain(&hub);
    assert_eq!(client.out(), [reply(), Out::Lagged(15)]);
    assert_eq!(idle.out(), []);
}

#[test]
fn since_is_served_while_the_history_has_it() {
    let (bus, hub, client) = start(10);
    publish(&bus, 15);
    let check = |epoch: &str, since: u64, replayed: bool| {
        let since = Some((epoch.to_owned(), since));
        let attached = hub.attach(CONN, 1, Filter::default(), since).unwrap();
        assert_eq!(attached.replayed, replayed, "{epoch} {attached:?}");
        if !replayed {
            assert_eq!(attached.seq, 15);
        }
    };
    check("another", 12, false);
    check("e", 4, false);
    check("e", 16, false);
    check("e", 15, true);
    check("e", 5, true);
    check("e", 13, true);
    hub.release(CONN, 1, text("reply"), &[]);
    drain(&hub);
    assert_eq!(client.out(), [reply(), Out::Event(14), Out::Event(15)]);
}

#[test]
fn a_connection_asks_for_what_it_may_have() {
    let (_bus, hub, client) = start(10);
    let attach = |conn: u64, feed: u64, words: usize| {
        let agents = (0..words).map(|word| word.to_string()).collect();
        let filter = Filter { agents: Some(agents), ..Filter::default() };
        hub.attach(conn, feed, filter, None).map(|_| ())
    };
    assert_eq!(attach(99, 1, 1), Err(AttachError::NoConnection(99)));
    hub.open(8, Arc::new(Memory::default()), None);
    assert_eq!(attach(8, 1, 1), Err(AttachError::NobodyLoggedIn));
    assert_eq!(attach(CONN, 1, MAX_WORDS + 1), Err(AttachError::TooManyWords));
    for feed in 0..MAX_FEEDS as u64 {
        assert_eq!(attach(CONN, feed, 1), Ok(()));
    }
    assert_eq!(attach(CONN, 64, 1), Err(AttachError::TooManyFeeds));
    assert_eq!(attach(CONN, 0, MAX_WORDS - 63), Ok(()), "the same number replaces");
    assert_eq!(attach(CONN, 1, 2), Err(AttachError::TooManyWords));
    // Releasing what is not there: the reply is owed all the same.
    hub.release(CONN, 99, text("reply"), &[]);
    assert_eq!(client.out(), [reply()]);
}

#[test]
fn a_login_cuts_the_feeds_that_are_there() {
    let (bus, hub, client) = start(100);
    subscribe(&hub, CONN, 1);
    let only = BTreeSet::from(["201".to_owned()]);
    let limited = Principal { agents: Some(only), ..Principal::default() };
    hub.set_principal(CONN, &Arc::new(limited));
    bus.append(vec![
        event("paint", "pbx1", Some("201"), None),
        event("paint", "pbx1", Some("202"), None),
        event("paint", "pbx1", None, None),
    ]);
    drain(&hub);
    assert_eq!(client.out(), [reply(), Out::Event(1)]);
    hub.close(CONN);
    assert!(hub.is_empty());
}

/// A stream that was made anew, as NATS's may be: no number is what it was.
#[test]
fn where_the_stream_was_made_anew_everybody_begins_anew() {
    let (bus, hub, client) = start(100);
    subscribe(&hub, CONN, 1);
    publish(&bus, 5);
    drain(&hub);
    bus.stream().renew("another", 2);
    publish(&bus, 1);
    drain(&hub);
    assert_eq!(client.out().last(), Some(&Out::Lagged(1)));
    let since =
        |epoch: &str, seq| hub.attach(CONN, 1, Filter::default(), Some((epoch.into(), seq)));
    let old = since("e", 3).unwrap();
    assert_eq!((old.seq, &*old.epoch, old.replayed), (3, "another", false));
    assert!(since("another", 2).unwrap().replayed);
    assert!(!since("another", 1).unwrap().replayed, "that was before it");
    subscribe(&hub, CONN, 1);
    publish(&bus, 1);
    drain(&hub);
    assert_eq!(client.out().last(), Some(&Out::Event(4)));
    assert_eq!(&*hub.epoch(), "another");
}

#[test]
fn where_what_was_told_may_be_wrong_everybody_begins_anew() {
    let (bus, hub, client) = start(1000);
    let (held, later) = (Arc::new(Memory::default()), Arc::new(Memory::default()));
    subscribe(&hub, CONN, 1);
    publish(&bus, 2);
    drain(&hub);
    hub.open(8, held.clone(), Some(anybody()));
    hub.attach(8, 1, Filter::default(), None).unwrap();
    bus.stream().break_off(&event("resync", "pbx1", None, None));
    publish(&bus, 1);
    drain(&hub);
    let told = [reply(), Out::Event(1), Out::Event(2), Out::Event(3), Out::Lagged(1)];
    assert_eq!(client.out(), told, "also who was told all");
    hub.release(8, 1, text("reply"), &[]);
    drain(&hub);
    assert_eq!(held.out(), [reply(), Out::Event(3), Out::Lagged(1)], "from before it");

    hub.open(9, later.clone(), Some(anybody()));
    for since in [1, 2] {
        let attached = hub.attach(9, 1, Filter::default(), Some(("e".into(), since))).unwrap();
        assert_eq!(attached.replayed, since == 2, "{since}");
    }
    let attached = hub.attach(9, 1, Filter::default(), Some(("e".into(), 3))).unwrap();
    assert!(attached.replayed, "who was told of it goes on from there");
    hub.release(9, 1, text("reply"), &[]);
    drain(&hub);
    assert_eq!(later.out(), [reply(), Out::Event(4)]);
    subscribe(&hub, CONN, 1);
    publish(&bus, 1);
    drain(&hub);
    assert_eq!(client.out()[5..], [reply(), Out::Event(5)]);
}
