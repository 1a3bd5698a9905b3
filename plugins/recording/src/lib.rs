//! Recording policies, a sandboxed component: which calls are recorded, by rules; when a recording pauses, and who
//! saw to it; and where recordings are found and heard.
//!
//! [`rules`] say what is wanted, [`template`] how files are called. [`recorder`] follows the calls, decides on each
//! once, and orders. What is known of a recording is an [`entry`], kept in an [`index`] for as long as its rule
//! says ([`retention`]). [`api`] is what is asked over HTTP, [`audio`] what a player is sent.
#![forbid(unsafe_code)]

mod api;
mod audio;
mod calls;
mod entry;
mod hours;
mod index;
mod orders;
mod pattern;
mod recorder;
mod retention;
mod rules;
mod search;
mod settings;
mod template;
#[cfg(test)]
mod tests;

use recorder::Recorder;
use telepulse_plugin_sdk::{
    Answer, Event, Failure, Handoff, HttpHandler, Plugin, Replies, Start, Subscriber, Ticker,
    http::{Request, Response},
};

/// The instance that gets events; HTTP requests have others.
struct Recording {
    recorder: Recorder,
}

impl Plugin for Recording {
    fn init(start: &Start) -> Result<Self, String> {
        let settings = settings::read()?;
        settings.check()?;
        Ok(Self { recorder: Recorder::new(settings, start.reason)? })
    }
}

impl Subscriber for Recording {
    fn handle(&mut self, event: Event<'_>) -> Result<(), Failure> {
        self.recorder.handle(&event)
    }
}

impl Replies for Recording {
    fn answered(&mut self, answer: Answer) {
        self.recorder.answered(answer);
    }
}

impl Ticker for Recording {
    fn fired(&mut self, timer: u64) {
        self.recorder.fired(timer);
    }
}

impl Handoff for Recording {
    fn save(&mut self) -> Result<Vec<u8>, String> {
        self.recorder.save()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        self.recorder.restore(state)
    }
}

impl HttpHandler for Recording {
    fn handle(request: Request) -> Response {
        api::handle(&request)
    }
}

telepulse_plugin_sdk::manifest!("../manifest.toml");
telepulse_plugin_sdk::export!(Recording: HttpHandler, Subscriber, Replies, Ticker, Handoff);
