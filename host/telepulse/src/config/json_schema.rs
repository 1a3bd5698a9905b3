//! The configuration as JSON Schema, for editors. The names of the keys are those that the reader
//! knows (`schema.rs`); tests hold what is said of their values against the reader itself.

use super::schema::{self, Section};
use serde_json::{Map, Value, json};

/// What a key takes.
enum Kind {
    /// A text; its pattern, where there is a simple one.
    Text(&'static str),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number.
    Number(u64, u64),
    /// True or false.
    Truth,
    /// A list of texts.
    Texts,
    /// A text, or a list of them.
    TextOrTexts,
}

use Kind::{Number, Text, TextOrTexts, Texts, Truth, Word};

/// Key, what it takes, what it is for; with its section before.
type Row = (&'static str, Kind, &'static str);

const ID: &str = "^[A-Za-z0-9_-]{1,64}$";
const TOKEN: &str = "^(sha256:[0-9A-Fa-f]{64}|env:.+|file:.+)$";
const ANY: &str = "";
const SOME: &str = "^[\\s\\S]+$";

const NODE: [Row; 2] = [
    ("name", Text(ID), "The name of this process; by default tp1"),
    ("roles", Texts, "What this process does; all of proxy, core, gateway, plugins if it is alone"),
];
const SERVER: [Row; 12] = [
    ("id", Text(ID), "Its name on the bus and in every event"),
    ("host", Text(SOME), "Name or IP address of the machine"),
    ("port", Number(1, 65_535), "Port of the manager interface; by default 5038"),
    ("username", Text(SOME), "The user of manager.conf"),
    ("secret", Text(SOME), "That user's secret: env:NAME, file:PATH, or the secret"),
    ("auth", Word(&["md5", "plain"]), "How the secret is shown; by default md5, a challenge"),
    (
        "device",
        Text("\\{ext\\}"),
        "How an extension becomes a device where no hint says; by default PJSIP/{ext}",
    ),
    (
        "context",
        Text("^[A-Za-z0-9_.-]{1,79}$"),
        "Where dialled numbers are looked up; by default internal",
    ),
    ("voicemail", Text("\\{ext\\}"), "What is dialled for a voicemail box, such as *{ext}"),
    (
        "extensions",
        Text(ANY),
        "A regular expression: which numbers are extensions; by default ^[0-9]{2,6}$",
    ),
    ("maxCalls", Number(1, 4_294_967_295), "The most live calls; past it a dial is refused"),
    ("keepAlive", Number(1, 3_600), "Seconds of silence after which it is pinged; by default 15"),
];
const TLS: [Row; 4] = [
    ("ca", Text(SOME), "Certificates (PEM) of the authorities to trust; by default this machine's"),
    ("serverName", Text(SOME), "The name that its certificate must have; by default the host"),
    ("cert", Text(SOME), "Our own certificate (PEM), for servers that ask for one"),
    ("key", Text(SOME), "The private key of cert (PEM)"),
];
const FILTER: [Row; 1] =
    [("exclude", Texts, "Names of AMI events that are not wanted, whatever plugin subscribes")];
const ARI: [Row; 5] = [
    ("url", Text("^https?://"), "Where it is, such as http://127.0.0.1:8088/ari"),
    ("username", Text(SOME), "The user of ari.conf"),
    ("password", Text(SOME), "That user's password: env:NAME, file:PATH, or the password"),
    ("app", Text(ID), "The Stasis application, of one's own for each client; by default telepulse"),
    ("ca", Text(SOME), "Certificates (PEM) of the authorities to trust"),
];
const USER: [Row; 9] = [
    ("name", Text("^[^:]{1,64}$"), "Who it is, also for HTTP Basic"),
    ("token", Text(TOKEN), "sha256: and the hash of the token; `telepulse token` makes both"),
    ("password", Text("^(\\$argon2id\\$.+|env:.+|file:.+)$"), "An argon2id string"),
    ("extension", Text(SOME), "The user's own extension"),
    ("agents", Texts, "Agents that are seen; left out: all, []: none"),
    ("queues", Texts, "Queues that are seen; left out: all, []: none"),
    ("servers", Texts, "Servers that are seen; left out: all, []: none"),
    ("allow", Texts, "Commands, \"*\" for all, \":own\" for own calls only"),
    ("role", Text(SOME), "What is left out is as in the [[auth.role]] of this name"),
];
const ROLE: [Row; 5] = [
    ("name", Text("^[^:]{1,64}$"), "Its name"),
    ("agents", Texts, "Agents that are seen; left out: all, []: none"),
    ("queues", Texts, "Queues that are seen; left out: all, []: none"),
    ("servers", Texts, "Servers that are seen; left out: all, []: none"),
    ("allow", Texts, "Commands, \"*\" for all, \":own\" for own calls only"),
];
const JWT: [Row; 7] = [
    ("issuer", Text(SOME), "The claim iss that a token must have"),
    ("audience", Text(SOME), "What its claim aud must name"),
    ("keys", Text(SOME), "A file or URL with a JWK Set (RS256, ES256, EdDSA)"),
    ("secret", Text(SOME), "Instead of keys, for HS256: at least 32 bytes"),
    ("name", Text(SOME), "The claim with the user's name; by default sub"),
    ("extension", Text(SOME), "The claim with the extension; by default extension"),
    ("roles", Text(SOME), "The claim with the names of roles; by default roles"),
];
const LISTEN_TLS: [Row; 2] = [
    ("cert", Text(SOME), "The certificate with its chain (PEM)"),
    ("key", Text(SOME), "Its private key (PEM)"),
];
const HTTP: [Row; 1] =
    [("trustedProxies", Texts, "Proxies before us whose X-Forwarded-For counts, like 10.0.0.0/8")];
const COMMANDS: [Row; 4] = [
    ("perSecond", Number(1, 1_000_000), "Commands of one user a second; by default 100"),
    ("dialsPerMinute", Number(1, 1_000_000), "Dials of one user a minute; by default 3000"),
    ("dialsPerNumber", Number(1, 1_000_000), "Dials to one number a minute; by default 600"),
    ("deniedPrefixes", Texts, "Numbers that begin so are not dialled, by nobody"),
];
const BUS: [Row; 15] = [
    ("kind", Word(&["local", "nats"]), "How messages travel; by default local, in this process"),
    ("history", Number(1, 10_000_000), "Events kept for clients that come back; by default 100000"),
    ("url", TextOrTexts, "Where NATS is, such as nats://127.0.0.1:4222, or tls://; or several"),
    ("prefix", Text("^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$"), "What all subjects begin with"),
    ("user", Text(SOME), "Who we are at NATS"),
    ("password", Text(SOME), "That user's password: env:NAME, file:PATH, or the password"),
    ("token", Text(SOME), "Instead of user and password: env:NAME, file:PATH, or the token"),
    ("credentials", Text(SOME), "Instead of either: a credentials file, as nsc writes it"),
    ("ca", Text(SOME), "Certificates (PEM) of the authorities to trust; by default this machine's"),
    ("cert", Text(SOME), "Our own certificate (PEM), for a NATS that asks for one"),
    ("key", Text(SOME), "The private key of cert (PEM)"),
    ("storage", Word(&["file", "memory"]), "Where NATS keeps events; by default file"),
    ("replicas", Number(1, 5), "How many of its servers keep them; by default 1"),
    ("historyMiB", Number(1, 1_048_576), "It keeps at most so many MiB; by default 1024"),
    ("historyHours", Number(1, 87_600), "And nothing older than so many hours; by default 24"),
];
const STORE: [Row; 5] = [
    ("kind", Word(&["embedded", "redis"]), "Where plugins keep their values; by default embedded"),
    ("path", Text(SOME), "A folder of our own; by default data"),
    ("url", Text("^(rediss?://|env:|file:)"), "Where Redis is, with kind = \"redis\""),
    ("calls", Number(0, 10_000_000), "Ended calls that are kept; by default 100000"),
    ("callDays", Number(1, 36_500), "For how many days; by default as long as there is room"),
];
const PLUGINS: [Row; 1] = [("dir", Text(SOME), "The plugins folder; by default plugins.d")];
const ADMIN: [Row; 3] = [
    ("listen", Text(":[0-9]+$"), "Address and port; any but loopback needs a token"),
    ("token", Text(TOKEN), "sha256: and the hash of the token; `telepulse token` makes both"),
    ("tls", Truth, "Whether it encrypts, with the certificate of [tls]"),
];
const LOG: [Row; 2] = [
    ("format", Word(&["text", "json"]), "How a line looks; by default text"),
    ("level", Text(SOME), "error, warn, info, debug, trace, or info,telepulse::proxy=debug"),
];
const TELEMETRY: [Row; 5] = [
    ("otlp", Text("^https?://"), "An OpenTelemetry collector for traces: its http or https URL"),
    (
        "headers",
        Text(SOME),
        "What it wants besides, like api-key=SECRET: env:NAME, file:PATH, or so",
    ),
    ("service", Text(SOME), "What this is called there; by default telepulse"),
    ("samplePercent", Number(1, 100), "How many of a hundred traces are followed; by default 100"),
    ("ca", Text(SOME), "Certificates (PEM) of the authorities to trust"),
];

/// The whole schema.
pub fn json_schema() -> Value {
    let (rest, tls) = (Map::new(), table(&schema::TLS, &TLS, &[], Map::new()));
    let inner = [
        ("tls", tls),
        ("filter", table(&schema::FILTER, &FILTER, &[], rest.clone())),
        ("ari", table(&schema::ARI, &ARI, &["url", "username", "password"], rest.clone())),
    ];
    let inner = inner.into_iter().map(|(name, table)| (name.to_owned(), table)).collect();
    let needed = ["id", "host", "username", "secret"];
    let server = table(&schema::SERVER, &SERVER, &needed, inner);
    let mut auth = Map::new();
    auth.insert("user".to_owned(), list(&table(&schema::USER, &USER, &["name"], rest.clone())));
    auth.insert("role".to_owned(), list(&table(&schema::ROLE, &ROLE, &["name"], rest.clone())));
    let jwt = table(&schema::JWT, &JWT, &["issuer", "audience"], rest.clone());
    auth.insert("jwt".to_owned(), jwt);
    let mut top = Map::new();
    top.insert("server".to_owned(), list(&server));
    top.insert("auth".to_owned(), table(&schema::AUTH, &[], &[], auth));
    for (section, rows) in [
        (&schema::NODE, &NODE[..]),
        (&schema::LISTEN_TLS, &LISTEN_TLS),
        (&schema::HTTP, &HTTP),
        (&schema::COMMANDS, &COMMANDS),
        (&schema::BUS, &BUS),
        (&schema::STORE, &STORE),
        (&schema::PLUGINS, &PLUGINS),
        (&schema::ADMIN, &ADMIN),
        (&schema::LOG, &LOG),
        (&schema::TELEMETRY, &TELEMETRY),
    ] {
        top.insert(section.path[0].to_owned(), table(section, rows, &[], Map::new()));
    }
    let mut whole = table(&schema::TOP, &[], &[], top);
    whole["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    whole["title"] = "TelePulse's configuration".into();
    whole
}

/// A table with these keys and tables in it. Debug builds hold it against the keys that are read.
fn table(
    section: &Section,
    rows: &[Row],
    required: &[&str],
    mut inner: Map<String, Value>,
) -> Value {
    inner.extend(rows.iter().map(|(key, kind, words)| ((*key).to_owned(), value(kind, words))));
    debug_assert!(section.keys.iter().all(|key| inner.contains_key(*key)), "{:?}", section.path);
    debug_assert_eq!(section.keys.len(), inner.len(), "{:?}", section.path);
    json!({
        "type": "object", "additionalProperties": false, "required": required, "properties": inner,
    })
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn value(kind: &Kind, words: &str) -> Value {
    let mut value = match kind {
        Text(ANY) => json!({ "type": "string" }),
        Text(pattern) => json!({ "type": "string", "pattern": pattern }),
        Word(words) => json!({ "enum": words }),
        Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Truth => json!({ "type": "boolean" }),
        Texts => json!({ "type": "array", "items": { "type": "string" } }),
        TextOrTexts => {
            json!({ "type": ["string", "array"], "items": { "type": "string" } })
        }
    };
    value["description"] = words.into();
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Source};
    use std::{collections::BTreeMap, io, path::Path};

    const PUBLISHED: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/telepulse.schema.json");

    #[test]
    fn the_published_file_is_this_schema() {
        let text = format!("{:#}\n", json_schema());
        if std::env::var_os("TELEPULSE_BLESS").is_some() {
            std::fs::write(PUBLISHED, &text).unwrap();
        }
        let published = std::fs::read_to_string(PUBLISHED).unwrap_or_default();
        assert!(published == text, "TELEPULSE_BLESS=1 writes config/telepulse.schema.json anew");
    }

    fn is_read(text: &str) -> Result<(), String> {
        let source = Source {
            file: Path::new("x.toml"),
            text,
            variables: &BTreeMap::new(),
            files: &|_| Err(io::ErrorKind::NotFound.into()),
        };
        Config::parse(&source).map(drop).map_err(|mistakes| mistakes.to_string())
    }

    fn is_valid(text: &str) -> bool {
        let value: Value = toml::from_str(text).unwrap();
        jsonschema::draft7::new(&json_schema()).unwrap().is_valid(&value)
    }

    /// The sections as they are written, with what they need besides, and their keys.
    fn sections() -> Vec<(&'static str, String, &'static [Row])> {
        let server = "[[server]]\nid='a'\nhost='h'\nusername='u'\nsecret='s'\n";
        let user = "[[auth.user]]\nname='n'\npassword='$argon2id$v=19$m=19456,t=2,p=1$\
                    c29tZXNhbHQ$cGFzc3dvcmRwYXNzd29yZHBhc3N3b3JkcGFzcw'\n";
        let role = "[[auth.role]]\nname='r'\n";
        let ari = "[server.ari]\nurl='http://h:8088/ari'\nusername='u'\npassword='p'\n";
        vec![
            ("node", "[node]\n".to_owned(), &NODE),
            ("server", server.to_owned(), &SERVER),
            ("filter", format!("{server}[server.filter]\n"), &FILTER),
            ("ari", format!("{server}{ari}"), &ARI),
            ("user", format!("{role}{user}"), &USER),
            ("role", role.to_owned(), &ROLE),
            ("http", "[http]\n".to_owned(), &HTTP),
            ("commands", "[commands]\n".to_owned(), &COMMANDS),
            ("bus", "[bus]\nkind='nats'\nurl='nats://h'\n".to_owned(), &BUS),
            ("store", "[store]\n".to_owned(), &STORE),
            ("plugins", "[plugins]\n".to_owned(), &PLUGINS),
            ("admin", "[admin]\n".to_owned(), &ADMIN),
            ("log", "[log]\n".to_owned(), &LOG),
            ("telemetry", "[telemetry]\notlp='http://h:4318'\n".to_owned(), &TELEMETRY),
        ]
    }

    /// The section with one key set to a value, which replaces the one that it has.
    fn with(text: &str, key: &str, value: &str) -> String {
        let start = format!("{key}=");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        // What is there already stands in the last table.
        let table = lines.iter().rposition(|line| line.starts_with('[')).unwrap_or(0);
        let kept: Vec<String> = lines.split_off(table);
        lines.extend(kept.into_iter().filter(|line| !line.starts_with(&start)));
        lines.push(format!("{key}={value}"));
        lines.join("\n") + "\n"
    }

    #[test]
    fn a_good_value_is_good_for_both_and_a_wrong_type_for_neither() {
        let good = |section: &str, key: &str, kind: &Kind| match (section, key, kind) {
            ("node", "roles", _) => "['proxy','core','gateway','plugins']".to_owned(),
            ("user", "role", _) => "'r'".to_owned(),
            ("user" | "admin", "token", _) => {
                format!("'sha256:{}'", "9f86d081".repeat(8))
            }
            (_, "password", _) if section == "user" => {
                "'$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$\
                cGFzc3dvcmRwYXNzd29yZHBhc3N3b3JkcGFzcw'"
                    .to_owned()
            }
            (_, "device", _) => "'SIP/{ext}'".to_owned(),
            (_, "voicemail", _) => "'*{ext}'".to_owned(),
            (_, "extensions", _) => "'^1'".to_owned(),
            (_, "listen", _) => "'127.0.0.1:1'".to_owned(),
            (_, "level", _) => "'debug'".to_owned(),
            ("ari", "url", _) => "'https://h/ari'".to_owned(),
            ("telemetry", "otlp", _) => "'https://h:4318'".to_owned(),
            ("telemetry", "headers", _) => "'api-key=x'".to_owned(),
            ("bus", "kind", _) => "'nats'".to_owned(),
            ("bus", "url", _) => "'nats://h:4222'".to_owned(),
            (_, "trustedProxies", _) => "['10.0.0.0/8']".to_owned(),
            (_, _, Text(_)) => "'1'".to_owned(),
            (_, _, Word(words)) => format!("'{}'", words[0]),
            (_, _, Number(least, _)) => least.to_string(),
            (_, _, Truth) => "false".to_owned(),
            (_, _, Texts | TextOrTexts) => "['101']".to_owned(),
        };
        for (name, text, rows) in sections() {
            for (key, kind, _) in rows {
                // These need a file, or another key.
                let needs_more = matches!(
                    (name, *key),
                    ("ari" | "telemetry", "ca")
                        | ("store", "url")
                        | ("bus", "user" | "password" | "credentials" | "ca" | "cert" | "key")
                );
                if needs_more {
                    continue;
                }
                let text_with = with(&text, key, &good(name, key, kind));
                assert_eq!(is_read(&text_with), Ok(()), "{name}.{key}\n{text_with}");
                assert!(is_valid(&text_with), "{name}.{key}\n{text_with}");
                let wrong = if matches!(kind, Truth) { "1" } else { "true" };
                let text_with = with(&text, key, wrong);
                assert!(is_read(&text_with).is_err(), "{name}.{key}");
                assert!(!is_valid(&text_with), "{name}.{key}");
            }
            let unknown = with(&text, "nonsense", "1");
            assert!(is_read(&unknown).is_err() && !is_valid(&unknown), "{name}");
        }
    }

    #[test]
    fn bounds_words_and_what_is_needed_agree() {
        for (name, text, rows) in sections() {
            for (key, kind, _) in rows {
                let beyond = match kind {
                    Number(least, _) if *least > 0 => (least - 1).to_string(),
                    Number(_, most) => (most + 1).to_string(),
                    Word(_) => "'nonsense'".to_owned(),
                    _ => continue,
                };
                let text_with = with(&text, key, &beyond);
                assert!(is_read(&text_with).is_err(), "{name}.{key} {beyond}");
                assert!(!is_valid(&text_with), "{name}.{key} {beyond}");
                if let Number(_, most) = kind {
                    let text_with = with(&text, key, &most.to_string());
                    assert!(is_read(&text_with).is_ok() && is_valid(&text_with), "{name}.{key}");
                    let text_with = with(&text, key, &(most + 1).to_string());
                    assert!(is_read(&text_with).is_err() && !is_valid(&text_with), "{name}.{key}");
                }
            }
        }
        for text in ["[[server]]\nid='a'\n", "[[auth.role]]\nallow=[]\n", "server=1\n"] {
            assert!(is_read(text).is_err() && !is_valid(text), "{text}");
        }
    }
}
