//! The actions that TelePulse uses, each with its shape and its traps in one place.

mod calls;
mod listings;
mod queues;
mod session;

pub use calls::*;
pub use listings::*;
pub use queues::*;
pub use session::*;

#[cfg(test)]
mod tests;
