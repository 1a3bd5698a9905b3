//! The core: serves commands, queries and raw actions on the bus, checks rights where they enter,
//! and passes them on to the task of the right server.

mod commands;
mod note;
mod pace;
mod policies;
mod queries;
mod raw;
mod rights;
mod serve;
mod served;

pub(crate) use commands::Desk;
pub(crate) use pace::Pace;
pub(crate) use policies::Policies;
pub(crate) use rights::plan;
pub(crate) use serve::start;
pub(crate) use served::Served;
