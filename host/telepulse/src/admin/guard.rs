//! What every request to the admin API must pass: it comes from here and not from a foreign web page.

use super::{Api, problem::Problem};
use crate::auth::{self, Door};
use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, Method, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::net::{IpAddr, SocketAddr};
use telepulse_language::Code;

/// Paths that ask for no token: probes have none, and learn nothing but that we run.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

pub(super) async fn check(State(api): State<Api>, request: Request, next: Next) -> Response {
    let mut response = match admit(&api, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn admit(api: &Api, request: &Request) -> Result<(), Problem> {
    let host = host(request)
        .ok_or_else(|| Problem::new(Code::BadRequest, "the Host header is missing or twisted"))?;
    // A name that a web page made point here (DNS rebinding) is none of ours.
    if api.settings.listen.ip().is_loopback() && !is_loopback(&host) {
        let message = "this Host is not served here: call it 127.0.0.1 or localhost";
        return Err(Problem::new(Code::Forbidden, message));
    }
    if is_cross_site(request.method(), request.headers(), &host) {
        return Err(Problem::new(Code::Forbidden, "pages of other sites may not call this API"));
    }
    match &api.settings.token {
        Some(hash) if !OPEN.contains(&request.uri().path()) => {
            let token = bearer(request.headers());
            if token.is_some_and(|token| auth::token_matches(hash, token)) {
                Ok(())
            } else {
                Err(turn_away(api, request))
            }
        }
        _ => Ok(()),
    }
}

/// A right token is never turned away, whatever others at the same address have tried.
fn turn_away(api: &Api, request: &Request) -> Problem {
    let is_guess = request.headers().contains_key(header::AUTHORIZATION);
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let is_counted = |peer| api.failed.count(Door::Admin, peer, None);
    if is_guess && peer.is_some_and(|peer| !is_counted(peer)) {
        let message = "too many wrong admin tokens; try again in a minute";
        return Problem::new(Code::TooManyRequests, message);
    }
    let message = "the admin token is missing or wrong: send Authorization: Bearer …";
    Problem::new(Code::Unauthorized, message)
}

/// Whom the request means: the one Host header, and the target if it names a host, agreeing.
fn host(request: &Request) -> Option<Authority> {
    let mut headers = request.headers().get_all(header::HOST).iter();
    let host: Authority = headers.next()?.to_str().ok()?.parse().ok()?;
    let agrees = request.uri().authority().is_none_or(|target| *target == host);
    (headers.next().is_none() && agrees).then_some(host)
}

/// Any port: a tunnel may lead here from another one.
fn is_loopback(host: &Authority) -> bool {
    let name = host.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Browsers say where a page is from; other programs say nothing.
fn is_cross_site(method: &Method, headers: &HeaderMap, host: &Authority) -> bool {
    let own = |origin: &HeaderValue| {
        let origin = origin.to_str().unwrap_or_default();
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host.as_str()))
    };
    let foreign_origin = headers.get_all(header::ORIGIN).iter().any(|origin| !own(origin));
    let foreign_site =
        headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    foreign_origin || (foreign_site && !method.is_safe())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
