//! HTTP: requests that plugins answer, and those that they send.

use crate::grants::Origin;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::combinators::UnsyncBoxBody;
use std::{sync::Arc, time::Duration};
use telepulse_language::Principal;

/// A body of an HTTP message on its way through the host.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Why a body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A plugin that answers HTTP requests.
pub trait HttpHandler: Send + Sync + 'static {
    /// Answers one request. `Authorization` has been taken out of it; the principal says who asks.
    fn handle(
        &self,
        request: http::Request<Body>,
        principal: Option<Arc<Principal>>,
    ) -> BoxFuture<'static, Result<http::Response<Body>, HttpFailure>>;
}

/// Why a request has no whole body. A listener that bounds bodies says so by it, as their error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFailure {
    /// It has more bytes than may be: 413.
    #[error("a body may have {0} bytes")]
    TooLong(usize),
    /// It did not come in time: 408.
    #[error("the body took longer than {0:?}")]
    TooSlow(Duration),
    /// The client broke it off, or it is no body: 400.
    #[error("the body broke off")]
    Broken,
}

/// Why a plugin did not answer an HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpFailure {
    /// Nobody has logged in, and users with a certain right are let in only: 401.
    #[error("log in first")]
    NobodyAsks,
    /// The user has not that right: 403.
    #[error("you may not use it")]
    Forbidden,
    /// What was asked is not all there.
    #[error(transparent)]
    Body(#[from] BodyFailure),
    /// No instance runs: 503.
    #[error("the plugin is not running")]
    NotRunning,
    /// It trapped: 500.
    #[error("the plugin failed")]
    Failed,
    /// It took too long: 504.
    #[error("the plugin took too long")]
    TimedOut,
}

/// Sends plugins' requests. Grants have been checked before, addresses have not: names are resolved
/// here, and where they lead is checked by [`crate::may_be_reached`].
pub trait Outgoing: Send + Sync + 'static {
    /// Sends a request to its origin and answers with the response; its body comes as it is read.
    fn send(
        &self,
        request: http::Request<Body>,
        origin: Origin,
        timeouts: Timeouts,
    ) -> BoxFuture<'static, Result<http::Response<Body>, OutgoingError>>;
}

/// How long the parts of a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Resolving, connecting and agreeing on TLS.
    pub connect: Duration,
    /// From there to the response's head.
    pub first_byte: Duration,
    /// Between two pieces of its body.
    pub between_bytes: Duration,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    /// The name leads nowhere.
    #[error("there is no host {0:?}")]
    NoSuchHost(String),
    /// The name leads where no plugin is let.
    #[error(
        "{host} is {address}: a loopback, private or special address is only reached by a grant that names it"
    )]
    Prohibited {
        /// The name.
        host: String,
        /// One of the addresses that it leads to.
        address: std::net::IpAddr,
    },
    /// Nobody takes the connection.
    #[error("connecting: {0}")]
    Connect(std::io::Error),
    /// It took too long.
    #[error("connecting took too long")]
    ConnectTimeout,
    /// The other side is not who it should be, or speaks no TLS.
    #[error("TLS: {0}")]
    Tls(std::io::Error),
    /// No head of a response came in time.
    #[error("the response took too long")]
    ResponseTimeout,
    /// What came is no HTTP.
    #[error("HTTP: {0}")]
    Http(String),
}
