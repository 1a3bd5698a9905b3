//! The call-data cache (contract section 5), a sandboxed component: what one telephony system knows of a
//! call goes with it to the next, though the two share nothing but a telephone line.
//!
//! The first stores what it knows, and gets a number from a [`pools`] pool to send the call to. The second
//! sees the call come to that number (DNIS) from the caller's (ANI), and fetches the value by both. [`api`] is
//! what they ask over HTTP, [`cache`] what is kept; where the call comes through an Asterisk of ours,
//! [`delivery`] brings the value there before anybody asks.
#![forbid(unsafe_code)]

mod api;
mod cache;
mod delivery;
mod number;
mod pools;
mod settings;
#[cfg(test)]
mod tests;

use delivery::Delivery;
use telepulse_plugin_sdk::{
    Event, Failure, Handoff, HttpHandler, Plugin, Start, Subscriber,
    http::{Request, Response},
};

/// The instance that gets events; HTTP requests have others.
struct CallData {
    delivery: Delivery,
}

impl Plugin for CallData {
    fn init(_: &Start) -> Result<Self, String> {
        let settings = settings::read()?;
        settings.check()?;
        Ok(Self { delivery: Delivery::new(settings.variable) })
    }
}

impl Subscriber for CallData {
    fn handle(&mut self, event: Event<'_>) -> Result<(), Failure> {
        self.delivery.handle(&event)
    }
}

impl Handoff for CallData {
    fn save(&mut self) -> Result<Vec<u8>, String> {
        self.delivery.save()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        self.delivery.restore(state)
    }
}

impl HttpHandler for CallData {
    fn handle(request: Request) -> Response {
        api::handle(&request)
    }
}

telepulse_plugin_sdk::manifest!("../manifest.toml");
telepulse_plugin_sdk::export!(CallData: HttpHandler, Subscriber, Handoff);
