//! What is wrong gets the contract's error; nothing dies, and nothing of it reaches Asterisk.

use crate::{
    platform::{Platform, SOON, TOKEN},
    rest,
    ws::{Client, Incoming},
};
use anyhow::{Result, bail, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use telepulse::config::Config;
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    ports,
};

/// Each frame, the code of the error, the field that it names.
const FRAMES: &[(&str, &str, Option<&str>)] = &[
    ("{", "badRequest", None),
    ("[]", "badRequest", None),
    ("{}", "badRequest", Some("action")),
    (r#"{"action":"explode","id":1}"#, "badRequest", Some("action")),
    (r#"{"action":"dial","from":"101","id":1}"#, "badRequest", Some("to")),
    (
        r#"{"action":"dial","from":"101","to":"102\r\nAction: Command\r\nCommand: core stop now"}"#,
        "badRequest",
        Some("to"),
    ),
    (r#"{"action":"dial","from":"101","to":"102\nX"}"#, "badRequest", Some("to")),
    (r#"{"action":"dial","from":"101","to":"102\u0000"}"#, "badRequest", Some("to")),
    (r#"{"action":"dial","from":"101","to":"102&103"}"#, "badRequest", Some("to")),
    (
        r#"{"action":"dial","from":"101","to":"102","Application":"System","Data":"ls"}"#,
        "badRequest",
        Some("Application"),
    ),
    (
        r#"{"action":"dial","from":"101","to":"102","callerId":"${SHELL(ls)}"}"#,
        "badRequest",
        Some("callerId"),
    ),
    (r#"{"action":"dial","from":"999","to":"102"}"#, "notFound", Some("from")),
    (r#"{"action":"dial","from":"101","to":"102","server":"nowhere"}"#, "notFound", Some("server")),
    (r#"{"action":"hangup","channel":"/.*/"}"#, "badRequest", Some("channel")),
    (r#"{"action":"hangup","call":"no-such-call"}"#, "notFound", Some("call")),
    (r#"{"action":"queueAdd","agent":"101","queue":"no-such-queue"}"#, "notFound", Some("queue")),
    (r#"{"action":"transfer","agent":"101","to":"102"}"#, "conflict", Some("agent")),
    (r#"{"action":"query","query":"secrets"}"#, "badRequest", Some("query")),
    (r#"{"action":"subscribe","filter":{"agent":["101"]}}"#, "badRequest", Some("filter.agent")),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_is_named_and_none_reaches_asterisk() -> Result<()> {
    let name = "bad_input::each_mistake_is_named_and_none_reaches_asterisk";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let platform = Platform::builder().server("pbx1", &pbx).start().await?;
    platform.connected("pbx1").await?;
    let observer = pbx.observer().await?;
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    for (frame, code, field) in FRAMES {
        client.send_text(frame).await?;
        let Incoming::Json(reply) = client.incoming(SOON).await? else {
            bail!("{frame} closed the connection");
        };
        ensure!(reply["ok"] == false && reply["error"]["code"] == *code, "{frame}: {reply}");
        let named = reply["error"]["field"].as_str();
        ensure!(field.is_none() || named == *field, "{frame}: {reply}");
        let message = reply["error"]["message"].as_str().unwrap_or_default();
        ensure!(!message.is_empty() && !message.contains(['\r', '\n', '\0']), "{frame}: {reply}");
    }
    // The connection still works, and Asterisk has seen no call and no command.
    client.ok(json!({"action": "ping"})).await?;
    let events = observer.since(0);
    let names = ["Newchannel", "OriginateResponse", "QueueMemberAdded", "Hangup"];
    ensure!(
        !events.iter().any(|event| names.iter().any(|name| event.is_event(name))),
        "{events:?}"
    );
    rest_says_the_same(&platform).await?;
    platform.stop().await;
    Ok(())
}

async fn rest_says_the_same(platform: &Platform) -> Result<()> {
    let cases: &[(Method, &str, Option<Value>, u16, &str)] = &[
        (Method::POST, "/v1/calls", Some(json!({"from": "101"})), 400, "badRequest"),
        (
            Method::POST,
            "/v1/calls",
            Some(json!({"from": "101", "to": "1\r\n2"})),
            400,
            "badRequest",
        ),
        (Method::POST, "/v1/calls", Some(json!({"from": "999", "to": "102"})), 404, "notFound"),
        (Method::GET, "/v1/calls/no-such-call", None, 404, "notFound"),
        (Method::DELETE, "/v1/calls/no-such-call", None, 404, "notFound"),
        (Method::PUT, "/v1/queues/nowhere/members/101", Some(json!({})), 404, "notFound"),
        (Method::POST, "/v1/commands", Some(json!({"action": "explode"})), 400, "badRequest"),
        (Method::GET, "/v1/nothing", None, 404, "notFound"),
    ];
    for (method, path, body, status, code) in cases {
        let answer = rest::call(platform, method.clone(), path, body.clone()).await?;
        ensure!(
            answer.status.as_u16() == *status,
            "{method} {path}: {} {}",
            answer.status,
            answer.body
        );
        ensure!(answer.body["code"] == *code, "{method} {path}: {}", answer.body);
    }
    let anonymous = rest::send(&platform.rest("/v1/calls"), Method::GET, None, None).await?;
    ensure!(
        anonymous.status == StatusCode::UNAUTHORIZED,
        "{} {}",
        anonymous.status,
        anonymous.body
    );
    let wrong = rest::send(&platform.rest("/v1/calls"), Method::GET, None, Some("wrong")).await?;
    ensure!(wrong.status == StatusCode::UNAUTHORIZED, "{} {}", wrong.status, wrong.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_closes_with_4401() -> Result<()> {
    let platform = Platform::builder().start().await?;
    let mut by_header = Client::connect(platform.ws_port, "wrong").await?;
    let mut by_message = Client::anonymous(platform.ws_port).await?;
    by_message.send_text(r#"{"action":"login","id":1,"token":"wrong"}"#).await?;
    let mut unasked = Client::anonymous(platform.ws_port).await?;
    unasked.send_text(r#"{"action":"ping","id":1}"#).await?;
    for client in [&mut by_header, &mut by_message, &mut unasked] {
        loop {
            match client.incoming(SOON).await? {
                Incoming::Json(reply) => {
                    ensure!(reply["error"]["code"] == "unauthorized", "{reply}");
                }
                Incoming::Closed(frame) => {
                    let frame = frame.expect("a close frame");
                    ensure!(u16::from(frame.code) == 4401, "{frame:?}");
                    break;
                }
            }
        }
    }
    let mut good = Client::anonymous(platform.ws_port).await?;
    let result = good.ok(json!({"action": "login", "token": TOKEN})).await?;
    ensure!(result["user"] == "test" && result["extension"] == "101", "{result}");
    platform.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_and_an_unreachable_server_are_told_and_hurt_nobody() -> Result<()> {
    let name = "bad_input::a_wrong_secret_and_an_unreachable_server";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let nobody = ports::free()?;
    let others = format!(
        "[[server]]\nid = \"wrong\"\nhost = \"127.0.0.1\"\nport = {}\nusername = \"telepulse\"\nsecret = \"no\"\n\
         [[server]]\nid = \"gone\"\nhost = \"127.0.0.1\"\nport = {nobody}\nusername = \"x\"\nsecret = \"canary-secret\"\n",
        pbx.manager().port()
    );
    let platform = Platform::builder().server("pbx1", &pbx).raw(&others).start().await?;
    platform.connected("pbx1").await?;
    platform.server_state("wrong", "REJECTED").await?;
    platform.server_state("gone", "DISCONNECTED").await?;
    let list = rest::send(&platform.admin("/servers"), Method::GET, None, None).await?;
    let text = list.body.to_string();
    ensure!(text.contains("Authentication failed"), "{text}");
    ensure!(text.contains("refused"), "{text}");
    ensure!(!text.contains("canary-secret"), "a secret came back: {text}");
    platform.stop().await;
    Ok(())
}

#[test]
fn a_wrong_configuration_is_refused_whole_with_every_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("telepulse.toml");
    let text =
        "[[server]]\nid = \"a b\"\nhost = 5\nusrname = \"x\"\n[admin]\nlisten = \"0.0.0.0:8082\"\n";
    std::fs::write(&file, text).unwrap();
    let mistakes = Config::load(&file).expect_err("it is wrong").to_string();
    for word in [
        "telepulse.toml:2",
        "telepulse.toml:3",
        "telepulse.toml:4",
        "username",
        "telepulse.toml:6",
        "token",
    ] {
        assert!(mistakes.contains(word), "{word:?} is missing in:\n{mistakes}");
    }
}
