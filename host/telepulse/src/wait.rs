//! For unit tests: waiting for a condition instead of sleeping for a guess.

use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Long enough for anything that should happen soon, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let came = timeout(PATIENCE, async {
        while !is_so() {
            sleep(PAUSE).await;
        }
    });
    came.await.unwrap_or_else(|_| panic!("it never came: {what}"));
}
