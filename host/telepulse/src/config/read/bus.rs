//! `[bus]`.

use crate::config::{
    Bus, Nats, NatsLogin, NatsServer, Secret, ServerTls,
    fields::{Fields, Reader},
    nats, rules, schema,
    written::Value,
};
use std::{collections::BTreeSet, time::Duration};

/// Keys that every bus has; all others are NATS's.
const OF_ALL: [&str; 2] = ["kind", "history"];

pub(super) fn bus(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Bus {
    reader.known(fields, &schema::BUS);
    let kinds = [("local", false), ("nats", true)];
    let has_kind = fields.get("kind").is_some();
    let is_nats = if has_kind { reader.choice(fields, "kind", &kinds) } else { Some(false) };
    let history = reader.number(fields, "history", 1..=10_000_000).unwrap_or(100_000);
    let nats = match is_nats {
        Some(true) => self::nats(reader, fields),
        Some(false) => {
            for key in schema::BUS.keys.iter().filter(|key| !OF_ALL.contains(key)) {
                if fields.get(key).is_some() {
                    let message = "is for kind = \"nats\": write that, or remove it";
                    reader.mistake(fields, key, message);
                }
            }
            None
        }
        None => None,
    };
    Bus { history: usize::try_from(history).unwrap_or(usize::MAX), nats }
}

/// Every key is looked at, so that all mistakes are told.
fn nats(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Nats> {
    let servers = servers(reader, fields);
    let prefix = reader.ruled(fields, "prefix", nats::prefix);
    let login = login(reader, fields);
    let tls = ServerTls {
        ca: reader.path(fields, "ca"),
        cert: reader.path(fields, "cert"),
        key: reader.path(fields, "key"),
        server_name: None,
    };
    // The rules for the files are those of the links.
    for (key, message) in tls.check(reader.files) {
        reader.mistake(fields, key, &message);
    }
    let replicas = reader.number(fields, "replicas", 1..=5).unwrap_or(1);
    let storages = [("file", true), ("memory", false)];
    let on_disk = reader.choice(fields, "storage", &storages).unwrap_or(true);
    let bytes = reader.number(fields, "historyMiB", 1..=1_048_576).unwrap_or(1024);
    let hours = reader.number(fields, "historyHours", 1..=87_600).unwrap_or(24);
    Some(Nats {
        servers: servers?,
        prefix,
        login: login?,
        ca: tls.ca,
        identity: tls.cert.zip(tls.key),
        bytes: u64::from(bytes) << 20,
        age: Duration::from_secs(u64::from(hours) * 3600),
        replicas,
        on_disk,
    })
}

/// One URL, several with commas between them, or a list.
fn servers(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Vec<NatsServer>> {
    let Some(node) = fields.get("url") else {
        reader.missing(fields, "url", "say where NATS is, like \"nats://127.0.0.1:4222\"");
        return None;
    };
    let urls: BTreeSet<String> = if let Value::List(_) = node.value {
        // What each must be is told with the place of the list's item.
        reader.list(fields, "url", |url| nats::server(url).map(drop))?
    } else {
        let text = reader.secret(fields, "url")?;
        text.split(',').map(|url| url.trim().to_owned()).collect()
    };
    if urls.is_empty() {
        reader.mistake(fields, "url", "is empty: say where NATS is");
        return None;
    }
    let servers: Result<Vec<_>, _> = urls.iter().map(|url| nats::server(url)).collect();
    match &node.value {
        // Told already.
        Value::List(_) => servers.ok(),
        _ => reader.keep(fields, "url", servers),
    }
}

/// One way to log in, or none.
fn login(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<NatsLogin> {
    let has = |key: &str| fields.get(key).is_some();
    let ways: Vec<&str> =
        ["user", "token", "credentials"].into_iter().filter(|key| has(key)).collect();
    if let [_, second, ..] = ways[..] {
        let message = format!("stands beside {}: one of them is enough", ways[0]);
        reader.mistake(fields, second, &message);
    }
    if has("user") != has("password") {
        let (here, missing) = if has("user") { ("user", "password") } else { ("password", "user") };
        reader.mistake(fields, here, &format!("needs {missing}"));
    }
    let user = reader.ruled(fields, "user", rules::claim);
    let password = reader.secret(fields, "password").map(Secret::new);
    let token = reader.secret(fields, "token").map(Secret::new);
    let file = reader.path(fields, "credentials");
    if let Some(path) = &file
        && let Err(error) = (reader.files)(path)
    {
        let message = format!("cannot read {}: {error}", path.display());
        reader.mistake(fields, "credentials", &message);
    }
    match ways.first() {
        None => Some(NatsLogin::None),
        Some(&"user") => Some(NatsLogin::Password { user: user?, password: password? }),
        Some(&"token") => Some(NatsLogin::Token(token?)),
        Some(_) => Some(NatsLogin::File(file?)),
    }
}
