//! Messages, requests, and who wants what, from node to node.

use super::*;
use crate::bus::{
    Below, EventSink, Headers, Leaves, Message, RequestError,
    tests::{address, count, patterns, settled, subscribe},
};
use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use telepulse_language::Principal;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_go_to_the_nodes_that_want_them_in_their_order() {
    let server = NatsServer::start();
    let (one, other) = two(&server).await;
    let status = address("telepulse.proxy.status.pbx1");
    one.publish(&status, None, Bytes::from_static(b"nobody wants it"));
    let (seen, guard) = subscribe(
        &*other,
        &[
            "telepulse.proxy.event.*.Newchannel",
            "telepulse.proxy.event.pbx1.Hangup",
            "telepulse.proxy.status",
        ],
    );
    until("the wish", || one.node.peers.load().want(&status)).await;
    let newchannel = address("telepulse.proxy.event.pbx1.Newchannel");
    let hangup = address("telepulse.proxy.event.pbx1.Hangup");
    for number in 0..1_000 {
        let (to, payload) =
            (if number % 2 == 0 { &newchannel } else { &hangup }, number.to_string());
        one.publish(to, Some(&"pbx 1".into()), payload.into());
    }
    one.publish(
        &address("telepulse.proxy.event.pbx1.VarSet"),
        None,
        Bytes::from_static(b"unwanted"),
    );
    one.publish(&status, None, Bytes::from_static(b"last"));
    until("the last", || seen.lock().last().is_some_and(|it| it.payload == "last")).await;
    let got = seen.lock().clone();
    let numbers: Vec<String> =
        got[..1_000].iter().map(|it| String::from_utf8(it.payload.to_vec()).unwrap()).collect();
    assert_eq!(numbers, (0..1_000).map(|it| it.to_string()).collect::<Vec<_>>());
    assert_eq!(got.len(), 1_001);
    assert_eq!((got[1].server.as_deref(), &*got[1].kind, got[1].seq), (Some("pbx 1"), "Hangup", 0));

    drop(guard);
    until("no wish", || !one.node.peers.load().want(&status)).await;
    one.publish(&status, None, Bytes::from_static(b"nobody wants it"));
    assert_eq!(one.condition().unwrap().messages_dropped, 0);
    assert_eq!(seen.lock().len(), 1_001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_other_nodes_want_is_asked_of_the_server() {
    let server = NatsServer::start();
    let (one, other) = two(&server).await;
    let leaves = Leaves::below(one.clone(), &["telepulse", "proxy", "event", "pbx1"]).unwrap();
    let mut changes = one.subscriptions_changed();
    changes.mark_unchanged();
    let (_seen, guard) = subscribe(&*other, &["telepulse.proxy.event.pbx1.VarSet"]);
    timeout(SOON, changes.changed()).await.unwrap().unwrap();
    assert_eq!(leaves.wanted(), Below::Names(["VarSet".to_owned()].into()));
    let (_own, _guard) = subscribe(&*one, &["telepulse.proxy.event.pbx1.Hangup"]);
    assert_eq!(leaves.wanted(), Below::Names(["Hangup".to_owned(), "VarSet".to_owned()].into()));
    // A node that stops wants nothing any more.
    drop(guard);
    let (_seen, _guard) = subscribe(&*other, &["telepulse.proxy.event"]);
    until("the wish", || leaves.wanted() == Below::All).await;
    other.stop().await;
    until("its end", || leaves.wanted() == Below::Names(["Hangup".to_owned()].into())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_goes_to_the_node_that_serves_it() {
    let server = NatsServer::start();
    let (one, other) = two(&server).await;
    let to = address("telepulse.command");
    let ask = |within: Duration| {
        let principal = Principal { name: "Änne".to_owned(), ..Principal::default() };
        let headers = Headers::within(within)
            .on_behalf_of(Some(Arc::new(principal)))
            .from_plugin("rest".into())
            .traced(Some("00-12".into()));
        one.request(&to, Bytes::from_static(b"?"), headers)
    };
    assert_eq!(ask(SOON).await, Err(RequestError::NobodyServes(to.to_string())));

    let mut served = other.serve(&to, 2).unwrap();
    // What is served is known to NATS a moment later.
    let answer = loop {
        let asked = ask(SOON);
        tokio::select! {
            incoming = served.recv() => break (incoming.unwrap(), None::<()>),
            _ = asked => sleep(Duration::from_millis(10)).await,
        }
    };
    drop(answer);
    let asked = tokio::spawn(ask(SOON));
    let incoming = served.recv().await.unwrap();
    assert_eq!(incoming.payload, "?");
    assert_eq!(incoming.headers.principal.unwrap().name, "Änne");
    assert_eq!(incoming.headers.plugin.as_deref(), Some("rest"));
    assert_eq!(incoming.headers.trace.as_deref(), Some("00-12"));
    let left = incoming.headers.deadline.saturating_duration_since(tokio::time::Instant::now());
    assert!(left <= SOON && left > SOON / 2, "{left:?}");
    let large: Bytes = (0..5_000_000u32).map(|it| (it % 251) as u8).collect::<Vec<_>>().into();
    incoming.reply.send(large.clone()).unwrap();
    assert!(asked.await.unwrap() == Ok(large), "in parts");

    let asked = tokio::spawn(ask(SOON));
    drop(served.recv().await);
    let unanswered = asked.await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&unanswered).contains("\"internal\""));

    let short = Duration::from_millis(300);
    assert_eq!(ask(short).await, Err(RequestError::Deadline(to.to_string())));
    let waiting = tokio::spawn(ask(SOON));
    until("two wait", || served.len() == 2).await;
    assert_eq!(ask(SOON).await, Err(RequestError::Full(to.to_string())));
    let large = one.request(&to, vec![b' '; 2 << 20].into(), Headers::within(SOON)).await;
    assert!(matches!(large, Err(RequestError::TooLarge(..))), "{large:?}");
    waiting.abort();

    drop(served);
    until("nobody there", || !other.node.board.requests.is_served(&to)).await;
    let nobody = async { while !matches!(ask(short).await, Err(RequestError::NobodyServes(_))) {} };
    timeout(SOON, nobody).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_nats_is_away_each_node_serves_itself() {
    let mut server = NatsServer::start();
    let (one, other) = two(&server).await;
    let to = address("telepulse.query");
    let mut served = one.serve(&to, 1).unwrap();
    server.kill();
    until("NATS's end", || !one.node.is_up() && !other.node.is_up()).await;
    assert_eq!(one.condition().unwrap().trouble.as_deref(), Some("NATS is away"));
    let there = other.request(&to, Bytes::new(), Headers::within(SOON)).await;
    assert_eq!(there, Err(RequestError::NobodyServes(to.to_string())), "at once");
    let here = tokio::spawn(one.request(&to, Bytes::new(), Headers::within(SOON)));
    served.recv().await.unwrap().reply.send("well".into()).unwrap();
    assert_eq!(here.await.unwrap(), Ok("well".into()));

    server.start_again();
    until("NATS", || other.node.is_up()).await;
    let asked = tokio::spawn(async move {
        loop {
            let answer = other.request(&to, Bytes::new(), Headers::within(SOON)).await;
            if answer.is_ok() {
                return answer;
            }
            sleep(Duration::from_millis(10)).await;
        }
    });
    served.recv().await.unwrap().reply.send("again".into()).unwrap();
    assert_eq!(timeout(SOON, asked).await.unwrap().unwrap(), Ok("again".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_asked_before_it_stops_still_answers() {
    let server = NatsServer::start();
    let (one, other) = two(&server).await;
    let to = address("telepulse.query");
    let mut served = other.serve(&to, 9).unwrap();
    let ask = || tokio::spawn(one.request(&to, Bytes::new(), Headers::within(SOON)));
    let incoming = loop {
        let asked = ask();
        match timeout(Duration::from_millis(300), served.recv()).await {
            Ok(incoming) => break (incoming.unwrap(), asked),
            Err(_) => drop(asked),
        }
    };
    let (incoming, asked) = incoming;
    let started = tokio::time::Instant::now();
    let stopping = tokio::spawn(other.stop());
    sleep(Duration::from_millis(500)).await;
    assert!(!stopping.is_finished(), "somebody waits for an answer");
    let large: Bytes = vec![b'x'; 20 << 20].into();
    incoming.reply.send(large.clone()).unwrap();
    assert!(timeout(SOON, asked).await.unwrap().unwrap() == Ok(large), "to the last part");
    timeout(SOON, stopping).await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    let late = one.request(&to, Bytes::new(), Headers::within(SOON)).await;
    assert_eq!(late, Err(RequestError::NobodyServes(to.to_string())));
}

/// Takes nothing until it is let go.
#[derive(Default)]
struct Stubborn {
    taken: Mutex<Option<usize>>,
    let_go: Condvar,
}

impl EventSink for Stubborn {
    fn deliver(&self, _: &Arc<Message>) {
        // Other tasks of this thread go on elsewhere.
        tokio::task::block_in_place(|| {
            let mut taken = self.taken.lock();
            while taken.is_none() {
                self.let_go.wait(&mut taken);
            }
            *taken = taken.map(|taken| taken + 1);
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_too_slow_for_messages_is_told_and_gets_its_events() {
    let server = NatsServer::start();
    let (one, other) = two(&server).await;
    let slow = Arc::new(Stubborn::default());
    let _guard = other.subscribe(&patterns(&["telepulse.proxy.event"]), slow.clone());
    let to = address("telepulse.proxy.event.pbx1.VarSet");
    until("the wish", || one.node.peers.load().want(&to)).await;
    let sent = 70_000;
    for number in 0..sent {
        one.publish(&to, None, Bytes::from_static(b"{}"));
        if number % 1_000 == 0 {
            until("room", || one.node.out.is_empty()).await;
        }
    }
    until("that it is told", || other.condition().unwrap().messages_missed > 0).await;
    assert_eq!(one.condition().unwrap().messages_dropped, 0, "who sends is not to blame");
    one.append((0..100).map(count).collect());
    let last = settled(&*one).await;
    until("the events", || other.stream().tail() == last).await;

    *slow.taken.lock() = Some(0);
    slow.let_go.notify_all();
    until("what was kept", || slow.taken.lock().is_some_and(|taken| taken > 60_000)).await;
    let taken = slow.taken.lock().unwrap();
    assert!(taken < sent, "{taken}");
    until("a later one", || {
        one.publish(&to, None, Bytes::from_static(b"{}"));
        slow.taken.lock().is_some_and(|now| now > taken)
    })
    .await;
}
