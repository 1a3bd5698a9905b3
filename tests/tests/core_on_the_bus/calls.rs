//! Commands and events of whole calls, and an Asterisk that is killed in the middle of one.

use crate::bench::{Bench, SOON};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    phones::Phone,
    wait,
};

const RING: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_dialled_transferred_and_hung_up() -> Result<()> {
    let name = "core_on_the_bus::calls::a_call_is_dialled_transferred_and_hung_up";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let mut phones = Vec::new();
    for extension in ["101", "102", "103"] {
        phones.push(Phone::answering(pbx.phone_port(extension)?, RING).await?);
    }
    let bench = Bench::start(&pbx).await?;
    let dialled = bench.command(json!({"action": "dial", "from": "101", "to": "102"})).await?;
    bench.line("101", Some(("up", "102"))).await?;
    let line = bench.line("102", Some(("up", "101"))).await?;
    ensure!(line["lines"][0]["call"] == dialled["call"], "{line} {dialled}");
    bench.event("the answer", |event| event["event"] == "callAnswered").await?;

    bench.command(json!({"action": "transfer", "agent": "101", "to": "103"})).await?;
    bench.line("102", Some(("up", "103"))).await?;
    bench.line("103", Some(("up", "102"))).await?;
    bench.line("101", None).await?;

    bench.command(json!({"action": "hangup", "call": dialled["call"]})).await?;
    let ended = bench
        .event("the end", |event| event["event"] == "callEnded" && event["agent"] == "103")
        .await?;
    ensure!(ended["disposition"] == "answered" && ended["call"] == dialled["call"], "{ended}");
    bench
        .event("no number", |event| {
            event["event"] == "phoneNumber" && event["agent"] == "102" && event["number"].is_null()
        })
        .await?;
    ensure!(bench.items("calls").await?.is_empty(), "a call is left");
    ensure!(pbx.auditor().await?.core_show_channels().await?.is_empty(), "a channel is left");
    bench.app.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_call_ends_in_agent_complete() -> Result<()> {
    let name = "core_on_the_bus::calls::a_queue_call_ends_in_agent_complete";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let _member = Phone::answering(pbx.phone_port("104")?, RING).await?;
    let bench = Bench::start(&pbx).await?;
    let member = |status: &'static str| {
        bench.event(status, move |event| {
            event["event"] == "queueMemberStatus"
                && event["agent"] == "104"
                && event["queue"] == "support"
                && event["status"] == status
        })
    };
    bench.command(json!({"action": "queueAdd", "agent": "104", "queue": "support"})).await?;
    member("not_inuse").await?;
    let pause =
        json!({"action": "queuePause", "agent": "104", "queue": "support", "reason": "lunch"});
    bench.command(pause).await?;
    ensure!(member("paused").await?["reason"] == "lunch", "the reason is missing");

    let _caller = Phone::call(&pbx, "105", "600")?;
    bench
        .event("one waiting", |event| event["event"] == "queueCount" && event["count"] == 1)
        .await?;
    let queues = bench.items("queues").await?;
    let support = queues.iter().find(|queue| queue["queue"] == "support").context("support")?;
    ensure!(support["callers"][0]["number"] == "105", "{support}");

    bench.command(json!({"action": "queueUnpause", "agent": "104", "queue": "support"})).await?;
    bench.line("104", Some(("up", "105"))).await?;
    let observer = pbx.observer().await?;
    bench.command(json!({"action": "hangup", "agent": "104"})).await?;
    let complete = bench.event("agentComplete", |event| event["event"] == "agentComplete").await?;
    ensure!(complete["agent"] == "104" && complete["queue"] == "support", "{complete}");
    // Asterisk's own word: whose hang-up it sees first is a race in it.
    let said = observer.wait(0, SOON, "AgentComplete", |event| event.is_event("AgentComplete"));
    ensure!(complete["reason"].as_str() == said.await?.get("Reason"), "{complete}");
    bench.command(json!({"action": "queueRemove", "agent": "104", "queue": "support"})).await?;
    member("loggedoff").await?;
    bench.app.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_the_model_equals_the_listings() -> Result<()> {
    let name = "core_on_the_bus::calls::after_a_kill_the_model_equals_the_listings";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let mut pbx = Asterisk::start(&installation, Options::default()).await?;
    let _callee = Phone::answering(pbx.phone_port("102")?, RING).await?;
    let bench = Bench::start(&pbx).await?;
    let caller = Phone::call(&pbx, "101", "102")?;
    bench.line("102", Some(("up", "101"))).await?;

    pbx.kill()?;
    let state = |state: &'static str| {
        bench.event(state, move |event| event["event"] == "serverStatus" && event["state"] == state)
    };
    state("DISCONNECTED").await?;
    ensure!(bench.items("calls").await?.len() == 1, "what is known is still shown");
    let dial = json!({"action": "dial", "from": "101", "to": "102"});
    let refused = bench.request("telepulse.command", dial).await?;
    ensure!(refused["error"]["code"] == "serverUnavailable", "{refused}");
    drop(caller);

    pbx.start_again().await?;
    let _other = Phone::call(&pbx, "103", "801")?;
    let ended = bench.event("the lost call's end", |event| event["event"] == "callEnded").await?;
    ensure!(ended["disposition"] == "lost", "{ended}");
    bench.event("resync", |event| event["event"] == "resync").await?;
    let mut auditor = pbx.auditor().await?;
    let mut last = String::new();
    let equal = wait::until("the model to equal the listing", SOON, async || {
        let theirs: BTreeSet<String> = auditor
            .core_show_channels()
            .await?
            .iter()
            .map(|item| format!("{:?} {:?}", item.get("Channel"), item.get("ChannelStateDesc")))
            .map(|text| text.to_lowercase())
            .collect();
        let ours: BTreeSet<String> = bench
            .items("calls")
            .await?
            .iter()
            .flat_map(|call| call["channels"].as_array().cloned().unwrap_or_default())
            .map(|item| format!("{:?} {:?}", item["channel"].as_str(), item["state"].as_str()))
            .map(|text| text.to_lowercase())
            .collect();
        last = format!("ours: {ours:?} theirs: {theirs:?}");
        Ok((ours == theirs && !theirs.is_empty()).then_some(()))
    });
    equal.await.context(last)?;
    bench.app.shutdown().await;
    Ok(())
}
