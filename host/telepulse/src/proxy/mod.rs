//! The proxy: a task for each Asterisk server, and the registry that starts and ends them.

mod across;
mod audit;
mod away;
mod change;
mod describe;
mod figures;
mod goal;
mod interest;
mod keep;
mod keeper;
mod link;
mod pace;
mod publish;
mod registry;
mod request;
mod resync;
mod running;
mod talk;
mod traced;
mod transport;

pub(crate) use figures::{LastError, Rate};
pub(crate) use goal::Goal;
pub(crate) use interest::Interest;
pub use keep::KeepError;
pub(crate) use keep::kept_over;
pub(crate) use link::model;
pub(crate) use registry::Registry;
pub use registry::ServerChanges;
pub(crate) use request::{Ask, LinkHandle, Part};
pub(crate) use talk::session_config;
pub(crate) use transport::{Said, TlsFailure, encrypt, handshake, open, tcp};

use crate::clock::now;
