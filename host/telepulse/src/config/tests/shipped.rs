//! Files that we ship, and servers of the admin API.

use super::*;

#[test]
fn the_shipped_files_are_good() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let example = Config::load(&folder.join("telepulse.toml")).unwrap();
    assert!(example.servers.is_empty() && example.users.is_empty());
    let demo = Config::load(&folder.join("demo.toml")).unwrap();
    assert!(demo.admin.listen.ip().is_loopback());
    let auth = crate::auth::Auth::new(&demo.users);
    assert_eq!(
        auth.bearer("demo").unwrap().permission("dial"),
        telepulse_language::Permission::Any
    );
}

#[test]
fn each_example_is_good_for_the_reader_and_for_editors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let schema = jsonschema::draft7::new(&super::json_schema()).unwrap();
    let token = format!("sha256:{}", "9f86d081".repeat(8));
    let variables = [
        ("PBX1_SECRET", "s"),
        ("HEAD_SECRET", "s"),
        ("BRANCH_SECRET", "s"),
        ("SHOP_SECRET", "s"),
        ("SHOP_ARI", "p"),
        ("NATS_PASSWORD", "p"),
        ("ADMIN_TOKEN", token.as_str()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    for (name, servers) in [
        ("telepulse.toml", 0),
        ("demo.toml", 1),
        ("examples/one-pbx.toml", 1),
        ("examples/many-pbxs.toml", 3),
        ("examples/cluster.toml", 2),
    ] {
        let file = folder.join(name);
        let text = std::fs::read_to_string(&file).unwrap();
        let source = Source {
            file: &file,
            text: &text,
            variables: &variables.iter().cloned().collect(),
            files: &|_| Ok("a secret\n".to_owned()),
        };
        let config = Config::parse(&source).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(config.servers.len(), servers, "{name}");
        let value: serde_json::Value = toml::from_str(&text).unwrap();
        assert!(schema.is_valid(&value), "{name}: {:?}", schema.iter_errors(&value).next());
        let named = text.lines().next().and_then(|line| line.strip_prefix("#:schema ")).unwrap();
        assert!(file.with_file_name(named).is_file(), "{name}: {named}");
    }
}

#[test]
fn the_example_is_good_when_its_examples_are_taken() {
    let text = include_str!("../../../../../config/telepulse.toml");
    let is_key = |code: &str| {
        code.split_once(" = ").is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_alphabetic()))
    };
    let taken = |line: &str| match line.strip_prefix("# ") {
        Some(code) if code.starts_with('[') || is_key(code) => code.to_owned(),
        _ => line.to_owned(),
    };
    // An ellipsis stands for what one has to make.
    let lines: Vec<_> = text.lines().map(taken).filter(|line| !line.contains('…')).collect();
    let config = parse(
        &lines.join("\n"),
        &[("PBX1_SECRET", "s"), ("PBX1_ARI", "p"), ("OTLP_HEADERS", "a=b")],
    )
    .unwrap();
    assert_eq!((config.servers.len(), config.users.len()), (1, 1));
    assert_eq!(config.telemetry.unwrap().headers.len(), 1);
}

#[test]
fn a_file_that_is_not_there_says_what_to_do() {
    let error = Config::load(Path::new("/nowhere/tp.toml")).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/tp.toml: cannot be read: "), "{error}");
    assert!(error.contains("--config"), "{error}");
}

#[test]
fn a_server_of_the_api_follows_the_same_rules() {
    use serde_json::{Value, json};
    let good = json!({"id": "pbx1", "host": "h", "username": "u", "secret": "s"});
    let server = Server::from_json(good.clone()).unwrap();
    assert_eq!(parse(SERVER, &[]).unwrap().servers, std::slice::from_ref(&server));
    // As the kept file has it.
    let kept = serde_json::to_value(&server).unwrap();
    assert_eq!(Server::from_json(kept).unwrap(), server);
    for (field, value, message) in [
        ("id", json!("a/b"), "must be 1 to 64 of the characters A-Z, a-z, 0-9, _ and -"),
        ("id", json!(7), "must be a string"),
        (
            "host",
            json!("a\r\nb"),
            "must be a host name or an IP address; the port has a key of its own",
        ),
        ("port", json!("5038"), "must be a whole number from 1 to 65535"),
        ("port", json!(0), "must be a whole number from 1 to 65535"),
        ("secret", json!("a\u{0}"), "holds a control character: remove it"),
        ("auth", json!("none"), "must be \"md5\" or \"plain\""),
        ("maxCalls", json!(0), "must be a whole number, 1 or more"),
        ("keepAlive", json!(0), "must be a whole number of seconds from 1 to 3600"),
        ("tls", json!(true), "must be an object with ca, serverName, cert and key, all optional"),
        ("filter", json!([]), "must be an object with exclude"),
        ("devcie", json!("x"), "is unknown; do you mean \"device\"?"),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        let refusal = Server::from_json(bad).unwrap_err();
        assert_eq!((refusal.field.as_deref(), refusal.message.as_str()), (Some(field), message));
    }
    let ari = |key: &str, value: Value| {
        let mut ari = json!({"url": "http://h/ari", "username": "u", "password": "p"});
        ari[key] = value;
        ari
    };
    for (key, inner, field, message) in [
        ("ari", json!("http://h/ari"), "ari", "must be an object with url, username and password"),
        ("ari", json!({"url": "http://h/ari"}), "ari.username", "is missing"),
        ("ari", ari("password", json!(7)), "ari.password", "must be a string"),
        (
            "ari",
            ari("password", json!("a\nb")),
            "ari.password",
            "holds a control character: remove it",
        ),
        (
            "ari",
            ari("url", json!("http://h")),
            "ari.url",
            "must be the http or https URL of ARI with its path, like \"http://127.0.0.1:8088/ari\"",
        ),
        ("ari", ari("ap", json!("x")), "ari.ap", "is unknown; do you mean \"app\"?"),
        ("ari", ari("ca", json!("x.pem")), "ari.ca", "must be an absolute path"),
        (
            "ari",
            ari("ca", json!("/no/x.pem")),
            "ari.ca",
            "cannot read /no/x.pem: No such file or directory (os error 2)",
        ),
        ("tls", json!({"ca": "x.pem"}), "tls.ca", "must be an absolute path"),
        (
            "tls",
            json!({"ca": "/no/x.pem"}),
            "tls.ca",
            "cannot read /no/x.pem: No such file or directory (os error 2)",
        ),
        ("tls", json!({"cert": 7}), "tls.cert", "must be a string"),
        (
            "tls",
            json!({"verify": false}),
            "tls.verify",
            "is unknown; there are ca, serverName, cert, key",
        ),
        (
            "filter",
            json!({"exclude": ["Hangup"]}),
            "filter.exclude",
            "holds Hangup, without which the model would be wrong",
        ),
        (
            "filter",
            json!({"exclude": "Wink"}),
            "filter.exclude",
            "must be a list of names of events, as strings",
        ),
        (
            "filter",
            json!({"excluded": []}),
            "filter.excluded",
            "is unknown; do you mean \"exclude\"?",
        ),
    ] {
        let mut bad = good.clone();
        bad[key] = inner;
        let refusal = Server::from_json(bad).unwrap_err();
        assert_eq!((refusal.field.as_deref(), refusal.message.as_str()), (Some(field), message));
    }
    let missing = Server::from_json(json!({"id": "x"})).unwrap_err();
    assert_eq!(missing.to_string(), "host: is missing");
    assert_eq!(Server::from_json(json!([])).unwrap_err().field.as_deref(), Some("server"));
}
