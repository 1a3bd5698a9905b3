//! Walks the parsed TOML and collects mistakes instead of stopping at the first.

mod placement;

use super::{Limits, Manifest, Mistake, OnFull, SecretSource};
use crate::{
    asks::Asks,
    grants::{Folder, Grants, Mount, OnFailure, Origin, Pattern, PolicyGrant},
    shards,
};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    ops::{Range, RangeInclusive},
    time::Duration,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Grants of the contract that a later version will know.
const NOT_YET: [&str; 1] = ["connections"];

/// What a guest's memory may be.
const MEMORIES: RangeInclusive<u64> = 1 << 20..=4 << 30;
/// What `durable = true` keeps.
const DURABLE: u64 = 64 << 20;
/// What a plugin's values may take.
const SPACES: RangeInclusive<u64> = 1 << 10..=1 << 40;

/// The text of a `NAME.toml`.
pub(super) fn manifest(text: &str) -> Result<Manifest, Vec<Mistake>> {
    let (table, mut reader) = Reader::begin(text, "grants");
    let manifest = reader.manifest(table.get_ref());
    reader.end(manifest)
}

/// The text of a component's manifest.
pub(super) fn asks(text: &str) -> Result<Asks, Vec<Mistake>> {
    let (table, mut reader) = Reader::begin(text, "asks");
    let asks = reader.asks(table.get_ref());
    reader.end(asks)
}

type Node<'a> = Spanned<DeValue<'a>>;

struct Reader<'t> {
    text: &'t str,
    /// What the table of grants is called here.
    rights: &'static str,
    mistakes: Vec<Mistake>,
}

impl<'t> Reader<'t> {
    /// Parses the text; `rights` is what the table of grants is called in it.
    fn begin(text: &'t str, rights: &'static str) -> (Spanned<DeTable<'t>>, Self) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut reader = Self { text, rights, mistakes: Vec::new() };
        for error in errors {
            reader.mistake(error.span().unwrap_or_default(), "TOML", error.message());
        }
        (table, reader)
    }

    fn end<T>(mut self, found: T) -> Result<T, Vec<Mistake>> {
        self.mistakes.sort_by_key(|mistake| mistake.line);
        if self.mistakes.is_empty() { Ok(found) } else { Err(self.mistakes) }
    }
}

impl Reader<'_> {
    fn mistake(&mut self, at: Range<usize>, key: &str, message: impl Into<String>) {
        let before = self.text.get(..at.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        self.mistakes.push(Mistake { line, key: key.to_owned(), message: message.into() });
    }

    fn manifest(&mut self, table: &DeTable<'_>) -> Manifest {
        let mut manifest = Manifest::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if !matches!(name, "grants" | "limits" | "placement" | "settings" | "secrets") {
                let message = "unknown; there are [grants], [limits], [placement], [settings] and \
                               [secrets]";
                self.mistake(key.span(), name, message);
                continue;
            }
            let Some(inner) = value.get_ref().as_table() else {
                self.mistake(key.span(), name, format!("must be a table: write [{name}]"));
                continue;
            };
            match name {
                "grants" => manifest.grants = self.grants(inner),
                "limits" => manifest.limits = self.limits(inner),
                "placement" => manifest.run = self.placement(inner),
                "settings" => (manifest.settings, manifest.origins) = self.settings(inner),
                _ => manifest.secrets = self.secrets(inner),
            }
        }
        self.fits(table, &manifest);
        if manifest.limits.shards > 1 && manifest.grants.durable > 0 {
            let at = table.iter().find(|(key, _)| key.get_ref() == "limits");
            let message = "messages that are kept on disk (grants.durable) have one order, and are \
                           done by one instance: leave one of the two out";
            let at = at.map(|(key, _)| key.span()).unwrap_or_default();
            self.mistake(at, "limits.shards", message);
        }
        manifest
    }

    fn asks(&mut self, table: &DeTable<'_>) -> Asks {
        let mut asks = Asks::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let text = value.get_ref().as_str().map(str::to_owned);
            match (name, value.get_ref().as_table()) {
                ("version", _) if text.is_some() => asks.version = text,
                ("description", _) if text.is_some() => asks.description = text,
                ("asks", Some(inner)) => asks.grants = self.grants(inner),
                ("settings", Some(inner)) => (asks.settings, _) = self.settings(inner),
                ("version" | "description", _) => {
                    self.mistake(value.span(), name, "must be a text in quotes");
                }
                ("asks" | "settings", None) => {
                    self.mistake(key.span(), name, format!("must be a table: write [{name}]"));
                }
                _ => {
                    let message = "unknown; there are version, description, [asks] and [settings]";
                    self.mistake(key.span(), name, message);
                }
            }
        }
        asks
    }

    fn grants(&mut self, table: &DeTable<'_>) -> Grants {
        let mut grants = Grants::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match name {
                "subscribe" => grants.subscribe = self.patterns("subscribe", value),
                "publish" => grants.publish = self.patterns("publish", value),
                "request" => grants.request = self.patterns("request", value),
                "websocket" => grants.websocket = self.mounts("websocket", value),
                "routes" => grants.routes = self.mounts("routes", value),
                "kv" => match value.get_ref().as_str().and_then(|text| bytes(text, SPACES)) {
                    Some(size) => grants.kv = size,
                    None => self.mistake(
                        value.span(),
                        &self.key("kv"),
                        "must be a size from \"1 KiB\" to \"1024 GiB\", like \"1 MiB\"",
                    ),
                },
                "http" => grants.http = Some(self.origins(value)),
                "policy" => grants.policy = self.policy(value),
                "durable" => grants.durable = self.durable(value),
                "serve" => grants.serve = self.actions(value),
                "files" => grants.files = Some(self.folders(value)),
                later if NOT_YET.contains(&later) => {
                    let message = "this build cannot grant it yet: remove the line";
                    self.mistake(key.span(), &self.key(later), message);
                }
                other => self.mistake(
                    key.span(),
                    &self.key(other),
                    "unknown; there are subscribe, publish, request, websocket, routes, http, kv, policy, \
                     serve, durable and files",
                ),
            }
        }
        for pattern in grants.subscribe.iter().filter(|pattern| !pattern.may_subscribe()) {
            let message = format!("{:?} is write only: put it under request", pattern.as_str());
            let at = table.iter().find(|(key, _)| key.get_ref() == "subscribe");
            self.mistake(
                at.map(|(key, _)| key.span()).unwrap_or_default(),
                &self.key("subscribe"),
                message,
            );
        }
        grants
    }

    /// How a grant is called in what is read.
    fn key(&self, grant: &str) -> String {
        format!("{}.{grant}", self.rights)
    }

    fn strings<'v>(&mut self, key: &str, value: &'v Node<'_>) -> Vec<(&'v str, Range<usize>)> {
        let Some(list) = value.get_ref().as_array() else {
            self.mistake(value.span(), key, "must be a list of strings: write [\"…\"]");
            return Vec::new();
        };
        let mut strings = Vec::new();
        for item in list {
            match item.get_ref().as_str() {
                Some(text) => strings.push((text, item.span())),
                None => self.mistake(item.span(), key, "must be a string in quotes"),
            }
        }
        strings
    }

    fn patterns(&mut self, key: &str, value: &Node<'_>) -> Vec<Pattern> {
        let key = &self.key(key);
        let mut patterns = Vec::new();
        for (text, at) in self.strings(key, value) {
            match Pattern::parse(text) {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => self.mistake(at, key, error.to_string()),
            }
        }
        patterns
    }

    fn mounts(&mut self, key: &str, value: &Node<'_>) -> Vec<Mount> {
        let key = &self.key(key);
        let example = "write [{ listen = \"127.0.0.1:8083\", path = \"/v1\" }]";
        let Some(list) = value.get_ref().as_array() else {
            self.mistake(value.span(), key, format!("must be a list: {example}"));
            return Vec::new();
        };
        let mut mounts = Vec::new();
        for item in list {
            match item.get_ref().as_table() {
                Some(table) => mounts.extend(self.mount(key, item.span(), table)),
                None => self.mistake(item.span(), key, format!("must be a table: {example}")),
            }
        }
        mounts
    }

    fn origins(&mut self, value: &Node<'_>) -> Vec<Origin> {
        let mut origins = Vec::new();
        for (text, at) in self.strings(&self.key("http"), value) {
            match Origin::parse(text) {
                Some(origin) => origins.push(origin),
                None => self.mistake(
                    at,
                    &self.key("http"),
                    "must be an origin, like \"https://api.crm.example\", without a path",
                ),
            }
        }
        origins
    }

    /// Actions of commands that the core does not know.
    fn actions(&mut self, value: &Node<'_>) -> Vec<String> {
        let key = &self.key("serve");
        let mut actions = Vec::new();
        for (text, at) in self.strings(key, value) {
            if telepulse_language::Command::ACTIONS.contains(&text) {
                self.mistake(at, key, format!("{text} is the core's: another name is needed"));
            } else if is_word(text) {
                actions.push(text.to_owned());
            } else {
                self.mistake(at, key, "must be the action of a command, like \"note\"");
            }
        }
        actions
    }

    /// `[{ path = "/var/spool/asterisk/monitor", mode = "ro" }]`
    fn folders(&mut self, value: &Node<'_>) -> Vec<Folder> {
        let key = &self.key("files");
        let example = "write [{ path = \"/var/spool/asterisk/monitor\", mode = \"ro\" }]";
        let Some(list) = value.get_ref().as_array() else {
            self.mistake(value.span(), key, format!("must be a list: {example}"));
            return Vec::new();
        };
        let mut folders = Vec::new();
        for item in list {
            match item.get_ref().as_table() {
                Some(table) => folders.extend(self.folder(key, item.span(), table)),
                None => self.mistake(item.span(), key, format!("must be a table: {example}")),
            }
        }
        folders
    }

    fn folder(&mut self, key: &str, at: Range<usize>, table: &DeTable<'_>) -> Option<Folder> {
        let (mut path, mut is_writable) = (None, false);
        for (name, value) in table {
            let text = value.get_ref().as_str();
            match (name.get_ref().as_ref(), text) {
                ("path", Some(text)) if Folder::is_path(text) => path = Some(text.to_owned()),
                ("path", _) => self.mistake(
                    value.span(),
                    &format!("{key}.path"),
                    "must be a folder's whole path, like \"/var/spool/asterisk/monitor\", without . \
                     and .. and without / at its end",
                ),
                ("mode", Some("ro")) => {}
                ("mode", Some("rw")) => is_writable = true,
                ("mode", _) => self.mistake(
                    value.span(),
                    &format!("{key}.mode"),
                    "must be \"ro\" (it reads) or \"rw\" (it writes and removes, too)",
                ),
                (other, _) => {
                    let name = format!("{key}.{other}");
                    self.mistake(value.span(), &name, "unknown; there are path and mode");
                }
            }
        }
        if !table.iter().any(|(key, _)| key.get_ref() == "path") {
            self.mistake(at, key, "path is missing");
        }
        Some(Folder { path: path?, is_writable })
    }

    /// `true`, or a size.
    fn durable(&mut self, value: &Node<'_>) -> u64 {
        match value.get_ref() {
            DeValue::Boolean(true) => return DURABLE,
            DeValue::Boolean(false) => return 0,
            DeValue::String(text) => {
                if let Some(size) = bytes(text, SPACES) {
                    return size;
                }
            }
            _ => {}
        }
        let message = "must be true, or a size from \"1 KiB\" to \"1024 GiB\", like \"16 MiB\"";
        self.mistake(value.span(), &self.key("durable"), message);
        0
    }

    /// `{ commands = ["dial"], order = 10, onFailure = "closed" }`
    fn policy(&mut self, value: &Node<'_>) -> Option<PolicyGrant> {
        let example = "write { commands = [\"dial\"], order = 10, onFailure = \"closed\" }";
        let Some(table) = value.get_ref().as_table() else {
            self.mistake(value.span(), &self.key("policy"), format!("must be a table: {example}"));
            return None;
        };
        let mut policy =
            PolicyGrant { commands: Vec::new(), order: 0, on_failure: OnFailure::default() };
        for (name, value) in table {
            let key = self.key(&format!("policy.{}", name.get_ref()));
            match name.get_ref().as_ref() {
                "commands" => {
                    let found = self.strings(&key, value);
                    policy.commands = found.into_iter().map(|(text, _)| text.to_owned()).collect();
                }
                "order" => match self.number(&key, value, 0, 1_000_000) {
                    Some(order) => policy.order = i64::try_from(order).unwrap_or(i64::MAX),
                    None => return None,
                },
                "onFailure" => match value.get_ref().as_str() {
                    Some("closed") => policy.on_failure = OnFailure::Closed,
                    Some("open") => policy.on_failure = OnFailure::Open,
                    _ => self.mistake(value.span(), &key, "must be \"closed\" or \"open\""),
                },
                _ => {
                    let message = "unknown; there are commands, order and onFailure";
                    self.mistake(name.span(), &key, message);
                }
            }
        }
        if policy.commands.is_empty() {
            let message = format!("names no commands: {example}");
            self.mistake(value.span(), &self.key("policy.commands"), message);
        }
        Some(policy)
    }

    fn mount(&mut self, key: &str, at: Range<usize>, table: &DeTable<'_>) -> Option<Mount> {
        let (mut listen, mut path, mut right) = (None, None, None);
        let is_route = key.ends_with("routes");
        for (name, value) in table {
            let text = value.get_ref().as_str();
            match name.get_ref().as_ref() {
                "listen" => match text.and_then(|text| text.parse().ok()) {
                    Some(address) => listen = Some(address),
                    None => self.mistake(
                        value.span(),
                        &format!("{key}.listen"),
                        "must be an IP address with a port, like \"127.0.0.1:8083\"",
                    ),
                },
                "path" => match text.filter(|text| is_path(text)) {
                    Some(text) => path = Some(text.to_owned()),
                    None => self.mistake(
                        value.span(),
                        &format!("{key}.path"),
                        "must begin with / and hold no space, ?, # or ..",
                    ),
                },
                "right" if is_route => match text.filter(|text| is_word(text)) {
                    Some(text) => right = Some(text.to_owned()),
                    None => self.mistake(
                        value.span(),
                        &format!("{key}.right"),
                        "must be a word that users' `allow` may have, like \"callData\"",
                    ),
                },
                other => {
                    let name = format!("{key}.{other}");
                    let known = if is_route { "listen, path and right" } else { "listen and path" };
                    self.mistake(value.span(), &name, format!("unknown; there are {known}"));
                }
            }
        }
        for name in ["listen", "path"] {
            if !table.iter().any(|(key, _)| key.get_ref() == name) {
                self.mistake(at.clone(), key, format!("{name} is missing"));
            }
        }
        Some(Mount { listen: listen?, path: path?, right })
    }

    fn limits(&mut self, table: &DeTable<'_>) -> Limits {
        let mut limits = Limits::default();
        for (key, value) in table {
            let name = format!("limits.{}", key.get_ref());
            match key.get_ref().as_ref() {
                "memory" => match value.get_ref().as_str().and_then(memory) {
                    Some(size) => limits.memory = size,
                    None => self.mistake(
                        value.span(),
                        &name,
                        "must be a size from \"1 MiB\" to \"4 GiB\", like \"64 MiB\"",
                    ),
                },
                "callMs" => {
                    if let Some(ms) = self.number(&name, value, 1, 30_000) {
                        limits.call = Duration::from_millis(ms);
                        limits.request = limits.call;
                    }
                }
                "mailbox" => {
                    if let Some(length) = self.number(&name, value, 1, 1_000_000) {
                        limits.mailbox = usize::try_from(length).unwrap_or(usize::MAX);
                    }
                }
                "onFull" => match value.get_ref().as_str() {
                    Some("dropOldest") => limits.on_full = OnFull::DropOldest,
                    Some("wait") => limits.on_full = OnFull::Wait,
                    Some("disconnect") => limits.on_full = OnFull::Disconnect,
                    _ => self.mistake(
                        value.span(),
                        &name,
                        "must be \"dropOldest\", \"wait\" or \"disconnect\"",
                    ),
                },
                "shards" => {
                    if let Some(shards) = self.number(&name, value, 1, shards::MOST) {
                        limits.shards = usize::try_from(shards).unwrap_or(1);
                    }
                }
                _ => self.mistake(
                    key.span(),
                    &name,
                    "unknown; there are memory, callMs, mailbox, onFull and shards",
                ),
            }
        }
        limits
    }

    fn number(&mut self, key: &str, value: &Node<'_>, min: u64, max: u64) -> Option<u64> {
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|int| u64::from_str_radix(int.as_str(), int.radix()).ok())
            .filter(|number| (min..=max).contains(number));
        if number.is_none() {
            self.mistake(value.span(), key, format!("must be a whole number from {min} to {max}"));
        }
        number
    }

    fn settings(&mut self, table: &DeTable<'_>) -> (Map<String, Value>, Vec<String>) {
        let mut origins = Vec::new();
        if let Some((_, value)) = table.iter().find(|(key, _)| key.get_ref() == "origins") {
            let found = self.strings("settings.origins", value);
            origins = found.into_iter().map(|(text, _)| text.to_owned()).collect();
        }
        (object(table), origins)
    }

    fn secrets(&mut self, table: &DeTable<'_>) -> BTreeMap<String, SecretSource> {
        let mut secrets = BTreeMap::new();
        for (key, value) in table {
            match value.get_ref().as_str() {
                Some(text) => {
                    secrets.insert(key.get_ref().to_string(), SecretSource::parse(text));
                }
                None => self.mistake(
                    value.span(),
                    &format!("secrets.{}", key.get_ref()),
                    "must be \"env:NAME\", \"file:PATH\" or the value, in quotes",
                ),
            }
        }
        secrets
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && !text.contains("..")
        && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'*'))
}

fn memory(text: &str) -> Option<usize> {
    usize::try_from(bytes(text, MEMORIES)?).ok()
}

/// Reads `64 MiB`.
fn bytes(text: &str, range: RangeInclusive<u64>) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit: u64 = match text[digits..].trim() {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    let size = text[..digits].parse::<u64>().ok()?.checked_mul(unit)?;
    range.contains(&size).then_some(size)
}

fn object(table: &DeTable<'_>) -> Map<String, Value> {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref()))).collect()
}

/// A TOML value as JSON; dates and numbers beyond 64 bits become strings.
fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(int) => i64::from_str_radix(int.as_str(), int.radix())
            .map_or_else(|_| Value::from(int.as_str()), Value::from),
        DeValue::Float(float) => {
            float.as_str().parse::<f64>().map_or_else(|_| Value::from(float.as_str()), Value::from)
        }
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Datetime(date) => Value::from(date.to_string()),
        DeValue::Array(list) => list.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => Value::Object(object(table)),
    }
}
