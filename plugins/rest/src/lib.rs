//! The REST gateway (contract section 4), a sandboxed component: what the host calls it for.
//!
//! What there is stands in one table, [`operations`], from which `openapi.json` is made, too. A path is
//! understood in [`route`], a query string in [`params`]; what they ask for becomes a command or a query in
//! [`api`]. [`once`] keeps a POST from being carried out twice, [`tag`] saves answers that the client has,
//! [`cors`] lets pages in. Who asks is the host's to know: it attaches the principal to what goes over the bus.
#![forbid(unsafe_code)]

mod api;
mod cors;
mod once;
#[cfg(test)]
mod openapi;
mod operations;
mod pages;
mod params;
mod route;
mod tag;
#[cfg(test)]
mod tests;

use serde_json::Value;
use std::time::Duration;
use telepulse_plugin_sdk::{
    HttpHandler, bus, config,
    http::{Request, Response},
    kv,
    language::Refusal,
    log,
};

/// How long a command or query may take: less than the host gives an HTTP request.
const TIMEOUT: Duration = Duration::from_secs(20);

struct Rest;

impl HttpHandler for Rest {
    fn handle(request: Request) -> Response {
        api::handle(&request, &mut Host)
    }
}

/// What the host offers.
struct Host;

impl api::Outside for Host {
    fn ask(&mut self, address: &str, payload: &Value) -> Result<Value, Refusal> {
        bus::ask(address, payload, TIMEOUT)
    }

    fn remembered(&mut self, key: &str) -> Result<Option<Vec<u8>>, String> {
        kv::get(key)
    }

    fn remember(
        &mut self,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        how_long: Duration,
    ) -> Result<bool, String> {
        kv::compare_and_swap(key, expected, value, Some(how_long))
    }

    fn forget(&mut self, key: &str) -> Result<(), String> {
        kv::take(key).map(drop)
    }

    fn origins(&mut self) -> Vec<String> {
        config::setting("cors")
            .unwrap_or_else(|error| {
                log::warn!("{error}: no page of another origin is let in");
                None
            })
            .unwrap_or_default()
    }
}

telepulse_plugin_sdk::manifest!("../manifest.toml");
telepulse_plugin_sdk::export!(Rest: HttpHandler);
