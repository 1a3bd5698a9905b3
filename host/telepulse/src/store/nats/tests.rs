//! What a NATS has of plugins' values, and what plugins are told while it is away.

use super::{line::Line, *};
use crate::{
    bus::NatsServer,
    clock::now_ms,
    config::{NatsLogin, Secret},
    store::{change::Value, tests::Bench},
};
use async_nats::jetstream::{self, stream::Stream};
use bytes::Bytes;
use futures_util::future::join_all;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// What an operation may take: its deadline, and a busy machine.
const SOON: Duration = Duration::from_secs(6);

/// Another host, at the same NATS.
fn another(server: &NatsServer) -> Bench<NatsKv, ()> {
    Bench { store: NatsKv::start(server.settings()), place: () }
}

/// The bucket, past the store.
async fn bucket(server: &NatsServer) -> (jetstream::Context, Stream) {
    let context = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let stream = context.get_stream("KV_TELEPULSE").await.unwrap();
    (context, stream)
}

async fn messages(stream: &Stream) -> u64 {
    stream.get_info().await.unwrap().state.messages
}

#[tokio::test]
async fn others_find_a_plugins_values_where_nats_keeps_values() {
    let bench = Bench::nats();
    let time = Some(Duration::from_mins(10));
    bench.set_for("crm", "555:123", "a", time).await.unwrap();
    bench.add("n", 41).await.unwrap();
    let (context, stream) = bucket(&bench.place).await;
    let found = stream.get_last_raw_message_by_subject("$KV.TELEPULSE.crm.555=3A123").await;
    let found = found.unwrap();
    assert_eq!(found.payload, "a");
    let until: u64 = found.headers.get("Telepulse-Until").unwrap().as_str().parse().unwrap();
    assert!((590_000..=600_000).contains(&until.saturating_sub(now_ms())), "{until}");
    // And the other way round: with a value, and with what the tools of NATS leave of one that they remove.
    let put = async |key: &str, value: &'static str, operation: &str| {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("KV-Operation", operation);
        let subject = format!("$KV.TELEPULSE.crm.{key}");
        context.publish_with_headers(subject, headers, value.into()).await.unwrap().await.unwrap();
    };
    put("theirs", "c", "PUT").await;
    assert_eq!(bench.take("theirs").await.as_deref(), Some(&b"c"[..]));
    put("n", "", "DEL").await;
    assert_eq!(bench.get("crm", "n").await, None);
    assert_eq!(bench.keys("", None, 10).await, ["555:123"]);
    assert_eq!(bench.take("n").await, None);
    assert!(bench.swap("n", None, "1").await, "as if it had never been");
    put("n", "", "DEL").await;
    assert_eq!(bench.add("n", 7).await, Ok(7));
}

#[tokio::test]
async fn what_is_taken_leaves_nothing_behind() {
    let bench = Bench::nats();
    for key in 0..50 {
        bench.set("crm", &format!("k{key}"), "1").await.unwrap();
    }
    let (_, stream) = bucket(&bench.place).await;
    assert_eq!(messages(&stream).await, 50);
    for key in 0..50 {
        assert!(bench.take(&format!("k{key}")).await.is_some());
    }
    assert_eq!(messages(&stream).await, 0);
}

#[tokio::test]
async fn what_is_over_is_removed_piece_by_piece_and_nothing_else() {
    let bench = Bench::nats();
    let brief = Some(Duration::from_millis(1));
    for key in 0..1_500 {
        bench.set_for("crm", &format!("k{key}"), "1", brief).await.unwrap();
    }
    bench.set("crm", "stays", "1").await.unwrap();
    bench.set_for("crm", "long", "1", Some(Duration::from_hours(1))).await.unwrap();
    let (_, stream) = bucket(&bench.place).await;
    let link = &bench.store.link;
    let mut from = 0;
    let sweep = async |from: &mut u64, grace| sweep::piece(link, from, grace).await.unwrap();
    assert_eq!(sweep(&mut from, 60_000).await, 0, "another server's clock may be behind");
    from = 0;
    assert_eq!(sweep(&mut from, 0).await, 1_000);
    assert_eq!(sweep(&mut from, 0).await, 500);
    assert_eq!(from, 0, "it begins again");
    assert_eq!(messages(&stream).await, 2);
    assert_eq!(bench.keys("", None, 10).await, ["long", "stays"]);
}

#[tokio::test]
async fn many_keys_are_listed_in_parts_and_nobody_keeps_a_place() {
    let bench = Bench::nats();
    bench.set("crm", "first", "1").await.unwrap();
    let (context, stream) = bucket(&bench.place).await;
    for key in 1..=5_000 {
        let subject = format!("$KV.TELEPULSE.crm.k{key}");
        context.publish(subject, Bytes::from_static(b"1")).await.unwrap().await.unwrap();
    }
    context.publish("$KV.TELEPULSE.crm.=zz", Bytes::new()).await.unwrap().await.unwrap();
    assert_eq!(bench.keys("k", Some("k4998"), 3).await, ["k4999", "k5", "k50"]);
    assert_eq!(bench.keys("k", None, 1_000).await.len(), 1_000);
    assert_eq!(stream.get_info().await.unwrap().state.consumer_count, 0);
}

#[tokio::test]
async fn two_hosts_share_a_nats() {
    let bench = Bench::nats();
    let other = another(&bench.place);
    let mine = join_all((0..25).map(|_| bench.add("n", 1)));
    let theirs = join_all((0..25).map(|_| other.add("n", 1)));
    let (mine, theirs) = tokio::join!(mine, theirs);
    let numbers: BTreeSet<i64> = mine.into_iter().chain(theirs).map(Result::unwrap).collect();
    assert_eq!(numbers, (1..=50).collect());
    let (mine, theirs) = tokio::join!(bench.swap("a", None, "x"), other.swap("a", None, "y"));
    assert!(mine != theirs);
    for round in 0..50 {
        let key = format!("t{round}");
        bench.set("crm", &key, "1").await.unwrap();
        let (mine, theirs) = tokio::join!(bench.take(&key), other.take(&key));
        assert!(mine.is_some() != theirs.is_some(), "exactly one takes it");
    }
}

#[tokio::test]
async fn platforms_with_other_prefixes_do_not_see_each_other() {
    let bench = Bench::nats();
    let settings = Nats { prefix: Some("acme.blue".to_owned()), ..bench.place.settings() };
    let other = Bench { store: NatsKv::start(settings), place: () };
    bench.set("crm", "a", "1").await.unwrap();
    assert_eq!(other.get("crm", "a").await, None);
    other.set("crm", "a", "2").await.unwrap();
    let (context, _) = bucket(&bench.place).await;
    assert!(context.get_stream("KV_TELEPULSE_acme_blue").await.is_ok());
    assert_eq!(bench.get("crm", "a").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_nats_that_is_away_is_told_and_used_when_it_is_back() {
    let mut bench = Bench::nats();
    bench.set("crm", "a", "1").await.unwrap();
    bench.place.kill();
    let away = format!("NATS at {} is away (", bench.place.url());
    let is_away = |why: &str| why.starts_with(&away);
    // The connection may break with the first who needs it.
    let broke = bench.set("crm", "a", "2").await.unwrap_err();
    assert!(is_away(&broke) || broke.ends_with(": whether it was changed is not known"), "{broke}");
    let asked = Instant::now();
    let refused = bench.set("crm", "a", "2").await.unwrap_err();
    assert!(is_away(&refused) && refused.ends_with("): nothing was changed"), "{refused}");
    let refused = bench.store.get("crm", "a".to_owned()).await.unwrap_err();
    assert!(is_away(&refused) && !refused.contains("changed"), "{refused}");
    assert!(is_away(&bench.store.keys("crm", KvKeys::default()).await.unwrap_err()));
    // One that was away from the beginning is no different.
    let late = another(&bench.place);
    assert!(is_away(&late.store.get("crm", "a".to_owned()).await.unwrap_err()));
    assert!(asked.elapsed() < SOON);
    bench.place.start_again();
    let before = bench.get("crm", "a").await;
    assert!(matches!(before.as_deref(), Some("1" | "2")), "it was on disk: {before:?}");
    bench.set("crm", "a", "3").await.unwrap();
    assert_eq!(late.add("a", 1).await, Ok(4));
}

#[tokio::test]
async fn a_bucket_that_is_removed_is_made_anew() {
    let bench = Bench::nats();
    bench.set("crm", "a", "1").await.unwrap();
    let (context, _) = bucket(&bench.place).await;
    context.delete_stream("KV_TELEPULSE").await.unwrap();
    let gone = bench.set("crm", "a", "2").await.unwrap_err();
    assert!(gone.contains("gone") && gone.ends_with("): nothing was changed"), "{gone}");
    bench.set("crm", "a", "3").await.unwrap();
    context.delete_stream("KV_TELEPULSE").await.unwrap();
    assert!(bench.store.get("crm", "a".to_owned()).await.is_err());
    assert_eq!(bench.get("crm", "a").await, None);
}

#[tokio::test]
async fn what_nats_does_not_take_is_told_with_the_way_out() {
    let place = NatsServer::with("max_payload: 4096");
    let bench = Bench { store: NatsKv::start(place.settings()), place };
    let large = bench.set("crm", "a", &"v".repeat(5_000)).await.unwrap_err();
    assert!(large.contains("4096") && large.contains("max_payload"), "{large}");
    assert!(large.ends_with("): nothing was changed"), "{large}");
    bench.set("crm", "a", &"v".repeat(3_000)).await.unwrap();

    let server = NatsServer::start();
    let (context, stream) = {
        let first = another(&server);
        first.set("crm", "a", "1").await.unwrap();
        bucket(&server).await
    };
    let mut other = stream.cached_info().config.clone();
    other.max_age = Duration::from_hours(1);
    context.update_stream(&other).await.unwrap();
    let forgets = another(&server).set("crm", "a", "1").await.unwrap_err();
    assert!(forgets.contains("forgets values too soon"), "{forgets}");
    let memory = Nats { on_disk: false, ..server.settings() };
    other.max_age = Duration::ZERO;
    context.update_stream(&other).await.unwrap();
    let memory = Bench { store: NatsKv::start(memory), place: () };
    let elsewhere = memory.set("crm", "a", "1").await.unwrap_err();
    assert!(elsewhere.contains("it is kept in file"), "{elsewhere}");
}

#[tokio::test]
async fn who_may_not_log_in_is_told_so_without_the_password() {
    let server =
        NatsServer::with("authorization { users = [ { user: ann, password: \"hunter2\" } ] }");
    let store = |password: &str| {
        let password = Secret::new(password);
        let login = NatsLogin::Password { user: "ann".to_owned(), password };
        Bench { store: NatsKv::start(Nats { login, ..server.settings() }), place: () }
    };
    assert_eq!(store("hunter2").add("n", 1).await, Ok(1));
    let refused = store("canary").add("n", 1).await.unwrap_err();
    assert!(refused.contains("does not let us in: see [bus] user"), "{refused}");
    assert!(!refused.contains("canary") && refused.ends_with(": nothing was changed"), "{refused}");
}

#[tokio::test]
async fn a_value_is_changed_only_while_it_is_the_one_that_was_read() {
    let bench = Bench::nats();
    bench.set("crm", "a", "1").await.unwrap();
    let read = bench.store.link.run(|line: Arc<Line>| async move {
        let bucket = &line.bucket;
        let subject = bucket.names.of_key("crm", "a");
        let found = bucket.get(&subject).await?.map_or(0, |found| found.revision);
        let value = |text: &'static str| Value { bytes: text.into(), until: None };
        let outcomes = [
            bucket.put(&subject, value("2"), Some(0)).await?,
            bucket.put(&subject, value("2"), Some(found)).await?,
            bucket.put(&subject, value("3"), Some(found)).await?,
            bucket.remove(found).await?,
        ];
        Ok(outcomes)
    });
    assert_eq!(read.await.unwrap(), [false, true, false, false], "only on what was read");
    assert_eq!(bench.get("crm", "a").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn the_permissions_of_the_page_are_enough() {
    let page = include_str!("../../../../../docs/scale.md");
    let shown = page.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let shown = shown.replace("$NATS_PASSWORD", "a").replace("$WALLBOARD_PASSWORD", "b");
    let server = NatsServer::with(&shown);
    let login = NatsLogin::Password { user: "telepulse".to_owned(), password: Secret::new("a") };
    let store = |replicas| {
        let settings = Nats { login: login.clone(), replicas, ..server.settings() };
        Bench { store: NatsKv::start(settings), place: () }
    };
    let bench = store(1);
    bench.set_for("crm", "brief", "1", Some(Duration::from_millis(1))).await.unwrap();
    bench.set("crm", "a", "1").await.unwrap();
    assert_eq!(bench.keys("a", None, 10).await, ["a"]);
    assert_eq!(bench.add("a", 1).await, Ok(2));
    assert!(bench.take("a").await.is_some());
    assert_eq!(sweep::piece(&bench.store.link, &mut 0, 0).await.unwrap(), 1);
    // And to change the bucket.
    store(3).set("crm", "a", "1").await.unwrap();
}
