//! Requests that guests send, by `wasi:http/outgoing-handler` or submitted: within the `http` grant, a bounded
//! number at a time, driven by the host's runtime. Connecting is the port's.

mod addresses;
mod fetch;

pub use addresses::may_be_reached;
pub(crate) use fetch::{Fetch, fetch};

use crate::{
    ctx::{Identity, Rights},
    ports::{Body, OutgoingError, Timeouts},
};
use http_body_util::BodyExt;
use std::{future::Future, sync::Arc, time::Duration};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// Requests of one plugin that may be under way; a response counts until its body has been read.
pub(crate) const UNDER_WAY: usize = 64;
/// Where the guest says nothing, and at most.
const CONNECT: Duration = Duration::from_secs(5);
const FIRST_BYTE: Duration = Duration::from_secs(30);
const BETWEEN_BYTES: Duration = Duration::from_secs(30);

type Done = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = (http::Response<WasiBody>, Done);

/// What a store's guest may send.
pub(crate) struct Hooks {
    pub(crate) identity: Arc<Identity>,
    pub(crate) rights: Arc<Rights>,
}

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Done,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let sent = self.send(request, options);
        Box::new(async {
            let response = sent?.await.unwrap_or_else(|_| Err(Error::InternalError(None)))?;
            let done: Done = Box::new(std::future::ready(Ok(())));
            Ok((response, done))
        })
    }
}

type Response = Result<http::Response<WasiBody>, Error>;

impl Hooks {
    fn send(
        &self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<tokio::task::JoinHandle<Response>, Error> {
        let origin = match self.rights.grants.may_fetch(request.uri()) {
            Ok(origin) => origin.clone(),
            Err(denied) => {
                self.identity.denied(&denied);
                return Err(Error::HttpRequestDenied);
            }
        };
        let place = Arc::clone(&self.identity.outgoing).try_acquire_owned();
        let place = place.map_err(|_| {
            self.identity.denied(&format!("{UNDER_WAY} requests are under way already"));
            Error::ConnectionLimitReached
        })?;
        let request = request.map(|body| body.map_err(|error| format!("{error:?}").into()));
        let request = request.map(BodyExt::boxed_unsync);
        let sent = self.identity.ports.outgoing.send(request, origin, timeouts(options));
        let identity = Arc::clone(&self.identity);
        Ok(self.identity.home.spawn(async move {
            let response = sent.await.map_err(|error| {
                if matches!(error, OutgoingError::Prohibited { .. }) {
                    identity.denied(&error);
                }
                tracing::debug!(plugin = %identity.name, %error, "a request came to nothing");
                wasi(error)
            })?;
            let body = |body: Body| {
                let body = body.map_err(|error| Error::InternalError(Some(error.to_string())));
                // The place is free when the body has been read, or is dropped.
                body.map_frame(move |frame| {
                    let _ = &place;
                    frame
                })
                .boxed_unsync()
            };
            Ok(response.map(body))
        }))
    }
}

fn timeouts(options: Option<RequestOptions>) -> Timeouts {
    let options = options.unwrap_or_default();
    Timeouts {
        connect: options.connect_timeout.unwrap_or(CONNECT).min(CONNECT),
        first_byte: options.first_byte_timeout.unwrap_or(FIRST_BYTE).min(FIRST_BYTE),
        between_bytes: options.between_bytes_timeout.unwrap_or(BETWEEN_BYTES).min(BETWEEN_BYTES),
    }
}

fn wasi(error: OutgoingError) -> Error {
    match error {
        OutgoingError::NoSuchHost(_) => Error::DnsError { rcode: None, info_code: None },
        OutgoingError::Prohibited { .. } => Error::DestinationIpProhibited,
        OutgoingError::Connect(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Error::ConnectionRefused
        }
        OutgoingError::Connect(_) => Error::DestinationUnavailable,
        OutgoingError::ConnectTimeout => Error::ConnectionTimeout,
        OutgoingError::Tls(_) => Error::TlsProtocolError,
        OutgoingError::ResponseTimeout => Error::HttpResponseTimeout,
        OutgoingError::Http(_) => Error::HttpProtocolError,
    }
}
