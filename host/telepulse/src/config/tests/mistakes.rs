//! Mistakes, each with its line and the way out.

use super::*;

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
        ("[store]\nkind='etcd'", "2: store.kind: must be \"embedded\" or \"redis\" or \"nats\""),
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
            "[server.tls]\ncert='telepulse.pem'\nkey='other.key'",
            "8: server.tls.key: /etc/tp/other.key: does not go with /etc/tp/telepulse.pem: \
             keys may not be consistent: KeyMismatch",
        ),
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
