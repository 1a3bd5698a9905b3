//! What an auditor and an operator ask: who ordered what, what came of it, and how much is too much.

use crate::{
    platform::{Platform, SOON, TOKEN, hash},
    rest,
    ws::{Client, Incoming},
};
use anyhow::Result;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    wait,
};

const OTHER: &str = "another-token";
const CLERK: &str = "the-clerks-token";

#[tokio::test(flavor = "multi_thread")]
async fn every_command_is_noted_with_its_outcome() -> Result<()> {
    let Some(installation) = asterisk::require("audited::every_command_is_noted") else {
        return Ok(());
    };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let clerk = format!(
        "[[auth.user]]\nname = \"clerk\"\ntoken = \"sha256:{}\"\nextension = \"102\"\n\
         allow = [\"hangup:own\"]\n[commands]\ndeniedPrefixes = [\"00\"]\n",
        hash(CLERK)
    );
    let platform = Platform::builder().server("pbx1", &pbx).raw(&clerk).start().await?;
    platform.connected("pbx1").await?;

    let dial = |to: &str| Some(json!({"from": "101", "to": to}));
    let calls = platform.rest("/v1/calls");
    let good = rest::send(&calls, Method::POST, dial("102"), Some(TOKEN)).await?;
    assert_eq!(good.status, StatusCode::ACCEPTED, "{}", good.body);
    let costly = rest::send(&calls, Method::POST, dial("0038511"), Some(TOKEN)).await?;
    assert_eq!((costly.status, &costly.body["field"]), (StatusCode::FORBIDDEN, &json!("to")));
    let clerks = rest::send(&calls, Method::POST, dial("102"), Some(CLERK)).await?;
    assert_eq!(clerks.status, StatusCode::FORBIDDEN);
    let guess = rest::send(&calls, Method::POST, dial("102"), Some("a guess")).await?;
    assert_eq!(guess.status, StatusCode::UNAUTHORIZED);
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    let secret = json!({"action": "setVariable", "channel": "PJSIP/199-0000ffff", "name": "pin",
        "value": "hunter2"});
    client.refused(secret).await?;

    let path = platform.dir.path().join("data/audit.jsonl");
    let mut lines: Vec<Value> = Vec::new();
    wait::until("five entries", SOON, async || {
        let text = std::fs::read_to_string(&path)?;
        lines = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok((lines.len() >= 5).then_some(()))
    })
    .await?;
    let text = std::fs::read_to_string(&path)?;
    for hidden in ["hunter2", TOKEN, CLERK, "a guess"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    let told = |line: &Value| {
        let field = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
        let [user, plugin, action, server] = ["user", "plugin", "action", "server"].map(field);
        format!("{user} {plugin} {action} {server} {}", field("outcome"))
    };
    let told: Vec<String> = lines.iter().map(told).collect();
    assert_eq!(
        told,
        [
            "test rest dial pbx1 done",
            "test rest dial - forbidden",
            "clerk rest dial - forbidden",
            "- - login - unauthorized",
            "test websocket setVariable pbx1 notFound",
        ]
    );
    assert_eq!(lines[0]["about"], json!({"from": "101", "to": "102"}));
    assert_eq!(lines[3]["peer"], "127.0.0.1");
    platform.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_commands_is_refused_and_others_are_not() -> Result<()> {
    let Some(installation) = asterisk::require("audited::a_flood_of_commands") else {
        return Ok(());
    };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let limits = format!(
        "[[auth.user]]\nname = \"clerk\"\ntoken = \"sha256:{}\"\nallow = [\"*\"]\n\
         [commands]\nperSecond = 20\ndialsPerNumber = 3\n",
        hash(CLERK)
    );
    let platform = Platform::builder().server("pbx1", &pbx).raw(&limits).start().await?;
    platform.connected("pbx1").await?;
    let mut flood = Client::connect(platform.ws_port, TOKEN).await?;
    let mut codes = Vec::new();
    for _ in 0..200 {
        let reply = flood.request(json!({"action": "hangup", "agent": "101"})).await?;
        codes.push(reply["error"]["code"].as_str().unwrap_or("ok").to_owned());
    }
    let refused = codes.iter().filter(|code| *code == "tooManyRequests").count();
    // Forty at once, and twenty in each second that it takes.
    assert!((1..=160).contains(&refused), "{refused} of 200: {codes:?}");
    assert!(codes[..40].iter().all(|code| code == "conflict"), "{codes:?}");

    let mut clerk = Client::connect(platform.ws_port, CLERK).await?;
    let mut dials = Vec::new();
    for _ in 0..5 {
        let reply = clerk.request(json!({"action": "dial", "from": "101", "to": "199"})).await?;
        dials.push(reply["error"]["code"].as_str().unwrap_or("ok").to_owned());
    }
    assert_eq!(dials[3..], ["tooManyRequests", "tooManyRequests"], "{dials:?}");
    assert!(!dials[..3].contains(&"tooManyRequests".to_owned()), "{dials:?}");
    platform.stop().await;
    Ok(())
}

/// Two users, and perhaps more lines.
fn users(clerk: &str, allow: &str) -> String {
    let user = |name: &str, token: &str, allow: &str| {
        let hash = hash(token);
        format!("[[auth.user]]\nname = \"{name}\"\ntoken = \"sha256:{hash}\"\nallow = [{allow}]\n")
    };
    user("clerk", clerk, allow) + &user("boss", OTHER, "\"*\"")
}

/// How long it takes until a client is closed, and why.
async fn closed(mut client: Client) -> Result<(Duration, u16)> {
    let begun = Instant::now();
    loop {
        match client.incoming(SOON).await? {
            Incoming::Closed(frame) => {
                return Ok((begun.elapsed(), frame.map_or(0, |frame| frame.code.into())));
            }
            Incoming::Json(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_read_again_touches_what_differs_and_nothing_else() -> Result<()> {
    let Some(installation) = asterisk::require("audited::a_configuration_read_again") else {
        return Ok(());
    };
    let first = Asterisk::start(&installation, Options::default()).await?;
    let second = Asterisk::start(&installation, Options::default()).await?;
    let hang_up = "\"hangup\"";
    let platform =
        Platform::builder().server("pbx1", &first).raw(&users(CLERK, hang_up)).start().await?;
    platform.connected("pbx1").await?;
    let since = platform.server("pbx1").await?["since"].clone();
    let mut boss = Client::connect(platform.ws_port, OTHER).await?;
    let clerk = Client::connect(platform.ws_port, CLERK).await?;
    boss.ok(json!({"action": "ping"})).await?;

    // A token is taken back; another server comes.
    let more = platform.changed(|text| {
        let with_token = text.replace(&hash(CLERK), &hash("the-clerks-next-token"));
        with_token + &Platform::builder().server("pbx2", &second).text()
    })?;
    let (done, closed_clerk) = tokio::join!(platform.app.reconfigure(more), closed(clerk));
    assert_eq!(done?.to_string(), "servers added: pbx2; users changed: clerk");
    let (after, code) = closed_clerk?;
    assert!(after < Duration::from_secs(1) && code == 4401, "{after:?} {code}");
    platform.connected("pbx2").await?;
    assert_eq!(platform.server("pbx1").await?["since"], since, "not touched");
    boss.ok(json!({"action": "ping"})).await?;
    let old = Client::connect(platform.ws_port, CLERK).await?;
    assert_eq!(closed(old).await?.1, 4401, "the old token is good for nothing");

    // Rights are cut; what needs a restart is told; a server goes.
    let clerk = Client::connect(platform.ws_port, "the-clerks-next-token").await?;
    let less = platform.changed(|text| {
        let text = text.replace(&hash(CLERK), &hash("the-clerks-next-token"));
        text.replace(hang_up, "\"hangup:own\"") + "[commands]\nperSecond = 7\n[bus]\nhistory = 50\n"
    })?;
    let (done, closed_clerk) = tokio::join!(platform.app.reconfigure(less), closed(clerk));
    assert_eq!(
        done?.to_string(),
        "servers removed: pbx2; users changed: clerk; other limits on commands; \
         only after a restart: [bus]"
    );
    assert_eq!(closed_clerk?.1, 4401);
    boss.ok(json!({"action": "ping"})).await?;
    assert_eq!(platform.server("pbx1").await?["since"], since, "not touched");
    let gone = reqwest::get(platform.admin("/servers/pbx2")).await?;
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    platform.stop().await;
    Ok(())
}
