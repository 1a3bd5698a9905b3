//! What differs between two configurations, key by key; secrets only say that they differ. Pure.

use super::{Config, JwtKeys, LogFormat, Nats, NatsLogin, Role, User, ValuesIn};
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Sections that are put in force while calls go on; others need a restart.
const LIVE: [&str; 4] = ["server", "auth.user", "auth.role", "commands"];
/// The section of servers, with the dot before their ids.
const SERVERS: &str = "server.";
/// What is shown of a secret.
const HIDDEN: &str = "(hidden)";

/// One key that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Its name, such as `server.pbx1.host`.
    pub key: String,
    /// What it was; absent where it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it is to be; absent where it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether it takes a restart.
    pub needs_restart: bool,
    /// Whether it has no effect: it is of a server that was changed or removed over the admin API, and
    /// what was said there holds.
    #[serde(rename = "overruled", skip_serializing_if = "std::ops::Not::not")]
    pub is_overruled: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "~ {}: {before} -> {after}", self.key)?,
            (Some(before), None) => write!(f, "- {}: {before}", self.key)?,
            (None, Some(after)) => write!(f, "+ {}: {after}", self.key)?,
            (None, None) => write!(f, "~ {}", self.key)?,
        }
        match (self.needs_restart, self.is_overruled) {
            (true, _) => f.write_str("  (after a restart)"),
            (false, true) => f.write_str("  (no effect: servers.json holds)"),
            (false, false) => Ok(()),
        }
    }
}

/// A value: what is compared, and what is shown.
struct Leaf {
    exact: String,
    is_secret: bool,
}

type Leaves = BTreeMap<String, Leaf>;

/// All keys that differ, in the order of their names. Of the servers `overruled` the configuration does not
/// decide.
pub fn diff(old: &Config, new: &Config, overruled: &BTreeSet<String>) -> Vec<Change> {
    // JSON Web Tokens are read by the roles of the start.
    let are_roles_kept = old.jwt.is_some() || new.jwt.is_some();
    let (old, new) = (leaves(old), leaves(new));
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let shown = |leaf: &Leaf| if leaf.is_secret { HIDDEN.to_owned() } else { leaf.exact.clone() };
    keys.into_iter()
        .filter_map(|key| {
            let (before, after) = (old.get(key), new.get(key));
            if before.map(|leaf| &leaf.exact) == after.map(|leaf| &leaf.exact) {
                return None;
            }
            let is_live = LIVE
                .iter()
                .any(|section| key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.')));
            Some(Change {
                key: key.clone(),
                before: before.map(shown),
                after: after.map(shown),
                needs_restart: !is_live || (are_roles_kept && key.starts_with("auth.role.")),
                is_overruled: server_of(key).is_some_and(|id| overruled.contains(id)),
            })
        })
        .collect()
}

/// The id of the server that a key is of.
fn server_of(key: &str) -> Option<&str> {
    key.strip_prefix(SERVERS)?.split('.').next()
}

fn leaves(config: &Config) -> Leaves {
    let mut leaves = Leaves::new();
    for server in &config.servers {
        put(&mut leaves, &format!("{SERVERS}{}", server.id), &json!(server));
    }
    for user in &config.users {
        self::user(&mut leaves, user);
    }
    for role in &config.roles {
        self::role(&mut leaves, role);
    }
    if let Some(jwt) = &config.jwt {
        let at = match &jwt.keys {
            JwtKeys::At(place) => place.as_str(),
            JwtKeys::Secret(secret) => {
                put(&mut leaves, "auth.jwt.secret", &json!(secret));
                ""
            }
        };
        let value = json!({
            "issuer": jwt.issuer, "audience": jwt.audience, "keys": at,
            "name": jwt.name, "extension": jwt.extension, "roles": jwt.roles,
        });
        put(&mut leaves, "auth.jwt", &value);
    }
    if let Some(tls) = &config.tls {
        put(&mut leaves, "tls", &json!({ "cert": tls.cert, "key": tls.key.display().to_string() }));
    }
    rest(&mut leaves, config);
    leaves
}

fn rest(leaves: &mut Leaves, config: &Config) {
    let commands = &config.commands;
    let proxies: Vec<String> =
        config.http.trusted_proxies.iter().map(ToString::to_string).collect();
    let format = if config.log.format == LogFormat::Json { "json" } else { "text" };
    let tree = json!({
        "node": { "name": config.node.name },
        "http": { "trustedProxies": proxies },
        "commands": {
            "perSecond": commands.per_second, "dialsPerMinute": commands.dials_per_minute,
            "dialsPerNumber": commands.dials_per_number, "deniedPrefixes": commands.denied_prefixes,
        },
        "bus": {
            "kind": if config.bus.nats.is_some() { "nats" } else { "local" },
            "history": config.bus.history,
        },
        "store": {
            "kind": config.store.values.kind(), "path": config.store.path,
            "calls": config.store.calls.number, "callDays": config.store.calls.days,
        },
        "plugins": { "dir": config.plugins.dir },
        "admin": { "listen": config.admin.listen, "tls": config.admin.tls },
        "log": { "format": format, "level": config.log.level.to_string() },
    });
    for (section, value) in tree.as_object().into_iter().flatten() {
        put(leaves, section, value);
    }
    if let ValuesIn::Redis(redis) = &config.store.values {
        let password = redis.password.as_ref().map(super::Secret::expose);
        let (user, db) = (&redis.user, redis.db);
        secret(
            leaves,
            "store.url",
            format!("{redis}{user:?}{password:?}{db}{}", redis.is_encrypted),
        );
    }
    if let Some(nats) = &config.bus.nats {
        self::nats(leaves, nats);
    }
    if let Some(telemetry) = &config.telemetry {
        let value = json!({
            "otlp": telemetry.otlp.to_string(), "service": telemetry.service,
            "samplePercent": telemetry.sample_percent, "ca": telemetry.ca,
        });
        put(leaves, "telemetry", &value);
        if !telemetry.headers.is_empty() {
            let plain = |(name, value): &(_, super::Secret)| format!("{name:?}{}", value.expose());
            let headers: Vec<String> = telemetry.headers.iter().map(plain).collect();
            secret(leaves, "telemetry.headers", format!("{headers:?}"));
        }
    }
    if let Some(token) = &config.admin.token {
        secret(leaves, "admin.token", format!("{:?}", token.0));
    }
}

fn nats(leaves: &mut Leaves, nats: &Nats) {
    let servers: Vec<String> = nats.servers.iter().map(ToString::to_string).collect();
    let value = json!({
        "url": servers, "prefix": nats.prefix, "ca": nats.ca, "replicas": nats.replicas,
        "cert": nats.identity.as_ref().map(|(cert, _)| cert),
        "key": nats.identity.as_ref().map(|(_, key)| key.display().to_string()),
        "storage": if nats.on_disk { "file" } else { "memory" },
        "historyMiB": nats.bytes >> 20, "historyHours": nats.age.as_secs() / 3600,
    });
    put(leaves, "bus", &value);
    match &nats.login {
        NatsLogin::None => {}
        NatsLogin::Password { user, password } => {
            put(leaves, "bus.user", &json!(user));
            secret(leaves, "bus.password", password.expose().to_owned());
        }
        NatsLogin::Token(token) => secret(leaves, "bus.token", token.expose().to_owned()),
        NatsLogin::File(path) => put(leaves, "bus.credentials", &json!(path)),
    }
}

fn user(leaves: &mut Leaves, user: &User) {
    let at = format!("auth.user.{}", user.name);
    let value = json!({
        "extension": user.extension, "agents": user.agents, "queues": user.queues,
        "servers": user.servers, "allow": user.allow,
    });
    put(leaves, &at, &value);
    if let Some(token) = &user.token {
        secret(leaves, &format!("{at}.token"), format!("{:?}", token.0));
    }
    if let Some(password) = &user.password {
        secret(leaves, &format!("{at}.password"), password.0.clone());
    }
}

fn role(leaves: &mut Leaves, role: &Role) {
    let value = json!({
        "agents": role.agents, "queues": role.queues, "servers": role.servers, "allow": role.allow,
    });
    put(leaves, &format!("auth.role.{}", role.name), &value);
}

fn secret(leaves: &mut Leaves, key: &str, exact: String) {
    leaves.insert(key.to_owned(), Leaf { exact, is_secret: true });
}

/// Takes a tree of values apart.
fn put(leaves: &mut Leaves, key: &str, value: &Value) {
    match value {
        Value::Null => {}
        // A section that is there and says nothing, such as `[server.tls]`, says something by that.
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                put(leaves, &format!("{key}.{name}"), value);
            }
        }
        value => {
            let is_secret = key.ends_with(".secret") || key.ends_with(".password");
            leaves.insert(key.to_owned(), Leaf { exact: value.to_string(), is_secret });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;
    use std::path::Path;

    fn config(text: &str) -> Config {
        Config::parse(&Source::alone(Path::new("/etc/telepulse/telepulse.toml"), text)).unwrap()
    }

    fn told(old: &str, new: &str) -> Vec<String> {
        let changes = diff(&config(old), &config(new), &BTreeSet::new());
        changes.iter().map(ToString::to_string).collect()
    }

    const PBX: &str = "[[server]]\nid='pbx1'\nhost='a'\nusername='u'\nsecret='hunter2'\n";

    #[test]
    fn only_what_differs_is_told() {
        assert_eq!(told(PBX, PBX), [""; 0]);
        let other = PBX.replace("'a'", "'b'").replace("hunter2", "hunter3");
        assert_eq!(
            told(PBX, &other),
            ["~ server.pbx1.host: \"a\" -> \"b\"", "~ server.pbx1.secret: (hidden) -> (hidden)",]
        );
    }

    #[test]
    fn what_the_admin_api_has_changed_since_is_marked() {
        let (old, new) = (config(PBX), config(&PBX.replace("'a'", "'b'")));
        let of = |id: &str| diff(&old, &new, &BTreeSet::from([id.to_owned()]));
        assert_eq!(
            of("pbx1")[0].to_string(),
            "~ server.pbx1.host: \"a\" -> \"b\"  (no effect: servers.json holds)"
        );
        assert_eq!(json!(of("pbx1")[0])["overruled"], true);
        assert_eq!(json!(of("pbx")[0]).get("overruled"), None, "another server");
    }

    #[test]
    fn what_comes_and_goes_and_what_waits_for_a_restart() {
        let token = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let user = format!("[[auth.user]]\nname='ana'\ntoken='{token}'\nqueues=['sales']\n");
        let told = told(&user, "[log]\nlevel='debug'\n");
        assert_eq!(
            told,
            [
                "- auth.user.ana.allow: []",
                "- auth.user.ana.queues: [\"sales\"]",
                "- auth.user.ana.token: (hidden)",
                "~ log.level: \"info\" -> \"debug\"  (after a restart)",
            ]
        );
    }

    #[test]
    fn traces_go_elsewhere_after_a_restart() {
        let old = "[telemetry]\notlp='http://a:1'\nheaders='k=hunter2'\n";
        let new = "[telemetry]\notlp='http://b:1'\nheaders='k=hunter3'\n";
        assert_eq!(
            told(old, new),
            [
                "~ telemetry.headers: (hidden) -> (hidden)  (after a restart)",
                "~ telemetry.otlp: \"http://a:1/v1/traces\" -> \"http://b:1/v1/traces\"  (after a restart)",
            ]
        );
    }

    #[test]
    fn a_section_that_says_nothing_differs_from_none() {
        let encrypted = format!("{PBX}[server.tls]\n");
        assert_eq!(told(PBX, &encrypted), ["+ server.pbx1.tls: {}"]);
        assert_eq!(told(&encrypted, PBX), ["- server.pbx1.tls: {}"]);
    }
}
