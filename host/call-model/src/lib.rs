//! What a PBX is doing, folded from AMI, and the TelePulse language both ways.
//!
//! [`Pbx`] is the model of one Asterisk server. It is fed live events ([`Pbx::apply`]) and listings
//! ([`Pbx::begin_sync`], [`Pbx::fold`], [`Pbx::finish_sync`]), and says in events of the language
//! what changed. It plans commands ([`Pbx::plan`]) and answers queries ([`Pbx::query`]). AMI's words
//! stop here: nothing that leaves this crate for a client has them.
//!
//! Pure: no I/O, no clock, no randomness; the time and entropy are parameters.
#![forbid(unsafe_code)]

mod bridges;
mod call;
mod channel;
mod channels;
mod completing;
mod conferences;
mod config;
mod cut;
mod device;
mod devices;
mod dials;
mod early;
mod ended;
mod ending;
mod holds;
mod lines;
mod merge;
mod parking;
mod pbx;
mod people;
mod plan;
mod query;
mod question;
mod queue;
mod queues;
mod recordings;
mod snapshot;
mod sync;
mod text;
mod transfers;

pub use config::{ExtensionPattern, PatternError, PbxConfig};
pub use cut::{cut, cut_ended};
pub use pbx::{Counts, Pbx};
pub use plan::{Effect, Plan};
pub use question::Question;
pub use sync::Listing;
