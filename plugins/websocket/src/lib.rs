//! The WebSocket gateway (contract section 3), a sandboxed component: what the host calls it for.
//!
//! A client's message is understood in [`message`]; what it may cause lives in [`gateway`]; requests
//! on their way through the bus wait in [`desk`]; a client's state is a [`session::Session`], which
//! outlives this instance in the connection's tag. Events never pass through here: the host sends
//! them to the feeds that [`gateway`] attaches.
#![forbid(unsafe_code)]

mod desk;
mod gateway;
mod message;
mod reply;
mod session;
mod stream;
#[cfg(test)]
mod tests;

use gateway::Gateway;
use telepulse_plugin_sdk::{
    Answer, CloseReason, ConnectionHandler, Event, Failure, Frame, Handoff, Live, OpenInfo, Plugin,
    Replies, Start, Subscriber, Ticker,
};

impl Plugin for Gateway {
    fn init(start: &Start) -> Result<Self, String> {
        Ok(Self::begun(start.reason))
    }
}

impl ConnectionHandler for Gateway {
    fn opened(&mut self, info: OpenInfo) {
        self.open(&info);
    }

    fn received(&mut self, conn: u64, frame: Frame) {
        self.frame(conn, &frame);
    }

    fn lagged(&mut self, conn: u64, _missed: u64) {
        self.refresh(conn, |_| true);
    }

    fn closed(&mut self, conn: u64, _reason: CloseReason) {
        self.forget(conn);
    }

    fn resumed(&mut self, live: Live) {
        self.resume(live);
    }
}

impl Subscriber for Gateway {
    fn handle(&mut self, event: Event<'_>) -> Result<(), Failure> {
        self.heard(event)
    }
}

impl Replies for Gateway {
    fn answered(&mut self, answer: Answer) {
        self.answer(&answer);
    }
}

impl Ticker for Gateway {
    fn fired(&mut self, timer: u64) {
        self.login_is_due(timer);
    }
}

impl Handoff for Gateway {
    fn save(&mut self) -> Result<Vec<u8>, String> {
        self.hand_over()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        self.take_over(state)
    }
}

telepulse_plugin_sdk::manifest!("../manifest.toml");
telepulse_plugin_sdk::export!(Gateway: ConnectionHandler, Subscriber, Replies, Ticker, Handoff);
