//! What is looked at: facts of one server and of this machine. Nothing here is judged.

use super::conf::Section;
use crate::config::Server;
use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

/// All that was found out about one server.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    /// How we are told to reach it.
    pub settings: Server,
    /// How far the connection came.
    pub reach: Reach,
    /// Until when its certificate is good, in seconds since 1970; known where it was accepted.
    pub certificate_ends: Option<i64>,
    /// What came of the login.
    pub login: Login,
    /// Its manager.conf, as far as it could be read.
    pub manager: ManagerConf,
    /// What it answered.
    pub answers: Answers,
    /// Its ARI; `None` where none is configured.
    pub ari: Option<AriFacts>,
}

/// How far a connection came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Its name has no address.
    NoSuchHost(String),
    /// Nobody listens there.
    Refused,
    /// Nothing came back in time, or there is no way there.
    Unreachable(String),
    /// TLS was not agreed on.
    Tls(TlsTrouble),
    /// It was closed before a word was said.
    ClosedUnsaid,
    /// It was taken, and nothing was said.
    Silent,
    /// Something else than a manager answered; its first line.
    NotAmi(String),
    /// A manager greeted us, with this version of the interface.
    Greeted(String),
}

/// Why TLS was not agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsTrouble {
    /// The other side does not speak TLS.
    NotSpoken,
    /// Nobody whom we trust signed the certificate.
    UnknownIssuer,
    /// The certificate is for another name.
    WrongName,
    /// The certificate's time is over.
    Expired,
    /// The certificate's time has not begun.
    NotYetValid,
    /// Our own files or names cannot be used.
    Settings(String),
    /// Anything else.
    Other(String),
}

/// What came of the login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// It did not come to it.
    NotTried,
    /// We are in.
    Accepted,
    /// Refused, in the server's words.
    Refused(String),
    /// No answer, or the connection was closed meanwhile.
    NoAnswer(String),
}

/// manager.conf, from the server's own answer or from a file.
#[derive(Clone, Debug, Default)]
pub struct ManagerConf {
    /// `[general]`.
    pub general: Option<Section>,
    /// The section of our user, without its secret.
    pub user: Option<Section>,
    /// Only where the file itself was read: what the login is judged by.
    pub file: Option<FileFacts>,
}

/// What only the file itself tells.
#[derive(Clone, Debug)]
pub struct FileFacts {
    /// Where it is.
    pub path: PathBuf,
    /// The users that it has.
    pub users: Vec<String>,
    /// Whether our secret is the one in it; `None` where it has none.
    pub is_secret_right: Option<bool>,
    /// The address that the server sees us come from.
    pub our_address: Option<IpAddr>,
}

/// One action that the server offers us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Its name.
    pub action: String,
    /// The classes any of which gives the right to it; none: everybody has it.
    pub classes: Vec<String>,
}

/// What the server answered after the login. What was not answered is `None`.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Asterisk's version.
    pub asterisk: Option<String>,
    /// The actions that our user may send.
    pub offered: Option<Vec<Offered>>,
    /// Whether `FullyBooted` came.
    pub is_fully_booted: bool,
    /// Why a filter was not taken, in the server's words.
    pub filter_refused: Option<String>,
    /// By how many milliseconds its clock is ahead of ours; negative: behind.
    pub clock_ahead_ms: Option<i64>,
    /// How long it took to answer, in milliseconds.
    pub latency_ms: Option<u64>,
    /// Extensions with a hint, each with its context and devices.
    pub hints: Option<Vec<Hint>>,
    /// Names of all devices.
    pub devices: Option<Vec<String>>,
    /// Queues with their members.
    pub queues: Option<Vec<Queue>>,
    /// Whether the dialplan has the context that numbers are looked up in.
    pub has_context: Option<bool>,
    /// `CoreMaxCalls`; 0: no limit.
    pub max_calls: Option<u64>,
    /// Events that came and are not wanted: name, how many, bytes.
    pub needless: BTreeMap<String, (u64, u64)>,
    /// For how long they were counted, in milliseconds.
    pub listened_ms: u64,
}

/// A hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The extension.
    pub extension: String,
    /// Where it is.
    pub context: String,
    /// What it watches.
    pub devices: String,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Its members.
    pub members: Vec<Member>,
}

/// A member of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The device that rings.
    pub interface: String,
    /// The device whose state counts.
    pub state_interface: String,
    /// Its status, as Asterisk numbers it: 4 is invalid.
    pub status: u8,
}

/// What was found out about ARI.
#[derive(Clone, Debug, Default)]
pub struct AriFacts {
    /// What came of a request.
    pub outcome: Option<AriOutcome>,
    /// `[general]` of http.conf.
    pub http: Option<Section>,
    /// `[general]` of ari.conf.
    pub general: Option<Section>,
    /// The section of our user, without its password.
    pub user: Option<Section>,
}

/// What came of a request to ARI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AriOutcome {
    /// The connection did not come about.
    Unreached(Reach),
    /// An HTTP status.
    Status(u16),
    /// Something that is no HTTP.
    Unreadable(String),
}

/// What was found out about this machine.
#[derive(Clone, Debug, Default)]
pub struct LocalFacts {
    /// The configuration file.
    pub file: PathBuf,
    /// Its mistakes: place and text.
    pub mistakes: Vec<(String, String)>,
    /// Keys in it that hold a secret itself: line and key.
    pub plain_secrets: Vec<(usize, String)>,
    /// The file's permission bits.
    pub mode: Option<u32>,
    /// The rest, where the configuration can be used.
    pub used: Option<UsedFacts>,
}

/// What follows from a configuration that can be used.
#[derive(Clone, Debug)]
pub struct UsedFacts {
    /// The configuration.
    pub config: crate::config::Config,
    /// Why nothing can be written below the store's path.
    pub store_error: Option<String>,
    /// Bytes that are free there.
    pub store_free: Option<u64>,
    /// Whether a TelePulse runs with this configuration: then it is the one that has the ports.
    pub is_running: bool,
    /// Addresses that somebody else listens on: address and what we want it for.
    pub taken: Vec<(String, String)>,
    /// The plugins folder; the error where it cannot be read.
    pub plugins: Result<PluginsFacts, String>,
    /// Names of users, and of the admin API, whose token anybody would guess, each with where it is.
    pub guessable: Vec<(String, String)>,
    /// Ids of servers whose secret anybody would guess.
    pub guessable_servers: Vec<String>,
    /// How many files this process may open.
    pub open_files: Option<u64>,
}

/// The plugins folder.
#[derive(Clone, Debug, Default)]
pub struct PluginsFacts {
    /// Its permission bits.
    pub mode: Option<u32>,
    /// Its plugins.
    pub plugins: Vec<PluginFacts>,
}

/// One plugin's files.
#[derive(Clone, Debug, Default)]
pub struct PluginFacts {
    /// Its name.
    pub name: String,
    /// Whether there is a `NAME.toml`.
    pub has_settings: bool,
    /// What is wrong with its files.
    pub mistakes: Vec<String>,
    /// Grants that it asks for and does not have.
    pub lacking: Vec<String>,
    /// Keys of `[secrets]` that hold the secret itself.
    pub plain_secrets: Vec<String>,
}
