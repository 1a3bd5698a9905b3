//! Requests that a plugin submits and does not wait for (`fetch.submit`).

use crate::{
    ctx::{Answer, Identity},
    grants::Origin,
    ports::{Body, OutgoingError, Timeouts},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::timeout;

/// The longest answer, in bytes: it may wait in a mailbox.
const LARGEST: usize = 1 << 20;

/// A request within the `http` grant.
pub(crate) struct Fetch {
    pub(crate) request: http::Request<Bytes>,
    /// The origin of the grant that covers it.
    pub(crate) origin: Origin,
    /// For all of it, the waiting for a place included.
    pub(crate) timeout: Duration,
}

/// What the plugin is told.
#[derive(Serialize)]
struct Fetched {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Sends it and reads the answer to its end.
pub(crate) async fn fetch(identity: Arc<Identity>, fetch: Fetch) -> Answer {
    let patience = fetch.timeout;
    let fetched = timeout(patience, exchange(&identity, fetch)).await;
    let fetched =
        fetched.unwrap_or_else(|_| Err(format!("no answer within {} ms", patience.as_millis())))?;
    serde_json::to_vec(&fetched).map(Bytes::from).map_err(|error| error.to_string())
}

async fn exchange(identity: &Identity, fetch: Fetch) -> Result<Fetched, String> {
    let Fetch { request, origin, timeout } = fetch;
    // Given back at the end; it is never closed.
    let _place = identity.outgoing.acquire().await.map_err(|error| error.to_string())?;
    let request =
        request.map(|body| Full::new(body).map_err(|never| match never {}).boxed_unsync());
    let timeouts = Timeouts { connect: timeout, first_byte: timeout, between_bytes: timeout };
    let response = identity.ports.outgoing.send(request, origin, timeouts).await;
    let (head, body) = response
        .map_err(|error| match error {
            OutgoingError::Prohibited { .. } => identity.denied(&error),
            error => error.to_string(),
        })?
        .into_parts();
    let body = text(body).await?;
    Ok(Fetched { status: head.status.as_u16(), headers: headers(&head.headers), body })
}

/// A body to its end, as text.
async fn text(mut body: Body) -> Result<String, String> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("the answer broke off: {error}"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > LARGEST {
            return Err("the answer has more than 1 MiB".to_owned());
        }
        bytes.extend_from_slice(&data);
    }
    String::from_utf8(bytes).map_err(|_| "the answer is not UTF-8".to_owned())
}

/// By name; several of one name are one list (RFC 9110, section 5.2).
fn headers(all: &http::HeaderMap) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in all {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|values| *values = format!("{values}, {value}"))
            .or_insert_with(|| value.into_owned());
    }
    headers
}
