//! HTTP requests to servers outside that nobody waits for: the answer comes to [`crate::Replies::answered`], to
//! whichever instance runs then. Within `[grants] http`; redirects are not followed.

use crate::host::with;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, time::Duration};

/// A request.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Like `GET`.
    pub method: String,
    /// Whole, with `http://` or `https://`.
    pub url: String,
    /// Names with values.
    pub headers: Vec<(String, String)>,
    /// At most 1 MiB.
    pub body: Vec<u8>,
}

/// Headers and body may hold secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { method: method.into(), url: url.into(), ..Self::default() }
    }

    /// The same request with one header more.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same request with a body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

/// What the server answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// By name, in lower case; of a header that came twice the values with `, ` between them.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// UTF-8, at most 1 MiB.
    #[serde(default)]
    pub body: String,
}

/// Sends a request and returns at once with its number. `timeout` is for all of it, at most 30 s; `context`
/// comes back with the answer, which [`response`] reads.
pub fn submit(request: &Request, timeout: Duration, context: &[u8]) -> Result<u64, String> {
    let millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
    with(|host| host.fetch(request, millis, context))
}

/// What came of a submitted request; the error says why nothing did.
pub fn response(answer: Result<Vec<u8>, String>) -> Result<Response, String> {
    serde_json::from_slice(&answer?).map_err(|error| format!("what the host answered: {error}"))
}
