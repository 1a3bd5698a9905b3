//! This machine: files, ports, plugins.

use crate::{
    auth::token_matches,
    config::{Config, Server, plain_secrets},
    doctor::facts::{LocalFacts, PluginFacts, PluginsFacts, UsedFacts},
    exchange::exchange,
};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use plugin_host::{Asks, Manifest, SecretSource};
use std::{
    collections::BTreeMap,
    fs, io,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};

/// How long a running TelePulse may take to say that it runs.
const SOON: Duration = Duration::from_secs(2);
/// What anybody would try.
const GUESSES: [&str; 24] = [
    "admin",
    "amp111",
    "asterisk",
    "changeme",
    "default",
    "demo",
    "guest",
    "letmein",
    "manager",
    "mysecret",
    "pass",
    "passw0rd",
    "password",
    "qwerty",
    "root",
    "secret",
    "telepulse",
    "test",
    "token",
    "user",
    "1234",
    "12345678",
    "simulated",
    "supervisor",
];
/// The length from which a secret is not guessed by trying all.
const SHORT: usize = 8;

/// All facts about this machine, and the servers that there are; none where the configuration cannot
/// be used.
pub(in crate::doctor) async fn of_machine(file: &Path) -> (LocalFacts, Vec<Server>) {
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut facts = LocalFacts {
        file: file.to_owned(),
        plain_secrets: plain_secrets(&text),
        mode: fs::metadata(file).ok().map(|meta| meta.permissions().mode()),
        ..LocalFacts::default()
    };
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(mistakes) => {
            facts.mistakes = mistakes.list();
            return (facts, Vec::new());
        }
    };
    let servers =
        crate::proxy::kept_over(&config.store.path.join(crate::app::KEPT_SERVERS), &config.servers);
    let servers = servers.unwrap_or_else(|error| {
        facts.mistakes.push((config.store.path.display().to_string(), error.to_string()));
        config.servers.clone()
    });
    facts.used = Some(used(config, &servers).await);
    (facts, servers)
}

async fn used(config: Config, servers: &[Server]) -> UsedFacts {
    let plugins = plugins(&config.plugins.dir).map_err(|error| error.to_string());
    let (store_error, store_free) = store(&config.store.path);
    let is_running = is_running(&config).await;
    let wanted = wanted(&config, &config.plugins.dir);
    UsedFacts {
        taken: wanted.into_iter().filter(|(address, _)| is_taken(address)).collect(),
        guessable: guessable(&config),
        guessable_servers: guessable_servers(servers),
        open_files: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
        config,
        store_error,
        store_free,
        is_running,
        plugins,
    }
}

/// Whether a file can be made below a folder, or below the nearest one that there is.
fn store(path: &Path) -> (Option<String>, Option<u64>) {
    let there = path.ancestors().find(|folder| folder.exists()).unwrap_or(path);
    let error = tempfile::NamedTempFile::new_in(there).err().map(|error| error.to_string());
    let free =
        rustix::fs::statvfs(there).ok().map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize));
    (error, free)
}

/// A TelePulse answers where the admin API should be. Behind TLS, whoever listens is taken for one.
async fn is_running(config: &Config) -> bool {
    let asking = async {
        let stream = TcpStream::connect(config.admin.listen).await.ok()?;
        if config.admin.tls {
            return Some(true);
        }
        let request = Request::get("/healthz")
            .header(header::HOST, config.admin.listen.to_string())
            .body(Full::<Bytes>::default())
            .ok()?;
        let (status, body) = exchange(stream, request, 4096).await.ok()?;
        Some(status.is_success() && body.starts_with(b"{\"status\":\"ok\""))
    };
    timeout(SOON, asking).await.ok().flatten() == Some(true)
}

/// The addresses that we are to listen on, each with what for.
fn wanted(config: &Config, plugins: &Path) -> BTreeMap<String, String> {
    let mut wanted = BTreeMap::new();
    for (name, manifest) in names(plugins).unwrap_or_default().iter().filter_map(|name| {
        let text = fs::read_to_string(plugins.join(format!("{name}.toml"))).ok()?;
        Some((name, Manifest::parse(&text).ok()?))
    }) {
        let mounts = manifest.grants.websocket.iter().chain(&manifest.grants.routes);
        for mount in mounts {
            wanted.entry(mount.listen.to_string()).or_insert_with(|| format!("the plugin {name}"));
        }
    }
    wanted.insert(config.admin.listen.to_string(), "the admin API".to_owned());
    wanted
}

fn is_taken(address: &str) -> bool {
    let Ok(address) = address.parse::<SocketAddr>() else { return false };
    let taken = TcpListener::bind(address).err().map(|error| error.kind());
    address.port() != 0 && taken == Some(io::ErrorKind::AddrInUse)
}

/// The plugins in a folder.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().and_then(std::ffi::OsStr::to_str);
        if let (Some("wasm"), Some(name)) =
            (path.extension().and_then(std::ffi::OsStr::to_str), name)
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn plugins(folder: &Path) -> io::Result<PluginsFacts> {
    let names = names(folder)?;
    let mode = Some(fs::metadata(folder)?.permissions().mode());
    Ok(PluginsFacts { mode, plugins: names.iter().map(|name| plugin(folder, name)).collect() })
}

fn plugin(folder: &Path, name: &str) -> PluginFacts {
    let settings = fs::read_to_string(folder.join(format!("{name}.toml")));
    let mut facts = PluginFacts {
        name: name.to_owned(),
        has_settings: settings.is_ok(),
        ..PluginFacts::default()
    };
    let manifest = match Manifest::parse(&settings.unwrap_or_default()) {
        Ok(manifest) => manifest,
        Err(mistakes) => {
            facts.mistakes.extend(mistakes.iter().map(ToString::to_string));
            return facts;
        }
    };
    let is_plain = |source: &SecretSource| matches!(source, SecretSource::Value(_));
    let plain = manifest.secrets.iter().filter(|(_, source)| is_plain(source));
    facts.plain_secrets = plain.map(|(key, _)| key.clone()).collect();
    let wasm = fs::read(folder.join(format!("{name}.wasm"))).map_err(|error| error.to_string());
    match wasm.and_then(|wasm| Asks::of(&wasm)) {
        Ok(Some(asks)) => facts.lacking = asks.lacking(&manifest.grants),
        Ok(None) => {}
        Err(error) => facts.mistakes.push(format!("{name}.wasm: {error}")),
    }
    facts
}

/// Whose token is one of those that anybody would try, each with the section that it is in.
fn guessable(config: &Config) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for user in &config.users {
        let own = [user.name.clone(), user.extension.clone().unwrap_or_default()];
        if user.token.is_some_and(|hash| any(&own, |guess| token_matches(&hash, guess))) {
            found.push((user.name.clone(), "[[auth.user]]".to_owned()));
        }
    }
    if config.admin.token.is_some_and(|hash| any(&[], |guess| token_matches(&hash, guess))) {
        found.push(("the admin API".to_owned(), "[admin]".to_owned()));
    }
    found
}

/// Tries what anybody would: words, names, and numbers of up to four digits.
fn any(own: &[String], is_it: impl Fn(&str) -> bool) -> bool {
    let numbers = (0..10_000).flat_map(|number| [format!("{number}"), format!("{number:04}")]);
    own.iter().map(String::as_str).chain(GUESSES).any(&is_it)
        || numbers.into_iter().any(|it| is_it(&it))
}

fn guessable_servers(servers: &[Server]) -> Vec<String> {
    let is_weak = |server: &&Server| {
        let secret = server.secret.expose();
        secret.len() < SHORT
            || secret.eq_ignore_ascii_case(&server.username)
            || GUESSES.iter().any(|guess| secret.eq_ignore_ascii_case(guess))
    };
    servers.iter().filter(is_weak).map(|server| server.id.clone()).collect()
}
