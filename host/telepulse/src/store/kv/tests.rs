//! What is on disk of plugins' values, and how much room they have there.

use super::*;
use crate::store::tests::Bench;
use std::time::Duration;

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let bench = Bench::embedded();
    bench.set("crm", "a", "1").await.unwrap();
    assert_eq!(bench.add("n", 7).await, Ok(7));
    // What is in the file now is what a process that begins after a kill finds.
    let found = bench.place.path().join("found.redb");
    std::fs::copy(bench.place.path().join("values.redb"), &found).unwrap();
    let again = Bench { store: KvStore::start(&found).unwrap(), ..bench };
    assert_eq!(again.get("crm", "a").await.as_deref(), Some("1"));
    assert_eq!(again.add("n", 1).await, Ok(8));
}

#[tokio::test]
async fn a_value_that_is_set_again_has_the_new_time() {
    let bench = Bench::embedded();
    let time = Some(Duration::from_mins(10));
    for key in ["set", "added", "old"] {
        bench.set_for("crm", key, "1", time).await.unwrap();
    }
    bench.set("crm", "set", "2").await.unwrap();
    bench.add("added", 1).await.unwrap();
    bench.store.stop().await;
    let writer = Writer::new(bench.store.disk.clone(), bench.store.recent.clone());
    writer.sweep(now_ms() + 3_600_000).unwrap();
    assert_eq!(bench.get("crm", "set").await.as_deref(), Some("2"));
    assert_eq!(bench.keys("", None, 10).await, ["set"]);
}

#[tokio::test]
async fn the_room_is_what_was_granted() {
    let bench = Bench::embedded();
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
    bench.set_for("crm", "c", &large, Some(Duration::from_millis(1))).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
    bench.set("crm", "d", &large).await.unwrap();
    // A number takes room, too: some are added, not as many as one likes.
    let full = async || {
        for key in 0..10 {
            bench.add(&format!("n{key}"), 1).await?;
        }
        Ok::<_, String>(())
    };
    assert!(full().await.unwrap_err().contains("there is no room"));
}
