//! The REST gateway (contract section 4), a sandboxed component: what the host calls it for.
//!
//! A path is understood in [`route`], a body in [`body`], a query string in [`params`]; what they ask
//! for becomes a command or a query in [`api`], and a refusal becomes an answer in [`problem`]. Who
//! asks is the host's to know: it attaches the principal to what goes over the bus.
#![forbid(unsafe_code)]

mod api;
mod body;
mod params;
mod problem;
mod route;
#[cfg(test)]
mod tests;

use serde_json::Value;
use std::time::Duration;
use telepulse_plugin_sdk::{
    HttpHandler, bus,
    http::{Request, Response},
    language::Refusal,
};

/// How long a command or query may take: less than the host gives an HTTP request.
const TIMEOUT: Duration = Duration::from_secs(20);

struct Rest;

impl HttpHandler for Rest {
    fn handle(request: Request) -> Response {
        api::handle(&request, &mut HostBus)
    }
}

/// The bus that the host offers.
struct HostBus;

impl api::Bus for HostBus {
    fn ask(&mut self, address: &str, payload: &Value) -> Result<Value, Refusal> {
        bus::ask(address, payload, TIMEOUT)
    }
}

telepulse_plugin_sdk::manifest!("../manifest.toml");
telepulse_plugin_sdk::export!(Rest: HttpHandler);
