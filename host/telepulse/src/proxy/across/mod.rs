//! Servers that another node has: what is asked of them goes to that node over the bus, and its answer comes
//! back as if they were here.

mod far;
mod near;
mod statuses;
mod words;

pub(super) use far::Far;
pub(super) use near::serve;
pub(super) use statuses::follow;
pub(super) use words::{Question, ask};

use crate::bus::{Address, AddressError};

/// Where a node answers other nodes.
fn address(start: &str) -> Result<Address, AddressError> {
    Address::build(&["telepulse", "node", start, "ask"])
}
