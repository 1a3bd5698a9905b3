//! Configurations, good and bad, as data.

use super::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};
use tracing_subscriber::filter::LevelFilter;

const TOKEN: &str = "sha256:2a97516c354b68848cdbd8f54a226a0a55b21ed138e207ad6c5cbb9c00aa5aea";
const SERVER: &str = "[[server]]\nid='pbx1'\nhost='h'\nusername='u'\nsecret='s'\n";

fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Config, Mistakes> {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let variables: BTreeMap<_, _> = variables.iter().map(pair).collect();
    let files = |path: &Path| match path.to_str() {
        Some("/etc/tp/secrets/pbx1") => Ok("from a file\r\n".to_owned()),
        Some("/empty") => Ok("\n".to_owned()),
        // Any bytes do: certificates are looked into when a connection is made.
        Some("/etc/tp/ca.pem" | "/etc/tp/pbx-ca.pem" | "/etc/tp/telepulse.pem") => {
            Ok("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned())
        }
        Some("/etc/tp/telepulse.key") => {
            Ok("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned())
        }
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let file = Path::new("/etc/tp/tp.toml");
    Config::parse(&Source { file, text, variables: &variables, files: &files })
}

/// The mistakes, without the file's name.
fn mistakes(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let all = parse(text, variables).expect_err(text);
    let lines: Vec<_> = all.to_string().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), all.count(), "a mistake is one line");
    lines.into_iter().map(|line| line.replace("/etc/tp/tp.toml:", "")).collect()
}

#[test]
fn an_empty_file_is_enough() {
    let config = parse("", &[]).unwrap();
    assert_eq!(config.node.name, "tp1");
    assert!(config.servers.is_empty() && config.users.is_empty());
    assert_eq!(config.bus.history, 100_000);
    assert_eq!(config.store.path, Path::new("/etc/tp/data"));
    assert_eq!(config.store.redis, None);
    assert_eq!(config.plugins.dir, Path::new("/etc/tp/plugins.d"));
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:8082");
    assert_eq!(config.admin.token, None);
    assert_eq!(config.log.format, LogFormat::Text);
    assert_eq!(config.log.level.default_level(), Some(LevelFilter::INFO));
    assert_eq!(config.telemetry, None);
}

#[test]
fn everything_written_is_used() {
    let text = format!(
        "[node]\nname='n'\nroles=['plugins','core','gateway','proxy']\n\
         [[server]]\nid='pbx-1'\nhost='::1'\nport=5039\nusername='u'\nsecret='s'\nauth='plain'\n\
         device='SIP/{{ext}}-x'\ncontext='from-inside'\nvoicemail='*{{ext}}'\nextensions='^1'\nmaxCalls=7\n\
         keepAlive=5\ntls={{ca='ca.pem',serverName='pbx.example'}}\nfilter={{exclude=['RTCPSent']}}\n\
         ari={{url='https://pbx.example/ari',username='a',password='p',app='desk',ca='pbx-ca.pem'}}\n\
         [[auth.user]]\nname='w'\ntoken='{TOKEN}'\nextension='201'\nagents=['201','202']\n\
         queues=[]\nservers=['pbx-1']\nallow=['dial','hangup:own']\n\
         [commands]\nperSecond=7\ndialsPerMinute=8\ndialsPerNumber=9\ndeniedPrefixes=['00']\n\
         [bus]\nkind='local'\nhistory=5\n[store]\nkind='embedded'\npath='/var/tp'\n\
         [plugins]\ndir='../p'\n[admin]\nlisten='0.0.0.0:82'\ntoken='{TOKEN}'\n\
         [log]\nformat='json'\nlevel='warn,telepulse::proxy=debug'\n\
         [telemetry]\notlp='https://c:4318'\nheaders='k=v'\nservice='tp-test'\nsamplePercent=7\nca='ca.pem'\n"
    );
    let config = parse(&text, &[]).unwrap();
    let expected = Server {
        id: "pbx-1".to_owned(),
        host: "::1".to_owned(),
        port: 5039,
        username: "u".to_owned(),
        secret: Secret::new("s"),
        auth: ServerAuth::Plain,
        device: "SIP/{ext}-x".to_owned(),
        context: "from-inside".to_owned(),
        voicemail: Some("*{ext}".to_owned()),
        extensions: "^1".to_owned(),
        max_calls: Some(7),
        keep_alive: 5,
        tls: Some(ServerTls {
            ca: Some("/etc/tp/ca.pem".into()),
            server_name: Some("pbx.example".to_owned()),
            ..ServerTls::default()
        }),
        filter: ServerFilter { exclude: BTreeSet::from(["RTCPSent".to_owned()]) },
        ari: Some(ServerAri {
            url: "https://pbx.example/ari".parse().unwrap(),
            username: "a".to_owned(),
            password: Secret::new("p"),
            app: "desk".to_owned(),
            ca: Some("/etc/tp/pbx-ca.pem".into()),
        }),
    };
    assert_eq!(config.servers, [expected]);
    let [user] = config.users.as_slice() else { panic!("one user") };
    assert_eq!(user.token, Some(crate::auth::hash_token("demo")));
    assert_eq!(user.queues.as_ref().map(BTreeSet::len), Some(0));
    assert_eq!(user.agents.as_ref().map(BTreeSet::len), Some(2));
    assert!(user.allow.contains("hangup:own"));
    assert_eq!(config.commands.per_second.get(), 7);
    assert_eq!(config.commands.dials_per_minute.get(), 8);
    assert_eq!(config.commands.dials_per_number.get(), 9);
    assert_eq!(config.commands.denied("0049"), Some("00"));
    assert_eq!(config.bus.history, 5);
    assert_eq!(config.store.path, Path::new("/var/tp"));
    assert_eq!(config.plugins.dir, Path::new("/etc/tp/../p"));
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(config.log.level.would_enable("telepulse::proxy", &tracing::Level::DEBUG));
    assert!(!config.log.level.would_enable("telepulse::core", &tracing::Level::INFO));
}

#[test]
fn each_mistake_has_its_line_and_a_way_out() {
    let cases: &[(&str, &str)] = &[
        ("[nod]", "1: nod: is unknown; do you mean \"node\"?"),
        (
            "[zzzzzz]",
            "1: zzzzzz: is unknown; there are node, server, auth, tls, http, commands, bus, store, plugins, admin, log, telemetry",
        ),
        ("node = 1", "1: node: must be a table: write [node]"),
        (
            "[node]\nname='a.b'",
            "2: node.name: must be 1 to 64 of the characters A-Z, a-z, 0-9, _ and -",
        ),
        (
            "[node]\nroles=['core']",
            "2: node.roles: a process that is alone has all roles: remove the key, or set kind = \"nats\" in [bus]",
        ),
        (
            "[node]\nroles=['cor']",
            "2: node.roles: must be \"proxy\", \"core\", \"gateway\" or \"plugins\"",
        ),
        ("[server]\nid='x'", "1: server: must be an array of tables: write [[server]]"),
        ("[auth]\nuser=[1]", "2: auth.user: must be an array of tables: write [[auth.user]]"),
        (
            "[[auth.role]]\nname='a'\n[auth.jwt]\nissuer='x'\naudience='y'\nsecret='short'",
            "6: auth.jwt.secret: must have at least 32 bytes (RFC 7518, section 3.2)",
        ),
        (
            "[[auth.role]]\nname='a'\n[auth.jwt]\nissuer='x'\naudience='y'\nkeys='http://login.example/k'",
            "6: auth.jwt.keys: must be an https URL; without encryption it can only be on this machine",
        ),
        (
            "[auth.jwt]\nissuer='x'\naudience='y'\nsecret='0123456789abcdef0123456789abcdef'",
            "1: auth.jwt.roles: tokens give rights by role only: describe some, each in [[auth.role]]",
        ),
        ("[admin]\ntls=true", "2: admin.tls: needs a certificate: set cert and key in [tls]"),
        ("[admin]\ntls='yes'", "2: admin.tls: must be true or false, without quotes"),
        (
            "[http]\ntrustedProxies=['10.0.0.0/33']",
            "2: http.trustedProxies: must be an address or a network, like \"10.0.0.0/8\"",
        ),
        (
            "[bus]\nkind='nats'",
            "1: bus.url: is missing: say where NATS is, like \"nats://127.0.0.1:4222\"",
        ),
        ("[bus]\nkind='kafka'", "2: bus.kind: must be \"local\" or \"nats\""),
        ("[bus]\nurl='nats://x'", "2: bus.url: is for kind = \"nats\": write that, or remove it"),
        (
            "[bus]\nhistory=0",
            "2: bus.history: must be a whole number from 1 to 10000000, without quotes",
        ),
        (
            "[bus]\nhistory='7'",
            "2: bus.history: must be a whole number from 1 to 10000000, without quotes",
        ),
        (
            "[bus]\nhistory=1.5",
            "2: bus.history: must be a whole number from 1 to 10000000, without quotes",
        ),
        ("[store]\nkind='etcd'", "2: store.kind: must be \"embedded\" or \"redis\""),
        (
            "[store]\nkind='redis'",
            "1: store.url: is missing: say where Redis is, like \"redis://127.0.0.1:6379\"",
        ),
        (
            "[store]\nurl='redis://127.0.0.1'",
            "2: store.url: is for kind = \"redis\": write that, or remove it",
        ),
        (
            "[store]\nkind='redis'\nurl='127.0.0.1:6379'",
            "3: store.url: must be redis://HOST:PORT, or rediss:// with TLS; besides, it may have USER:PASSWORD@ before the host (with %40 for an @, and so on) and the number of a database after it, like /1",
        ),
        ("[store]\npath=''", "2: store.path: is empty"),
        ("[plugins]\ndri='x'", "2: plugins.dri: is unknown; do you mean \"dir\"?"),
        ("[plugins]\ndir=true", "2: plugins.dir: must be a string in quotes"),
        (
            "[admin]\nlisten='localhost:8082'",
            "2: admin.listen: must be an IP address with a port, like \"127.0.0.1:8082\"",
        ),
        (
            "[admin]\nlisten='0.0.0.0:8082'",
            "2: admin.listen: 0.0.0.0:8082 can be reached from other machines: set admin.token (`telepulse token` makes one), or listen on 127.0.0.1",
        ),
        (
            "[admin]\ntoken='secret'",
            "2: admin.token: must be \"sha256:\" and the 64 hexadecimal digits of the token's hash: `telepulse token` makes both",
        ),
        ("[log]\nformat='xml'", "2: log.format: must be \"text\" or \"json\""),
        (
            "[log]\nlevel='loud'",
            "2: log.level: must be \"error\", \"warn\", \"info\", \"debug\", \"trace\" or \"off\", or levels by module: \"info,telepulse::proxy=debug\"",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(mistakes(text, &[]), [*expected], "{text}");
    }
}

#[test]
fn mistakes_of_a_server() {
    let cases: &[(&str, &str)] = &[
        ("port=70000", "6: server.port: must be a whole number from 1 to 65535, without quotes"),
        ("auth='sha1'", "6: server.auth: must be \"md5\" or \"plain\""),
        (
            "device='PJSIP/201'",
            "6: server.device: must be a technology and a name that holds {ext} once, like \"PJSIP/{ext}\"",
        ),
        (
            "context='a b'",
            "6: server.context: must be the name of a dialplan context, like \"internal\"",
        ),
        (
            "maxCalls=0",
            "6: server.maxCalls: must be a whole number from 1 to 4294967295, without quotes",
        ),
        ("maxcalls=1", "6: server.maxcalls: is unknown; do you mean \"maxCalls\"?"),
        ("tls=7", "6: server.tls: must be a table: write [server.tls]"),
        ("[server.tls]\nCA='x'", "7: server.tls.CA: is unknown; do you mean \"ca\"?"),
        (
            "[server.tls]\nca='none.pem'",
            "7: server.tls.ca: cannot read /etc/tp/none.pem: entity not found",
        ),
        (
            "[server.tls]\nca='secrets/pbx1'",
            "7: server.tls.ca: /etc/tp/secrets/pbx1: holds no certificate (-----BEGIN CERTIFICATE-----)",
        ),
        ("[server.tls]\ncert='ca.pem'", "7: server.tls.cert: needs key, its private key"),
        (
            "[server.filter]\nexclude=['hangup']",
            "7: server.filter.exclude: holds Hangup, without which the model would be wrong",
        ),
        (
            "[server.filter]\nexclude=['(.*']",
            "7: server.filter.exclude: must be names of AMI events, like \"RTCPSent\"",
        ),
        ("ari='http://h/ari'", "6: server.ari: must be a table: write [server.ari]"),
    ];
    for (line, expected) in cases {
        assert_eq!(mistakes(&format!("{SERVER}{line}"), &[]), [*expected], "{line}");
    }
    let all = mistakes("[[server]]\nid='a b'\nhost='h:5038'\nusername=''\nsecret=\"a\\rb\"", &[]);
    assert_eq!(
        all,
        [
            "2: server.id: must be 1 to 64 of the characters A-Z, a-z, 0-9, _ and -",
            "3: server.host: must be a host name or an IP address; the port has a key of its own",
            "4: server.username: is empty",
            "5: server.secret: holds a control character: remove it",
        ]
    );
    let ari = "[server.ari]\nurl='http://u:canary@h/ari'\nusername='a:b'\npassword=''\napp='a.b'\nca='none.pem'\npsw='x'";
    assert_eq!(
        mistakes(&format!("{SERVER}{ari}"), &[]),
        [
            "7: server.ari.url: holds a user or a password: put them into username and password",
            "8: server.ari.username: must be 1 to 64 bytes without a colon or control characters",
            "9: server.ari.password: is empty where it is kept",
            "10: server.ari.app: must be 1 to 64 of the characters A-Z, a-z, 0-9, _ and -",
            "11: server.ari.ca: cannot read /etc/tp/none.pem: entity not found",
            "12: server.ari.psw: is unknown; there are url, username, password, app, ca",
        ]
    );
    assert_eq!(
        mistakes(&format!("{SERVER}[server.ari]"), &[]),
        [
            "6: server.ari.url: is missing: say where it is, like \"http://127.0.0.1:8088/ari\"",
            "6: server.ari.username: is missing: name the user of ari.conf",
            "6: server.ari.password: is missing: write \"env:NAME\", \"file:PATH\" or the password",
        ]
    );
    let [pattern] = mistakes(&format!("{SERVER}extensions='('"), &[]).try_into().unwrap();
    let pattern: String = pattern;
    assert!(pattern.starts_with("6: server.extensions: is no regular expression"), "{pattern}");
    assert!(pattern.ends_with("one that works: \"^[0-9]{2,6}$\""), "{pattern}");
    assert_eq!(
        mistakes(&format!("{SERVER}{SERVER}"), &[]),
        ["7: server.id: \"pbx1\" is taken (line 1): give it another"]
    );
    assert_eq!(
        mistakes("\n[[server]]", &[]),
        [
            "2: server.id: is missing: give the server a name, like \"pbx1\"",
            "2: server.host: is missing: say where it is, like \"127.0.0.1\"",
            "2: server.username: is missing: name the user of manager.conf",
            "2: server.secret: is missing: write \"env:NAME\", \"file:PATH\" or the secret",
        ]
    );
}

#[test]
fn mistakes_of_users() {
    let text = format!(
        "[[auth.user]]\nname='a:b'\ntoken='{TOKEN}'\nallow=[\n'dial',\n'*:own',\n'a b',\n7]\n\
         [[auth.user]]\nname='b'\ntoken='{TOKEN}'\nextension='2&1'\nagents='201'\n\
         [[auth.user]]\nname='b'\npassword='hunter2'\n[[auth.user]]\n"
    );
    assert_eq!(
        mistakes(&text, &[]),
        [
            "2: auth.user.name: must be 1 to 64 bytes without a colon or control characters",
            "7: auth.user.allow: must be \"*\" or a command, like \"dial\", with \":own\" for own calls only",
            "8: auth.user.allow: must be a string in quotes",
            "11: auth.user.token: is the token of user \"\" too: make one for each",
            "12: auth.user.extension: may hold only digits, letters and * # + _ . -",
            "13: auth.user.agents: must be a list of strings, like [\"201\", \"202\"]",
            "15: auth.user.name: \"b\" is taken (line 9): give it another",
            "16: auth.user.password: must be an argon2id string, \"$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH\": `argon2 SALT -id -e` prints one",
            "17: auth.user.name: is missing: say who it is, like \"wallboard\"",
            "17: auth.user.token: is missing: `telepulse token` makes one; or give a password, an argon2id string",
        ]
    );
}

#[test]
fn a_password_must_be_argon2id_and_affordable() {
    let user = |password: &str| format!("[[auth.user]]\nname='a'\npassword='{password}'");
    let (salt, hash) = ("MDEyMzQ1Njc4OWFiY2RlZg", "A".repeat(43));
    let good = user(&format!("$argon2id$v=19$m=19456,t=2,p=1${salt}${hash}"));
    assert!(parse(&good, &[]).unwrap().users[0].password.is_some());
    for (bad, expected) in [
        (format!("$argon2i$v=19$m=19456,t=2,p=1${salt}${hash}"), "must be an argon2id string"),
        (format!("$argon2id$v=19$m=19456,t=2,p=1${salt}"), "must be an argon2id string"),
        (format!("$argon2id$v=19$m=4000000,t=2,p=1${salt}${hash}"), "costs too much"),
    ] {
        let [mistake] = mistakes(&user(&bad), &[]).try_into().unwrap();
        let mistake: String = mistake;
        assert!(mistake.contains(expected) && !mistake.contains(salt), "{mistake}");
    }
}

#[test]
fn what_is_no_toml_is_told_and_the_rest_is_read_all_the_same() {
    let all = mistakes("[log]\nformat = \nlevel='loud'\n[[server]]\nid = \"x\n", &[]);
    let [format, level, id] = all.as_slice() else { panic!("{all:?}") };
    assert!(format.starts_with("2: not TOML: "), "{format}");
    assert!(level.starts_with("3: log.level: must be"), "{level}");
    assert!(id.starts_with("5: not TOML: "), "{id}");
    let [twice] = mistakes("[log]\nlevel='info'\nlevel='warn'", &[]).try_into().unwrap();
    let twice: String = twice;
    assert!(twice.starts_with("3: not TOML: duplicate key"), "{twice}");
}

#[test]
fn secrets_can_lie_elsewhere() {
    let server = |secret: &str| SERVER.replace("'s'", &format!("'{secret}'"));
    let secret = |text: &str| {
        let config = parse(&server(text), &[("PBX1_SECRET", "from outside"), ("EMPTY", "")]);
        config.map(|config| config.servers[0].secret.expose().to_owned())
    };
    assert_eq!(secret("env:PBX1_SECRET").as_deref(), Ok("from outside"));
    assert_eq!(secret("file:secrets/pbx1").as_deref(), Ok("from a file"));
    for (text, expected) in [
        ("env:OTHER", "the environment has no OTHER: set it, or write \"file:PATH\""),
        ("env:EMPTY", "is empty where it is kept"),
        ("file:/empty", "is empty where it is kept"),
        ("file:gone", "cannot read /etc/tp/gone: entity not found"),
    ] {
        let error = secret(text).unwrap_err().to_string();
        assert_eq!(error, format!("/etc/tp/tp.toml:5: server.secret: {expected}"));
    }
}

#[test]
fn a_redis_is_named_by_its_url() {
    let redis = |url: &str| {
        let text = format!("[store]\nkind='redis'\nurl='{url}'");
        parse(&text, &[("REDIS_URL", "redis://from.outside")]).map(|config| config.store.redis)
    };
    let plain = Redis {
        host: "127.0.0.1".to_owned(),
        port: 6379,
        is_encrypted: false,
        user: None,
        password: None,
        db: 0,
    };
    for same in ["redis://127.0.0.1", "redis://127.0.0.1:6379/", "redis://127.0.0.1:6379/0"] {
        assert_eq!(redis(same), Ok(Some(plain.clone())), "{same}");
    }
    let full = redis("rediss://tele%40pulse:p%3a%23:ss@[::1]:7000/3").unwrap().unwrap();
    assert_eq!((full.host.as_str(), full.port, full.db), ("::1", 7000, 3));
    assert_eq!(full.user.as_deref(), Some("tele@pulse"));
    assert_eq!(full.password.as_ref().map(Secret::expose), Some("p:#:ss"));
    assert!(full.is_encrypted);
    assert_eq!(
        (full.to_string(), plain.to_string()),
        ("[::1]:7000".into(), "127.0.0.1:6379".into())
    );
    let alone = redis("redis://:canary@host").unwrap().unwrap();
    assert_eq!((alone.user, alone.password), (None, Some(Secret::new("canary"))));
    assert_eq!(redis("env:REDIS_URL").unwrap().unwrap().host, "from.outside");
    for wrong in [
        "canary",
        "http://:canary@host",
        "redis://:canary@",
        "redis://canary@host",
        "redis://:canary@host:0",
        "redis://:canary@host:70000",
        "redis://:canary@host:",
        "redis://:canary@host/one",
        "redis://:canary@host/-1",
        "redis://:can#ary@host",
        "redis://:canary@host?db=1",
        "redis://:canary@a,b",
        "redis://:canary%ff@host",
    ] {
        let told = redis(wrong).unwrap_err();
        assert_eq!(told.count(), 1, "{told}");
        assert!(told.to_string().contains("store.url: must be redis://HOST:PORT"), "{told}");
        assert!(!told.to_string().contains("can"), "{told}");
    }
}

#[test]
fn the_environment_takes_precedence() {
    let text = format!(
        "{SERVER}[[server]]\nid='pbx-2'\nhost='h'\nusername='u'\nsecret='s'\n\
         [[auth.user]]\nname='wall board'\ntoken='{TOKEN}'\n[log]\nlevel='info'\n"
    );
    let variables = [
        ("TELEPULSE_LOG__LEVEL", "debug"),
        ("TELEPULSE_LOG__FORMAT", "json"),
        ("TELEPULSE_BUS__HISTORY", "12"),
        ("TELEPULSE_STORE__PATH", "/elsewhere"),
        ("TELEPULSE_STORE__KIND", "redis"),
        ("TELEPULSE_STORE__URL", "redis://elsewhere"),
        ("TELEPULSE_SERVER__PBX1__SECRET", "env:OTHER"),
        ("TELEPULSE_SERVER__PBX_2__PORT", "5099"),
        ("TELEPULSE_SERVER__PBX_2__MAX_CALLS", "3"),
        ("TELEPULSE_SERVER__PBX_2__TLS__SERVER_NAME", "pbx2.example"),
        ("TELEPULSE_SERVER__PBX_2__ARI__URL", "http://pbx2.example:8088/ari/"),
        ("TELEPULSE_SERVER__PBX_2__ARI__USERNAME", "a"),
        ("TELEPULSE_SERVER__PBX_2__ARI__PASSWORD", "p"),
        ("TELEPULSE_SERVER__PBX_2__FILTER__EXCLUDE", "Wink, Flash"),
        ("TELEPULSE_AUTH__USER__WALL_BOARD__ALLOW", "dial, hangup:own"),
        ("TELEPULSE_TOKEN", "is no key"),
        ("OTHER", "very secret"),
        ("HOME", "/root"),
    ];
    let config = parse(&text, &variables).unwrap();
    assert_eq!(config.log.level.default_level(), Some(LevelFilter::DEBUG));
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.bus.history, 12);
    assert_eq!(config.store.path, Path::new("/elsewhere"));
    assert_eq!(config.store.redis.map(|redis| redis.host).as_deref(), Some("elsewhere"));
    assert_eq!(config.servers[0].secret.expose(), "very secret");
    assert_eq!(config.servers[0].port, 5038);
    assert_eq!((config.servers[1].port, config.servers[1].max_calls), (5099, Some(3)));
    let tls = config.servers[1].tls.as_ref().unwrap();
    assert_eq!(tls.server_name.as_deref(), Some("pbx2.example"));
    let ari = config.servers[1].ari.as_ref().unwrap();
    assert_eq!(
        (ari.url.to_string().as_str(), ari.app.as_str()),
        ("http://pbx2.example:8088/ari", "telepulse")
    );
    assert_eq!(config.servers[1].filter.exclude.len(), 2);
    assert_eq!(config.users[0].allow.len(), 2);
}

#[test]
fn mistakes_of_the_environment_name_the_variable() {
    for (name, value, expected) in [
        ("TELEPULSE_LOGG__LEVEL", "x", "there is no section \"logg\"; do you mean \"log\"?"),
        ("TELEPULSE_LOG__LEVLE", "x", "log.levle: is unknown; do you mean \"level\"?"),
        ("TELEPULSE_LOG__FORMAT", "xml", "log.format: must be \"text\" or \"json\""),
        ("TELEPULSE_BUS__URL", "x", "bus.url: is for kind = \"nats\": write that, or remove it"),
        ("TELEPULSE_SERVER__SECRET", "x", "say of which: TELEPULSE_SERVER__NAME__KEY"),
        (
            "TELEPULSE_SERVER__PBX9__SECRET",
            "x",
            "there is no [[server]] with id \"PBX9\" in the file (there: pbx1)",
        ),
        (
            "TELEPULSE_AUTH__USER__ANA__TOKEN",
            "x",
            "there is no [[auth.user]] with name \"ANA\" in the file (there: none)",
        ),
        (
            "TELEPULSE_SERVER__PBX1__PORT",
            "no",
            "server.port: must be a whole number from 1 to 65535, without quotes",
        ),
    ] {
        let expected = format!("environment variable {name}: {expected}");
        assert_eq!(mistakes(SERVER, &[(name, value)]), [expected]);
    }
}

#[test]
fn no_message_and_no_debug_shows_a_secret() {
    let text = "[[server]]\nid='pbx1'\nhost='h'\nusername='u'\nsecret=\"canary\\u0000\"\n\
                [[auth.user]]\nname='a'\ntoken='sha256:canary'\npassword='canary'\n\
                [admin]\ntoken='canary'\n";
    let told = parse(text, &[]).unwrap_err();
    assert_eq!(told.count(), 4);
    assert!(!told.to_string().contains("canary"), "{told}");
    let config = parse(&SERVER.replace("'s'", "'canary'"), &[]).unwrap();
    assert!(!format!("{config:?}").contains("canary"));
    let redis = parse("[store]\nkind='redis'\nurl='redis://u:canary@h'", &[]).unwrap();
    assert!(!format!("{redis:?}").contains("canary"));
    for login in ["user='u'\npassword='canary'", "token='canary'"] {
        let nats = parse(&format!("[bus]\nkind='nats'\nurl='nats://h'\n{login}"), &[]).unwrap();
        assert!(!format!("{nats:?}").contains("canary"));
    }
    let told = parse("[bus]\nkind='nats'\nurl='nats://u:canary@h'", &[]).unwrap_err();
    assert!(!told.to_string().contains("canary"), "{told}");
}

#[test]
fn nats_is_said_whole_and_all_mistakes_at_once() {
    let text = "[bus]\nkind='nats'\nurl=['nats://a','tls://b:1']\nprefix='acme.x'\nuser='u'\n\
                password='env:P'\nreplicas=3\nstorage='memory'\nhistory=7\nhistoryMiB=2\nhistoryHours=1\n";
    let bus = parse(text, &[("P", "hunter2")]).unwrap().bus;
    let nats = bus.nats.unwrap();
    assert_eq!(bus.history, 7);
    let servers: Vec<String> = nats.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["nats://a:4222", "tls://b:1"]);
    assert_eq!(nats.prefix.as_deref(), Some("acme.x"));
    let login =
        super::NatsLogin::Password { user: "u".to_owned(), password: Secret::new("hunter2") };
    assert_eq!(nats.login, login);
    assert_eq!((nats.replicas, nats.on_disk, nats.bytes), (3, false, 2 << 20));
    assert_eq!(nats.age, std::time::Duration::from_hours(1));

    let variables = [("TELEPULSE_BUS__KIND", "nats"), ("TELEPULSE_BUS__URL", "nats://a, nats://b")];
    assert_eq!(parse("", &variables).unwrap().bus.nats.unwrap().servers.len(), 2);

    let text = "[bus]\nkind='nats'\nurl=['nats://a','b']\nprefix='a..b'\nuser='u'\ntoken='t'\n\
                cert='x.pem'\nstorage='tape'\nreplicas=9\n";
    let told = parse(text, &[]).unwrap_err().to_string();
    for line in [
        "3: bus.url: must be nats://HOST:PORT",
        "4: bus.prefix: must be one or more words",
        "5: bus.user: needs password",
        "6: bus.token: stands beside user: one of them is enough",
        "7: bus.cert: ",
        "8: bus.storage: must be \"file\" or \"memory\"",
        "9: bus.replicas: must be a whole number from 1 to 5",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
}

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
        ("REDIS_URL", "rediss://u:p@redis.example:6379/1"),
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
    let text = include_str!("../../../../config/telepulse.toml");
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
