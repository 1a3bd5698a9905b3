//! Proxy and core without gateways, on a real Asterisk.

mod bench;
mod calls;
mod links;
mod server;
