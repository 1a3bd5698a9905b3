//! Commands on their way to a policy plugin and its verdicts on their way back.

use crate::ports::{PolicyHandler, Verdict};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::{sync::Arc, time::Duration};
use telepulse_language::Principal;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

/// Commands that may wait for one plugin; more count as failed.
const WAITING: usize = 256;
/// How long a verdict may take, with all waiting.
const PATIENCE: Duration = Duration::from_secs(2);

const DOWN: &str = "it is down";

/// A command that waits for its verdict.
pub(crate) struct Decision {
    pub(crate) command: Bytes,
    pub(crate) who: Option<Arc<Principal>>,
    pub(crate) verdict: oneshot::Sender<Verdict>,
}

/// The way to the plugin's task.
#[derive(Clone)]
pub(crate) struct Decider(mpsc::Sender<Decision>);

/// Makes the way, and its end.
pub(crate) fn decider() -> (Decider, mpsc::Receiver<Decision>) {
    let (sender, decisions) = mpsc::channel(WAITING);
    (Decider(sender), decisions)
}

impl PolicyHandler for Decider {
    fn decide(
        &self,
        command: Bytes,
        who: Option<Arc<Principal>>,
    ) -> BoxFuture<'static, Result<Verdict, String>> {
        let (verdict, decided) = oneshot::channel();
        let sent = self.0.try_send(Decision { command, who, verdict });
        Box::pin(async move {
            match sent {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    return Err(format!("{WAITING} commands wait for it already"));
                }
                Err(TrySendError::Closed(_)) => return Err(DOWN.to_owned()),
            }
            match tokio::time::timeout(PATIENCE, decided).await {
                Ok(Ok(verdict)) => Ok(verdict),
                Ok(Err(_)) => Err(DOWN.to_owned()),
                Err(_) => Err(format!("it gave no verdict within {} s", PATIENCE.as_secs())),
            }
        })
    }
}
