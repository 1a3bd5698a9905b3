//! Spans that have ended and wait to be sent, a bounded number of them.

use opentelemetry::Context;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::mpsc::{self, error::TrySendError};

/// Spans that wait; more are dropped.
pub(super) const WAITING: usize = 2048;

/// Of the whole process, as counters for Prometheus are.
static SENT: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many spans a collector took so far.
pub(crate) fn sent_so_far() -> u64 {
    SENT.load(Relaxed)
}

/// How many spans no collector will see.
pub(crate) fn dropped_so_far() -> u64 {
    DROPPED.load(Relaxed)
}

pub(super) fn sent(spans: usize) {
    SENT.fetch_add(spans as u64, Relaxed);
}

pub(super) fn dropped(spans: usize) {
    DROPPED.fetch_add(spans as u64, Relaxed);
}

/// Where spans are put when they end.
#[derive(Debug)]
pub(super) struct Queue {
    spans: mpsc::Sender<SpanData>,
    is_told: Arc<AtomicBool>,
}

/// Where they are taken out.
pub(super) struct Spans {
    pub(super) waiting: mpsc::Receiver<SpanData>,
    /// The log has said that some are dropped; cleared when they go on their way again.
    pub(super) is_told: Arc<AtomicBool>,
}

pub(super) fn bounded() -> (Queue, Spans) {
    let (spans, waiting) = mpsc::channel(WAITING);
    let is_told = Arc::<AtomicBool>::default();
    (Queue { spans, is_told: is_told.clone() }, Spans { waiting, is_told })
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    /// Never waits.
    fn on_end(&self, span: SpanData) {
        let Err(error) = self.spans.try_send(span) else { return };
        dropped(1);
        // Closed, it is our own stop that nobody waits for.
        let is_full = matches!(error, TrySendError::Full(_));
        if is_full && !self.is_told.swap(true, Relaxed) {
            tracing::warn!(
                "spans are dropped: {WAITING} wait for the collector already; \
                 telepulse_spans_dropped_total counts them"
            );
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
