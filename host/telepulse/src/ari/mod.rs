//! ARI: one client and one Stasis application for a server. Its events go to the bus as they are, and
//! fold into a table of the channels that are there, which answers the query `devices`.

mod connect;
mod event;
mod figures;
mod handle;
mod link;
mod silence;
mod table;

pub(crate) use connect::authorization;
pub(crate) use handle::Handle;
pub(crate) use link::spawn;

use crate::clock::now;
