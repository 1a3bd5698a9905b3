//! What the author of a TelePulse plugin imports.
//!
//! A plugin is a type with the state of an instance. It implements [`Plugin`] and the traits of what
//! it wants to be called for, and one macro makes a component of it:
//!
//! ```
//! use telepulse_plugin_sdk::{Event, Failure, Plugin, Start, Subscriber, log};
//!
//! struct Greeter;
//!
//! impl Plugin for Greeter {
//!     fn init(_: &Start) -> Result<Self, String> {
//!         Ok(Self)
//!     }
//! }
//!
//! impl Subscriber for Greeter {
//!     fn handle(&mut self, event: Event<'_>) -> Result<(), Failure> {
//!         log::info!("{} on {}", event.kind, event.server.unwrap_or("no server"));
//!         Ok(())
//!     }
//! }
//!
//! telepulse_plugin_sdk::export!(Greeter: Subscriber);
//! # fn main() {}
//! ```
//!
//! On any other target than wasm the same code talks to a fake host: see [`testing`].

mod event;
mod export;
mod host;
mod manifest;
mod plugin;

pub mod bus;
pub mod clock;
pub mod config;
pub mod connections;
pub mod fetch;
pub mod http;
pub mod json;
pub mod kv;
pub mod log;
pub mod metrics;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
#[cfg(target_family = "wasm")]
mod imports;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use connections::{Attached, CloseReason, Frame, Live, OpenInfo};
pub use event::{Event, FrameError, batch};
pub use plugin::{
    Answer, CommandHandler, ConnectionHandler, Failure, Handoff, HttpHandler, Plugin, Policy,
    Replies, Start, StartReason, Subscriber, Ticker, Verdict,
};
/// The TelePulse language, typed: events, commands, replies, queries and filters.
pub use telepulse_language as language;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub use export::glue as __glue;
#[doc(hidden)]
pub use export::implements as __implements;
