//! Nodes whose clocks are hours apart, with the values of their plugins in NATS.

use crate::{
    socket::Socket,
    world::{SOON, compiled},
};
use anyhow::{Context, Result, ensure};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    daemon::{Daemon, NATS},
    node::{Node, TOKEN},
    phones::Phone,
    wait,
    wall_clock::Wrong,
};

const HOUR: Duration = Duration::from_hours(1);

/// Starts a node whose clock is wrong.
async fn node(name: &str, wrong: Wrong, nats: &Daemon, pbx: &Asterisk) -> Result<Node> {
    let toml = format!(
        "[bus]\nkind = \"nats\"\nurl = \"{}\"\n[store]\nkind = \"nats\"\npath = \"data\"\n\
         [[server]]\nid = \"pbx1\"\nhost = \"127.0.0.1\"\nport = {}\nusername = \"{}\"\nsecret = \"{}\"\n",
        nats.url(),
        pbx.manager().port(),
        pbx.username(),
        pbx.secret()
    );
    let mut node = Node::prepare(name, &toml, &compiled())?;
    node.set_clock(wrong)?;
    node.start()?;
    node.ready(SOON).await?;
    telepulse_tests::plugins::share(&node.compiled(), &compiled())?;
    Ok(node)
}

/// An order that was given before, or is given now.
async fn dial(node: &Node) -> Result<(bool, Value)> {
    let request = Client::new().post(format!("http://127.0.0.1:{}/v1/calls", node.rest));
    let request = request.bearer_auth(TOKEN).header("idempotency-key", "order-1");
    let answer = request.json(&json!({"from": "101", "to": "102"})).send().await?;
    let (status, is_again) =
        (answer.status(), answer.headers().contains_key("idempotency-replayed"));
    let body = answer.json().await?;
    ensure!(status == StatusCode::ACCEPTED, "{}: {status} {body}", node.name());
    Ok((is_again, body))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_was_ordered_is_not_done_again_by_another_whose_clock_is_hours_ahead()
-> Result<()> {
    let name = "clocks::what_one_node_was_ordered_is_not_done_again";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let ring = Duration::from_millis(100);
    let _phones = (
        Phone::answering(pbx.phone_port("101")?, ring).await?,
        Phone::answering(pbx.phone_port("102")?, ring).await?,
    );
    let nats = Daemon::start(NATS).await?;
    let behind = node("behind", Wrong::Behind(30 * HOUR), &nats, &pbx).await?;
    let ahead = node("ahead", Wrong::Ahead(30 * HOUR), &nats, &pbx).await?;
    let nodes = [&behind, &ahead];
    for node in nodes {
        let url = format!("http://127.0.0.1:{}/servers/pbx1", node.admin);
        wait::until("the server to be connected", SOON, async || {
            let shown: Value = reqwest::get(&url).await?.json().await?;
            Ok((shown["state"] == "CONNECTED").then_some(()))
        })
        .await?;
    }

    let (is_again, first) = dial(&behind).await?;
    ensure!(!is_again, "{first}");
    for (node, wrong) in [(&ahead, Wrong::Not), (&behind, Wrong::Ahead(HOUR)), (&ahead, Wrong::Not)]
    {
        let (is_again, body) = dial(node).await?;
        ensure!(is_again && body == first, "{}: {body}", node.name());
        // Set while it runs it makes no difference either.
        node.set_clock(wrong)?;
    }
    let query = json!({"action": "query", "id": "q", "query": "calls"});
    for node in nodes {
        let calls = Socket::connect(node.ws).await?.ask(&query, SOON).await?;
        let calls = calls["items"].as_array().context("calls")?.len();
        ensure!(calls == 1, "{} has {calls} calls", node.name());
    }
    Ok(())
}
