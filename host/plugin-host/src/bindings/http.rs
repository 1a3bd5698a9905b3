//! `wasi:http/incoming-handler`: one request into a component and its answer out.

use super::Guest;
use crate::{ctx::Ctx, ports::Body};
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use wasmtime::{Store, component::Resource};
use wasmtime_wasi_http::{
    Error, WasiBody, WasiHttpView,
    p2::{
        bindings::http::types::{ErrorCode, Scheme},
        types::{HostIncomingRequest, HostResponseOutparam},
    },
};

/// What the guest answers with, as soon as it has decided on status and headers.
pub(crate) type Answer = oneshot::Receiver<Result<http::Response<WasiBody>, ErrorCode>>;

/// A request on its way into a store.
pub(crate) struct Incoming {
    request: Resource<HostIncomingRequest>,
    answer: Resource<HostResponseOutparam>,
}

impl Incoming {
    /// Puts a request into the store's table.
    pub(crate) fn new(
        store: &mut Store<Ctx>,
        mut request: http::Request<Body>,
    ) -> wasmtime::Result<(Self, Answer)> {
        // HTTP/1.0 needs no Host, but the interface wants an authority.
        let host = http::HeaderValue::from_static("localhost");
        request.headers_mut().entry(http::header::HOST).or_insert(host);
        let request =
            request.map(|body| body.map_err(|error| Error::InternalError(Some(error.to_string()))));
        let (sender, receiver) = oneshot::channel();
        let request = store.data_mut().http().new_incoming_request(Scheme::Http, request)?;
        let answer = store.data_mut().http().new_response_outparam(sender)?;
        Ok((Self { request, answer }, receiver))
    }
}

/// A guest's answer with our own body type.
pub(crate) fn answer(response: http::Response<WasiBody>) -> http::Response<Body> {
    response.map(|body| {
        body.map_err(|error| format!("the plugin's answer broke off: {error:?}").into())
            .boxed_unsync()
    })
}

impl Guest {
    /// Runs the handler to its end, which may come after the answer.
    pub(crate) async fn http(
        &self,
        store: &mut Store<Ctx>,
        incoming: Incoming,
    ) -> wasmtime::Result<()> {
        let Some(guest) = &self.http else {
            wasmtime::bail!("it does not export wasi:http/incoming-handler");
        };
        guest.call_handle(store, incoming.request, incoming.answer).await
    }
}
