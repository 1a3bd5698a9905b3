//! What a plugin may do: pure decisions on what the operator granted in `NAME.toml`.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

/// Addresses that only the host writes (contract section 1).
const READ_ONLY: [&str; 3] =
    ["telepulse.proxy.event", "telepulse.proxy.status", "telepulse.ari.event"];
/// An address that is only written to, by request.
const WRITE_ONLY: &str = "telepulse.proxy.action";

/// Everything that the operator granted to one plugin. The default grants nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Addresses whose messages are delivered.
    pub subscribe: Vec<Pattern>,
    /// Addresses that may be published to.
    pub publish: Vec<Pattern>,
    /// Addresses that requests may be sent to.
    pub request: Vec<Pattern>,
    /// Listeners and paths where WebSockets are accepted for it.
    pub websocket: Vec<Mount>,
    /// Listeners and paths whose HTTP requests it answers.
    pub routes: Vec<Mount>,
    /// Bytes that its values may take on disk, keys included; 0: it keeps none.
    pub kv: u64,
    /// Commands that it carries out: their actions, none of which the core knows.
    pub serve: Vec<String>,
    /// Commands that it decides on.
    pub policy: Option<PolicyGrant>,
    /// Where requests may be sent to; an empty list says that the plugin needs none.
    pub http: Option<Vec<Origin>>,
    /// Bytes of messages that are kept on disk until it has done them; 0: its subscription is not
    /// durable.
    pub durable: u64,
    /// Folders of this machine that it sees; an empty list says that the plugin needs none.
    pub files: Option<Vec<Folder>>,
}

/// A folder that a plugin sees by WASI, under the path that it has here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Folder {
    /// Where it is: absolute, without `.` and `..`, and not the root.
    pub path: String,
    /// Whether files may be written, made and removed there.
    pub is_writable: bool,
}

impl Folder {
    /// Whether a path can be one: it says itself where it leads.
    pub(crate) fn is_path(path: &str) -> bool {
        let mut parts = path.split('/');
        parts.next() == Some("")
            && parts.all(|part| !matches!(part, "" | "." | ".."))
            && !path.contains(char::is_control)
    }

    /// Whether it has all of another folder, for as much.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let below = other.path.strip_prefix(&self.path);
        below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
            && (self.is_writable || !other.is_writable)
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}{}", self.path, if self.is_writable { " for writing" } else { "" })
    }
}

/// The commands that a policy plugin decides on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyGrant {
    /// Their actions; `*` stands for all.
    pub commands: Vec<String>,
    /// Lower ones are asked first; plugins of the same order by name.
    pub order: i64,
    /// What counts when it does not decide.
    pub on_failure: OnFailure,
}

impl PolicyGrant {
    /// Whether it is asked about commands with this action.
    pub fn covers(&self, action: &str) -> bool {
        self.commands.iter().any(|command| command == "*" || command == action)
    }
}

/// What becomes of a command that a policy plugin should have decided on and did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It is refused.
    #[default]
    Closed,
    /// It goes on.
    Open,
}

/// A path on a listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mount {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The path, with its leading slash.
    pub path: String,
    /// What users must be allowed to come in here, a word of their `allow`; none: anybody comes in. Routes
    /// only: what a WebSocket's user may do is looked at where each command enters.
    pub right: Option<String>,
}

impl Grants {
    /// Whether the plugin may publish to `address`; the error says what is missing.
    pub fn may_publish(&self, address: &str) -> Result<(), Denied> {
        check_leaf(address)?;
        if under(address, WRITE_ONLY) || READ_ONLY.iter().any(|own| under(address, own)) {
            return Err(Denied::NotPublishable(address.to_owned()));
        }
        granted("publish", &self.publish, address)
    }

    /// Whether the plugin may send requests to `address`; the error says what is missing.
    pub fn may_request(&self, address: &str) -> Result<(), Denied> {
        check_leaf(address)?;
        if READ_ONLY.iter().any(|own| under(address, own)) {
            return Err(Denied::NotRequestable(address.to_owned()));
        }
        granted("request", &self.request, address)
    }

    /// Whether a request may be sent there: the origin that covers it.
    pub fn may_fetch(&self, uri: &http::Uri) -> Result<&Origin, Denied> {
        let wanted = Origin::of(uri).ok_or(Denied::NoOrigin)?;
        let mut granted = self.http.iter().flatten();
        granted
            .find(|origin| **origin == wanted)
            .ok_or_else(|| Denied::NotGranted { kind: "http", address: wanted.to_string() })
    }
}

/// A scheme, host and port, like `https://api.crm.example`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Whether it is `https`.
    pub is_secure: bool,
    /// A name in lower case, or an address, without brackets.
    pub host: String,
    /// The port, also where it is the scheme's own.
    pub port: u16,
}

impl Origin {
    /// Reads one as it is granted: without path, user or query.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: http::Uri = text.parse().ok()?;
        let is_bare = uri.path_and_query().is_none_or(|path| path == "/") && !text.ends_with('/');
        Self::of(&uri).filter(|_| is_bare)
    }

    /// The origin of a request.
    fn of(uri: &http::Uri) -> Option<Self> {
        let is_secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        (!host.is_empty()).then(|| Self { is_secure, host: host.to_ascii_lowercase(), port })
    }

    /// The address, if it is named by one.
    pub fn named_address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_secure, host, port } = self;
        let scheme = if *is_secure { "https" } else { "http" };
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

fn granted(kind: &'static str, patterns: &[Pattern], address: &str) -> Result<(), Denied> {
    if patterns.iter().any(|pattern| pattern.covers(address)) {
        Ok(())
    } else {
        Err(Denied::NotGranted { kind, address: address.to_owned() })
    }
}

/// Why a plugin may not use an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Not covered by a grant.
    #[error("no grant: add {address:?} to {kind} under [grants] in the plugin's toml")]
    NotGranted {
        /// `publish`, `request` or `http`.
        kind: &'static str,
        /// What was asked for.
        address: String,
    },
    /// Only the host publishes there, or nobody does.
    #[error("no plugin publishes to {0:?}")]
    NotPublishable(String),
    /// Nobody answers there.
    #[error("{0:?} is read only")]
    NotRequestable(String),
    /// A request without a scheme or a host.
    #[error("no origin: write http:// or https:// with a host, without a user")]
    NoOrigin,
    /// Not an address at all.
    #[error(transparent)]
    Bad(#[from] BadAddress),
}

/// An address, or with `*` for single tokens many; it covers everything below itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(String);

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address: use tokens of A-Z, a-z, 0-9, _, - and %, separated by single dots")]
pub struct BadAddress(String);

impl Pattern {
    /// Checks an address of a grant.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let good = text.split('.').all(|token| token == "*" || is_token(token));
        if good { Ok(Self(text.to_owned())) } else { Err(BadAddress(text.to_owned())) }
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `address` is this address or below it.
    pub fn covers(&self, address: &str) -> bool {
        let mut tokens = address.split('.');
        self.0.split('.').all(|own| tokens.next().is_some_and(|token| own == "*" || own == token))
    }

    /// Whether a plugin may subscribe: not where only requests go.
    pub fn may_subscribe(&self) -> bool {
        !under(&self.0, WRITE_ONLY)
    }
}

fn is_token(token: &str) -> bool {
    !token.is_empty()
        && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'%'))
}

/// Messages go to whole addresses: no `*` (contract section 10, 9).
fn check_leaf(address: &str) -> Result<(), BadAddress> {
    if address.len() <= 512 && address.split('.').all(is_token) {
        Ok(())
    } else {
        Err(BadAddress(address.chars().take(80).collect()))
    }
}

/// Whether `address` is `root` or below it.
fn under(address: &str, root: &str) -> bool {
    address.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(list: &[&str]) -> Vec<Pattern> {
        list.iter().map(|text| Pattern::parse(text).unwrap()).collect()
    }

    #[test]
    fn a_pattern_covers_itself_and_below() {
        let check = |pattern: &str, address: &str, expected: bool| {
            assert_eq!(Pattern::parse(pattern).unwrap().covers(address), expected, "{pattern}");
        };
        check("telepulse.event", "telepulse.event", true);
        check("telepulse.event", "telepulse.event.activeLines", true);
        check("telepulse.event", "telepulse.events", false);
        check("telepulse.event.a", "telepulse.event", false);
        check("telepulse.proxy.event.*.Newchannel", "telepulse.proxy.event.pbx1.Newchannel", true);
        check("telepulse.proxy.event.*.Newchannel", "telepulse.proxy.event.pbx1.Hangup", false);
        check("telepulse.proxy.event.*", "telepulse.proxy.event", false);
    }

    #[test]
    fn nothing_is_granted_by_default() {
        let none = Grants::default();
        assert!(matches!(
            none.may_publish("telepulse.event.x"),
            Err(Denied::NotGranted { kind: "publish", .. })
        ));
        assert!(matches!(none.may_request("telepulse.command"), Err(Denied::NotGranted { .. })));
    }

    #[test]
    fn the_proxys_addresses_keep_their_direction_whatever_is_granted() {
        let all = patterns(&["telepulse"]);
        let grants = Grants {
            publish: all.clone(),
            request: all.clone(),
            subscribe: all,
            ..Grants::default()
        };
        assert!(grants.may_publish("telepulse.event.callerInfo").is_ok());
        assert!(grants.may_request("telepulse.proxy.action").is_ok());
        for address in [
            "telepulse.proxy.event.pbx1.X",
            "telepulse.proxy.status.pbx1",
            "telepulse.ari.event.pbx1.ChannelCreated",
        ] {
            assert_eq!(grants.may_publish(address), Err(Denied::NotPublishable(address.into())));
            assert_eq!(grants.may_request(address), Err(Denied::NotRequestable(address.into())));
        }
        assert!(grants.may_publish("telepulse.proxy.action").is_err());
        assert!(!Pattern::parse("telepulse.proxy.action").unwrap().may_subscribe());
    }

    #[test]
    fn messages_go_to_whole_addresses() {
        let grants = Grants { publish: patterns(&["*"]), ..Grants::default() };
        for bad in ["", ".", "a..b", "a.*", "a b", "a.é"] {
            assert!(matches!(grants.may_publish(bad), Err(Denied::Bad(_))), "{bad}");
        }
    }

    #[test]
    fn a_bad_pattern_is_refused() {
        for bad in ["", "a.", "a.b*", "a..b", ">"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }
}
