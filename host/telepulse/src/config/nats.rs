//! How NATS is reached and what it keeps, as `[bus]` says it with `kind = "nats"`.

use super::{Secret, rules};
use http::Uri;
use std::{path::PathBuf, time::Duration};

/// The port that NATS listens on by default.
const PORT: u16 = 4222;

/// A NATS that carries the bus between several of us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nats {
    /// Its servers, at least one.
    pub servers: Vec<NatsServer>,
    /// What the subjects of this platform begin with.
    pub prefix: Option<String>,
    /// How one logs in.
    pub login: NatsLogin,
    /// Certificates (PEM) of the authorities to trust; `None`: those of this machine.
    pub ca: Option<PathBuf>,
    /// Our own certificate and its private key (PEM).
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The event stream has at most so many bytes.
    pub bytes: u64,
    /// And nothing older than this.
    pub age: Duration,
    /// How many of NATS's servers keep it.
    pub replicas: u32,
    /// Whether they keep it on disk.
    pub on_disk: bool,
}

/// Where a server of NATS is. Written out it is its URL, which holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatsServer {
    /// Name or IP address of the machine.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether the connection must be encrypted (`tls`).
    pub is_encrypted: bool,
}

/// How one logs in at NATS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NatsLogin {
    /// Not at all, or by certificate.
    None,
    /// By name and password.
    Password {
        /// The user.
        user: String,
        /// The user's password.
        password: Secret,
    },
    /// By token.
    Token(Secret),
    /// By a credentials file, as `nsc` writes it.
    File(PathBuf),
}

impl std::fmt::Display for NatsServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port, is_encrypted } = self;
        let scheme = if *is_encrypted { "tls" } else { "nats" };
        let bracket = if host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{}{host}{}:{port}", bracket.0, bracket.1)
    }
}

/// Reads a server's URL. No error shows any of it.
pub(super) fn server(url: &str) -> Result<NatsServer, String> {
    let wanted = "must be nats://HOST:PORT, or tls:// where the connection must be encrypted";
    let login = "holds a user, a password or a token: put them into keys of their own";
    let message = if url.contains('@') { login } else { wanted };
    read(url).ok_or_else(|| message.to_owned())
}

fn read(url: &str) -> Option<NatsServer> {
    let uri: Uri = url.parse().ok()?;
    let is_encrypted = match uri.scheme_str()? {
        "nats" => false,
        "tls" => true,
        _ => return None,
    };
    let authority = uri.authority()?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    rules::host(host).ok()?;
    let has_port = authority.as_str().rsplit(']').next()?.contains(':');
    let port = if has_port { authority.port_u16().filter(|port| *port > 0)? } else { PORT };
    let has_more = !matches!(uri.path(), "" | "/") || uri.query().is_some();
    if has_more || url.contains(['@', '#']) {
        return None;
    }
    Some(NatsServer { host: host.to_owned(), port, is_encrypted })
}

/// What subjects begin with: tokens of an address that need no escape.
pub(super) fn prefix(text: &str) -> Result<(), String> {
    let good = |token: &str| rules::id(token).is_ok();
    let is_good = text.len() <= 128 && text.split('.').all(good);
    let wanted = "must be one or more words of A-Z, a-z, 0-9, _ and -, with dots between them";
    if is_good { Ok(()) } else { Err(wanted.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_server_is() {
        let check = |url: &str, expected: Option<&str>| {
            assert_eq!(server(url).ok().map(|it| it.to_string()).as_deref(), expected, "{url}");
        };
        check("nats://127.0.0.1:4222", Some("nats://127.0.0.1:4222"));
        check("nats://n1", Some("nats://n1:4222"));
        check("tls://n1.example:4333/", Some("tls://n1.example:4333"));
        check("nats://[::1]:1", Some("nats://[::1]:1"));
        for bad in
            ["", "n1:4222", "ws://n1", "nats://n1:0", "nats://n1:x", "nats://n1/a", "nats://a,b"]
        {
            check(bad, None);
        }
        let told = server("nats://u:hunter2@n1").unwrap_err();
        assert!(told.contains("keys of their own") && !told.contains("hunter2"), "{told}");
    }
}
