//! The collector: one HTTP request for some spans (OTLP 1.x, protobuf).

use super::TelemetryError;
use crate::{
    config,
    exchange::{self, AskError},
    tls,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::Full;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use std::{fmt, path::Path, sync::Arc, time::Duration};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long it may take to take them.
const WITHIN: Duration = Duration::from_secs(10);
/// The largest answer, in bytes.
const LARGEST: usize = 64 << 10;

/// Where spans are sent.
pub(super) struct Collector {
    url: Uri,
    headers: HeaderMap,
    /// For `https`.
    tls: Option<TlsConnector>,
}

/// Why it did not take some spans.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) why: String,
    /// It never will: they are not to be sent again.
    pub(super) is_final: bool,
}

/// What it did not want of the spans that it took.
#[derive(Debug, Default)]
pub(super) struct Rejected {
    pub(super) spans: usize,
    /// In its own words.
    pub(super) why: String,
}

impl Collector {
    pub(super) fn new(settings: config::Telemetry) -> Result<Self, TelemetryError> {
        let url = settings.otlp;
        let mut headers = HeaderMap::new();
        for (name, secret) in settings.headers {
            // They were checked where they were read.
            let value = HeaderValue::try_from(secret.expose());
            let mut value = value.map_err(|_| TelemetryError::Header(name.to_string()))?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        let is_encrypted = url.scheme_str() == Some("https");
        let tls = is_encrypted.then(|| connector(settings.ca.as_deref()));
        Ok(Self { url, headers, tls: tls.transpose()? })
    }

    /// Sends spans; answers which of them the collector rejected.
    pub(super) async fn send(&self, body: &Bytes) -> Result<Rejected, Failure> {
        let later = |why: String| Failure { why, is_final: false };
        let request = self.request(body.clone()).map_err(|error| later(error.to_string()))?;
        let asked = exchange::ask(&self.url, self.tls.as_ref(), request, LARGEST);
        let late = |_| later(format!("no answer within {} s", WITHIN.as_secs()));
        let (status, answer) = match timeout(WITHIN, asked).await.map_err(late)? {
            Ok(answered) => answered,
            // It took them: that it says too much of it is no reason to send them again.
            Err(AskError::TooLong { status, .. }) if status.is_success() => {
                return Ok(Rejected::default());
            }
            Err(error) => return Err(later(error.to_string())),
        };
        if !status.is_success() {
            return Err(Failure {
                why: format!("it answers {status}"),
                is_final: !may_pass(status),
            });
        }
        let answer = ExportTraceServiceResponse::decode(answer).map_err(|_| Failure {
            why: format!("it answers {status}, and not as OTLP does: who listens there?"),
            is_final: true,
        })?;
        let partial = answer.partial_success.unwrap_or_default();
        let spans = usize::try_from(partial.rejected_spans).unwrap_or_default();
        Ok(Rejected { spans, why: partial.error_message })
    }

    fn request(&self, body: Bytes) -> http::Result<Request<Full<Bytes>>> {
        let mut request = exchange::request(http::Method::POST, &self.url)
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .header(header::USER_AGENT, concat!("telepulse/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(body))?;
        request.headers_mut().extend(self.headers.clone());
        Ok(request)
    }
}

/// What encrypts, and knows whom to trust.
fn connector(ca: Option<&Path>) -> Result<TlsConnector, TelemetryError> {
    let roots = match ca {
        Some(ca) => tls::roots(ca).map_err(TelemetryError::Trust)?,
        None => tls::machine_roots().ok_or(TelemetryError::NobodyTrusted)?,
    };
    let config = tls::builder(roots).map_err(TelemetryError::Trust)?.with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

/// The answers after which the same may be tried again, by OTLP's specification.
fn may_pass(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}
