//! Calls without phones, so many a second, whatever happens to Asterisk meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::interval;

use crate::ami::Client;
use crate::asterisk::Asterisk;
use crate::wait;

/// Makes calls of a second each until it is stopped; where Asterisk is gone, as soon as it is back.
#[derive(Debug)]
pub struct Storm {
    made: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Storm {
    /// Begins at once.
    pub async fn start(asterisk: &Asterisk, per_second: u32) -> Result<Self> {
        let made = Arc::new(AtomicUsize::new(0));
        let (stop, stopped) = watch::channel(false);
        let mut client = Some(asterisk.auditor().await?);
        let auditors = asterisk.auditors();
        let counter = Arc::clone(&made);
        let task = tokio::spawn(async move {
            let mut pace = interval(Duration::from_secs(1) / per_second);
            while !*stopped.borrow() {
                pace.tick().await;
                let done = match &mut client {
                    Some(client) => originate(client).await.is_ok(),
                    None => false,
                };
                if done {
                    counter.fetch_add(1, Ordering::Relaxed);
                } else {
                    // Asterisk is being killed: come back when it does.
                    client = auditors.login().await.ok();
                }
            }
        });
        Ok(Self { made, stop, task })
    }

    /// Waits until so many more calls were made.
    pub async fn made_more(&self, count: usize, limit: Duration) -> Result<()> {
        let before = self.made.load(Ordering::Relaxed);
        wait::until("calls to be made again", limit, async || {
            Ok((self.made.load(Ordering::Relaxed) >= before + count).then_some(()))
        })
        .await
    }

    /// Makes no more calls; tells how many were made.
    pub async fn stop(mut self) -> usize {
        self.stop.send_replace(true);
        // It ends by itself at its next tick.
        let _ = (&mut self.task).await;
        self.made.load(Ordering::Relaxed)
    }
}

async fn originate(client: &mut Client) -> Result<String> {
    let call =
        [("Channel", "Local/1@storm"), ("Application", "Wait"), ("Data", "1"), ("Async", "true")];
    client.send("Originate", &call).await
}
