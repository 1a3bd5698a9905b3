//! What plugins keep, as they ask for it, and what is on disk of it.

use super::*;
use std::time::Duration;
use tempfile::TempDir;

const ROOM: u64 = 10_000;

struct Bench {
    folder: TempDir,
    store: KvStore,
}

impl Bench {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let store = KvStore::start(&folder.path().join("values.redb")).unwrap();
        Self { folder, store }
    }

    async fn set(&self, plugin: &str, key: &str, value: &str) -> Result<KvDone, String> {
        self.set_for(plugin, key, value, None).await
    }

    async fn set_for(
        &self,
        plugin: &str,
        key: &str,
        value: &str,
        ttl: Option<Duration>,
    ) -> Result<KvDone, String> {
        let (key, value) = (key.to_owned(), Bytes::copy_from_slice(value.as_bytes()));
        self.store.change(plugin, ROOM, KvChange::Set { key, value, ttl }).await
    }

    async fn swap(&self, key: &str, expected: Option<&str>, value: &str) -> bool {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let change = KvChange::CompareAndSwap {
            key: key.to_owned(),
            expected: expected.map(bytes),
            value: bytes(value),
            ttl: None,
        };
        self.store.change("crm", ROOM, change).await.unwrap().is_done
    }

    async fn get(&self, plugin: &str, key: &str) -> Option<String> {
        let value = self.store.get(plugin, key.to_owned()).await.unwrap()?;
        Some(String::from_utf8(value.to_vec()).unwrap())
    }

    async fn take(&self, key: &str) -> Option<Bytes> {
        let change = KvChange::Take { key: key.to_owned() };
        self.store.change("crm", ROOM, change).await.unwrap().taken
    }

    async fn keys(&self, prefix: &str, after: Option<&str>, max: u32) -> Vec<String> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.store.keys("crm", KvKeys { prefix, after, max }).await.unwrap()
    }
}

#[tokio::test]
async fn each_plugin_has_a_space_of_its_own_that_survives_a_kill() {
    let bench = Bench::start();
    assert_eq!(bench.get("crm", "a").await, None);
    bench.set("crm", "a", "1").await.unwrap();
    bench.set("other", "a", "2").await.unwrap();
    // What is in the file now is what a process that begins after a kill finds.
    let found = bench.folder.path().join("found.redb");
    std::fs::copy(bench.folder.path().join("values.redb"), &found).unwrap();
    let again = Bench { store: KvStore::start(&found).unwrap(), ..bench };
    assert_eq!(again.get("crm", "a").await.as_deref(), Some("1"));
    assert_eq!(again.get("other", "a").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn of_many_who_take_or_swap_at_once_one_succeeds() {
    let bench = Bench::start();
    bench.set("crm", "a", "1").await.unwrap();
    let takes = futures_util::future::join_all((0..50).map(|_| bench.take("a"))).await;
    assert_eq!(takes.iter().filter(|taken| taken.is_some()).count(), 1);
    let swaps = futures_util::future::join_all((0..50).map(|_| bench.swap("a", None, "x"))).await;
    assert_eq!(swaps.iter().filter(|swapped| **swapped).count(), 1);
    assert!(!bench.swap("a", Some("y"), "z").await);
    assert!(bench.swap("a", Some("x"), "z").await);
    assert_eq!(bench.get("crm", "a").await.as_deref(), Some("z"));
}

#[tokio::test]
async fn a_value_goes_when_its_time_is_over() {
    let bench = Bench::start();
    bench.set_for("crm", "short", "1", Some(Duration::from_millis(1))).await.unwrap();
    bench.set_for("crm", "long", "1", Some(Duration::from_mins(10))).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(bench.get("crm", "short").await, None);
    assert_eq!(bench.take("short").await, None);
    assert_eq!(bench.keys("", None, 10).await, ["long"]);
    assert!(bench.swap("short", None, "2").await, "as if it had never been");
    // A value that is set again has the new time.
    bench.set("crm", "long", "2").await.unwrap();
    bench.store.stop().await;
    let writer = Writer::new(bench.store.disk.clone());
    writer.sweep(crate::clock::now_ms() + 3_600_000).unwrap();
    assert_eq!(bench.get("crm", "long").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn the_room_is_what_was_granted() {
    let bench = Bench::start();
    let large = "x".repeat(4_900);
    bench.set("crm", "a", &large).await.unwrap();
    bench.set("crm", "b", &large).await.unwrap();
    let refused = bench.set("crm", "c", &large).await.unwrap_err();
    assert!(refused.contains("10000 bytes are used") || refused.contains("of 10000"), "{refused}");
    assert_eq!(bench.get("crm", "c").await, None);
    // In place of another it has room; and other plugins have theirs.
    bench.set("crm", "b", &large).await.unwrap();
    bench.set("other", "a", &large).await.unwrap();
    assert!(bench.take("a").await.is_some());
    bench.set("crm", "c", &large).await.unwrap();
    // What is over is in nobody's way.
    bench.set_for("crm", "c", &large, Some(Duration::ZERO)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
    bench.set("crm", "d", &large).await.unwrap();
}

#[tokio::test]
async fn keys_are_listed_in_order_and_in_parts() {
    let bench = Bench::start();
    for key in ["call:2", "call:1", "call:3", "calls", "a", "zebra"] {
        bench.set("crm", key, "1").await.unwrap();
    }
    bench.set("crn", "call:4", "1").await.unwrap();
    assert_eq!(bench.keys("call:", None, 2).await, ["call:1", "call:2"]);
    assert_eq!(bench.keys("call:", Some("call:2"), 2).await, ["call:3"]);
    assert_eq!(bench.keys("", Some("calls"), 10).await, ["zebra"]);
    assert_eq!(bench.keys("b", Some("a"), 10).await, [] as [&str; 0]);
}

#[tokio::test]
async fn what_is_too_long_is_refused() {
    let bench = Bench::start();
    assert!(bench.set("crm", "", "1").await.unwrap_err().contains("1 to 512 bytes"));
    assert!(bench.set("crm", &"k".repeat(513), "1").await.unwrap_err().contains("not 513"));
    let long = bench.set("crm", "a", &"v".repeat(MAX_VALUE + 1)).await.unwrap_err();
    assert!(long.contains("1048576 bytes"), "{long}");
}
