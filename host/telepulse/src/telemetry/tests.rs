//! A collector that takes spans, not now, or never; and one that is too slow for what comes.

use super::{
    Telemetry,
    collector::Collector,
    dropped_so_far,
    names::{Name, key},
    queue, sent_so_far,
};
use crate::{config, tls::Acceptor, wait::until};
use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use bytes::Bytes;
use opentelemetry::trace::{Status, TracerProvider as _};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use prost::Message as _;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

/// Answers with these, one after the other, and then always with the last.
fn router(answers: &'static [StatusCode], rejected: i64) -> (Router, Arc<AtomicUsize>) {
    let asked = Arc::<AtomicUsize>::default();
    let count = asked.clone();
    let take = move |headers: HeaderMap, body: Bytes| {
        let number = count.fetch_add(1, Relaxed);
        async move {
            assert_eq!(headers["api-key"], "k");
            assert!(!ExportTraceServiceRequest::decode(body).unwrap().resource_spans.is_empty());
            let partial = ExportTracePartialSuccess {
                rejected_spans: rejected,
                error_message: "too old".to_owned(),
            };
            let answer = ExportTraceServiceResponse { partial_success: Some(partial) };
            (answers[number.min(answers.len() - 1)], answer.encode_to_vec())
        }
    };
    (Router::new().route("/v1/traces", post(take)), asked)
}

async fn collector(answers: &'static [StatusCode], rejected: i64) -> (String, Arc<AtomicUsize>) {
    let (router, asked) = router(answers, rejected);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, asked)
}

fn start(url: &str) -> Telemetry {
    trusting(url, None)
}

fn trusting(url: &str, ca: Option<PathBuf>) -> Telemetry {
    let settings = config::Telemetry {
        otlp: url.parse().unwrap(),
        headers: vec![("api-key".parse().unwrap(), config::Secret::new("k"))],
        service: "test".to_owned(),
        sample_percent: 100,
        ca,
    };
    Telemetry::start(Some(settings), "tp1").unwrap()
}

#[tokio::test]
async fn what_was_not_taken_is_sent_again() {
    let (url, asked) = collector(&[StatusCode::SERVICE_UNAVAILABLE, StatusCode::OK], 0).await;
    let telemetry = start(&url);
    let before = sent_so_far();
    drop(telemetry.tracer().asked(Name::Command("dial"), None));
    until("the span", || sent_so_far() > before && asked.load(Relaxed) > 1).await;
    assert_eq!(asked.load(Relaxed), 2);
    telemetry.stop().await;
    assert_eq!(asked.load(Relaxed), 2, "nothing is sent twice");
}

#[tokio::test]
async fn a_collector_that_encrypts_is_trusted_by_its_authority() {
    let folder = tempfile::tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let tls = Acceptor::load(config::ListenTls { cert: cert.clone(), key }).unwrap();
    let (router, asked) = router(&[StatusCode::OK], 0);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/v1/traces", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    tokio::spawn(crate::admin::serve(listener, router, Some(tls), shutdown.clone()));
    let telemetry = trusting(&url, Some(cert));
    let before = sent_so_far();
    drop(telemetry.tracer().asked(Name::Command("dial"), None));
    until("the span", || sent_so_far() > before).await;
    assert_eq!(asked.load(Relaxed), 1);
    telemetry.stop().await;
    shutdown.cancel();
    let missing = Collector::new(config::Telemetry {
        otlp: url.parse().unwrap(),
        headers: Vec::new(),
        service: "test".to_owned(),
        sample_percent: 100,
        ca: Some("/nowhere/ca.pem".into()),
    });
    let why = missing.err().unwrap().to_string();
    assert!(why.starts_with("ca: ") && why.contains("/nowhere/ca.pem"), "{why}");
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
async fn a_collector_that_says_too_much_has_taken_them() {
    let asked = Arc::<AtomicUsize>::default();
    let count = asked.clone();
    let take = async move || {
        count.fetch_add(1, Relaxed);
        vec![0; 100 << 10]
    };
    let router = Router::new().route("/v1/traces", post(take));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let telemetry = start(&url);
    for number in 1..=2 {
        let before = sent_so_far();
        drop(telemetry.tracer().asked(Name::Command("dial"), None));
        until("the span", || sent_so_far() > before && asked.load(Relaxed) >= number).await;
    }
    telemetry.stop().await;
    assert_eq!(asked.load(Relaxed), 2, "each is sent once");
}

#[tokio::test]
async fn a_span_whose_work_is_broken_off_has_failed() {
    let (queue, mut spans) = queue::bounded();
    let provider = SdkTracerProvider::builder().with_span_processor(queue).build();
    let tracer = super::Tracer(Some(provider.tracer("test")));
    let mut done = tracer.asked(Name::Command("dial"), None);
    assert_eq!(done.during(async { 7 }).await, 7);
    drop(done);
    assert_eq!(spans.waiting.try_recv().unwrap().status, Status::Unset);

    let mut late = tracer.asked(Name::Command("dial"), None);
    let work = late.during(std::future::pending::<()>());
    assert!(timeout(Duration::from_millis(1), work).await.is_err());
    drop(late);
    let status = spans.waiting.try_recv().unwrap().status;
    assert_eq!(status, Status::error("broken off before it was done"));
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
