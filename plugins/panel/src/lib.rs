//! The operator panel, a sandboxed component: it serves a page, and that is all. The page uses the WebSocket gateway
//! like any other client, so what its user may see and do is the host's to decide.
//!
//! The page itself is in `app/`; its built files are part of the component ([`assets`]). [`answer`] says who gets what,
//! [`headers`] what a browser must not do with it, [`settings`] what the page is told of this place.
#![forbid(unsafe_code)]

mod answer;
mod assets;
mod headers;
mod settings;
#[cfg(test)]
mod tests;

use telepulse_plugin_sdk::{
    HttpHandler,
    http::{Request, Response},
};

struct Panel;

impl HttpHandler for Panel {
    fn handle(request: Request) -> Response {
        answer::handle(&request, settings::read())
    }
}

telepulse_plugin_sdk::manifest!("../manifest.toml");
telepulse_plugin_sdk::export!(Panel: HttpHandler);
