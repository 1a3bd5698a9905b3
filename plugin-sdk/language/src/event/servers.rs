//! What is told of a server itself: its link, and that its state was read anew.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// `serverStatus`: the state of the link to one Asterisk server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServerStatus {
    /// Where the link stands.
    pub state: ServerState,
    /// Why, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<SmolStr>,
}

/// The states of a link to an Asterisk server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServerState {
    /// Opening the TCP connection, or waiting to try again.
    Connecting,
    /// Logging in.
    Authenticating,
    /// Logged in; the listings are being read.
    Syncing,
    /// The model is true.
    Connected,
    /// The link is down; the next try is due.
    Disconnected,
    /// Asterisk refused the login.
    Rejected,
    /// The server was taken out of the configuration.
    Removed,
}

/// `resync`: events from `from` to `to` may have been missed; the state was read anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Resync {
    /// When the link was lost.
    pub from: Timestamp,
    /// When the state was true again.
    pub to: Timestamp,
}
