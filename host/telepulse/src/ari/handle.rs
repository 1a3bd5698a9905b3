//! What can be asked of the task of a server's ARI, and the handle to ask it.

use super::figures::Figures;
use crate::config::ServerAri;
use std::sync::Arc;
use telepulse_language::{DeviceChannel, ServerState, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Questions that may wait for the task; more are answered with nothing.
pub(super) const QUEUE: usize = 256;

/// Where all channels go that are known.
pub(super) type Ask = oneshot::Sender<Vec<DeviceChannel>>;

/// Where the connection stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Status {
    pub state: ServerState,
    pub reason: Option<String>,
    pub since: Timestamp,
}

/// A handle to the task.
#[derive(Clone)]
pub(crate) struct Handle {
    pub settings: Arc<ServerAri>,
    pub status: watch::Receiver<Status>,
    pub figures: Arc<Figures>,
    pub(super) asks: mpsc::Sender<Ask>,
    pub(super) end: CancellationToken,
    pub(super) done: CancellationToken,
}

impl Handle {
    /// All channels that are known, the oldest first; none if the task is gone or asked too much.
    pub(crate) async fn channels(&self) -> Vec<DeviceChannel> {
        let (reply, answer) = oneshot::channel();
        if self.asks.try_send(reply).is_err() {
            return Vec::new();
        }
        answer.await.unwrap_or_default()
    }

    /// Ends the task, whatever the server's goal is.
    pub(crate) fn end(&self) {
        self.end.cancel();
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) {
        self.done.cancelled().await;
    }
}
