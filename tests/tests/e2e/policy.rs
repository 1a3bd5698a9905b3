//! A policy plugin decides on commands, whichever way they come.

use crate::{
    platform::{Platform, TOKEN, guest},
    rest,
    ws::Client,
};
use anyhow::Result;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::fs;
use telepulse_tests::asterisk::{self, Asterisk, Options};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_refused_or_changed_by_a_plugin() -> Result<()> {
    let name = "policy::a_command_is_refused_or_changed_by_a_plugin";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let platform = Platform::builder().server("pbx1", &pbx).start().await?;
    platform.connected("pbx1").await?;
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    client.ok(json!({"action": "subscribe"})).await?;
    let dial = |to: &str| json!({"action": "dial", "from": "101", "to": to});

    // Dropped in while everything runs.
    let folder = platform.plugins_dir();
    let grants = "[grants]\npolicy = { commands = [\"dial\"], order = 10 }\n";
    fs::write(folder.join("warden.toml"), grants)?;
    fs::copy(guest("warden")?, folder.join("warden.wasm"))?;
    platform.plugin_runs("warden").await?;
    let refused = client.refused(dial("666")).await?;
    assert_eq!(refused, json!({"code": "refusedByPolicy", "message": "test does not call 666"}));
    let body = json!({"from": "101", "to": "666"});
    let refused = rest::call(&platform, Method::POST, "/v1/calls", Some(body)).await?;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
    assert_eq!(refused.body["code"], "refusedByPolicy");

    let call = client.ok(dial("999")).await?;
    let begun = |event: &Value| event["event"] == "callStarted" && event["to"] == "112";
    client.event("the number in place of the one that was dialled", begun).await?;
    client.ok(json!({"action": "hangup", "call": call["call"]})).await?;

    // What is broken fails closed; what is gone decides nothing.
    fs::write(folder.join("warden.wasm"), b"no component")?;
    let refused = client.refused(dial("13")).await?;
    assert!(refused["message"].as_str().is_some_and(|why| why.contains("it is down")), "{refused}");
    fs::remove_file(folder.join("warden.wasm"))?;
    let accepted =
        telepulse_tests::wait::until("nobody to decide", crate::platform::SOON, async || {
            let reply = client.request(dial("666")).await?;
            // There is no such extension: Asterisk was asked.
            Ok((reply["error"]["code"] == "rejectedByServer").then_some(()))
        });
    accepted.await?;
    platform.stop().await;
    Ok(())
}
