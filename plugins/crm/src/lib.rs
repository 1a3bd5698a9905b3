//! Screen pop and call notes with a CRM, a sandboxed component.
//!
//! [`calls`] follows which phones ring and talk in which calls with the world outside. Who calls is found out once for
//! each number, however many phones ring: in the address book that is kept here ([`book`]), in a CRM whose requests
//! are data ([`adapter`], [`template`], sent by [`courier`]), or by one of the clients of those who ring
//! ([`lookups`]). Notes and calls that have ended wait in the [`outbox`] until the CRM has them. [`crm`] is where all
//! of it meets, [`api`] what others ask over HTTP.
#![forbid(unsafe_code)]

mod adapter;
mod api;
mod book;
mod breaker;
mod cache;
mod calls;
mod courier;
mod crm;
mod lookups;
mod number;
mod outbox;
mod settings;
mod template;
#[cfg(test)]
mod tests;

use crm::Crm;
use serde_json::Value;
use telepulse_plugin_sdk::{
    Answer, CommandHandler, Event, Failure, Handoff, HttpHandler, Plugin, Replies, Start,
    Subscriber, Ticker,
    http::{self, Response},
    language::{Principal, Refusal, Request},
};

impl Plugin for Crm {
    fn init(start: &Start) -> Result<Self, String> {
        Self::begin(start.reason)
    }
}

impl Subscriber for Crm {
    fn handle(&mut self, event: Event<'_>) -> Result<(), Failure> {
        self.heard(&event)
    }
}

impl Replies for Crm {
    fn answered(&mut self, answer: Answer) {
        self.answered(answer);
    }
}

impl Ticker for Crm {
    fn fired(&mut self, _: u64) {
        self.woke();
    }
}

impl CommandHandler for Crm {
    fn serve(&mut self, command: Request, who: Option<&Principal>) -> Result<Value, Refusal> {
        self.serve(command, who)
    }
}

impl Handoff for Crm {
    fn save(&mut self) -> Result<Vec<u8>, String> {
        self.hand_over()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        self.take_over(state)
    }
}

impl HttpHandler for Crm {
    /// The address book comes whole, and is kept as one value.
    const MAX_BODY: usize = 1_000_000;

    fn handle(request: http::Request) -> Response {
        api::handle(&request)
    }
}

telepulse_plugin_sdk::manifest!("../manifest.toml");
telepulse_plugin_sdk::export!(
    Crm: HttpHandler, Subscriber, Replies, Ticker, CommandHandler, Handoff
);
