//! A collector that takes spans, not now, or never; and one that is too slow for what comes.

use super::{
    Telemetry, dropped_so_far,
    names::{Name, key},
    queue, sent_so_far,
};
use crate::config;
use axum::{Router, http::StatusCode, routing::post};
use bytes::Bytes;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use prost::Message as _;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(20);

/// Answers with these, one after the other, and then always with the last.
async fn collector(answers: &'static [StatusCode], rejected: i64) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::<AtomicUsize>::default();
    let count = asked.clone();
    let take = move |body: Bytes| {
        let number = count.fetch_add(1, Relaxed);
        async move {
            assert!(!ExportTraceServiceRequest::decode(body).unwrap().resource_spans.is_empty());
            let partial = ExportTracePartialSuccess {
                rejected_spans: rejected,
                error_message: "too old".to_owned(),
            };
            let answer = ExportTraceServiceResponse { partial_success: Some(partial) };
            (answers[number.min(answers.len() - 1)], answer.encode_to_vec())
        }
    };
    let router = Router::new().route("/v1/traces", post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, asked)
}

fn start(url: &str) -> Telemetry {
    let settings = config::Telemetry {
        otlp: url.parse().unwrap(),
        headers: Vec::new(),
        service: "test".to_owned(),
        sample_percent: 100,
        ca: None,
    };
    Telemetry::start(Some(settings), "tp1").unwrap()
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = async {
        while !is_so() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(SOON, waited).await.is_ok(), "waited in vain for {what}");
}

#[tokio::test]
async fn what_was_not_taken_is_sent_again() {
    let (url, asked) = collector(&[StatusCode::SERVICE_UNAVAILABLE, StatusCode::OK], 0).await;
    let telemetry = start(&url);
    let before = sent_so_far();
    drop(telemetry.tracer().asked(Name::Command("dial"), None));
    until("the span", || sent_so_far() > before).await;
    assert_eq!(asked.load(Relaxed), 2);
    telemetry.stop().await;
    assert_eq!(asked.load(Relaxed), 2, "nothing is sent twice");
}

#[tokio::test]
async fn what_is_never_taken_is_dropped_and_counted() {
    for (answer, rejected) in [(&[StatusCode::BAD_REQUEST], 0), (&[StatusCode::OK], 1)] {
        let (url, asked) = collector(answer, rejected).await;
        let telemetry = start(&url);
        let before = dropped_so_far();
        drop(telemetry.tracer().asked(Name::Command("dial"), None));
        until("the count", || dropped_so_far() > before).await;
        assert_eq!(asked.load(Relaxed), 1);
        telemetry.stop().await;
    }
}

#[tokio::test]
async fn what_does_not_fit_is_dropped_and_counted() {
    let (queue, mut spans) = queue::bounded();
    let provider = SdkTracerProvider::builder().with_span_processor(queue).build();
    let tracer = super::Tracer(Some(provider.tracer("test")));
    let before = dropped_so_far();
    for _ in 0..queue::WAITING + 7 {
        let mut span = tracer.asked(Name::Command("dial"), None);
        span.say(key::ACTION, "dial");
    }
    assert!(dropped_so_far() >= before + 7);
    assert!(spans.is_told.load(Relaxed));
    assert_eq!(spans.waiting.len(), queue::WAITING);
    assert_eq!(spans.waiting.try_recv().unwrap().name, "command dial");
}

#[test]
fn without_a_collector_a_span_is_nothing() {
    let tracer = super::Tracer::default();
    let mut span = tracer.asked(Name::Command("dial"), None);
    span.say_with(key::ACTION, || -> Option<String> { panic!("nobody will see it") });
    span.fail(|| -> String { panic!("nobody will see it") }, "");
    assert!(!span.is_seen() && span.traceparent().is_none());
    assert!(!span.trace().step(Name::Plan("dial")).is_seen());
    assert_eq!(size_of_val(&span), size_of::<usize>());
}
