//! Who may do what: every role of the example configuration, every command, about oneself, about others and
//! on a server that is not theirs, over both gateways; held against the table in `docs/security.md`.
//! `TELEPULSE_WRITE=1` writes the table anew.

use crate::{
    platform::{Platform, hash},
    rest,
    ws::Client,
};
use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};
use telepulse_language::Command;
use telepulse_tests::asterisk::{self, Asterisk, Options};

const OWN: &str = "101";
const ANOTHER: &str = "102";
const BEGIN: &str = "<!-- rights: begin -->\n";
const END: &str = "<!-- rights: end -->";

/// What the configuration's example says of roles: name, and what is allowed.
fn roles() -> Result<BTreeMap<String, Vec<String>>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/telepulse.toml");
    let text = fs::read_to_string(file)?;
    let begin = text.find("# [[auth.role]]").context("roles in the example")?;
    let end = text[begin..].find("# [auth.jwt]").context("their end")? + begin;
    let plain: Vec<&str> =
        text[begin..end].lines().map(|line| line.strip_prefix("# ").unwrap_or_default()).collect();
    let words = |line: &str| -> Vec<String> {
        line.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let mut roles = BTreeMap::new();
    for pair in plain.windows(2).filter(|pair| pair[0].starts_with("name = ")) {
        let name = words(pair[0])[0].clone();
        roles.insert(name, words(pair[1]));
    }
    Ok(roles)
}

/// A command about an extension, or about something that is not there.
fn command(action: &str, agent: &str) -> Value {
    let channel = "PJSIP/199-0000ffff";
    let mut command = match action {
        "dial" => json!({"from": agent, "to": "199"}),
        "transfer" => json!({"agent": agent, "to": "103"}),
        "record" => json!({"agent": agent, "change": "start"}),
        "spy" | "whisper" | "barge" | "pickup" => json!({"agent": agent, "target": "199"}),
        "queueAdd" | "queueRemove" => json!({"agent": agent, "queue": "support"}),
        "message" => json!({"to": agent, "text": "hello"}),
        "dtmf" => json!({"channel": channel, "digits": "1"}),
        "mute" | "unmute" => json!({"channel": channel}),
        "getVariable" => json!({"channel": channel, "name": "x"}),
        "setVariable" => json!({"channel": channel, "name": "x", "value": "y"}),
        "conferenceLock" | "conferenceUnlock" => json!({"conference": "699"}),
        "conferenceKick" | "conferenceMute" | "conferenceUnmute" => {
            json!({"conference": "699", "channel": channel})
        }
        _ => json!({"agent": agent}),
    };
    command["action"] = action.into();
    command
}

/// What a refusal, or none, says about rights.
fn told(refusal: &Value) -> &'static str {
    match (refusal["code"].as_str(), refusal["field"].as_str()) {
        (Some("forbidden" | "unauthorized"), _) => "no",
        (Some("notFound"), Some("server")) => "hidden",
        _ => "yes",
    }
}

/// The same by the words of `allow` alone.
fn expected(allow: &[String], action: &str, is_own: bool, is_here: bool) -> &'static str {
    let has = |word: &str| allow.iter().any(|allowed| allowed == word);
    let any = has("*") || has(action);
    let own = has(&format!("{action}:own"));
    match (any, own) {
        (false, false) => "no",
        _ if !is_here => "hidden",
        (true, _) => "yes",
        (false, true) => {
            if is_own {
                "yes"
            } else {
                "no"
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_in_the_docs_is_what_both_gateways_do() -> Result<()> {
    let Some(installation) = asterisk::require("rights::the_table_in_the_docs") else {
        return Ok(());
    };
    let theirs = Asterisk::start(&installation, Options::default()).await?;
    let elsewhere = Asterisk::start(&installation, Options::default()).await?;
    let roles = roles()?;
    let mut text = "[commands]\nperSecond = 100000\n".to_owned();
    for (role, allow) in &roles {
        write!(text, "[[auth.role]]\nname = \"{role}\"\nallow = {allow:?}\n")?;
        let token = hash(&format!("token of {role}"));
        write!(
            text,
            "[[auth.user]]\nname = \"a {role}\"\ntoken = \"sha256:{token}\"\nrole = \"{role}\"\n\
             extension = \"{OWN}\"\nservers = [\"pbx1\"]\n"
        )?;
    }
    let builder = Platform::builder().server("pbx1", &theirs).server("pbx2", &elsewhere);
    let platform = builder.raw(&text).start().await?;
    platform.connected("pbx1").await?;
    platform.connected("pbx2").await?;

    let mut rows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (role, allow) in &roles {
        let token = format!("token of {role}");
        let mut client = Client::connect(platform.ws_port, &token).await?;
        for action in Command::ACTIONS {
            for (agent, server) in [(OWN, "pbx1"), (ANOTHER, "pbx1"), (OWN, "pbx2")] {
                let mut command = command(action, agent);
                command["server"] = server.into();
                let expected = expected(allow, action, agent == OWN, server == "pbx1");
                let url = platform.rest("/v1/commands");
                let by_rest =
                    rest::send(&url, Method::POST, Some(command.clone()), Some(&token)).await?;
                let by_ws = client.request(command.clone()).await?;
                assert_eq!(
                    told(&by_rest.body),
                    expected,
                    "REST: {role} {command}: {}",
                    by_rest.body
                );
                assert_eq!(told(&by_ws["error"]), expected, "WebSocket: {role} {command}: {by_ws}");
                rows.entry(action).or_default().push(expected);
            }
        }
    }
    platform.stop().await;

    let mut table = "| command |".to_owned();
    for role in roles.keys() {
        write!(table, " {role}: own | others' | elsewhere |")?;
    }
    write!(table, "\n|---|{}", "---|---|---|".repeat(roles.len()))?;
    for (action, cells) in rows {
        write!(table, "\n| `{action}` | {} |", cells.join(" | "))?;
    }
    table.push('\n');
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/security.md");
    let docs = fs::read_to_string(&file)?;
    let (before, rest) = docs.split_once(BEGIN).context("where the table begins")?;
    let (written, after) = rest.split_once(END).context("where it ends")?;
    if std::env::var_os("TELEPULSE_WRITE").is_some() {
        fs::write(&file, format!("{before}{BEGIN}{table}{END}{after}"))?;
        return Ok(());
    }
    assert_eq!(written, table, "docs/security.md is of old: TELEPULSE_WRITE=1 writes it");
    Ok(())
}
