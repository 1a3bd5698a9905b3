//! Mistakes of servers, on facts.

use super::{
    super::{
        Severity,
        conf::Section,
        facts::{
            AriOutcome, FileFacts, Hint, Login, Member, Queue, Reach, ServerFacts, TlsTrouble,
        },
        rules,
    },
    NOW, RIGHTS, codes, is_complete, offered, user, well,
};
use Severity::{Error, Note, Warning};

#[test]
fn where_all_is_well_nothing_is_found() {
    assert_eq!(rules::of_server(&well(), NOW), []);
}

type Injected = (&'static str, Severity, fn(&mut ServerFacts), &'static str);

fn has(facts: &mut ServerFacts, rights: &[&str]) {
    facts.answers.offered = Some(offered(rights));
    let line = rights.join(",");
    facts.manager.user = Some(user(&[("write", &line)]));
}

fn general(facts: &mut ServerFacts, lines: &[(&str, &str)]) {
    let usual = [("enabled", "yes"), ("bindaddr", "127.0.0.1")];
    facts.manager.general = Some(Section::new("general", &[&usual, lines].concat()));
}

fn not_in(facts: &mut ServerFacts, reach: Reach) {
    facts.reach = reach;
    facts.login = Login::NotTried;
}

/// Code, severity, what is done wrong, and a line that must be among those to paste (or in the words).
const INJECTED: [Injected; 62] = [
    ("unknown-host", Error, |f| not_in(f, Reach::NoSuchHost("no".into())), "host = "),
    ("connection-refused", Error, |f| not_in(f, Reach::Refused), "enabled = yes"),
    ("unreachable", Error, |f| not_in(f, Reach::Unreachable("slow".into())), "5038"),
    ("closed-unsaid", Error, |f| not_in(f, Reach::ClosedUnsaid), "authlimit = 100"),
    ("tls-expected", Error, |f| not_in(f, Reach::Silent), "[server.tls]"),
    ("not-a-manager", Error, |f| not_in(f, Reach::NotAmi("HTTP/1.1 400".into())), "HTTP server"),
    ("not-a-manager", Error, |f| not_in(f, Reach::NotAmi("SSH-2.0-x".into())), "SSH server"),
    ("tls-not-spoken", Error, |f| not_in(f, Reach::Tls(TlsTrouble::NotSpoken)), "tlsenable = yes"),
    ("tls-unknown-issuer", Error, |f| not_in(f, Reach::Tls(TlsTrouble::UnknownIssuer)), "ca = "),
    ("tls-wrong-name", Error, |f| not_in(f, Reach::Tls(TlsTrouble::WrongName)), "serverName = "),
    ("tls-expired", Error, |f| not_in(f, Reach::Tls(TlsTrouble::Expired)), "renew"),
    ("tls-not-yet-valid", Error, |f| not_in(f, Reach::Tls(TlsTrouble::NotYetValid)), "clock"),
    ("tls-settings", Error, |f| not_in(f, Reach::Tls(TlsTrouble::Settings("x".into()))), "x"),
    ("tls-expires-soon", Warning, |f| f.certificate_ends = Some(NOW + 3 * 86_400), "3 days"),
    (
        "secret-in-clear",
        Warning,
        |f| {
            f.settings.host = "192.0.2.9".into();
            f.settings.auth = crate::config::ServerAuth::Plain;
        },
        "auth = \"md5\"",
    ),
    ("not-encrypted", Note, |f| f.settings.host = "192.0.2.9".into(), "[server.tls]"),
    (
        "login-refused",
        Error,
        |f| {
            f.login = Login::Refused("Authentication failed".into());
        },
        "secret = ",
    ),
    (
        "login-in-use",
        Error,
        |f| {
            f.login = Login::Refused("Login Already In Use".into());
        },
        "allowmultiplelogin = yes",
    ),
    ("login-unanswered", Error, |f| f.login = Login::NoAnswer("late".into()), "authtimeout = 30"),
    (
        "missing-write-system",
        Error,
        |f| has(f, &["call", "agent", "user", "originate", "reporting"]),
        "write = agent,call,originate,reporting,system,user",
    ),
    (
        "missing-write-call",
        Error,
        |f| has(f, &["system", "agent", "user", "originate", "reporting"]),
        "transfer",
    ),
    (
        "missing-write-agent",
        Error,
        |f| has(f, &["system", "call", "user", "originate", "reporting"]),
        "queuePause",
    ),
    (
        "missing-write-originate",
        Error,
        |f| has(f, &["system", "call", "agent", "user", "reporting"]),
        "dial",
    ),
    (
        "missing-write-reporting",
        Error,
        |f| has(f, &["system", "call", "agent", "user", "originate"]),
        "conferences",
    ),
    (
        "excess-write-dangerous",
        Warning,
        |f| has(f, &[&RIGHTS[..], &["command"]].concat()),
        "run programs",
    ),
    (
        "excess-write-dangerous",
        Warning,
        |f| has(f, &[&RIGHTS[..], &["config"]].concat()),
        "write = system",
    ),
    ("excess-write", Warning, |f| has(f, &[&RIGHTS[..], &["agi"]].concat()), "`agi`"),
    (
        "missing-read-system",
        Error,
        |f| f.manager.user = Some(user(&[("read", "call,agent")])),
        "read = ",
    ),
    (
        "missing-read-call",
        Error,
        |f| f.manager.user = Some(user(&[("read", "system,agent")])),
        "read = ",
    ),
    (
        "missing-read-agent",
        Error,
        |f| f.manager.user = Some(user(&[("read", "system,call")])),
        "queues",
    ),
    (
        "missing-read-system",
        Error,
        |f| {
            f.manager.user = None;
            f.answers.is_fully_booted = false;
        },
        "FullyBooted",
    ),
    (
        "excess-read",
        Warning,
        |f| {
            f.manager.user = Some(user(&[("read", "system,call,agent,dialplan")]));
        },
        "`dialplan`",
    ),
    ("excess-read", Warning, |f| f.manager.user = Some(user(&[("read", "all")])), "`all`"),
    (
        "module-missing",
        Note,
        |f| {
            f.answers.offered.as_mut().unwrap().retain(|one| !one.action.starts_with("Queue"));
        },
        "load = app_queue.so",
    ),
    (
        "not-loaded",
        Warning,
        |f| f.manager.user = Some(user(&[("write", "call,agent")])),
        "manager reload",
    ),
    (
        "short-write-timeout",
        Warning,
        |f| {
            f.manager.user = Some(user(&[("writetimeout", "100")]));
        },
        "writetimeout = 5000",
    ),
    (
        "no-second-login",
        Warning,
        |f| {
            f.manager.user = Some(user(&[("allowmultiplelogin", "no")]));
        },
        "allowmultiplelogin = yes",
    ),
    (
        "no-second-login",
        Warning,
        |f| general(f, &[("allowmultiplelogin", "no")]),
        "allowmultiplelogin",
    ),
    ("web-manager", Warning, |f| general(f, &[("webenabled", "yes")]), "webenabled = no"),
    (
        "broken-events-action",
        Warning,
        |f| general(f, &[("brokeneventsaction", "yes")]),
        "brokenevents",
    ),
    (
        "no-access-list",
        Warning,
        |f| {
            f.manager.general = Some(Section::new("general", &[("bindaddr", "0.0.0.0")]));
            f.manager.user = Some(Section::new(
                "telepulse",
                &[
                    ("read", "system,call,agent"),
                    ("write", &RIGHTS.join(",")),
                    ("writetimeout", "5000"),
                ],
            ));
        },
        "deny = 0.0.0.0",
    ),
    (
        "filter-refused",
        Error,
        |f| f.answers.filter_refused = Some("Permission denied".into()),
        "write = ",
    ),
    (
        "needless-events",
        Warning,
        |f| {
            f.answers.needless.insert("RTCPSent".into(), (40, 20_000));
        },
        "eventfilter = !Event: RTCPSent",
    ),
    (
        "events-hidden",
        Error,
        |f| {
            f.manager.user = Some(user(&[("eventfilter", "!Event: Hangup")]));
        },
        "Hangup",
    ),
    (
        "events-hidden",
        Error,
        |f| {
            f.manager.user = Some(user(&[("eventfilter", "Event: New.*")]));
        },
        "and",
    ),
    (
        "events-hidden",
        Error,
        |f| {
            f.manager.user = Some(user(&[("eventfilter(action(exclude),name(BridgeEnter))", "")]));
        },
        "BridgeEnter",
    ),
    (
        "events-disabled",
        Error,
        |f| general(f, &[("disabledevents", "Newexten,DialEnd")]),
        "disabledevents = Newexten",
    ),
    ("no-hints", Warning, |f| f.answers.hints = Some(Vec::new()), "exten => 201,hint,PJSIP/201"),
    (
        "extensions-match-nothing",
        Error,
        |f| {
            f.settings.extensions = "^7[0-9]+$".into();
            f.answers.devices = Some(Vec::new());
            f.answers.queues = Some(Vec::new());
        },
        "extensions = ",
    ),
    (
        "device-matches-nothing",
        Warning,
        |f| {
            f.answers.devices = Some(vec!["SIP/101".into(), "SIP/102".into(), "DAHDI/1".into()]);
        },
        "device = \"SIP/{ext}\"",
    ),
    (
        "no-context",
        Error,
        |f| {
            f.answers.has_context = Some(false);
            f.answers.hints.as_mut().unwrap()[0].context = "from-internal".into();
            f.answers.hints.as_mut().unwrap()[1].context = "from-internal".into();
        },
        "context = \"from-internal\"",
    ),
    (
        "queue-without-members",
        Note,
        |f| {
            f.answers.queues = Some(vec![Queue { name: "night".into(), members: Vec::new() }]);
        },
        "night",
    ),
    ("queue-member-invalid", Warning, |f| member(f, "PJSIP/109", 4), "PJSIP/109 of sales"),
    ("queue-member-unknown", Warning, |f| member(f, "DAHDI/7", 1), "DAHDI/7 of sales"),
    ("too-old", Error, |f| f.answers.asterisk = Some("13.38.3".into()), "13.38.3"),
    ("end-of-life", Warning, |f| f.answers.asterisk = Some("18.26.4".into()), "2025-10-20"),
    ("unknown-version", Note, |f| f.answers.asterisk = Some("GIT-master".into()), "GIT-master"),
    ("clock-differs", Warning, |f| f.answers.clock_ahead_ms = Some(-90_000), "90 s behind"),
    ("slow", Warning, |f| f.answers.latency_ms = Some(900), "900 ms"),
    (
        "fewer-calls",
        Note,
        |f| {
            f.answers.max_calls = Some(50);
            f.settings.max_calls = Some(200);
        },
        "maxCalls = 50",
    ),
    ("ari-login", Error, |f| ari(f, AriOutcome::Status(401)), "password = "),
    ("http-refused", Error, |f| ari(f, AriOutcome::Unreached(Reach::Refused)), "bindport = 8088"),
];

fn member(facts: &mut ServerFacts, interface: &str, status: u8) {
    let member = Member { interface: interface.into(), state_interface: interface.into(), status };
    facts.answers.queues = Some(vec![Queue { name: "sales".into(), members: vec![member] }]);
}

fn ari(facts: &mut ServerFacts, outcome: AriOutcome) {
    facts.ari.as_mut().unwrap().outcome = Some(outcome);
}

#[test]
fn each_mistake_is_named_with_its_cure_and_nothing_else_is() {
    for (code, severity, inject, expected) in INJECTED {
        let mut facts = well();
        inject(&mut facts);
        let findings = rules::of_server(&facts, NOW);
        assert_eq!(codes(&findings), [(code, severity)], "{findings:#?}");
        is_complete(&findings[0]);
        assert_eq!(findings[0].server.as_deref(), Some("pbx1"));
        let text = serde_json::to_string(&findings[0]).unwrap().replace("\\\"", "\"");
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn aris_settings_tell_what_the_status_hides() {
    let mut facts = well();
    ari(&mut facts, AriOutcome::Status(404));
    assert_eq!(codes(&rules::of_server(&facts, NOW)), [("ari-not-there", Error)]);
    facts.ari.as_mut().unwrap().general = Some(Section::new("general", &[("enabled", "no")]));
    assert_eq!(codes(&rules::of_server(&facts, NOW)), [("ari-disabled", Error)]);
    let found = facts.ari.as_mut().unwrap();
    found.general = None;
    found.http = Some(Section::new("general", &[("enabled", "yes"), ("prefix", "pbx")]));
    assert_eq!(codes(&rules::of_server(&facts, NOW)), [("ari-prefix", Error)]);
    ari(&mut facts, AriOutcome::Unreached(Reach::Refused));
    facts.ari.as_mut().unwrap().http = Some(Section::new("general", &[("enabled", "no")]));
    assert_eq!(codes(&rules::of_server(&facts, NOW)), [("http-disabled", Error)]);
    ari(&mut facts, AriOutcome::Status(200));
    facts.ari.as_mut().unwrap().user = Some(Section::new("telepulse", &[]));
    assert_eq!(codes(&rules::of_server(&facts, NOW)), [("ari-excess", Warning)]);
}

/// The file of the Asterisk machine, where the login was refused.
fn refused(
    section: Option<Section>,
    is_secret_right: Option<bool>,
    from: &str,
) -> Vec<&'static str> {
    let mut facts = well();
    facts.login = Login::Refused("Authentication failed".into());
    facts.manager.user = section;
    facts.manager.file = Some(FileFacts {
        path: "/etc/asterisk/manager.conf".into(),
        users: vec!["admin".into()],
        is_secret_right,
        our_address: Some(from.parse().unwrap()),
    });
    let findings = rules::of_server(&facts, NOW);
    findings.iter().for_each(is_complete);
    findings.iter().map(|finding| finding.code).filter(|code| *code != "login-refused").collect()
}

#[test]
fn the_file_tells_what_a_refused_login_hides() {
    let here = "127.0.0.1";
    assert_eq!(refused(None, None, here), ["no-such-user"]);
    assert_eq!(refused(Some(user(&[])), Some(false), here), ["wrong-secret"]);
    assert_eq!(refused(Some(user(&[])), None, here), ["no-secret"]);
    assert_eq!(refused(Some(user(&[])), Some(true), "192.0.2.1"), ["kept-out"]);
    assert_eq!(refused(Some(user(&[])), Some(true), here), ["not-loaded"]);
}

#[test]
fn the_file_tells_why_nobody_listens() {
    let check = |lines: &[(&str, &str)], expected: &str| {
        let mut facts = well();
        not_in(&mut facts, Reach::Refused);
        facts.manager.general = Some(Section::new("general", lines));
        facts.manager.file = Some(FileFacts {
            path: "manager.conf".into(),
            users: Vec::new(),
            is_secret_right: None,
            our_address: None,
        });
        let findings = rules::of_server(&facts, NOW);
        assert!(findings.iter().any(|finding| finding.code == expected), "{findings:#?}");
    };
    check(&[("enabled", "no")], "manager-disabled");
    check(&[("enabled", "yes"), ("port", "5048")], "other-port");
    check(&[("enabled", "yes"), ("bindaddr", "10.0.0.5")], "bound-elsewhere");
}

#[test]
fn a_pattern_hint_is_for_many_extensions() {
    let mut facts = well();
    facts.answers.hints = Some(vec![Hint {
        extension: "_1XX".into(),
        context: "internal".into(),
        devices: "PJSIP/${EXTEN}".into(),
    }]);
    assert_eq!(rules::of_server(&facts, NOW), []);
}
