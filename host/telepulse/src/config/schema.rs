//! Which sections and keys there are: for unknown names, and for variables of the environment.

/// A section of the file.
pub(super) struct Section {
    /// Its path: `["auth", "user"]` is `[[auth.user]]`.
    pub(super) path: &'static [&'static str],
    /// The key that names an entry, where there can be several.
    pub(super) named_by: Option<&'static str>,
    /// Its keys.
    pub(super) keys: &'static [&'static str],
    /// Keys that a later version will know.
    pub(super) later: &'static [&'static str],
    /// Tables within an entry.
    pub(super) inner: &'static [Section],
}

const fn single(
    path: &'static [&'static str],
    keys: &'static [&'static str],
    later: &'static [&'static str],
) -> Section {
    Section { path, named_by: None, keys, later, inner: &[] }
}

pub(super) const NODE: Section = single(&["node"], &["name", "roles"], &[]);
pub(super) const SERVER: Section = Section {
    path: &["server"],
    named_by: Some("id"),
    keys: &super::Server::KEYS,
    later: &[],
    inner: &[TLS, FILTER, ARI],
};
pub(super) const TLS: Section = single(&["server", "tls"], &super::ServerTls::KEYS, &[]);
pub(super) const FILTER: Section = single(&["server", "filter"], &super::ServerFilter::KEYS, &[]);
pub(super) const ARI: Section = single(&["server", "ari"], &super::ServerAri::KEYS, &[]);
pub(super) const AUTH: Section = single(&["auth"], &["user", "role", "jwt"], &[]);
pub(super) const USER: Section = Section {
    path: &["auth", "user"],
    named_by: Some("name"),
    keys: &[
        "name",
        "token",
        "password",
        "extension",
        "agents",
        "queues",
        "servers",
        "allow",
        "role",
    ],
    later: &[],
    inner: &[],
};
pub(super) const ROLE: Section = Section {
    path: &["auth", "role"],
    named_by: Some("name"),
    keys: &["name", "agents", "queues", "servers", "allow"],
    later: &[],
    inner: &[],
};
pub(super) const JWT: Section = single(
    &["auth", "jwt"],
    &["issuer", "audience", "keys", "secret", "name", "extension", "roles"],
    &[],
);
pub(super) const LISTEN_TLS: Section = single(&["tls"], &["cert", "key"], &[]);
pub(super) const HTTP: Section = single(&["http"], &["trustedProxies"], &[]);
pub(super) const COMMANDS: Section = single(
    &["commands"],
    &["perSecond", "dialsPerMinute", "dialsPerNumber", "deniedPrefixes"],
    &[],
);
pub(super) const BUS: Section = single(
    &["bus"],
    &[
        "kind",
        "history",
        "url",
        "prefix",
        "user",
        "password",
        "token",
        "credentials",
        "ca",
        "cert",
        "key",
        "storage",
        "replicas",
        "historyMiB",
        "historyHours",
    ],
    &[],
);
pub(super) const STORE: Section =
    single(&["store"], &["kind", "path", "url", "calls", "callDays"], &[]);
pub(super) const PLUGINS: Section = single(&["plugins"], &["dir"], &[]);
pub(super) const ADMIN: Section = single(&["admin"], &["listen", "token", "tls"], &[]);
pub(super) const LOG: Section = single(&["log"], &["format", "level"], &[]);
pub(super) const TELEMETRY: Section =
    single(&["telemetry"], &["otlp", "headers", "service", "samplePercent", "ca"], &[]);

/// The names at the top of the file.
pub(super) const TOP: Section = single(
    &[],
    &[
        "node",
        "server",
        "auth",
        "tls",
        "http",
        "commands",
        "bus",
        "store",
        "plugins",
        "admin",
        "log",
        "telemetry",
    ],
    &[],
);

/// All sections that have values, the longer path first.
pub(super) const SECTIONS: [Section; 14] = [
    USER, ROLE, JWT, NODE, SERVER, LISTEN_TLS, HTTP, COMMANDS, BUS, STORE, PLUGINS, ADMIN, LOG,
    TELEMETRY,
];
