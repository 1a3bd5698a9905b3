//! Removes what is over: NATS ends no value by itself. A walk goes round and round in the bucket, in pieces of
//! a bounded size; where several nodes do so they do no harm to each other.

use super::line::{Line, Place};
use crate::store::link::{Failed, Fault, Link};
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::time::sleep;

/// Messages that one piece of the walk comes by.
const PIECE: usize = 1_000;
/// Between two pieces while there is nothing to remove, and while there is.
const PAUSES: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(1));
/// The clocks of a cluster's servers may differ, and any may lead: what is over is left alone for so long, in
/// milliseconds.
const GRACE: u64 = 60_000;

/// Until nobody has the store any more.
pub(super) async fn run(link: Weak<Link<Place>>) {
    // Nodes that start together do not come at the same time.
    sleep(PAUSES.0.mul_f64(rand::random())).await;
    let mut from = 0;
    while let Some(link) = link.upgrade() {
        // Where NATS is away it is told by those who need it.
        let removed = piece(&link, &mut from, GRACE).await.unwrap_or(0);
        drop(link);
        sleep(if removed > 0 { PAUSES.1 } else { PAUSES.0 }).await;
    }
}

/// Goes on from a number; answers how many were removed of those that were over for so long.
pub(super) async fn piece(link: &Link<Place>, from: &mut u64, grace: u64) -> Result<usize, Failed> {
    let (over, next) = link.run(|line| look(line, *from, grace)).await?;
    for revision in &over {
        link.run(|line| remove(line, *revision)).await?;
    }
    *from = next;
    Ok(over.len())
}

/// What is over in the next piece, and where the one after it begins.
async fn look(line: Arc<Line>, from: u64, grace: u64) -> Result<(Vec<u64>, u64), Fault> {
    let (mut over, mut next, mut came) = (Vec::new(), 0, 0);
    let (all, now) = (line.bucket.names.all(), line.bucket.now_ms());
    let walk = line.bucket.walk(all, from, PIECE, |passed| {
        came += 1;
        next = passed.revision + 1;
        if passed.until.is_some_and(|until| until.saturating_add(grace) <= now) {
            over.push(passed.revision);
        }
    });
    walk.await?;
    Ok((over, if came < PIECE { 0 } else { next }))
}

/// One that was given another value since is another message.
async fn remove(line: Arc<Line>, revision: u64) -> Result<bool, Fault> {
    line.bucket.remove(revision).await
}
