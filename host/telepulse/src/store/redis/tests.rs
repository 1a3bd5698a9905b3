//! What a Redis has of plugins' values, and what plugins are told while it is away.

use super::{server::RedisServer, *};
use crate::{config::Secret, store::tests::Bench, tls};
use futures_util::future::join_all;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio_rustls::rustls::RootCertStore;

/// What an operation may take: its deadline, and a busy machine.
const SOON: Duration = Duration::from_secs(4);

/// Lets the connection notice what has become of the server.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[tokio::test]
async fn others_find_a_plugins_values_and_redis_ends_them() {
    let bench = Bench::redis();
    let time = Some(Duration::from_mins(10));
    bench.set_for("crm", "555:123", "a", time).await.unwrap();
    assert!(bench.swap("swapped", None, "b").await);
    bench.add("n", 41).await.unwrap();
    let mut names: Vec<String> = bench.place.ask(&["KEYS", "*"]).await;
    names.sort();
    let expected = ["telepulse:crm:555:123", "telepulse:crm:n", "telepulse:crm:swapped"];
    assert_eq!(names, expected);
    let left: i64 = bench.place.ask(&["PTTL", "telepulse:crm:555:123"]).await;
    assert!((590_000..=600_000).contains(&left), "{left}");
    let left: i64 = bench.place.ask(&["PTTL", "telepulse:crm:swapped"]).await;
    assert_eq!(left, -1, "for ever");
    // And the other way round.
    let _: i64 = bench.place.ask(&["INCR", "telepulse:crm:n"]).await;
    assert_eq!(bench.add("n", 1).await, Ok(43));
    let _: () = bench.place.ask(&["SET", "telepulse:crm:theirs", "c"]).await;
    assert_eq!(bench.take("theirs").await.as_deref(), Some(&b"c"[..]));
}

#[tokio::test]
async fn what_is_no_value_is_refused_and_no_key_is_not_listed() {
    let bench = Bench::redis();
    let _: i64 = bench.place.ask(&["LPUSH", "telepulse:crm:list", "a"]).await;
    let refused = bench.store.get("crm", "list".to_owned()).await.unwrap_err();
    assert!(
        refused.contains("refuses it (WRONGTYPE ") && !refused.contains("changed"),
        "{refused}"
    );
    let refused = bench.add("list", 1).await.unwrap_err();
    assert!(refused.ends_with("): nothing was changed"), "{refused}");
    // Far more than one step of Redis's listing, and one that is no text.
    let fill = "for i = 1, 5000 do redis.call('SET', 'telepulse:crm:k' .. i, i) end \
                redis.call('SET', 'telepulse:crm:k\\255', 0)";
    let _: () = bench.place.ask(&["EVAL", fill, "0"]).await;
    assert_eq!(bench.keys("k", Some("k4998"), 3).await, ["k4999", "k5", "k50"]);
    assert_eq!(bench.keys("k", None, 1_000).await.len(), 1_000);
    assert_eq!(bench.keys("", Some("k9999"), 10).await, ["list"]);
}

#[tokio::test]
async fn two_hosts_share_a_redis() {
    let bench = Bench::redis();
    let other = Bench { store: RedisKv::start(bench.place.config()), place: () };
    let mine = join_all((0..25).map(|_| bench.add("n", 1)));
    let theirs = join_all((0..25).map(|_| other.add("n", 1)));
    let (mine, theirs) = tokio::join!(mine, theirs);
    let numbers: BTreeSet<i64> = mine.into_iter().chain(theirs).map(Result::unwrap).collect();
    assert_eq!(numbers, (1..=50).collect());
    let (mine, theirs) = tokio::join!(bench.swap("a", None, "x"), other.swap("a", None, "y"));
    assert!(mine != theirs);
    assert!(other.swap("a", Some(if mine { "x" } else { "y" }), "z").await);
    assert_eq!(bench.get("crm", "a").await.as_deref(), Some("z"));
}

#[tokio::test]
async fn a_redis_that_is_away_is_told_and_used_when_it_is_back() {
    let mut bench = Bench::redis();
    bench.set("crm", "a", "1").await.unwrap();
    bench.place.stop();
    a_moment().await;
    let asked = Instant::now();
    let (place, refused) = (bench.place.config(), bench.set("crm", "a", "2").await.unwrap_err());
    let away = format!("Redis at {place} is away (connection refused)");
    assert_eq!(refused, format!("{away}: nothing was changed"));
    assert_eq!(bench.store.get("crm", "a".to_owned()).await, Err(away.clone()));
    assert_eq!(bench.store.keys("crm", KvKeys::default()).await, Err(away.clone()));
    // One that was away from the beginning is no different.
    let late = Bench { store: RedisKv::start(bench.place.config()), place: () };
    assert_eq!(late.store.get("crm", "a".to_owned()).await, Err(away));
    assert!(asked.elapsed() < SOON);
    bench.place.start_again();
    assert_eq!(bench.add("a", 1).await, Ok(1));
    assert_eq!(late.add("a", 1).await, Ok(2));
    // Scripts go with a restart.
    assert!(bench.swap("a", Some("2"), "3").await);
}

#[tokio::test]
async fn one_that_has_become_a_replica_is_asked_by_a_new_connection_each_time() {
    let bench = Bench::redis();
    bench.set("crm", "a", "1").await.unwrap();
    let connections = async || {
        let info: String = bench.place.ask(&["INFO", "stats"]).await;
        let count = info.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        count.unwrap().parse::<u64>().unwrap()
    };
    let _: () = bench.place.ask(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let before = connections().await;
    for _ in 0..2 {
        let refused = bench.set("crm", "a", "2").await.unwrap_err();
        assert!(refused.contains("refuses it (READONLY "), "{refused}");
        assert!(refused.ends_with("): nothing was changed"), "{refused}");
    }
    // The second write, and the one that asks, each had one of their own.
    assert_eq!(connections().await, before + 2);
    let _: () = bench.place.ask(&["REPLICAOF", "NO", "ONE"]).await;
    bench.set("crm", "a", "3").await.unwrap();
    assert_eq!(bench.get("crm", "a").await.as_deref(), Some("3"));
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_a_change_unknown() {
    let mut bench = Bench::redis();
    bench.set("crm", "a", "1").await.unwrap();
    bench.place.hang();
    let set = bench.set("crm", "a", "2");
    let kill = async {
        a_moment().await;
        // It is still there, and has read nothing.
        bench.place.kill();
    };
    let (set, ()) = tokio::join!(set, kill);
    let broke = set.unwrap_err();
    assert!(broke.contains(" broke ("), "{broke}");
    assert!(broke.ends_with("): whether it was changed is not known"), "{broke}");
    bench.place.start_again();
    bench.set("crm", "a", "3").await.unwrap();
}

#[tokio::test]
async fn who_logs_in_wrongly_is_told_so_without_the_password() {
    let folder = TempDir::new().unwrap();
    let ann = ["--user", "ann", "on", ">hunter3", "~*", "+@all"];
    let server = RedisServer::with(folder, &[&["--requirepass", "hunter2"][..], &ann].concat());
    let store = |user: Option<&str>, password: Option<&str>, db| {
        let user = user.map(str::to_owned);
        let config = Redis { user, password: password.map(Secret::new), db, ..server.config() };
        Bench { store: RedisKv::start(config), place: () }
    };
    assert_eq!(store(None, Some("hunter2"), 3).add("n", 1).await, Ok(1));
    assert_eq!(store(Some("ann"), Some("hunter3"), 3).add("n", 1).await, Ok(2));
    assert_eq!(store(Some("ann"), Some("hunter3"), 0).add("n", 1).await, Ok(1), "another one");
    for (user, password, db, expected) in [
        (None, None, 0, "is not ready (NOAUTH Authentication required)"),
        (None, Some("canary"), 0, "takes no such user and password"),
        (Some("bob"), Some("canary"), 0, "takes no such user and password"),
        (None, Some("hunter2"), 99, "is not ready (ERR DB index is out of range)"),
    ] {
        let refused = store(user, password, db).add("n", 1).await.unwrap_err();
        let place = server.config();
        assert_eq!(refused, format!("Redis at {place} {expected}: nothing was changed"));
    }
}

#[tokio::test]
async fn a_redis_that_is_full_says_so() {
    let server = RedisServer::with(TempDir::new().unwrap(), &["--maxmemory", "1"]);
    let bench = Bench { store: RedisKv::start(server.config()), place: server };
    let full = bench.set("crm", "a", "1").await.unwrap_err();
    assert!(full.contains("refuses it (OOM "), "{full}");
    assert!(full.ends_with("): nothing was changed"), "{full}");
    assert_eq!(bench.get("crm", "a").await, None);
}

#[tokio::test]
async fn a_trusted_redis_is_reached_by_tls_and_no_other() {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("cert.pem"), own.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), own.signing_key.serialize_pem()).unwrap();
    let files = ["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem"];
    let others = ["--port", "0", "--tls-port", "PORT", "--tls-auth-clients", "no"];
    let server = RedisServer::with(folder, &[&files[..], &others].concat());
    let config = || Redis { is_encrypted: true, ..server.config() };
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let trusting = Arc::new(tls::builder(roots).unwrap().with_no_client_auth());
    let trusted = Trusted { redis: config(), authorities: Some(trusting) };
    let bench = Bench { store: RedisKv::of(trusted), place: () };
    assert_eq!(bench.add("n", 1).await, Ok(1));
    let stranger = Bench { store: RedisKv::start(config()), place: () };
    let refused = stranger.add("n", 1).await.unwrap_err();
    let start = format!("Redis at {} is not reached by TLS (", server.config());
    assert!(refused.starts_with(&start) && refused.contains("certificate"), "{refused}");
    // One that speaks no TLS is waited for no longer than any other.
    let plain = RedisServer::start();
    let config = Redis { is_encrypted: true, ..plain.config() };
    let asked = Instant::now();
    let refused = Bench { store: RedisKv::start(config), place: () }.add("n", 1).await;
    assert!(refused.unwrap_err().ends_with("): nothing was changed"));
    assert!(asked.elapsed() < SOON);
}
