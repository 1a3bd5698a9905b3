//! The whole platform, driven from outside: a real Asterisk with phones at one end, WebSocket and
//! REST clients at the other, both gateways as sandboxed plugins in between.

mod ari;
mod audited;
mod bad_input;
mod browser;
mod calldata;
#[expect(dead_code, clippy::unwrap_used, reason = "shared with the tests of the host")]
#[path = "../../../host/telepulse/tests/traces/collector.rs"]
mod collector;
mod crm;
mod encrypted;
mod failover;
mod faults;
mod feed;
mod floods;
mod history;
mod identity;
mod integrators;
mod languages;
mod listeners;
mod main_job;
mod nodes;
mod openapi;
mod outage;
mod owners;
mod panel;
mod placed;
mod platform;
mod policy;
mod published;
mod recording;
mod reload;
mod rest;
mod revocations;
mod rights;
mod traced;
mod typescript;
mod views;
mod words;
mod ws;
