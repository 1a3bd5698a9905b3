//! Asterisk dies and comes back: clients are told, and afterwards the model is what Asterisk lists.

use crate::{
    platform::{Platform, SOON, TOKEN},
    ws::Client,
};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    phones::Phone,
    wait,
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

/// Compares what `query` says with Asterisk's own CoreShowChannels and QueueStatus.
async fn equals_the_listings(client: &mut Client, pbx: &Asterisk) -> Result<()> {
    let mut auditor = pbx.auditor().await?;
    let mut last = String::new();
    // A phone may just be changing its state: two looks at different moments can differ once.
    let equal = wait::until("the model to equal the listings", SOON, async || {
        let theirs = their_view(&mut auditor).await?;
        let ours = our_view(client).await?;
        last = format!("ours:   {ours:?}\ntheirs: {theirs:?}");
        Ok((ours == theirs && !theirs.is_empty()).then_some(()))
    });
    equal.await.context(last)
}

async fn their_view(auditor: &mut telepulse_tests::ami::Client) -> Result<BTreeSet<String>> {
    let mut view = BTreeSet::new();
    for item in auditor.core_show_channels().await? {
        let field = |name| item.get(name).unwrap_or_default().to_owned();
        view.insert(format!(
            "channel {} {}",
            field("Channel"),
            field("ChannelStateDesc").to_lowercase()
        ));
    }
    for item in auditor.queue_status().await? {
        let field = |name| item.get(name).unwrap_or_default().to_owned();
        if item.is_event("QueueParams") {
            view.insert(format!("queue {} {}", field("Queue"), field("Calls")));
        } else if item.is_event("QueueMember") {
            let agent = field("Location").replace("PJSIP/", "");
            view.insert(format!("member {} {agent} {}", field("Queue"), field("Penalty")));
        }
    }
    Ok(view)
}

async fn our_view(client: &mut Client) -> Result<BTreeSet<String>> {
    let mut view = BTreeSet::new();
    let calls = client.ok(json!({"action": "query", "query": "calls"})).await?;
    for call in calls["items"].as_array().into_iter().flatten() {
        for channel in call["channels"].as_array().into_iter().flatten() {
            view.insert(format!("channel {} {}", text(channel, "channel"), text(channel, "state")));
        }
    }
    let queues = client.ok(json!({"action": "query", "query": "queues"})).await?;
    for queue in queues["items"].as_array().into_iter().flatten() {
        let name = text(queue, "queue");
        view.insert(format!("queue {name} {}", queue["count"]));
        for member in queue["members"].as_array().into_iter().flatten() {
            view.insert(format!("member {name} {} {}", text(member, "agent"), member["penalty"]));
        }
    }
    Ok(view)
}

fn text<'a>(item: &'a Value, key: &str) -> &'a str {
    item[key].as_str().unwrap_or_default()
}
