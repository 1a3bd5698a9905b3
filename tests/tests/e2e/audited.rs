//! What an auditor and an operator ask: who ordered what, what came of it, and how much is too much.

use crate::{
    platform::{Platform, TOKEN, hash},
    rest,
    ws::Client,
};
use anyhow::Result;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    wait,
};

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
    wait::until("five entries", crate::platform::SOON, async || {
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
