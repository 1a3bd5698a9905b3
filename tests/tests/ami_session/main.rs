//! The session of `ami-proto` on a real Asterisk: what it promises holds on the wire.

mod actions;
mod filters;
mod link;
mod login;
