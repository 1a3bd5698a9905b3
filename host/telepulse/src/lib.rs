//! The TelePulse host: it wires AMI links, the call model, the bus and the plugins, and holds no
//! telephony logic of its own.
#![forbid(unsafe_code)]

pub mod admin;
pub mod app;
mod ari;
mod audit;
pub mod auth;
pub mod bus;
pub mod cli;
mod clock;
pub(crate) mod cluster;
pub mod config;
mod core;
pub mod demo;
pub mod doctor;
mod exchange;
pub mod feeds;
pub mod history;
pub mod logging;
pub mod memory;
mod nats;
pub mod paint;
pub mod plugins;
pub mod proxy;
mod service;
pub mod sockets;
pub mod store;
pub mod tape;
mod telemetry;
pub mod tls;
#[cfg(test)]
mod wait;
