//! A collector of traces: what it was sent, as it was sent.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, status::StatusCode as SpanStatus},
};
use prost::Message as _;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch, time::timeout};

const SOON: Duration = Duration::from_secs(30);

/// A span, easier to look at.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty for the first of a trace.
    pub(crate) parent: String,
    /// As OTLP numbers them: 1 internal, 2 server, 3 client.
    pub(crate) kind: i32,
    pub(crate) said: BTreeMap<String, String>,
    /// Why it has failed, if it has.
    pub(crate) failure: Option<String>,
    pub(crate) begin: u64,
    pub(crate) end: u64,
}

#[derive(Default)]
struct Kept {
    spans: Vec<Seen>,
    /// Of the process that sent them.
    resource: BTreeMap<String, String>,
    headers: HeaderMap,
    requests: usize,
}

/// It listens until the test ends.
#[derive(Clone)]
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    news: watch::Sender<usize>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let collector = Self { address, kept: Arc::default(), news: watch::Sender::default() };
        let router = Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        collector
    }

    pub(crate) fn spans(&self) -> Vec<Seen> {
        self.kept.lock().unwrap().spans.clone()
    }

    pub(crate) fn requests(&self) -> usize {
        self.kept.lock().unwrap().requests
    }

    pub(crate) fn resource(&self, key: &str) -> Option<String> {
        self.kept.lock().unwrap().resource.get(key).cloned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        Some(self.kept.lock().unwrap().headers.get(name)?.to_str().unwrap().to_owned())
    }

    /// Waits for a span of that name, for which `wanted` holds.
    pub(crate) async fn span(&self, name: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
        let mut news = self.news.subscribe();
        let found = async {
            loop {
                let spans = self.spans();
                if let Some(found) = spans.iter().find(|it| it.name == name && wanted(it)) {
                    return found.clone();
                }
                news.changed().await.unwrap();
            }
        };
        let in_vain = |_| panic!("no span {name:?} came in time: {:#?}", self.spans());
        timeout(SOON, found).await.unwrap_or_else(in_vain)
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut kept = collector.kept.lock().unwrap();
    for of_resource in request.resource_spans {
        kept.resource = said(&of_resource.resource.unwrap().attributes);
        for scope in of_resource.scope_spans {
            kept.spans.extend(scope.spans.into_iter().map(seen));
        }
    }
    kept.headers = headers;
    kept.requests += 1;
    drop(kept);
    collector.news.send_modify(|count| *count += 1);
    StatusCode::OK
}

fn seen(span: Span) -> Seen {
    let status = span.status.clone().unwrap_or_default();
    let failure = (status.code() == SpanStatus::Error).then_some(status.message);
    Seen {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        kind: span.kind,
        said: said(&span.attributes),
        failure,
        begin: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        name: span.name,
    }
}

fn said(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |it: &KeyValue| match it.value.as_ref().and_then(|it| it.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{}: {other:?}", it.key),
    };
    attributes.iter().map(|it| (it.key.clone(), text(it))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
