//! Waiting for a condition instead of sleeping for a guess.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const PAUSE: Duration = Duration::from_millis(20);

/// Asks `probe` until it gives something, or fails with `what` was waited for.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = probe().await? {
            return Ok(found);
        }
        if started.elapsed() > limit {
            bail!("waited {:.1} s in vain for: {what}", limit.as_secs_f64());
        }
        tokio::time::sleep(PAUSE).await;
    }
}
