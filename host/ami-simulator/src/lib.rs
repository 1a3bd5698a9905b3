//! A simulated call centre that speaks AMI: phones, queues, agents, and calls that come and go.
//!
//! [`Centre`] is the call centre, pure: time is passed in, chance comes from a seed. [`Simulator`]
//! puts it behind a port, where it speaks what an Asterisk 22 speaks: what happens, in which order
//! and with which fields is held against recordings of a real one by the tests.
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
