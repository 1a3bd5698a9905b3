//! Commands as data: what each comes down to on a model in a known state, or why it is refused.
#![allow(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

mod desk;
mod lines;
#[path = "../model/mod.rs"]
mod model;
mod orders;
