//! What lies elsewhere: secrets, the environment, Redis, NATS.

use super::*;

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

fn redis_of(config: &Config) -> Option<Redis> {
    match &config.store.values {
        ValuesIn::Redis(redis) => Some(redis.clone()),
        _ => None,
    }
}

#[test]
fn values_are_in_the_nats_of_the_bus_and_in_no_other() {
    let nats = "[bus]\nkind='nats'\nurl='nats://h'\nprefix='acme'\n";
    let config = parse(&format!("{nats}[store]\nkind='nats'\n"), &[]).unwrap();
    let ValuesIn::Nats(place) = config.store.values else { panic!("{:?}", config.store) };
    assert_eq!(Some(&*place), config.bus.nats.as_ref());
    let without = parse("[store]\nkind='nats'\n", &[]).unwrap_err().to_string();
    assert!(without.contains("2: store.kind: \"nats\" is the NATS of the bus"), "{without}");
    let besides = format!("{nats}[store]\nkind='nats'\nurl='redis://h'\n");
    let besides = parse(&besides, &[]).unwrap_err().to_string();
    assert!(besides.contains("store.url: is for kind = \"redis\""), "{besides}");
    let wrong = "[bus]\nkind='nats'\nurl='x'\n[store]\nkind='nats'\n";
    let wrong = parse(wrong, &[]).unwrap_err().to_string();
    assert!(!wrong.contains("store.kind"), "told once: {wrong}");
}

#[test]
fn a_redis_is_named_by_its_url() {
    let redis = |url: &str| {
        let text = format!("[store]\nkind='redis'\nurl='{url}'");
        parse(&text, &[("REDIS_URL", "redis://from.outside")]).map(|config| redis_of(&config))
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
    assert_eq!(redis_of(&config).map(|redis| redis.host).as_deref(), Some("elsewhere"));
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
