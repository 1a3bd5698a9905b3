//! The configuration: read as it is written, with places; checked whole; used as [`Config`].

mod ari;
mod diff;
mod environment;
mod fields;
mod json_schema;
mod load;
mod mistake;
mod nats;
mod plain;
mod read;
mod redis;
mod rules;
mod schema;
mod secret;
mod server;
mod telemetry;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
mod user;
mod written;

pub use ari::{AriUrl, AriUrlError, ServerAri};
pub use diff::{Change, diff};
pub use json_schema::json_schema;
pub use load::{Source, default_file};
pub use mistake::Mistakes;
pub use nats::{Nats, NatsLogin, NatsServer};
pub use plain::plain_secrets;
pub use redis::Redis;
pub use secret::Secret;
pub use server::{Server, ServerAuth, ServerFilter};
pub use telemetry::Telemetry;
pub use tls::ServerTls;
pub use user::{JwtKeys, JwtSettings, PasswordHash, Role, TokenHash, User};

use ipnet::IpNet;
use std::{collections::BTreeSet, net::SocketAddr, num::NonZeroU32, path::PathBuf};
use tracing_subscriber::filter::Targets;

/// The configuration as the program uses it: complete, checked, with absolute paths.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// This process.
    pub node: Node,
    /// The Asterisk servers; there may be none.
    pub servers: Vec<Server>,
    /// Who may log in.
    pub users: Vec<User>,
    /// The certificate of our listeners; `None`: they do not encrypt.
    pub tls: Option<ListenTls>,
    /// What stands before our listeners.
    pub http: Http,
    /// Whose JSON Web Tokens are taken besides.
    pub jwt: Option<JwtSettings>,
    /// Rights under names.
    pub roles: Vec<Role>,
    /// How much may be ordered.
    pub commands: Commands,
    /// How messages travel.
    pub bus: Bus,
    /// Where data is kept.
    pub store: Store,
    /// Where plugins are.
    pub plugins: Plugins,
    /// The admin API.
    pub admin: Admin,
    /// What is logged.
    pub log: Log,
    /// Where traces go; `None`: nothing is traced.
    pub telemetry: Option<Telemetry>,
}

/// `[node]`: this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it does; more than one process can only be on a bus that reaches others.
    pub roles: BTreeSet<NodeRole>,
}

impl Node {
    /// Whether it does this.
    pub(crate) fn has(&self, role: NodeRole) -> bool {
        self.roles.contains(&role)
    }
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeRole {
    /// Keeps connections to Asterisk servers.
    Proxy,
    /// Answers commands and queries.
    Core,
    /// Runs plugins that listen.
    Gateway,
    /// Runs all other plugins.
    Plugins,
}

impl NodeRole {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Proxy, Self::Core, Self::Gateway, Self::Plugins];

    /// As it is written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Core => "core",
            Self::Gateway => "gateway",
            Self::Plugins => "plugins",
        }
    }

    fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// `[tls]`: the certificate that gateways show, and the admin API with `[admin] tls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenTls {
    /// The certificate with its chain (PEM).
    pub cert: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
}

/// `[http]`: what stands before the gateways.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Http {
    /// Proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<IpNet>,
}

/// `[commands]`: how much one user may order; a plugin that acts by itself counts as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commands {
    /// Commands a second; twice as many at once after a quiet second.
    pub per_second: NonZeroU32,
    /// Dials a minute.
    pub dials_per_minute: NonZeroU32,
    /// Dials a minute to one number.
    pub dials_per_number: NonZeroU32,
    /// Numbers that begin so are not dialled, nor is anybody transferred there.
    pub denied_prefixes: Vec<String>,
}

impl Commands {
    /// The prefix that forbids a number.
    pub fn denied(&self, number: &str) -> Option<&str> {
        self.denied_prefixes.iter().map(String::as_str).find(|prefix| number.starts_with(prefix))
    }
}

/// `[bus]`: how messages travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bus {
    /// Events that are kept for clients that come back, from 1 to 10,000,000.
    pub history: usize,
    /// What carries it between several of us; `None`: this process is alone.
    pub nats: Option<Nats>,
}

/// `[store]`: where data is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// A folder of our own.
    pub path: PathBuf,
    /// Where plugins keep their values. `None`: in the folder, as all else.
    pub redis: Option<Redis>,
    /// How much of the history of calls is kept.
    pub calls: Calls,
}

/// How much of the history of calls is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calls {
    /// `calls`: at most so many; 0 keeps none.
    pub number: u64,
    /// `callDays`: none older than so many days. `None`: however old.
    pub days: Option<u32>,
}

/// `[plugins]`: where plugins are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugins {
    /// The plugins folder.
    pub dir: PathBuf,
}

/// `[admin]`: the admin API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens; anywhere but on loopback only with a token.
    pub listen: SocketAddr,
    /// Hash of the token that it asks for. `None`: it asks for none.
    pub token: Option<TokenHash>,
    /// Whether it encrypts, with the certificate of `[tls]`.
    pub tls: bool,
}

/// `[log]`: what is logged.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// Which lines: a level, or levels by module as in `info,telepulse::proxy=debug`.
    pub level: Targets,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
