//! Traces for OpenTelemetry: one a command, from where it comes in to Asterisk's answer.
//!
//! Spans are made where the work is done ([`Tracer`], [`Trace`], [`Span`]). What has ended is queued, and a
//! task sends it to the collector; nobody waits for that, and what does not fit is dropped and counted.

mod collector;
mod names;
mod queue;
mod sender;
mod span;
#[cfg(test)]
mod tests;
mod traceparent;

pub(crate) use names::{Name, key};
pub(crate) use queue::{dropped_so_far, sent_so_far};
pub(crate) use span::{Span, Trace, Tracer};

use crate::config;
use collector::Collector;
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use sender::Sender;
use std::time::Duration;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// How long what has ended may take to leave when we stop.
const GOODBYE: Duration = Duration::from_secs(2);

/// Why traces cannot be sent as configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TelemetryError {
    /// A header that no request can have.
    #[error("headers: {0} cannot be sent: look for line ends in its value")]
    Header(String),
    /// Whom to trust cannot be found out.
    #[error("ca: {0}")]
    Trust(String),
    /// There is nobody to trust.
    #[error("otlp: this machine trusts no certificate authority: name one with ca")]
    NobodyTrusted,
}

/// Where spans go, and the task that sends them.
#[derive(Default)]
pub(crate) struct Telemetry {
    tracer: Tracer,
    sender: Option<(JoinHandle<()>, CancellationToken)>,
}

impl Telemetry {
    /// Begins to send what ends, as configured; without a collector nothing is traced.
    fn start(settings: Option<config::Telemetry>, node: &str) -> Result<Self, TelemetryError> {
        let Some(settings) = settings else { return Ok(Self::default()) };
        // The environment's OTEL_RESOURCE_ATTRIBUTES are in it, too.
        let resource = Resource::builder()
            .with_service_name(settings.service.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.instance.id", node.to_owned()))
            .build();
        let ratio = f64::from(settings.sample_percent) / 100.0;
        let (queue, spans) = queue::bounded();
        let sender = Sender::new(spans, &resource, Collector::new(settings)?);
        // Whoever began the trace has decided whether it is followed.
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio)));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(queue)
            .with_sampler(sampler)
            .with_resource(resource)
            .build();
        let stop = CancellationToken::new();
        let task = tokio::spawn(sender.run(stop.clone()));
        let tracer = Tracer(Some(provider.tracer("telepulse")));
        Ok(Self { tracer, sender: Some((task, stop)) })
    }

    /// The same, or nothing where it cannot be: calls are worth more than what is known of them.
    pub(crate) fn start_or_none(settings: Option<config::Telemetry>, node: &str) -> Self {
        Self::start(settings, node).unwrap_or_else(|error| {
            tracing::error!(%error, "no traces are sent: look at [telemetry]");
            Self::default()
        })
    }

    /// What begins traces.
    pub(crate) fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// Sends what has ended, but does not wait long for a collector.
    pub(crate) async fn stop(self) {
        let Some((mut task, stop)) = self.sender else { return };
        stop.cancel();
        if timeout(GOODBYE, &mut task).await.is_err() {
            task.abort();
            let seconds = GOODBYE.as_secs();
            tracing::warn!(
                "the last traces are lost: the collector did not take them in {seconds} s"
            );
        }
    }
}
