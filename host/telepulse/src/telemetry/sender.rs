//! The task that sends spans: some at a time, in OTLP's protobuf. What a collector that is away could not
//! take is tried again, while the queue fills behind it.

use super::{
    collector::{Collector, Failure, Rejected},
    queue::{self, Spans},
};
use bytes::Bytes;
use opentelemetry_proto::{
    tonic::collector::trace::v1::ExportTraceServiceRequest,
    transform::{
        common::tonic::ResourceAttributesWithSchema,
        trace::tonic::group_spans_by_resource_and_scope,
    },
};
use opentelemetry_sdk::{Resource, trace::SpanData};
use prost::Message as _;
use std::{mem, sync::atomic::Ordering::Relaxed, time::Duration};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Spans in one request.
const BATCH: usize = 512;
/// How long a span waits for others to go along.
const GATHER: Duration = Duration::from_secs(1);
/// How soon it is tried again after a failure; doubled each time up to [`LATEST`].
const AGAIN: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(30);

pub(super) struct Sender {
    spans: Spans,
    /// Taken out of the queue, for the next request.
    taken: Vec<SpanData>,
    resource: ResourceAttributesWithSchema,
    collector: Collector,
    /// The collector did not take the last request, and the log has said so.
    is_failing: bool,
}

/// One request's body, and how many spans are in it.
struct Batch {
    body: Bytes,
    spans: usize,
}

impl Sender {
    pub(super) fn new(spans: Spans, resource: &Resource, collector: Collector) -> Self {
        let resource = resource.into();
        Self { spans, taken: Vec::new(), resource, collector, is_failing: false }
    }

    /// Until it is stopped, or nobody can end a span any more; what is left then is tried once.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut left = None;
        while left.is_none()
            && let Some(batch) = stop.run_until_cancelled(self.gather()).await.flatten()
        {
            left = self.deliver(batch, &stop).await;
        }
        while let Some(batch) = left.take().or_else(|| self.ready()) {
            if let Err(failure) = self.collector.send(&batch.body).await {
                queue::dropped(batch.spans + self.spans.waiting.len());
                tracing::warn!(error = failure.why, "the last traces are lost");
                return;
            }
            queue::sent(batch.spans);
        }
    }

    /// The next spans; `None` when no more can come. Cancelled, it loses none.
    async fn gather(&mut self) -> Option<Batch> {
        let Self { spans: Spans { waiting, .. }, taken, .. } = self;
        if taken.is_empty() && waiting.recv_many(taken, BATCH).await == 0 {
            return None;
        }
        let others = async {
            while taken.len() < BATCH && waiting.recv_many(taken, BATCH - taken.len()).await > 0 {}
        };
        // Either way what came is taken.
        drop(timeout(GATHER, others).await);
        self.ready()
    }

    /// What is there now, if anything is.
    fn ready(&mut self) -> Option<Batch> {
        while self.taken.len() < BATCH
            && let Ok(span) = self.spans.waiting.try_recv()
        {
            self.taken.push(span);
        }
        let taken = mem::take(&mut self.taken);
        let spans = taken.len();
        let resource_spans = group_spans_by_resource_and_scope(taken, &self.resource);
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec().into();
        (spans > 0).then_some(Batch { body, spans })
    }

    /// Tries until the collector takes it or says that it never will; answers what was not sent when
    /// it was stopped.
    async fn deliver(&mut self, batch: Batch, stop: &CancellationToken) -> Option<Batch> {
        let mut pause = AGAIN;
        loop {
            let Some(sent) = stop.run_until_cancelled(self.collector.send(&batch.body)).await
            else {
                return Some(batch);
            };
            match sent {
                Ok(rejected) => {
                    self.went(batch.spans, &rejected);
                    return None;
                }
                Err(failure) if failure.is_final => {
                    queue::dropped(batch.spans);
                    self.failed(&failure);
                    return None;
                }
                Err(failure) => self.failed(&failure),
            }
            if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                return Some(batch);
            }
            pause = (pause * 2).min(LATEST);
        }
    }

    fn went(&mut self, spans: usize, rejected: &Rejected) {
        queue::sent(spans.saturating_sub(rejected.spans));
        queue::dropped(rejected.spans.min(spans));
        self.spans.is_told.store(false, Relaxed);
        if rejected.spans > 0 {
            let why = format!("it rejects {} of {spans} spans: {}", rejected.spans, rejected.why);
            self.failed(&Failure { why, is_final: true });
        } else if mem::take(&mut self.is_failing) {
            tracing::info!(collector = %self.collector, "traces are sent again");
        }
    }

    /// Said once, until it works again.
    fn failed(&mut self, failure: &Failure) {
        if !mem::replace(&mut self.is_failing, true) {
            tracing::warn!(
                collector = %self.collector, error = failure.why,
                "traces are not taken: look at [telemetry] otlp and at the collector; calls go on"
            );
        }
    }
}
