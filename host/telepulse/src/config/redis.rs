//! Where Redis is, as `[store] url` says it.

use super::{Secret, rules};
use percent_encoding::percent_decode_str;
use std::fmt;

/// The port that Redis listens on by default.
const PORT: u16 = 6379;

/// A Redis, and how one logs in there. Written out it is the place alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redis {
    /// Name or IP address of the machine.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether the connection is encrypted (`rediss`).
    pub is_encrypted: bool,
    /// The user; `None`: the one that it calls "default".
    pub user: Option<String>,
    /// The user's password; never empty. `None`: it asks for none.
    pub password: Option<Secret>,
    /// The number of the database.
    pub db: u32,
}

impl fmt::Display for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Reads `redis://user:password@host:port/db`. No error shows any of it.
pub(super) fn parse(url: &str) -> Result<Redis, String> {
    let wanted = "must be redis://HOST:PORT, or rediss:// with TLS; besides, it may have \
                  USER:PASSWORD@ before the host (with %40 for an @, and so on) and the number of \
                  a database after it, like /1";
    read(url).ok_or_else(|| wanted.to_owned())
}

fn read(url: &str) -> Option<Redis> {
    let uri: http::Uri = url.parse().ok()?;
    let is_encrypted = match uri.scheme_str()? {
        "redis" => false,
        "rediss" => true,
        _ => return None,
    };
    let authority = uri.authority()?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    rules::host(host).ok()?;
    let (login, place) = authority.as_str().rsplit_once('@').unwrap_or(("", authority.as_str()));
    let has_port = place.rsplit(']').next()?.contains(':');
    let port = if has_port { authority.port_u16().filter(|port| *port > 0)? } else { PORT };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    // A user alone cannot log in: what stands there is perhaps meant as a password.
    let is_half = password.is_empty() && !login.is_empty();
    // A `#` of a password ends the URL: what follows it would be lost.
    if is_half || url.contains('#') || uri.query().is_some() {
        return None;
    }
    let db = uri.path().strip_prefix('/').filter(|db| !db.is_empty());
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    Some(Redis {
        host: host.to_owned(),
        port,
        is_encrypted,
        user: some(decoded(user)?),
        password: some(decoded(password)?).map(Secret::new),
        db: db.map_or(Some(0), |db| db.parse().ok())?,
    })
}

fn decoded(part: &str) -> Option<String> {
    percent_decode_str(part).decode_utf8().ok().map(Into::into)
}
