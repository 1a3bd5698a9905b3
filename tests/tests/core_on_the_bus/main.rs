//! Proxy and core without gateways, on a real Asterisk.

mod auditor;
mod audits;
mod bench;
mod calls;
mod faults;
mod links;
mod neighbours;
mod server;
mod tape;
