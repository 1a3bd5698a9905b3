//! An Asterisk server, as `[[server]]` and as `POST /servers` describe it.

use super::{Secret, ServerAri, ServerTls, rules};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeSet, fs, net::IpAddr};
use telepulse_language::{Code, Refusal};

/// The port that Asterisk's manager listens on by default.
pub(super) const PORT: u16 = 5038;
/// How an extension becomes a device, by default.
pub(super) const DEVICE: &str = "PJSIP/{ext}";
/// Where dialled numbers are looked up, by default.
pub(super) const CONTEXT: &str = "internal";
/// Which numbers are extensions, by default.
pub(super) const EXTENSIONS: &str = "^[0-9]{2,6}$";

/// Seconds of silence after which a server is asked whether it is still there, by default.
pub(super) const KEEP_ALIVE: u32 = 15;

/// One Asterisk server (contract sections 6 and 8). Every field is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Server {
    /// Its name on the bus and in every event; 1 to 64 of `A-Z a-z 0-9 _ -`.
    pub id: String,
    /// Name or IP address of the machine.
    pub host: String,
    /// Port of the manager interface.
    #[serde(default = "default_port")]
    pub port: u16,
    /// The manager user.
    pub username: String,
    /// That user's secret.
    pub secret: Secret,
    /// How the secret is shown to the server.
    #[serde(default)]
    pub auth: ServerAuth,
    /// How an extension becomes a device where no hint says; holds `{ext}` once.
    #[serde(default = "default_device")]
    pub device: String,
    /// The dialplan context where dialled numbers are looked up.
    #[serde(default = "default_context")]
    pub context: String,
    /// What is dialled there for an extension's voicemail box, with `{ext}`. `None`: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voicemail: Option<String>,
    /// A regular expression: which numbers are extensions, so that trunks are no agents.
    #[serde(default = "default_extensions")]
    pub extensions: String,
    /// The most live calls; past it a dial is refused. `None`: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_calls: Option<u32>,
    /// After so many seconds with nothing but events the server is pinged; after as many again (at
    /// least 2, at most 10) without an answer the link is dead. From 1 to 3600.
    #[serde(default = "default_keep_alive")]
    pub keep_alive: u32,
    /// How the link is encrypted. `None`: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ServerTls>,
    /// What the server is asked to send.
    #[serde(default, skip_serializing_if = "ServerFilter::is_default")]
    pub filter: ServerFilter,
    /// Its ARI. `None`: it has none, or we do without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ari: Option<ServerAri>,
}

/// Which events a server is asked to send: by default those that the model and the plugins read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ServerFilter {
    /// Names of events that are not wanted, whatever plugin subscribes to them.
    pub exclude: BTreeSet<String>,
}

impl ServerFilter {
    /// All fields, by their names in JSON and TOML.
    pub const KEYS: [&'static str; 1] = ["exclude"];

    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the JSON of the admin API has the right shape. A refusal names the field.
    fn shape(value: &Value) -> Result<(), Refusal> {
        let Some(object) = value.as_object() else {
            return Err(Refusal::field("filter", "must be an object with exclude"));
        };
        if let Some(key) = object.keys().find(|key| !Self::KEYS.contains(&key.as_str())) {
            let message = "is unknown".to_owned() + &rules::perhaps(key, &Self::KEYS);
            return Err(Refusal::field(format!("filter.{key}"), message));
        }
        let names = object.get("exclude").map_or(Some(vec![]), |value| {
            value.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>()
        });
        let names = names.ok_or_else(|| {
            Refusal::field("filter.exclude", "must be a list of names of events, as strings")
        })?;
        names.into_iter().try_for_each(|name| {
            rules::excluded_event(name).map_err(|why| Refusal::field("filter.exclude", why))
        })
    }
}

/// How a manager user logs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerAuth {
    /// By challenge: the secret itself does not cross the wire.
    #[default]
    Md5,
    /// The secret as it is.
    Plain,
}

fn default_port() -> u16 {
    PORT
}

fn default_keep_alive() -> u32 {
    KEEP_ALIVE
}

fn default_device() -> String {
    DEVICE.to_owned()
}

fn default_context() -> String {
    CONTEXT.to_owned()
}

fn default_extensions() -> String {
    EXTENSIONS.to_owned()
}

impl Server {
    /// Whether others on the way could read what crosses the link: it leaves the machine, unencrypted.
    pub(crate) fn crosses_openly(&self) -> bool {
        self.tls.is_none() && !self.is_here()
    }

    /// Whether the host is this machine, by its name or address.
    pub(crate) fn is_here(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }

    /// All fields, by their names in JSON and TOML.
    pub const KEYS: [&'static str; 15] = [
        "id",
        "host",
        "port",
        "username",
        "secret",
        "auth",
        "device",
        "context",
        "voicemail",
        "extensions",
        "maxCalls",
        "keepAlive",
        "tls",
        "filter",
        "ari",
    ];

    /// Reads a server from the admin API. A refusal names the field; no message repeats a value.
    pub fn from_json(value: Value) -> Result<Self, Refusal> {
        let object = value
            .as_object()
            .ok_or_else(|| Refusal::field("server", "must be an object with id, host, …"))?;
        // Field by field first, for what serde could say only in general.
        for needed in ["id", "host", "username", "secret"] {
            if !object.contains_key(needed) {
                return Err(Refusal::field(needed, "is missing"));
            }
        }
        for (key, value) in object {
            match key.as_str() {
                "tls" => ServerTls::shape(value)?,
                "filter" => ServerFilter::shape(value)?,
                "ari" => ServerAri::shape(value)?,
                _ => shape(key, value).map_err(|error| Refusal::field(key, error))?,
            }
        }
        let server: Self = serde_json::from_value(value).map_err(|_| {
            // Every field has the right shape by now; serde's own words could repeat a secret.
            Refusal::new(Code::BadRequest, "the server cannot be read")
        })?;
        let checks: [(&str, Result<(), String>); 8] = [
            ("id", rules::id(&server.id)),
            ("host", rules::host(&server.host)),
            ("username", rules::ami_value(&server.username)),
            ("secret", rules::ami_value(server.secret.expose())),
            ("device", rules::device(&server.device)),
            ("context", rules::context(&server.context)),
            ("voicemail", server.voicemail.as_deref().map_or(Ok(()), rules::voicemail)),
            ("extensions", rules::extensions(&server.extensions)),
        ];
        for (field, outcome) in checks {
            outcome.map_err(|error| Refusal::field(field, error))?;
        }
        let authority = server.ari.as_ref().and_then(|ari| ari.ca.clone());
        let authority = ServerTls { ca: authority, ..ServerTls::default() };
        for (table, tls) in [("tls", server.tls.as_ref()), ("ari", Some(&authority))] {
            let mut wrong =
                tls.into_iter().flat_map(|tls| tls.check(|path| fs::read_to_string(path)));
            if let Some((key, message)) = wrong.next() {
                return Err(Refusal::field(format!("{table}.{key}"), message));
            }
        }
        Ok(server)
    }
}

/// Whether the JSON value of a field is of the right type.
fn shape(key: &str, value: &Value) -> Result<(), String> {
    let whole = |max: u64| value.as_u64().is_some_and(|number| (1..=max).contains(&number));
    let (good, wanted) = match key {
        "id" | "host" | "username" | "secret" | "device" | "context" | "voicemail"
        | "extensions" => (value.is_string(), "must be a string"),
        "port" => (whole(u16::MAX.into()), "must be a whole number from 1 to 65535"),
        "keepAlive" => (whole(3600), "must be a whole number of seconds from 1 to 3600"),
        "maxCalls" => (whole(u32::MAX.into()), "must be a whole number, 1 or more"),
        "auth" => (matches!(value.as_str(), Some("md5" | "plain")), "must be \"md5\" or \"plain\""),
        _ => return Err("is unknown".to_owned() + &rules::perhaps(key, &Server::KEYS)),
    };
    if good { Ok(()) } else { Err(wanted.to_owned()) }
}
