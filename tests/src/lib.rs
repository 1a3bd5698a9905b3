//! End to end: real Asterisk, SIP phones, WebSocket and HTTP clients, and the harness for them.
//!
//! The harness knows nothing of what it tests: its AMI client is its own, so that a mistake
//! in the platform's reading of AMI cannot hide itself here.
#![forbid(unsafe_code)]

pub mod ami;
pub mod asterisk;
#[cfg(feature = "crm")]
pub mod crm;
pub mod daemon;
pub mod fault_proxy;
mod http;
pub mod languages;
pub mod nats_cluster;
pub mod node;
pub mod phones;
pub mod plugins;
pub mod ports;
pub mod recording;
pub mod storm;
mod template;
pub mod wait;
pub mod wall_clock;
