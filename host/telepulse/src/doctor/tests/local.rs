//! Mistakes of this machine, on facts.

use super::{
    super::{
        Report, Severity,
        facts::{LocalFacts, PluginFacts, PluginsFacts, UsedFacts},
        json, rules, text,
    },
    codes, is_complete,
};
use crate::{
    config::{Config, Source},
    paint::Paint,
};
use Severity::{Error, Note, Warning};
use std::path::Path;

const GOOD: &str = "[[auth.user]]\nname='ana'\nallow=['*']\n\
    token='sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'\n";

fn config(text: &str) -> Config {
    Config::parse(&Source::alone(Path::new("/etc/telepulse/telepulse.toml"), text)).unwrap()
}

fn well() -> LocalFacts {
    let rest = PluginFacts { name: "rest".into(), has_settings: true, ..PluginFacts::default() };
    LocalFacts {
        file: "/etc/telepulse/telepulse.toml".into(),
        mode: Some(0o640),
        used: Some(UsedFacts {
            config: config(GOOD),
            store_error: None,
            store_free: Some(9 << 30),
            is_running: false,
            taken: Vec::new(),
            plugins: Ok(PluginsFacts { mode: Some(0o755), plugins: vec![rest] }),
            guessable: Vec::new(),
            guessable_servers: Vec::new(),
            open_files: Some(65_536),
        }),
        ..LocalFacts::default()
    }
}

fn used(facts: &mut LocalFacts) -> &mut UsedFacts {
    facts.used.as_mut().unwrap()
}

fn plugin(facts: &mut LocalFacts) -> &mut PluginFacts {
    &mut used(facts).plugins.as_mut().unwrap().plugins[0]
}

fn with(facts: &mut LocalFacts, more: &str) {
    used(facts).config = config(&format!("{GOOD}{more}"));
}

type Injected = (&'static str, Severity, fn(&mut LocalFacts), &'static str);

const INJECTED: [Injected; 21] = [
    (
        "configuration",
        Error,
        |f| {
            f.mistakes.push(("x.toml:3".into(), "log.level: is wrong".into()));
            f.used = None;
        },
        "log.level",
    ),
    (
        "plain-secret",
        Warning,
        |f| f.plain_secrets.push((4, "server.secret".into())),
        "env:SERVER_SECRET",
    ),
    (
        "plain-plugin-secret",
        Warning,
        |f| plugin(f).plain_secrets.push("apiKey".into()),
        "apiKey = ",
    ),
    ("no-users", Warning, |f| used(f).config = config(""), "telepulse token"),
    (
        "powerless-users",
        Note,
        |f| {
            with(
                f,
                "[[auth.user]]\nname='bo'\nagents=[]\nqueues=[]\nservers=[]\n\
            token='sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a09'\n",
            );
        },
        "bo",
    ),
    (
        "guessable-token",
        Error,
        |f| used(f).guessable.push(("ana".into(), "[[auth.user]]".into())),
        "ana",
    ),
    ("guessable-secret", Error, |f| used(f).guessable_servers.push("pbx1".into()), "pbx1"),
    (
        "admin-in-clear",
        Warning,
        |f| {
            with(
                f,
                "[admin]\nlisten='10.0.0.1:8082'\n\
            token='sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a09'\n",
            );
        },
        "tls = true",
    ),
    ("store-not-writable", Error, |f| used(f).store_error = Some("denied".into()), "path = "),
    ("store-nearly-full", Warning, |f| used(f).store_free = Some(9 << 20), "9 MiB"),
    (
        "port-taken",
        Error,
        |f| {
            used(f).taken.push(("127.0.0.1:8082".into(), "the admin API".into()));
        },
        "listen = ",
    ),
    (
        "port-taken",
        Error,
        |f| {
            used(f).taken.push(("127.0.0.1:8083".into(), "the plugin rest".into()));
        },
        "sport = :8083",
    ),
    ("no-plugins-folder", Error, |f| used(f).plugins = Err("not found".into()), "dir = "),
    ("no-plugins", Error, |f| used(f).plugins = Ok(PluginsFacts::default()), "xtask build"),
    (
        "open-plugins-folder",
        Error,
        |f| {
            used(f).plugins.as_mut().unwrap().mode = Some(0o777);
        },
        "chmod o-w",
    ),
    ("plugin-files", Error, |f| plugin(f).mistakes.push("line 2: kv".into()), "line 2"),
    ("grants-missing", Error, |f| plugin(f).lacking.push("kv \"1 MiB\"".into()), "approve rest"),
    (
        "same-server-twice",
        Warning,
        |f| {
            let server = |id: &str| {
                format!("[[server]]\nid='{id}'\nhost='h'\nusername='u'\nsecret='long enough'\n")
            };
            with(f, &(server("a") + &server("b")));
        },
        "a, b",
    ),
    ("few-files", Note, |f| used(f).open_files = Some(1024), "LimitNOFILE"),
    (
        "configuration",
        Error,
        |f| {
            f.mistakes.push(("servers.json".into(), "is broken".into()));
        },
        "servers.json",
    ),
    (
        "readable-secrets",
        Warning,
        |f| {
            f.mode = Some(0o644);
            f.plain_secrets.push((4, "server.secret".into()));
        },
        "move the secrets",
    ),
];

#[test]
fn each_mistake_is_named() {
    assert_eq!(rules::of_machine(&well()), []);
    for (code, severity, inject, expected) in INJECTED {
        let mut facts = well();
        inject(&mut facts);
        let findings = rules::of_machine(&facts);
        findings.iter().for_each(is_complete);
        let found = codes(&findings);
        assert!(found.contains(&(code, severity)), "{code}: {findings:#?}");
        let more = if code == "readable-secrets" { 2 } else { 1 };
        assert_eq!(found.len(), more, "{findings:#?}");
        let text = serde_json::to_string(&findings).unwrap();
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn a_running_telepulse_has_its_ports_itself() {
    let mut facts = well();
    used(&mut facts).is_running = true;
    used(&mut facts).taken.push(("127.0.0.1:8082".into(), "the admin API".into()));
    assert_eq!(rules::of_machine(&facts), []);
}

#[test]
fn a_report_reads_well() {
    let mut facts = well();
    plugin(&mut facts).lacking.push("kv \"1 MiB\"".into());
    used(&mut facts).config.admin.listen = "10.0.0.1:8082".parse().unwrap();
    let report = Report { seen: vec!["pbx1: fine".into()], findings: rules::of_machine(&facts) };
    let expected = "\
· pbx1: fine

this machine
  error    rest waits for grants: kv \"1 MiB\"
           at rest.toml  grants-missing
           `telepulse plugins approve rest` shows and grants them
  warning  the admin API on 10.0.0.1:8082 takes its token unencrypted
           at /etc/telepulse/telepulse.toml  admin-in-clear
           telepulse.toml, in [admin]:
             tls = true    # with the certificate of [tls]
           then: telepulse reload

errors: 1, warnings: 1
";
    assert_eq!(text(&report, Paint::OFF), expected);
    assert!(text(&report, Paint::ON).contains("\u{1b}[31merror"));
    let value = json(&report);
    assert_eq!(
        (&value["ok"], &value["findings"][0]["where"]),
        (&false.into(), &"rest.toml".into())
    );
    assert_eq!(text(&Report::default(), Paint::OFF), "\nall is well\n");
}
