//! How a node starts: who may, with which stream.

use super::*;
use crate::{
    bus::{
        StartError,
        tests::{address, count, settled, subscribe},
    },
    config::{Nats, NatsLogin, Secret},
};
use async_nats::jetstream;
use bytes::Bytes;

const USERS: &str = r#"authorization { users = [
  { user: node, password: "hunter2" }
  { user: peer, password: "other", permissions: {
      publish: ["telepulse.proxy.status.>"], subscribe: ["telepulse.proxy.status.>"] } }
] }"#;

fn logs_in(server: &NatsServer, user: &str, password: &str) -> Nats {
    let password = Secret::new(password);
    Nats { login: NatsLogin::Password { user: user.to_owned(), password }, ..server.settings() }
}

async fn refused(settings: &Nats) -> StartError {
    NatsBus::start(settings, "tp1", 100).await.err().expect("it starts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_log_in_is_told_so_and_no_secret() {
    let server = NatsServer::with(USERS);
    for settings in [logs_in(&server, "node", "hunter3"), server.settings()] {
        let error = refused(&settings).await;
        assert!(matches!(error, StartError::Refused(_)), "{error:?}");
        let told = format!("{error} {error:?}");
        assert!(told.contains(&server.url()) && !told.contains("hunter"), "{told}");
    }
    let bus = NatsBus::start(&logs_in(&server, "node", "hunter2"), "tp1", 100).await.unwrap();
    bus.append(vec![count(1)]);
    assert_eq!(settled(&*bus).await, 1);
    let shown = format!("{:?} {:?}", logs_in(&server, "node", "hunter2"), bus.condition());
    assert!(!shown.contains("hunter"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_may_do_what_its_permissions_say() {
    let server = NatsServer::with(USERS);
    let bus = NatsBus::start(&logs_in(&server, "node", "hunter2"), "tp1", 100).await.unwrap();
    let mut served = bus.serve(&address("telepulse.command"), 8).unwrap();
    let (seen, _guard) = subscribe(&*bus, &["telepulse.proxy"]);
    bus.append(vec![count(1)]);
    settled(&*bus).await;

    let anonymous = async_nats::connect(server.url()).await;
    assert!(anonymous.is_err(), "a peer without identity");
    let login = async_nats::ConnectOptions::with_user_and_password("peer".into(), "other".into());
    let peer = login.connect(server.url()).await.unwrap();
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Telepulse-Within-Ms", "5000");
    headers.insert("Telepulse-From", "peer");
    // Orders, events and secrets of others are not its own.
    for subject in ["telepulse.command", "telepulse.event.queueCount", "telepulse.proxy.action"] {
        let sent = peer.publish_with_headers(subject, headers.clone(), "{}".into());
        sent.await.unwrap();
    }
    peer.publish_with_headers("telepulse.proxy.status.x", headers, "may".into()).await.unwrap();
    peer.flush().await.unwrap();
    until("what it may", || seen.lock().iter().any(|it| it.payload == "may")).await;
    assert_eq!(seen.lock().len(), 1);
    assert!(served.try_recv().is_err(), "no order came");
    bus.append(vec![count(2)]);
    assert_eq!(settled(&*bus).await, 2, "no event came");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_needs_the_permissions_of_the_page_and_no_others() {
    let page = include_str!("../../../../../../docs/scale.md");
    let shown = page.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let shown = shown.replace("$NATS_PASSWORD", "a").replace("$WALLBOARD_PASSWORD", "b");
    let server = NatsServer::with(&shown);
    let start =
        async |name| NatsBus::start(&logs_in(&server, "telepulse", "a"), name, 100).await.unwrap();
    let (one, other) = (start("one").await, start("other").await);
    until("each other", || [&one, &other].iter().all(|it| it.condition().unwrap().nodes == 1))
        .await;
    one.append((0..300).map(count).collect());
    settled(&*one).await;
    until("all", || other.stream().tail() == 300).await;
    let again = NatsBus::start(&logs_in(&server, "telepulse", "a"), "one", 200).await.unwrap();
    assert_eq!(again.stream().tail(), 300);
    let to = address("telepulse.query");
    let mut served = other.serve(&to, 9).unwrap();
    tokio::spawn(async move {
        while let Some(incoming) = served.recv().await {
            drop(incoming.reply.send("well".into()));
        }
    });
    let within = || crate::bus::Headers::within(Duration::from_secs(5));
    let answered =
        async { while one.request(&to, Bytes::new(), within()).await != Ok("well".into()) {} };
    timeout(PATIENCE, answered).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_no_nats_it_is_said_where_it_was_looked_for() {
    let mut server = NatsServer::start();
    server.kill();
    let error = refused(&server.settings()).await;
    assert!(
        matches!(&error, StartError::Away { places, .. } if *places == server.url()),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_limits_are_set_and_another_stream_is_refused() {
    let server = NatsServer::start();
    let bus = NatsBus::start(&server.settings(), "tp1", 100).await.unwrap();
    let epoch = bus.stream().epoch();
    bus.append((0..200).map(count).collect());
    settled(&*bus).await;
    bus.stop().await;
    drop(bus);

    let settings = Nats { bytes: 1 << 20, age: Duration::from_mins(1), ..server.settings() };
    let bus = NatsBus::start(&settings, "tp1", 50).await.unwrap();
    assert_eq!(bus.stream().epoch(), epoch, "it is the same stream");
    assert_eq!(bus.stream().read(150, 100).unwrap().len(), 50);
    let client = async_nats::connect(server.url()).await.unwrap();
    let jetstream = jetstream::new(client);
    let config = jetstream.get_stream("TELEPULSE").await.unwrap().cached_info().config.clone();
    assert_eq!((config.max_messages, config.max_bytes), (100_050, 1 << 20));
    assert_eq!(config.max_age, Duration::from_mins(1));

    let error = refused(&Nats { on_disk: false, ..server.settings() }).await.to_string();
    assert!(error.contains("is kept in file"), "{error}");
    let foreign = jetstream::stream::Config {
        name: "TELEPULSE_acme".to_owned(),
        subjects: vec!["something.else".to_owned()],
        ..Default::default()
    };
    jetstream.create_stream(foreign).await.unwrap();
    let error = refused(&Nats { prefix: Some("acme".to_owned()), ..server.settings() }).await;
    assert!(error.to_string().contains("something.else"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn platforms_with_other_prefixes_do_not_hear_each_other() {
    let server = NatsServer::start();
    let one = node(&server, "one").await;
    let settings = Nats { prefix: Some("acme.blue".to_owned()), ..server.settings() };
    let other = NatsBus::start(&settings, "other", 100).await.unwrap();
    let (seen, _guard) = subscribe(&*other, &["telepulse", "acme"]);
    one.append(vec![count(1)]);
    settled(&*one).await;
    one.publish(&address("telepulse.proxy.status.x"), None, Bytes::new());
    other.append(vec![count(7)]);
    assert_eq!(settled(&*other).await, 1);
    assert_eq!(seen.lock().len(), 1, "its own event");
    assert_eq!(one.condition().unwrap().nodes, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_starts_though_the_newest_event_was_removed() {
    let server = NatsServer::start();
    let bus = node(&server, "one").await;
    bus.append((0..10).map(count).collect());
    settled(&*bus).await;
    let client = async_nats::connect(server.url()).await.unwrap();
    let stream = jetstream::new(client).get_stream("TELEPULSE").await.unwrap();
    stream.delete_message(10).await.unwrap();
    let started = timeout(Duration::from_secs(20), node(&server, "other")).await.unwrap();
    assert_eq!(started.stream().tail(), 9);
    for seq in 1..10 {
        stream.delete_message(seq).await.unwrap();
    }
    let started = timeout(Duration::from_secs(20), node(&server, "third")).await.unwrap();
    bus.append(vec![count(10)]);
    until("the next", || started.stream().tail() == 11).await;
}
