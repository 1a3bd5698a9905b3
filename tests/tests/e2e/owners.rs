//! Several hosts with the same servers: one has each, all answer for it, and it moves.

use crate::{
    platform::{Platform, SOON, TOKEN},
    views::equals_the_listings,
    ws::Client,
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    daemon::{Daemon, NATS},
    phones::Phone,
    wait,
};

async fn node(nats: &Daemon, name: &str, pbx: &Asterisk) -> Result<Platform> {
    Platform::builder().node(name, &[], nats).server("pbx1", pbx).start().await
}

/// Waits until a server is connected, as a node shows it, and answers who has it.
async fn owner(of: &Platform, server: &str, but_for: Option<&str>) -> Result<String> {
    wait::until(&format!("{server} to be connected"), SOON, async || {
        let shown = of.server(server).await?;
        let owner = shown["owner"].as_str().unwrap_or_default().to_owned();
        let is_so = shown["state"] == "CONNECTED" && !owner.is_empty();
        Ok((is_so && but_for != Some(&owner)).then_some(owner))
    })
    .await
}

/// Who has a server anew does not know what has ended meanwhile: everybody gets the state afresh.
async fn begins_anew(client: &mut Client) -> Result<Value> {
    client.event("the state", |event| event["event"] == "snapshot").await
}

async fn dial_and_hang_up(client: &mut Client, pbx: &Asterisk) -> Result<()> {
    client.ok(json!({"action": "dial", "from": "101", "to": "102"})).await?;
    client.lines("102", &[("up", "101")]).await?;
    equals_the_listings(client, pbx).await?;
    let hangup = client.ok(json!({"action": "hangup", "agent": "101"})).await?;
    ensure!(hangup["call"].is_string() || hangup.is_object(), "{hangup}");
    client.lines("102", &[]).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_has_a_server_and_all_answer_for_it() -> Result<()> {
    let name = "owners::one_node_has_a_server_and_all_answer_for_it";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let ring = Duration::from_millis(100);
    let _phones = (
        Phone::answering(pbx.phone_port("101")?, ring).await?,
        Phone::answering(pbx.phone_port("102")?, ring).await?,
    );
    let nats = Daemon::start(NATS).await?;
    let (one, two) = (node(&nats, "one", &pbx).await?, node(&nats, "two", &pbx).await?);
    let first = owner(&one, "pbx1", None).await?;
    ensure!(owner(&two, "pbx1", None).await? == first, "both nodes say the same");
    let (here, there) = if first == "one" { (&one, &two) } else { (&two, &one) };
    for platform in [here, there] {
        let shown = platform.server("pbx1").await?;
        ensure!(shown["figures"]["events"].as_u64() > Some(0), "{shown}");
        let nodes: Value = reqwest::get(platform.admin("/nodes")).await?.json().await?;
        ensure!(nodes["items"].as_array().map(Vec::len) == Some(2), "{nodes}");
    }
    let mut near = Client::connect(here.ws_port, TOKEN).await?;
    let mut far = Client::connect(there.ws_port, TOKEN).await?;
    near.ok(json!({"action": "subscribe"})).await?;
    far.ok(json!({"action": "subscribe"})).await?;
    dial_and_hang_up(&mut far, &pbx).await.context("from the other node")?;
    near.lines("102", &[("up", "101")]).await?;
    near.lines("102", &[]).await?;
    let refused = far.refused(json!({"action": "hangup", "agent": "109"})).await?;
    ensure!(refused["code"] == "conflict", "as the near one would be: {refused}");
    let audit = reqwest::Client::new().post(there.admin("/servers/pbx1/audit")).send().await?;
    ensure!(audit.status() == 200, "{}", audit.text().await?);

    // It moves while a call goes on.
    far.ok(json!({"action": "dial", "from": "101", "to": "102"})).await?;
    let before = far.lines("102", &[("up", "101")]).await?;
    let drain = reqwest::Client::new().post(here.admin("/drain")).send().await?;
    ensure!(drain.status() == 202, "{}", drain.text().await?);
    let second = owner(there, "pbx1", Some(&first)).await?;
    ensure!(second != first);
    for client in [&mut near, &mut far] {
        begins_anew(client).await?;
        equals_the_listings(client, &pbx).await?;
    }
    let query = json!({"action": "query", "query": "lines", "filter": {"agents": ["102"]}});
    for client in [&mut near, &mut far] {
        let lines = client.ok(query.clone()).await?;
        ensure!(lines["items"][0]["lines"][0]["call"] == before["lines"][0]["call"], "{lines}");
    }
    near.ok(json!({"action": "hangup", "agent": "101"})).await?;
    far.lines("102", &[]).await?;
    let ready = reqwest::get(here.admin("/readyz")).await?.status();
    ensure!(ready == 503, "who hands over should not be asked: {ready}");

    // The node that is left has it still when the other one is gone.
    dial_and_hang_up(&mut far, &pbx).await?;
    let (here, there) = if first == "one" { (one, two) } else { (two, one) };
    here.stop().await;
    dial_and_hang_up(&mut far, &pbx).await?;
    there.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_added_at_one_node_is_known_at_all() -> Result<()> {
    let name = "owners::a_server_that_is_added_at_one_node_is_known_at_all";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let (pbx, other) = (
        Asterisk::start(&installation, Options::default()).await?,
        Asterisk::start(&installation, Options::default()).await?,
    );
    let nats = Daemon::start(NATS).await?;
    let (one, two) = (node(&nats, "one", &pbx).await?, node(&nats, "two", &pbx).await?);
    owner(&one, "pbx1", None).await?;
    let http = reqwest::Client::new();
    let server = json!({
        "id": "pbx2", "host": "127.0.0.1", "port": other.manager().port(),
        "username": other.username(), "secret": other.secret(),
    });
    let added = http.post(one.admin("/servers")).json(&server).send().await?;
    ensure!(added.status() == 201, "{}", added.text().await?);
    let has = owner(&two, "pbx2", None).await.context("added")?;
    ensure!(owner(&one, "pbx2", None).await? == has);

    // Stopped at one node it is stopped wherever it is, and so it stays when a node begins anew.
    let stop = http.post(two.admin("/servers/pbx2/stop")).send().await?;
    ensure!(stop.status() == 202, "{}", stop.text().await?);
    let is_stopped = async |of: &Platform| {
        wait::until("pbx2 to be stopped", SOON, async || {
            let shown = of.server("pbx2").await?;
            Ok((shown["reason"] == "stopped by the operator").then_some(()))
        })
        .await
    };
    is_stopped(&one).await?;
    is_stopped(&two).await?;
    one.stop().await;
    let again = node(&nats, "one", &pbx).await?;
    is_stopped(&again).await?;
    let start = http.post(again.admin("/servers/pbx2/start")).send().await?;
    ensure!(start.status() == 202, "{}", start.text().await?);
    owner(&two, "pbx2", None).await.context("started again")?;

    let removed = http.delete(two.admin("/servers/pbx2")).send().await?;
    ensure!(removed.status().is_success(), "{}", removed.text().await?);
    wait::until("pbx2 to be gone", SOON, async || {
        let status = reqwest::get(again.admin("/servers/pbx2")).await?.status();
        Ok((status == 404).then_some(()))
    })
    .await?;
    // A server that was there before may be there again.
    let added = http.post(again.admin("/servers")).json(&server).send().await?;
    ensure!(added.status() == 201, "{}", added.text().await?);
    owner(&two, "pbx2", None).await.context("added again")?;
    again.stop().await;
    two.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nats_is_away_nothing_is_sent_and_then_all_is_as_before() -> Result<()> {
    let name = "owners::while_nats_is_away_nothing_is_sent_and_then_all_is_as_before";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let _phone = Phone::answering(pbx.phone_port("102")?, Duration::from_millis(100)).await?;
    let mut nats = Daemon::start(NATS).await?;
    let one = node(&nats, "one", &pbx).await?;
    owner(&one, "pbx1", None).await?;
    let mut client = Client::connect(one.ws_port, TOKEN).await?;
    client.ok(json!({"action": "subscribe"})).await?;
    let _caller = Phone::call(&pbx, "103", "102")?;
    client.lines("102", &[("up", "103")]).await?;

    nats.stop()?;
    // Others could take it for dead by now.
    wait::until("the server to be let go", SOON, async || {
        let shown = one.server("pbx1").await?;
        Ok((shown["state"] != "CONNECTED").then_some(()))
    })
    .await?;
    let refused = client.refused(json!({"action": "hangup", "agent": "102"})).await?;
    ensure!(refused["code"] == "serverUnavailable", "{refused}");
    nats.start_again().await?;
    owner(&one, "pbx1", None).await?;
    begins_anew(&mut client).await?;
    equals_the_listings(&mut client, &pbx).await?;
    client.ok(json!({"action": "hangup", "agent": "102"})).await?;
    client.lines("102", &[]).await?;
    one.stop().await;
    Ok(())
}
