//! What plugins keep, as they ask for it: the same in every store.

use super::{
    kv::KvStore,
    link::UNDER_WAY,
    nats::NatsKv,
    redis::{RedisKv, server::RedisServer},
};
use crate::bus::NatsServer;
use bytes::Bytes;
use futures_util::future::join_all;
use plugin_host::ports::{Kv, KvChange, KvDone, KvKeys};
use std::{collections::BTreeSet, time::Duration};
use tempfile::TempDir;

const ROOM: u64 = 10_000;

/// A store, and what it stands on.
pub(super) struct Bench<S, P> {
    pub(super) store: S,
    pub(super) place: P,
}

impl Bench<KvStore, TempDir> {
    pub(super) fn embedded() -> Self {
        let place = TempDir::new().unwrap();
        let store = KvStore::start(&place.path().join("values.redb")).unwrap();
        Self { store, place }
    }
}

impl Bench<RedisKv, RedisServer> {
    pub(super) fn redis() -> Self {
        let place = RedisServer::start();
        Self { store: RedisKv::start(place.config()), place }
    }
}

impl Bench<NatsKv, NatsServer> {
    pub(super) fn nats() -> Self {
        let place = NatsServer::start();
        Self { store: NatsKv::start(place.settings()), place }
    }
}

/// A server that keeps values, and can be silent.
trait Place {
    /// What plugins are told that it is.
    fn told(&self) -> String;

    /// Lets it do nothing any more, with its sockets open.
    fn hang(&self);

    fn go_on(&self);
}

impl Place for RedisServer {
    fn told(&self) -> String {
        format!("Redis at {}", self.config())
    }

    fn hang(&self) {
        self.hang();
    }

    fn go_on(&self) {
        self.go_on();
    }
}

impl Place for NatsServer {
    fn told(&self) -> String {
        format!("NATS at {}", self.url())
    }

    fn hang(&self) {
        self.hang();
    }

    fn go_on(&self) {
        self.go_on();
    }
}

impl<S: Kv, P> Bench<S, P> {
    pub(super) async fn set(&self, plugin: &str, key: &str, value: &str) -> Result<KvDone, String> {
        self.set_for(plugin, key, value, None).await
    }

    pub(super) async fn set_for(
        &self,
        plugin: &str,
        key: &str,
        value: &str,
        ttl: Option<Duration>,
    ) -> Result<KvDone, String> {
        let (key, value) = (key.to_owned(), Bytes::copy_from_slice(value.as_bytes()));
        self.store.change(plugin, ROOM, KvChange::Set { key, value, ttl }).await
    }

    pub(super) async fn swap(&self, key: &str, expected: Option<&str>, value: &str) -> bool {
        self.swap_for(key, expected, value, None).await
    }

    async fn swap_for(
        &self,
        key: &str,
        expected: Option<&str>,
        value: &str,
        ttl: Option<Duration>,
    ) -> bool {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let (key, expected, value) = (key.to_owned(), expected.map(bytes), bytes(value));
        let change = KvChange::CompareAndSwap { key, expected, value, ttl };
        self.store.change("crm", ROOM, change).await.unwrap().is_done
    }

    pub(super) async fn get(&self, plugin: &str, key: &str) -> Option<String> {
        let value = self.store.get(plugin, key.to_owned()).await.unwrap()?;
        Some(String::from_utf8(value.to_vec()).unwrap())
    }

    pub(super) async fn take(&self, key: &str) -> Option<Bytes> {
        let change = KvChange::Take { key: key.to_owned() };
        self.store.change("crm", ROOM, change).await.unwrap().taken
    }

    pub(super) async fn add(&self, key: &str, by: i64) -> Result<i64, String> {
        let change = KvChange::Increment { key: key.to_owned(), by };
        Ok(self.store.change("crm", ROOM, change).await?.number.unwrap())
    }

    pub(super) async fn keys(&self, prefix: &str, after: Option<&str>, max: u32) -> Vec<String> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.store.keys("crm", KvKeys { prefix, after, max }).await.unwrap()
    }
}

/// Makes tests of cases: one in each store, and in each that is a server.
macro_rules! in_stores {
    (each: $($each:ident)* ; servers: $($server:ident)*) => {
        in_stores! { embedded: $($each)* }
        in_stores! { redis: $($each)* $($server)* }
        in_stores! { nats: $($each)* $($server)* }
    };
    ($store:ident: $($case:ident)*) => {
        mod $store {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(&super::Bench::$store()).await;
                }
            )*
        }
    };
}

in_stores! {
    each:
    each_plugin_has_a_space_of_its_own
    of_many_who_take_or_swap_at_once_one_succeeds
    of_many_who_add_at_once_each_gets_another_number
    a_number_is_kept_in_decimal
    what_is_no_number_is_not_added_to
    a_number_keeps_its_time
    a_value_goes_when_its_time_is_over
    no_time_is_over_at_once
    any_bytes_are_a_value
    keys_are_listed_in_order_and_in_parts
    no_character_of_a_key_is_a_pattern
    what_is_too_long_is_refused
    ;
    servers:
    one_that_hangs_is_waited_for_only_so_long_and_by_so_many
}

async fn each_plugin_has_a_space_of_its_own<S: Kv, P>(bench: &Bench<S, P>) {
    assert_eq!(bench.get("crm", "a").await, None);
    bench.set("crm", "a", "1").await.unwrap();
    bench.set("other", "a", "2").await.unwrap();
    assert_eq!(bench.get("crm", "a").await.as_deref(), Some("1"));
    assert_eq!(bench.get("other", "a").await.as_deref(), Some("2"));
}

async fn of_many_who_take_or_swap_at_once_one_succeeds<S: Kv, P>(bench: &Bench<S, P>) {
    bench.set("crm", "a", "1").await.unwrap();
    let takes = join_all((0..50).map(|_| bench.take("a"))).await;
    assert_eq!(takes.iter().filter(|taken| taken.is_some()).count(), 1);
    let swaps = join_all((0..50).map(|_| bench.swap("a", None, "x"))).await;
    assert_eq!(swaps.iter().filter(|swapped| **swapped).count(), 1);
    assert!(!bench.swap("a", Some("y"), "z").await);
    assert!(bench.swap("a", Some("x"), "z").await);
    assert_eq!(bench.get("crm", "a").await.as_deref(), Some("z"));
    assert!(!bench.swap("gone", Some("z"), "z").await);
}

async fn of_many_who_add_at_once_each_gets_another_number<S: Kv, P>(bench: &Bench<S, P>) {
    let added = join_all((0..50).map(|_| bench.add("n", 1))).await;
    let numbers: BTreeSet<i64> = added.into_iter().map(Result::unwrap).collect();
    assert_eq!(numbers, (1..=50).collect());
}

async fn a_number_is_kept_in_decimal<S: Kv, P>(bench: &Bench<S, P>) {
    assert_eq!(bench.add("n", 0).await, Ok(0));
    assert_eq!(bench.add("n", -7).await, Ok(-7));
    assert_eq!(bench.get("crm", "n").await.as_deref(), Some("-7"));
    bench.set("crm", "n", "41").await.unwrap();
    assert_eq!(bench.add("n", 1).await, Ok(42));
    assert!(bench.swap("n", Some("42"), "x").await);
    assert_eq!(bench.add("least", i64::MIN).await, Ok(i64::MIN));
}

async fn what_is_no_number_is_not_added_to<S: Kv, P>(bench: &Bench<S, P>) {
    for value in ["", "x", "1.0", "+1", "01", " 1", "1 ", "-0", "9223372036854775808"] {
        bench.set("crm", "a", value).await.unwrap();
        let refused = bench.add("a", 1).await.unwrap_err();
        assert_eq!(refused, "its value is no whole number of 64 bits in decimal", "{value:?}");
        assert_eq!(bench.get("crm", "a").await.as_deref(), Some(value));
    }
    for (value, by) in [(i64::MAX, 1), (i64::MIN, -1), (i64::MIN, i64::MIN)] {
        bench.set("crm", "a", &value.to_string()).await.unwrap();
        let refused = bench.add("a", by).await.unwrap_err();
        assert_eq!(refused, "the number would need more than 64 bits");
        assert_eq!(bench.add("a", 0).await, Ok(value));
    }
}

async fn a_number_keeps_its_time<S: Kv, P>(bench: &Bench<S, P>) {
    bench.set_for("crm", "n", "41", Some(Duration::from_secs(1))).await.unwrap();
    assert_eq!(bench.add("n", 1).await, Ok(42));
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    assert_eq!(bench.get("crm", "n").await, None);
    assert_eq!(bench.add("n", 1).await, Ok(1), "as if it had never been");
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    assert_eq!(bench.get("crm", "n").await.as_deref(), Some("1"), "a new one has none");
}

async fn a_value_goes_when_its_time_is_over<S: Kv, P>(bench: &Bench<S, P>) {
    bench.set_for("crm", "short", "1", Some(Duration::from_millis(1))).await.unwrap();
    bench.set_for("crm", "long", "1", Some(Duration::from_mins(10))).await.unwrap();
    bench.set_for("crm", "longest", "1", Some(Duration::MAX)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(bench.get("crm", "short").await, None);
    assert_eq!(bench.take("short").await, None);
    assert_eq!(bench.keys("", None, 10).await, ["long", "longest"]);
    let moment = Some(Duration::from_millis(1));
    assert!(bench.swap_for("short", None, "2", moment).await, "as if it had never been");
    assert!(bench.swap_for("longest", Some("1"), "2", moment).await);
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(bench.keys("", None, 10).await, ["long"]);
}

async fn no_time_is_over_at_once<S: Kv, P>(bench: &Bench<S, P>) {
    let none = Some(Duration::ZERO);
    bench.set("crm", "a", "1").await.unwrap();
    bench.set_for("crm", "a", "2", none).await.unwrap();
    assert_eq!(bench.get("crm", "a").await, None);
    assert!(bench.swap_for("a", None, "3", none).await);
    assert_eq!(bench.get("crm", "a").await, None);
    bench.set("crm", "a", "4").await.unwrap();
    assert!(!bench.swap_for("a", None, "5", none).await);
    assert!(!bench.swap_for("a", Some("5"), "5", none).await);
    assert_eq!(bench.get("crm", "a").await.as_deref(), Some("4"));
    assert!(bench.swap_for("a", Some("4"), "5", none).await);
    assert_eq!(bench.get("crm", "a").await, None);
}

async fn any_bytes_are_a_value<S: Kv, P>(bench: &Bench<S, P>) {
    for value in [&b""[..], b"\0", b"\r\n\xff", &[7; 5_000]] {
        let (key, value) = ("a".to_owned(), Bytes::from_static(value));
        let set = KvChange::Set { key: key.clone(), value: value.clone(), ttl: None };
        bench.store.change("crm", ROOM, set).await.unwrap();
        assert_eq!(bench.store.get("crm", key.clone()).await, Ok(Some(value.clone())));
        let swap = |value: Bytes| {
            let (key, expected) = (key.clone(), Some(value.clone()));
            KvChange::CompareAndSwap { key, expected, value, ttl: None }
        };
        let swapped = bench.store.change("crm", ROOM, swap(value.clone())).await.unwrap();
        assert!(swapped.is_done);
        assert_eq!(bench.take("a").await, Some(value));
    }
}

async fn keys_are_listed_in_order_and_in_parts<S: Kv, P>(bench: &Bench<S, P>) {
    for key in ["call:2", "call:1", "call:3", "calls", "a", "zebra"] {
        bench.set("crm", key, "1").await.unwrap();
    }
    bench.set("crn", "call:4", "1").await.unwrap();
    assert_eq!(bench.keys("call:", None, 2).await, ["call:1", "call:2"]);
    assert_eq!(bench.keys("call:", Some("call:2"), 2).await, ["call:3"]);
    assert_eq!(bench.keys("", Some("calls"), 10).await, ["zebra"]);
    assert_eq!(bench.keys("b", Some("a"), 10).await, [] as [&str; 0]);
    assert_eq!(bench.keys("", None, 0).await, [] as [&str; 0]);
}

async fn no_character_of_a_key_is_a_pattern<S: Kv, P>(bench: &Bench<S, P>) {
    let keys = ["*a", "?a", "[ab]", "\\*", "^a", "a", "ä"];
    for key in keys {
        bench.set("crm", key, "1").await.unwrap();
    }
    for key in keys {
        assert_eq!(bench.keys(key, None, 10).await, [key]);
    }
    assert_eq!(bench.keys("", None, 10).await, keys);
}

async fn what_is_too_long_is_refused<S: Kv, P>(bench: &Bench<S, P>) {
    assert!(bench.set("crm", "", "1").await.unwrap_err().contains("1 to 512 bytes"));
    assert!(bench.set("crm", &"k".repeat(513), "1").await.unwrap_err().contains("not 513"));
    assert!(bench.add(&"k".repeat(513), 1).await.unwrap_err().contains("not 513"));
    let long = bench.set("crm", "a", &"v".repeat((1 << 20) + 1)).await.unwrap_err();
    assert!(long.contains("1048576 bytes"), "{long}");
}

async fn one_that_hangs_is_waited_for_only_so_long_and_by_so_many<S: Kv, P: Place>(
    bench: &Bench<S, P>,
) {
    bench.set("crm", "a", "1").await.unwrap();
    bench.place.hang();
    let place = bench.place.told();
    let all = join_all((0..UNDER_WAY + 20).map(|_| bench.set("crm", "a", "2"))).await;
    let said = |what: &str| {
        let said = format!("{place} {what}");
        all.iter().filter(|done| done.as_ref().is_err_and(|why| *why == said)).count()
    };
    let silent = said("did not answer within 2 s: whether it was changed is not known");
    let behind = said("is behind with 256 other operations: nothing was changed");
    assert_eq!((silent, behind), (UNDER_WAY, 20));
    // The connection is given up; a new one is not taken.
    let refused = bench.set("crm", "a", "3").await.unwrap_err();
    assert_eq!(refused, format!("{place} is away (no answer within 2 s): nothing was changed"));
    bench.place.go_on();
    bench.set("crm", "a", "4").await.unwrap();
    assert_eq!(bench.get("crm", "a").await.as_deref(), Some("4"));
}
