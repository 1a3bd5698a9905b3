//! Injected mistakes, each named by its cause.

mod fake;
mod local;
mod server;

use super::{
    Finding, Severity,
    conf::Section,
    facts::{Answers, Hint, Login, ManagerConf, Member, Offered, Queue, Reach, ServerFacts},
};
use crate::config::Server;
use serde_json::json;

/// 2026-11-22, in seconds since 1970.
const NOW: i64 = 1_795_305_600;

/// Actions with the classes that give them, as Asterisk 22 lists them for the rights that we ask for.
const OFFERED: [(&str, &[&str]); 26] = [
    ("Ping", &[]),
    ("Filter", &["system"]),
    ("CoreSettings", &["system", "reporting"]),
    ("CoreStatus", &["system", "reporting"]),
    ("Status", &["system", "call", "reporting"]),
    ("CoreShowChannels", &["system", "reporting"]),
    ("ExtensionStateList", &["call", "reporting"]),
    ("DeviceStateList", &["call", "reporting"]),
    ("PresenceStateList", &["call", "reporting"]),
    ("Originate", &["originate"]),
    ("Hangup", &["system", "call"]),
    ("Redirect", &["call"]),
    ("Setvar", &["call"]),
    ("MuteAudio", &["system"]),
    ("MixMonitor", &["system"]),
    ("StopMixMonitor", &["system", "call"]),
    ("QueueAdd", &["agent"]),
    ("QueuePause", &["agent"]),
    ("QueueStatus", &[]),
    ("Park", &["call"]),
    ("ParkedCalls", &[]),
    ("ConfbridgeKick", &["call"]),
    ("ConfbridgeListRooms", &["reporting"]),
    ("UserEvent", &["user"]),
    ("GetConfig", &["system", "config"]),
    ("ShowDialPlan", &["config", "reporting"]),
];

/// What a user with these classes is offered.
fn offered(rights: &[&str]) -> Vec<Offered> {
    let more = [("Command", &["command"][..]), ("UpdateConfig", &["config"]), ("AGI", &["agi"])];
    let has = |classes: &[&str]| classes.is_empty() || classes.iter().any(|it| rights.contains(it));
    OFFERED
        .into_iter()
        .chain(more)
        .filter(|(_, classes)| has(classes))
        .map(|(action, classes)| Offered {
            action: action.to_owned(),
            classes: classes.iter().map(ToString::to_string).collect(),
        })
        .collect()
}

const RIGHTS: [&str; 6] = ["system", "call", "agent", "user", "originate", "reporting"];

fn user(lines: &[(&str, &str)]) -> Section {
    let usual = [
        ("read", "system,call,agent,user,reporting"),
        ("write", "system,call,agent,user,originate,reporting"),
        ("writetimeout", "5000"),
        ("deny", "0.0.0.0/0.0.0.0"),
        ("permit", "127.0.0.1/255.255.255.255"),
    ];
    Section::new("telepulse", &[&usual, lines].concat())
}

fn settings() -> Server {
    let value = json!({
        "id": "pbx1", "host": "127.0.0.1", "username": "telepulse", "secret": "a canary of a secret",
        "ari": { "url": "http://127.0.0.1:8088/ari", "username": "telepulse", "password": "canary, too" },
    });
    Server::from_json(value).unwrap()
}

/// A server on which all is well.
fn well() -> ServerFacts {
    let hint = |extension: &str| Hint {
        extension: extension.to_owned(),
        context: "internal".to_owned(),
        devices: format!("PJSIP/{extension}"),
    };
    let member = Member {
        interface: "PJSIP/101".to_owned(),
        state_interface: "PJSIP/101".to_owned(),
        status: 1,
    };
    ServerFacts {
        settings: settings(),
        reach: Reach::Greeted("11.0.0".to_owned()),
        certificate_ends: None,
        login: Login::Accepted,
        manager: ManagerConf {
            general: Some(Section::new(
                "general",
                &[("enabled", "yes"), ("bindaddr", "127.0.0.1")],
            )),
            user: Some(user(&[])),
            file: None,
        },
        answers: Answers {
            asterisk: Some("22.10.0".to_owned()),
            offered: Some(offered(&RIGHTS)),
            is_fully_booted: true,
            clock_ahead_ms: Some(3),
            latency_ms: Some(2),
            hints: Some(vec![hint("101"), hint("102")]),
            devices: Some(vec!["PJSIP/101".to_owned(), "PJSIP/trunk".to_owned()]),
            queues: Some(vec![Queue { name: "sales".to_owned(), members: vec![member] }]),
            has_context: Some(true),
            max_calls: Some(0),
            listened_ms: 2_000,
            ..Answers::default()
        },
        ari: Some(super::facts::AriFacts {
            outcome: Some(super::facts::AriOutcome::Status(200)),
            user: Some(Section::new("telepulse", &[("read_only", "yes")])),
            ..super::facts::AriFacts::default()
        }),
    }
}

/// Codes with their severities.
fn codes(findings: &[Finding]) -> Vec<(&'static str, Severity)> {
    findings.iter().map(|finding| (finding.code, finding.severity)).collect()
}

/// What every finding must have, whatever it is about.
fn is_complete(finding: &Finding) {
    assert!(
        finding.cure.is_some()
            || finding.paste.is_some()
            || finding.severity == Severity::Note
            || finding.code == "login-refused",
        "a way out: {finding:?}"
    );
    let text = serde_json::to_string(finding).unwrap();
    assert!(!text.contains("canary"), "no secret: {text}");
    if let Some(paste) = &finding.paste {
        assert!(!paste.lines.is_empty() && !paste.then.is_empty(), "{finding:?}");
    }
}
