//! `telepulse doctor` on real Asterisks with broken configurations: each mistake is named by its cause.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use serde_json::{Value, json};
use std::{collections::BTreeSet, path::PathBuf};
use telepulse::{
    config::Server,
    doctor::{self, Looks, Report},
};
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    ports,
};

/// Users beside the one that is right, each wrong in its own way; all have the same secret.
const USERS: [(&str, &str); 10] = [
    (
        "no-read",
        "read = call\nwrite = system,call,agent,user,originate,reporting\nwritetimeout = 5000",
    ),
    ("no-write", "read = system,call,agent\nwrite = system\nwritetimeout = 5000"),
    (
        "no-filter",
        "read = system,call,agent\nwrite = call,agent,originate,reporting\nwritetimeout = 5000",
    ),
    ("root", "read = all\nwrite = all\nwritetimeout = 5000"),
    (
        "kept-out",
        "read = system,call,agent\nwrite = system,call\ndeny = 0.0.0.0/0.0.0.0\npermit = 10.0.0.1",
    ),
    (
        "once",
        "read = system,call,agent\nwrite = system,call,agent,originate,reporting\n\
        allowmultiplelogin = no\nwritetimeout = 5000",
    ),
    (
        "hidden",
        "read = system,call,agent\nwrite = system,call,agent,originate,reporting\n\
        eventfilter = !Event: Hangup\nwritetimeout = 5000",
    ),
    ("slow", "read = system,call,agent\nwrite = system,call,agent,originate,reporting"),
    (
        "dialplan",
        "read = system,call,agent,dialplan\nwrite = system,call,agent,originate,reporting\nwritetimeout = 5000",
    ),
    (
        "blind",
        "read = system,agent\nwrite = system,call,agent,originate,reporting\nwritetimeout = 5000",
    ),
];

fn settings(pbx: &Asterisk, more: &Value) -> Server {
    let mut value = json!({
        "id": "pbx1", "host": "127.0.0.1", "port": pbx.manager().port(),
        "username": pbx.username(), "secret": pbx.secret(),
    });
    for (key, field) in more.as_object().into_iter().flatten() {
        value[key] = field.clone();
    }
    Server::from_json(value).unwrap()
}

fn ari(pbx: &Asterisk, path: &str, password: &str) -> Value {
    json!({ "ari": {
        "url": format!("http://127.0.0.1:{}/{path}", pbx.http().port()),
        "username": "telepulse", "password": password,
    }})
}

async fn look(server: Server, etc: Option<PathBuf>) -> Report {
    let looks = Looks { asterisk: Some(etc.unwrap_or("/nonexistent".into())), listen_ms: 200 };
    doctor::server(&server, &looks).await
}

/// What should be done something about.
fn trouble(report: &Report) -> BTreeSet<&'static str> {
    report.findings.iter().filter(|it| it.is_trouble()).map(|it| it.code).collect()
}

/// What is wrong, the settings that have it, Asterisk's folder where it is read, and what is found.
type Case = (&'static str, Server, Option<PathBuf>, &'static [&'static str]);

/// Each mistake by itself.
fn cases(pbx: &Asterisk, other: &Asterisk) -> Vec<Case> {
    let etc = Some(pbx.etc());
    let user = |name: &str| settings(pbx, &json!({ "username": name }));
    let with = |more: &Value| settings(pbx, more);
    let closed = ports::free().unwrap();
    // Some authority: this machine may trust none.
    let ca = pbx.etc().join("authority.pem");
    let signed = rcgen::generate_simple_self_signed(["authority.example".to_owned()]).unwrap();
    std::fs::write(&ca, signed.cert.pem()).unwrap();
    vec![
        ("another secret", with(&json!({ "secret": "another one" })), None, &["login-refused"]),
        (
            "the same, and the file",
            with(&json!({ "secret": "another one" })),
            etc.clone(),
            &["login-refused", "wrong-secret"],
        ),
        ("no such user", user("nobody"), etc.clone(), &["login-refused", "no-such-user"]),
        ("permit", user("kept-out"), etc.clone(), &["kept-out", "login-refused"]),
        ("one login only", user("once"), None, &["login-in-use"]),
        ("read", user("no-read"), None, &["missing-read-agent", "missing-read-system"]),
        ("read call", user("blind"), None, &["missing-read-call"]),
        (
            "write",
            user("no-write"),
            None,
            &[
                "missing-write-agent",
                "missing-write-call",
                "missing-write-originate",
                "missing-write-reporting",
            ],
        ),
        ("filter", user("no-filter"), None, &["filter-refused", "missing-write-system"]),
        (
            "too much",
            user("root"),
            None,
            &["excess-read", "excess-write", "excess-write-dangerous"],
        ),
        ("dialplan", user("dialplan"), None, &["excess-read"]),
        ("eventfilter", user("hidden"), None, &["events-hidden"]),
        ("writetimeout", user("slow"), None, &["short-write-timeout"]),
        (
            "no port",
            with(&json!({ "port": closed })),
            etc.clone(),
            &["connection-refused", "other-port"],
        ),
        ("the HTTP port", with(&json!({ "port": pbx.http().port() })), None, &["not-a-manager"]),
        ("no TLS there", with(&json!({ "tls": { "ca": ca } })), None, &["tls-not-spoken"]),
        ("context", with(&json!({ "context": "nowhere" })), None, &["no-context"]),
        ("device", with(&json!({ "device": "SIP/{ext}" })), None, &["device-matches-nothing"]),
        (
            "extensions",
            with(&json!({ "extensions": "^7[0-9]{3}$" })),
            None,
            &["device-matches-nothing", "extensions-match-nothing"],
        ),
        ("ARI password", with(&ari(pbx, "ari", "another")), None, &["ari-login"]),
        ("ARI path", with(&ari(pbx, "elsewhere", pbx.ari_password())), None, &["ari-not-there"]),
        (
            "ARI off",
            settings(other, &ari(other, "ari", "x")),
            None,
            &[
                "broken-events-action",
                "events-disabled",
                "http-disabled",
                "short-write-timeout",
                "web-manager",
            ],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_of_a_real_asterisk_are_named() {
    let Some(installation) = asterisk::require("doctor::mistakes_of_a_real_asterisk") else {
        return;
    };
    let default = Options::default();
    let mut lines = vec!["writetimeout = 5000".to_owned()];
    for (name, rights) in USERS {
        lines.push(format!("[{name}]\nsecret = {}\n{rights}", default.secret));
    }
    let first = Options { ari: true, manager_user: lines, ..Options::default() };
    let second = Options {
        manager_general: [
            "disabledevents = Hangup",
            "webenabled = yes",
            "brokeneventsaction = yes",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..Options::default()
    };
    let (pbx, other) =
        tokio::join!(Asterisk::start(&installation, first), Asterisk::start(&installation, second));
    let (pbx, other) = (pbx.unwrap(), other.unwrap());

    let good = look(settings(&pbx, &ari(&pbx, "ari", pbx.ari_password())), Some(pbx.etc())).await;
    assert_eq!(trouble(&good), BTreeSet::new(), "{good:#?}");
    assert!(good.seen[0].contains("Asterisk 22"), "{:?}", good.seen);

    // Kept logged in, so that a second login is not taken.
    let _once = telepulse_tests::ami::Client::login(
        pbx.manager(),
        "once",
        pbx.secret(),
        telepulse_tests::ami::Events::Off,
    )
    .await
    .unwrap();
    let looks = cases(&pbx, &other).into_iter().map(async |(what, server, etc, expected)| {
        let report = look(server, etc).await;
        let expected: BTreeSet<&str> = expected.iter().copied().collect();
        let wrong = trouble(&report) != expected;
        wrong.then(|| format!("{what}: expected {expected:?}\n{report:#?}"))
    });
    let wrong: Vec<String> =
        futures_util::future::join_all(looks).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));

    // What is in the file and not in force.
    let file = pbx.etc().join("manager.conf");
    let text = std::fs::read_to_string(&file).unwrap();
    let cut =
        text.replacen("write = system,call,agent,user,originate,reporting", "write = agent", 1);
    std::fs::write(&file, cut).unwrap();
    let report = look(settings(&pbx, &json!({})), None).await;
    assert_eq!(trouble(&report), BTreeSet::from(["not-loaded"]), "{report:#?}");
    let text = doctor::text(&report, telepulse::paint::Paint::OFF);
    assert!(!text.contains(pbx.secret()), "{text}");
}
