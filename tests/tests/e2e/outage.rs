//! Asterisk dies and comes back: clients are told, and afterwards the model is what Asterisk lists.

use crate::{
    platform::{Platform, TOKEN},
    views::equals_the_listings,
    ws::Client,
};
use anyhow::Result;
use serde_json::{Value, json};
use std::time::Duration;
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    phones::Phone,
};

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_mid_call_and_started_again() -> Result<()> {
    let name = "outage::killed_in_mid_call_and_started_again";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let mut pbx = Asterisk::start(&installation, Options::default()).await?;
    let _callee = Phone::answering(pbx.phone_port("102")?, Duration::from_millis(100)).await?;
    let platform = Platform::builder().server("pbx1", &pbx).start().await?;
    platform.connected("pbx1").await?;
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    client.ok(json!({"action": "subscribe"})).await?;
    client.ok(json!({"action": "queueAdd", "agent": "102", "queue": "support"})).await?;
    let caller = Phone::call(&pbx, "101", "102")?;
    client.lines("102", &[("up", "101")]).await?;

    pbx.kill()?;
    state(&mut client, "DISCONNECTED").await?;
    // What is known is still shown, and commands are refused instead of lost.
    let calls = client.ok(json!({"action": "query", "query": "calls"})).await?;
    assert_eq!(calls["items"].as_array().map(Vec::len), Some(1), "{calls}");
    let refused = client.refused(json!({"action": "dial", "from": "101", "to": "102"})).await?;
    assert_eq!(refused["code"], "serverUnavailable", "{refused}");
    drop(caller);

    pbx.start_again().await?;
    // A call that is there before we are: the listing must bring it.
    let _other = Phone::call(&pbx, "103", "801")?;
    let ended = client
        .event("the call's end", |event| event["event"] == "callEnded" && event["agent"] == "102")
        .await?;
    assert_eq!(ended["disposition"], "lost", "{ended}");
    client.event("resync", |event| event["event"] == "resync").await?;
    state(&mut client, "CONNECTED").await?;
    equals_the_listings(&mut client, &pbx).await?;
    platform.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_link_finds_the_calls_that_went_on() -> Result<()> {
    let name = "outage::a_restarted_link_finds_the_calls_that_went_on";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let _callee = Phone::answering(pbx.phone_port("102")?, Duration::from_millis(100)).await?;
    let platform = Platform::builder().server("pbx1", &pbx).start().await?;
    platform.connected("pbx1").await?;
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    client.ok(json!({"action": "subscribe"})).await?;
    client.ok(json!({"action": "queueAdd", "agent": "102", "queue": "sales"})).await?;
    let _caller = Phone::call(&pbx, "101", "102")?;
    let before = client.lines("102", &[("up", "101")]).await?;

    reqwest::Client::new().post(platform.admin("/servers/pbx1/restart")).send().await?;
    state(&mut client, "SYNCING").await?;
    state(&mut client, "CONNECTED").await?;
    equals_the_listings(&mut client, &pbx).await?;
    // The call is the same call still.
    let lines = client
        .ok(json!({"action": "query", "query": "lines", "filter": {"agents": ["102"]}}))
        .await?;
    assert_eq!(lines["items"][0]["lines"][0]["call"], before["lines"][0]["call"], "{lines}");
    platform.stop().await;
    Ok(())
}

async fn state(client: &mut Client, state: &str) -> Result<Value> {
    client
        .event(&format!("serverStatus {state}"), |event| {
            event["event"] == "serverStatus" && event["state"] == state
        })
        .await
}
