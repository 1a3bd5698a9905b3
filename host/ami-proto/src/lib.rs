//! The Asterisk Manager Interface (AMI) without I/O: bytes to messages and back, typed actions,
//! and the session of one link as a state machine.
//!
//! Nothing here opens a socket, reads a clock or draws a random number. The caller moves bytes,
//! passes the time in (milliseconds from any fixed origin) and brings its own entropy, so every
//! behaviour can be tested as data and the crate fits any runtime.
//!
//! | to do this | use |
//! |---|---|
//! | run a link: log in, keep alive, ask and be answered | [`Session`] |
//! | cut a stream of bytes into messages | [`Decoder`] |
//! | look into a message | [`Message`] |
//! | build what is sent | [`Action`], and [`actions`] for the ones with a fixed shape |
//! | wait between two attempts to connect | [`Backoff`] |
//! | read a recorded stream | [`recording`] |
//!
//! ```
//! use ami_proto::Message;
//!
//! let message = Message::parse(b"Event: Hangup\r\nUniqueid: 1700000000.1\r\nCause: 16\r\n\r\n")?;
//! assert_eq!(message.event(), Some("Hangup"));
//! assert_eq!(message.get("cause"), Some("16"));
//! # Ok::<(), ami_proto::DecodeError>(())
//! ```
#![forbid(unsafe_code)]

pub mod action;
pub mod actions;
mod backoff;
pub mod codec;
mod event_class;
mod filter;
pub mod json;
mod message;
pub mod recording;
mod secret;
pub mod session;
mod version;

pub use action::{Action, ActionError};
pub use backoff::Backoff;
pub use codec::{DecodeError, Decoder, Fault, Frame, Limits};
pub use event_class::event_class;
pub use filter::{EventFilter, Match};
pub use message::{Fields, Key, Kind, Lookup, Message};
pub use secret::Secret;
pub use session::{
    Auth, CloseReason, Outcome, Output, Problem, RequestId, Session, SessionConfig, State,
    SubmitError,
};
pub use version::{AmiVersion, AsteriskVersion, Banner};
