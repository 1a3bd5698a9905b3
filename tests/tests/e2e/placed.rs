//! Several hosts, each with its part of the work: plugins run where they are to, one at a time or divided, and
//! a gateway needs neither servers nor core of its own.

use crate::{
    platform::{Platform, SOON, TOKEN, guest},
    views::equals_the_listings,
    ws::Client,
};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::{fs, time::Duration};
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    daemon::{Daemon, NATS},
    phones::Phone,
    wait,
};

/// Of an example guest that publishes an event for each that it gets.
const SHARDED: &str = r#"
[grants]
subscribe = ["telepulse.event.paint"]
publish = ["test.out", "test.log"]
"#;

async fn whole(nats: &Daemon, name: &str) -> Result<Platform> {
    Platform::builder().node(name, &[], nats).start().await
}

/// Puts a guest into a node's folder.
fn put(platform: &Platform, name: &str, toml: &str) -> Result<()> {
    let folder = platform.plugins_dir();
    fs::write(folder.join(format!("{name}.toml")), toml)?;
    fs::copy(guest(name)?, folder.join(format!("{name}.wasm")))?;
    Ok(())
}

/// How a plugin is on a node, as the admin API says.
async fn shown(platform: &Platform, name: &str) -> Result<serde_json::Value> {
    Ok(reqwest::get(platform.admin(&format!("/plugins/{name}"))).await?.json().await?)
}

async fn until(platform: &Platform, name: &str, state: &str) -> Result<serde_json::Value> {
    wait::until(&format!("{name} to be {state}"), SOON, async || {
        let shown = shown(platform, name).await?;
        Ok((shown["state"] == state).then_some(shown))
    })
    .await
}

/// The events that a plugin has done on a node.
async fn handled(platform: &Platform, name: &str) -> Result<u64> {
    Ok(shown(platform, name).await?["figures"]["handled"].as_u64().unwrap_or_default())
}

/// Waits until a plugin runs on one of two nodes and waits on the other; answers that one first.
async fn settled(one: Platform, two: Platform, name: &str) -> Result<(Platform, Platform)> {
    let is_first = wait::until(&format!("one node to run {name}"), SOON, async || {
        let states = (shown(&one, name).await?, shown(&two, name).await?);
        let states = (states.0["state"].clone(), states.1["state"].clone());
        ensure!(states != (json!("running"), json!("running")), "two nodes run it");
        Ok(match states {
            (one, two) if one == "running" && two == "elsewhere" => Some(true),
            (one, two) if one == "elsewhere" && two == "running" => Some(false),
            _ => None,
        })
    })
    .await?;
    Ok(if is_first { (one, two) } else { (two, one) })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_of_one_node_goes_to_another_when_its_node_stops() -> Result<()> {
    let nats = Daemon::start(NATS).await?;
    let (one, two) = (whole(&nats, "one").await?, whole(&nats, "two").await?);
    let toml = format!("{SHARDED}[placement]\nrun = \"oneNode\"\n");
    for platform in [&one, &two] {
        put(platform, "sharded", &toml)?;
    }
    let (here, there) = settled(one, two, "sharded").await?;
    let why = shown(&there, "sharded").await?;
    let told = why["elsewhere"].as_str().context("it says why")?;
    ensure!(told.starts_with("it runs on one node, which is "), "{why}");
    for colour in 0..20 {
        there.paint("201", colour);
    }
    wait::until("all events to be done", SOON, async || {
        Ok((handled(&here, "sharded").await? == 20).then_some(()))
    })
    .await?;
    ensure!(handled(&there, "sharded").await? == 0, "by one alone");

    // It drains first, then the other begins, then the node is gone.
    here.stop().await;
    until(&there, "sharded", "running").await?;
    for colour in 0..20 {
        there.paint("201", colour);
    }
    wait::until("all events to be done", SOON, async || {
        Ok((handled(&there, "sharded").await? == 20).then_some(()))
    })
    .await?;
    let metrics = reqwest::get(there.admin("/metrics")).await?.text().await?;
    let line = "telepulse_plugin_state{plugin=\"sharded\",state=\"elsewhere\"} 0";
    ensure!(metrics.contains(line), "{metrics}");
    there.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_divide_events_do_each_once() -> Result<()> {
    let nats = Daemon::start(NATS).await?;
    let (one, two) = (whole(&nats, "one").await?, whole(&nats, "two").await?);
    let toml = format!("{SHARDED}[placement]\nrun = \"shards\"\n");
    for platform in [&one, &two] {
        put(platform, "sharded", &toml)?;
        until(platform, "sharded", "running").await?;
    }
    // Until each knows of the other, both do all.
    let (mut told, mut agent) = (0, 0);
    wait::until("the nodes to divide", SOON, async || {
        let before = handled(&one, "sharded").await? + handled(&two, "sharded").await?;
        for colour in 0..20 {
            one.paint(&format!("{agent}"), colour);
            agent += 1;
        }
        told += 20;
        wait::until("all events to be done", SOON, async || {
            let done = handled(&one, "sharded").await? + handled(&two, "sharded").await?;
            Ok((done >= before + 20).then_some(()))
        })
        .await?;
        let (first, second) = (handled(&one, "sharded").await?, handled(&two, "sharded").await?);
        Ok((first > 0 && second > 0 && first + second == before + 20).then_some(()))
    })
    .await?;
    let before = (handled(&one, "sharded").await?, handled(&two, "sharded").await?);
    for call in 0..200 {
        two.paint(&format!("{}", 1_000 + call), 1);
    }
    let after = wait::until("all events to be done", SOON, async || {
        let (first, second) = (handled(&one, "sharded").await?, handled(&two, "sharded").await?);
        let done = (first - before.0, second - before.1);
        Ok((done.0 + done.1 >= 200).then_some(done))
    })
    .await?;
    ensure!(after.0 + after.1 == 200 && after.0 > 20 && after.1 > 20, "{after:?}");

    // Who is left has all.
    one.stop().await;
    let mut before = handled(&two, "sharded").await?;
    wait::until("the one that is left to do all", SOON, async || {
        let now = handled(&two, "sharded").await?;
        let has_all = now == before + 20;
        before = now;
        for agent in 0..20 {
            two.paint(&format!("{agent}"), 2);
        }
        Ok(has_all.then_some(()))
    })
    .await?;
    two.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_needs_neither_servers_nor_core_of_its_own() -> Result<()> {
    let name = "placed::a_gateway_needs_neither_servers_nor_core_of_its_own";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let ring = Duration::from_millis(100);
    let _phones = (
        Phone::answering(pbx.phone_port("101")?, ring).await?,
        Phone::answering(pbx.phone_port("102")?, ring).await?,
    );
    let nats = Daemon::start(NATS).await?;
    let node = async |name: &str, roles: &[&str]| {
        Platform::builder().node(name, roles, &nats).server("pbx1", &pbx).start().await
    };
    let (inside, edge) =
        (node("inside", &["proxy", "core"]).await?, node("edge", &["gateway"]).await?);
    for gateway in ["websocket", "rest"] {
        let shown = shown(&inside, gateway).await?;
        let told = "it listens (role gateway): this node has the roles proxy, core";
        ensure!(shown["state"] == "elsewhere" && shown["elsewhere"] == told, "{shown}");
    }
    ensure!(tokio::net::TcpStream::connect(("127.0.0.1", inside.ws_port)).await.is_err());
    // What neither listens nor decides runs on neither.
    for platform in [&inside, &edge] {
        put(platform, "sharded", SHARDED)?;
        let shown = until(platform, "sharded", "elsewhere").await?;
        let told = shown["elsewhere"].as_str().unwrap_or_default().to_owned();
        ensure!(told.contains("role plugins"), "{shown}");
    }
    wait::until("pbx1 to be connected", SOON, async || {
        let shown = edge.server("pbx1").await?;
        ensure!(shown["owner"] != "edge", "it keeps no connections: {shown}");
        Ok((shown["state"] == "CONNECTED").then_some(()))
    })
    .await?;
    let mut client = Client::connect(edge.ws_port, TOKEN).await?;
    let subscribed = client.ok(json!({"action": "subscribe", "snapshot": true})).await?;
    ensure!(subscribed["snapshot"]["servers"][0]["server"] == "pbx1", "{subscribed}");
    client.ok(json!({"action": "dial", "from": "101", "to": "102"})).await?;
    client.lines("102", &[("up", "101")]).await?;
    equals_the_listings(&mut client, &pbx).await?;
    let mut second = Client::connect(edge.ws_port, TOKEN).await?;
    let subscribed = second.ok(json!({"action": "subscribe", "snapshot": true})).await?;
    ensure!(subscribed["snapshot"]["calls"].as_array().map(Vec::len) == Some(1), "{subscribed}");
    client.ok(json!({"action": "hangup", "agent": "101"})).await?;
    for client in [&mut client, &mut second] {
        client.lines("102", &[]).await?;
    }
    edge.stop().await;
    inside.stop().await;
    Ok(())
}
