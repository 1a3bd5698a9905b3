//! From the configuration as written to the configuration as used, section by section.

mod ari;
mod auth;
mod bus;
mod telemetry;

use super::{
    Admin, Calls, Commands, Config, Http, ListenTls, Log, LogFormat, Node, NodeRole, Plugins,
    Redis, Secret, Server, ServerAuth, ServerFilter, ServerTls, Store,
    fields::{Fields, Reader},
    mistake::Place,
    redis, rules, schema, server,
    written::{self, Table, Value},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU32,
};

/// Reads everything. The result is good only if no mistake was noted.
pub(super) fn config(reader: &mut Reader<'_>, root: &Table) -> Config {
    let top = Fields::new("", root, &Place::File);
    reader.known(&top, &schema::TOP);
    let nothing = Table::new();
    let mut section = |name: &'static str| section(reader, root, name, &nothing);
    let (node, users, tls, http, commands, bus, store, plugins, admin, log, telemetry) = (
        section("node"),
        section("auth"),
        section("tls"),
        section("http"),
        section("commands"),
        section("bus"),
        section("store"),
        section("plugins"),
        section("admin"),
        section("log"),
        section("telemetry"),
    );
    reader.known(&users, &schema::AUTH);
    let roles = auth::roles(reader, &users);
    let config = Config {
        node: self::node(reader, &node),
        servers: servers(reader, root),
        users: auth::users(reader, &users, &roles),
        jwt: auth::jwt(reader, &users, &roles),
        roles,
        tls: listen_tls(reader, &tls),
        http: self::http(reader, &http),
        commands: self::commands(reader, &commands),
        bus: self::bus::bus(reader, &bus),
        store: self::store(reader, &store),
        plugins: self::plugins(reader, &plugins),
        admin: self::admin(reader, &admin),
        log: self::log(reader, &log),
        telemetry: self::telemetry::telemetry(reader, &telemetry),
    };
    let is_alone = config.bus.nats.is_none();
    let has_all = config.node.roles.len() == NodeRole::ALL.len();
    if is_alone && !has_all && !reader.mistakes.are_at(node.place_of("roles")) {
        let message = "a process that is alone has all roles: remove the key, \
                       or set kind = \"nats\" in [bus]";
        reader.mistake(&node, "roles", message);
    }
    if config.admin.tls && config.tls.is_none() {
        reader.mistake(&admin, "tls", "needs a certificate: set cert and key in [tls]");
    }
    config
}

/// A section that stands alone; an empty one where it is not written.
fn section<'t>(
    reader: &mut Reader<'_>,
    root: &'t Table,
    name: &'static str,
    nothing: &'t Table,
) -> Fields<'t> {
    let Some(node) = root.get(name) else { return Fields::new(name, nothing, &Place::File) };
    let table = node.as_table();
    if table.is_none() {
        reader.mistake_at(&node.place, &format!("{name}: must be a table: write [{name}]"));
    }
    Fields::new(name, table.unwrap_or(nothing), &node.place)
}

/// The entries of an array of tables.
fn entries<'t>(
    reader: &mut Reader<'_>,
    node: Option<&'t written::Node>,
    name: &'static str,
) -> Vec<Fields<'t>> {
    let Some(node) = node else { return Vec::new() };
    let list = match &node.value {
        Value::List(list) => list.as_slice(),
        _ => &[],
    };
    let tables: Vec<_> = list
        .iter()
        .filter_map(|item| Some(Fields::new(name, item.as_table()?, &item.place)))
        .collect();
    if !matches!(node.value, Value::List(_)) || tables.len() < list.len() {
        let message = format!("{name}: must be an array of tables: write [[{name}]]");
        reader.mistake_at(&node.place, &message);
    }
    tables
}

fn node(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Node {
    reader.known(fields, &schema::NODE);
    let roles = reader.list(fields, "roles", rules::role);
    if roles.as_ref().is_some_and(BTreeSet::is_empty)
        && !reader.mistakes.are_at(fields.place_of("roles"))
    {
        reader.mistake(fields, "roles", "a process without a role does nothing: remove the key");
    }
    let roles = match roles {
        Some(roles) => roles.iter().filter_map(|role| NodeRole::read(role)).collect(),
        None => NodeRole::ALL.into(),
    };
    let name = reader.ruled(fields, "name", rules::id).unwrap_or_else(|| "tp1".to_owned());
    Node { name, roles }
}

fn servers(reader: &mut Reader<'_>, root: &Table) -> Vec<Server> {
    let mut seen = BTreeMap::new();
    let mut servers = Vec::new();
    for fields in entries(reader, root.get("server"), "server") {
        let server = server(reader, &fields);
        unique(reader, &fields, &mut seen, "id", &server.id);
        servers.push(server);
    }
    servers
}

fn server(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Server {
    reader.known(fields, &schema::SERVER);
    for (key, way_out) in [
        ("id", "give the server a name, like \"pbx1\""),
        ("host", "say where it is, like \"127.0.0.1\""),
        ("username", "name the user of manager.conf"),
        ("secret", "write \"env:NAME\", \"file:PATH\" or the secret"),
    ] {
        if fields.get(key).is_none() {
            reader.missing(fields, key, way_out);
        }
    }
    let auths = [("md5", ServerAuth::Md5), ("plain", ServerAuth::Plain)];
    let secret = reader.secret(fields, "secret").and_then(|secret| {
        let good = rules::ami_value(&secret).map(|()| secret);
        reader.keep(fields, "secret", good)
    });
    let mut text = |key, rule, default: &str| {
        reader.ruled(fields, key, rule).unwrap_or_else(|| default.to_owned())
    };
    Server {
        id: text("id", rules::id, ""),
        host: text("host", rules::host, ""),
        username: text("username", rules::ami_value, ""),
        device: text("device", rules::device, server::DEVICE),
        context: text("context", rules::context, server::CONTEXT),
        extensions: text("extensions", rules::extensions, server::EXTENSIONS),
        voicemail: reader.ruled(fields, "voicemail", rules::voicemail),
        secret: Secret::new(secret.unwrap_or_default()),
        port: reader
            .number(fields, "port", 1..=u16::MAX.into())
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or(server::PORT),
        auth: reader.choice(fields, "auth", &auths).unwrap_or_default(),
        max_calls: reader.number(fields, "maxCalls", 1..=u32::MAX),
        keep_alive: reader.number(fields, "keepAlive", 1..=3600).unwrap_or(server::KEEP_ALIVE),
        tls: subsection(reader, fields, "tls", "server.tls").map(|tls| self::tls(reader, &tls)),
        filter: subsection(reader, fields, "filter", "server.filter")
            .map(|filter| self::filter(reader, &filter))
            .unwrap_or_default(),
        ari: subsection(reader, fields, "ari", "server.ari")
            .and_then(|ari| self::ari::ari(reader, &ari)),
    }
}

/// A table within another.
fn subsection<'t>(
    reader: &mut Reader<'_>,
    fields: &Fields<'t>,
    key: &str,
    name: &'static str,
) -> Option<Fields<'t>> {
    let node = fields.get(key)?;
    let table = node.as_table();
    if table.is_none() {
        reader.mistake(fields, key, &format!("must be a table: write [{name}]"));
    }
    Some(Fields::new(name, table?, &node.place))
}

fn tls(reader: &mut Reader<'_>, fields: &Fields<'_>) -> ServerTls {
    reader.known(fields, &schema::TLS);
    let tls = ServerTls {
        ca: reader.path(fields, "ca"),
        server_name: reader.ruled(fields, "serverName", rules::host),
        cert: reader.path(fields, "cert"),
        key: reader.path(fields, "key"),
    };
    for (key, message) in tls.check(reader.files) {
        reader.mistake(fields, key, &message);
    }
    tls
}

fn filter(reader: &mut Reader<'_>, fields: &Fields<'_>) -> ServerFilter {
    reader.known(fields, &schema::FILTER);
    let exclude = reader.list(fields, "exclude", rules::excluded_event).unwrap_or_default();
    ServerFilter { exclude }
}

/// Notes a second entry of the same name.
fn unique<'t>(
    reader: &mut Reader<'_>,
    fields: &Fields<'t>,
    seen: &mut BTreeMap<String, &'t Place>,
    key: &str,
    name: &str,
) {
    if name.is_empty() {
        return;
    }
    if let Some(first) = seen.insert(name.to_owned(), fields.place) {
        let where_ = match first {
            Place::Line(line) => format!(" (line {line})"),
            Place::File | Place::Variable(_) => String::new(),
        };
        reader.mistake(fields, key, &format!("{name:?} is taken{where_}: give it another"));
    }
}

fn listen_tls(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<ListenTls> {
    reader.known(fields, &schema::LISTEN_TLS);
    let (cert, key) = (reader.path(fields, "cert"), reader.path(fields, "key"));
    // The rules for a certificate and its key are those of the links to servers.
    let both = ServerTls { cert: cert.clone(), key: key.clone(), ..ServerTls::default() };
    for (key, message) in both.check(reader.files) {
        reader.mistake(fields, key, &message);
    }
    Some(ListenTls { cert: cert?, key: key? })
}

fn http(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Http {
    reader.known(fields, &schema::HTTP);
    let proxies = reader.list(fields, "trustedProxies", |text| rules::network(text).map(drop));
    let proxies = proxies.unwrap_or_default();
    Http { trusted_proxies: proxies.iter().filter_map(|text| rules::network(text).ok()).collect() }
}

fn commands(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Commands {
    reader.known(fields, &schema::COMMANDS);
    let mut rate = |key, default: u32| {
        let rate = reader.number(fields, key, 1..=1_000_000).unwrap_or(default);
        NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN)
    };
    Commands {
        per_second: rate("perSecond", 100),
        dials_per_minute: rate("dialsPerMinute", 3_000),
        dials_per_number: rate("dialsPerNumber", 600),
        denied_prefixes: reader
            .list(fields, "deniedPrefixes", rules::extension)
            .map(|list: BTreeSet<String>| list.into_iter().collect())
            .unwrap_or_default(),
    }
}

fn store(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Store {
    reader.known(fields, &schema::STORE);
    Store {
        path: reader.path(fields, "path").unwrap_or_else(|| reader.folder.join("data")),
        redis: self::redis(reader, fields),
        calls: Calls {
            number: reader.number(fields, "calls", 0..=10_000_000).unwrap_or(100_000).into(),
            days: reader.number(fields, "callDays", 1..=36_500),
        },
    }
}

/// Where Redis is, if plugins' values are there.
fn redis(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Redis> {
    let kinds = [("embedded", false), ("redis", true)];
    let is_redis = match fields.get("kind") {
        Some(_) => reader.choice(fields, "kind", &kinds)?,
        None => false,
    };
    match (is_redis, fields.get("url")) {
        (true, Some(_)) => {
            let url = reader.secret(fields, "url")?;
            return reader.keep(fields, "url", redis::parse(&url));
        }
        (true, None) => {
            reader.missing(fields, "url", "say where Redis is, like \"redis://127.0.0.1:6379\"");
        }
        (false, Some(_)) => {
            reader.mistake(fields, "url", "is for kind = \"redis\": write that, or remove it");
        }
        (false, None) => {}
    }
    None
}

fn plugins(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Plugins {
    reader.known(fields, &schema::PLUGINS);
    Plugins { dir: reader.path(fields, "dir").unwrap_or_else(|| reader.folder.join("plugins.d")) }
}

fn admin(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Admin {
    reader.known(fields, &schema::ADMIN);
    let listen = reader.text(fields, "listen").map(|text| {
        let wanted = "must be an IP address with a port, like \"127.0.0.1:8082\"";
        text.parse::<SocketAddr>().map_err(|_| wanted.to_owned())
    });
    let listen = listen
        .and_then(|listen| reader.keep(fields, "listen", listen))
        .unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 8082).into());
    let token = reader.secret(fields, "token").map(|text| rules::token(&text));
    let token = token.and_then(|token| reader.keep(fields, "token", token));
    if !listen.ip().is_loopback() && fields.get("token").is_none() {
        let message = format!(
            "{listen} can be reached from other machines: set admin.token (`telepulse token` \
             makes one), or listen on 127.0.0.1"
        );
        reader.mistake(fields, "listen", &message);
    }
    let tls = reader.truth(fields, "tls").unwrap_or_default();
    Admin { listen, token, tls }
}

fn log(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Log {
    reader.known(fields, &schema::LOG);
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let level = reader.text(fields, "level").unwrap_or("info");
    Log {
        format: reader.choice(fields, "format", &formats).unwrap_or_default(),
        level: reader.keep(fields, "level", rules::level(level)).unwrap_or_default(),
    }
}
