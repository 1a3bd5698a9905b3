//! A simulated call centre that speaks AMI: phones, queues, agents, and calls that come and go.
//!
//! [`Centre`] is the call centre, pure: time is passed in, chance comes from a seed. [`Simulator`]
//! puts it behind a port, where it speaks what an Asterisk 22 speaks: what happens, in which order
//! and with which fields is held against recordings of a real one by the tests. What it cannot do is
//! answered as Asterisk answers an unknown action.
//!
//! | what happens | where |
//! |---|---|
//! | a call from the first digit to the answer | `dialplan`, `dialling`, `originating`, `local` |
//! | through a queue | `waiting`, `queue` |
//! | elsewhere: redirect, transfer, asking before it | `moving`, `consultation` |
//! | parked, in a conference, heard, taken by another phone | `parking`, `conference`, `listening` |
//! | its end | `ending` |
//! | by itself | `traffic`, with the `people` |
//! | [`Disaster`]s | `disaster`, and `server` for those that it does not survive |
//! | what is asked for over the port | `actions`, by `session`s |
//!
//! Not simulated: sound (so `Local` channels are never optimized away, as between silent phones),
//! more than one call at a time on a phone, members of queues outliving a restart.
#![forbid(unsafe_code)]

mod actions;
mod agenda;
mod centre;
mod channel;
mod conference;
mod connection;
mod consultation;
mod device;
mod dialling;
mod dialplan;
mod disaster;
mod ending;
mod filters;
mod listening;
mod local;
mod making;
mod moment;
mod moving;
mod originating;
mod parking;
mod people;
mod presence;
mod queue;
mod server;
mod session;
mod settings;
mod traffic;
mod waiting;
mod wire;

pub use centre::Centre;
pub use disaster::Disaster;
pub use server::{Handle, Simulator};
pub use session::{Reply, Session};
pub use settings::{Phone, Queue, Scale, Settings};
pub use wire::Event;
