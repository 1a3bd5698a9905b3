//! Bad servers beside a good one: each is told for itself, and none disturbs its neighbour.

use crate::{
    bench::{Bench, SOON, server},
    server::{Manner, Server},
};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::time::Duration;
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    phones::Phone,
    wait,
};
use tokio::time::Instant;

const BAD: [Manner; 5] =
    [Manner::Silent, Manner::Endless, Manner::Liar, Manner::OneLine, Manner::Rejecting];

#[tokio::test(flavor = "multi_thread")]
async fn a_good_server_beside_twenty_bad_ones() -> Result<()> {
    let name = "core_on_the_bus::neighbours::a_good_server_beside_twenty_bad_ones";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let _callee = Phone::answering(pbx.phone_port("102")?, Duration::from_millis(50)).await?;
    let mut text = server("good", &pbx, "");
    let mut servers = Vec::new();
    for number in 0..15 {
        let manner = BAD[number % BAD.len()];
        let bad = Server::start(manner).await?;
        text += &bad.configuration(&format!("{manner:?}-{number}"));
        servers.push((manner, bad));
    }
    for number in 0..5 {
        let flooding = Server::start(Manner::Honest).await?;
        flooding.flood();
        text += &flooding.configuration(&format!("flood-{number}"));
        servers.push((Manner::Honest, flooding));
    }
    let bench = Bench::with(&text).await?;
    bench.state("good", "CONNECTED").await?;

    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        let begun = Instant::now();
        let dial = json!({"action": "dial", "server": "good", "from": "102", "to": "801"});
        bench.command(dial).await?;
        bench.line("102", Some(("up", "801"))).await?;
        bench.command(json!({"action": "hangup", "server": "good", "agent": "102"})).await?;
        bench.line("102", None).await?;
        slowest = slowest.max(begun.elapsed());
    }
    // For people: each wait has an end of its own, and a busy machine proves nothing.
    eprintln!("the slowest of five calls took {slowest:?}");

    for number in 0..15 {
        let manner = BAD[number % BAD.len()];
        let told = bench.server(&format!("{manner:?}-{number}")).await?;
        let state = told["state"].as_str().context("a state")?;
        let expected: &[&str] = match manner {
            // Login and listings have deadlines of their own, longer than this test.
            Manner::Silent => &["AUTHENTICATING"],
            Manner::Endless => &["SYNCING"],
            // A refused listing is one that the server lacks: there is nothing to list.
            Manner::Liar => &["CONNECTED"],
            Manner::OneLine => &["AUTHENTICATING", "DISCONNECTED", "CONNECTING"],
            Manner::Rejecting => &["REJECTED"],
            Manner::Honest | Manner::Slow | Manner::Cancelling => &[],
        };
        ensure!(expected.contains(&state), "{manner:?}: {told}");
    }
    let rejecting = servers.iter().filter(|(manner, _)| *manner == Manner::Rejecting);
    for (_, server) in rejecting {
        ensure!(server.connections() == 1, "a server that refuses was asked again");
    }
    bench.app.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_is_called_off_is_not_taken_for_whole() -> Result<()> {
    let cancelling = Server::start(Manner::Cancelling).await?;
    let bench = Bench::with(&cancelling.configuration("pbx1")).await?;
    let (statuses, _guard) = bench.record("telepulse.proxy.status")?;
    // It is listed anew, and never believed.
    wait::until("a third connection", SOON, async || {
        Ok((cancelling.connections() >= 3).then_some(()))
    })
    .await?;
    let told = bench.server("pbx1").await?;
    let why = told["lastError"]["reason"].as_str().context("an error")?;
    ensure!(why.ends_with(" was cut short"), "{told}");
    ensure!(statuses.all().iter().all(|status| status["state"] != "CONNECTED"), "it was believed");
    bench.app.shutdown().await;
    Ok(())
}
