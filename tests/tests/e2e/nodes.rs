//! Several hosts on one NATS: clients see the same wherever they are, and go on where they were.

use crate::{
    platform::{Platform, SOON, TOKEN},
    ws::Client,
};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use telepulse_language::{Event, QueueCount, Timestamp};
use telepulse_tests::{
    daemon::{Daemon, NATS},
    wait,
};

async fn node(nats: &Daemon, name: &str) -> Result<Platform> {
    Platform::builder().node(name, &[], nats).start().await
}

fn filter() -> Value {
    json!({"events": ["queueCount"]})
}

/// Has a queue's count change so often.
fn tell(platform: &Platform, counts: std::ops::Range<u32>) {
    let event = |count| Event {
        server: "pbx1".into(),
        time: Timestamp(0),
        agent: None,
        queue: Some("sales".into()),
        details: QueueCount { count }.into(),
    };
    counts.for_each(|count| platform.app.bus().append(vec![event(count)]));
}

/// The numbers of the next counts, which come in this order.
async fn told(client: &mut Client, counts: std::ops::Range<u32>) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for count in counts {
        let event = client.event("queueCount", |event| event["event"] == "queueCount").await?;
        ensure!(event["count"] == count, "{event} instead of {count}");
        numbers.push(event["seq"].as_u64().unwrap_or_default());
    }
    Ok(numbers)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_goes_on_where_it_was_after_its_host_was_restarted_and_on_another() -> Result<()> {
    let nats = Daemon::start(NATS).await?;
    let (one, other) = (node(&nats, "one").await?, node(&nats, "other").await?);
    let mut here = Client::connect(one.ws_port, TOKEN).await?;
    let mut there = Client::connect(other.ws_port, TOKEN).await?;
    let subscribed = here.ok(json!({"action": "subscribe", "filter": filter()})).await?;
    let epoch = subscribed["epoch"].clone();
    let also = there.ok(json!({"action": "subscribe", "filter": filter()})).await?;
    assert_eq!(also["epoch"], epoch);
    tell(&one, 0..50);
    let numbers = told(&mut here, 0..50).await?;
    assert_eq!(told(&mut there, 0..50).await?, numbers, "the same on each node");
    assert!(numbers.is_sorted_by(|one, next| one < next));

    // The client's host stops; what happens meanwhile is said by the other.
    drop(here);
    one.stop().await;
    tell(&other, 50..80);
    let later = told(&mut there, 50..80).await?;
    let again = node(&nats, "one").await?;
    let since = json!({"epoch": epoch, "seq": numbers[39]});
    for platform in [&again, &other] {
        let mut back = Client::connect(platform.ws_port, TOKEN).await?;
        let subscribe = json!({"action": "subscribe", "filter": filter(), "since": since});
        let subscribed = back.ok(subscribe).await?;
        assert_eq!(subscribed["epoch"], epoch, "the stream is the same");
        ensure!(subscribed.get("resync").is_none(), "{subscribed}");
        let missed = told(&mut back, 40..80).await?;
        assert_eq!(missed, [&numbers[40..], &later].concat(), "each once, under the same number");
    }
    again.stop().await;
    other.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nats_is_away_a_node_is_not_ready_and_then_goes_on() -> Result<()> {
    let mut nats = Daemon::start(NATS).await?;
    let platform = node(&nats, "one").await?;
    let ready =
        async || anyhow::Ok(reqwest::get(platform.admin("/readyz")).await?.status().as_u16());
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    client.ok(json!({"action": "subscribe", "filter": filter()})).await?;
    tell(&platform, 0..1);
    told(&mut client, 0..1).await?;
    // NATS has to confirm first that this node is there.
    wait::until("ready", SOON, async || Ok((ready().await? == 200).then_some(()))).await?;
    nats.stop()?;
    wait::until("not ready", SOON, async || Ok((ready().await? == 503).then_some(()))).await?;
    let figures = reqwest::get(platform.admin("/metrics")).await?.text().await?;
    ensure!(figures.contains("telepulse_bus_connected 0"), "{figures}");
    tell(&platform, 1..30);
    nats.start_again().await?;
    told(&mut client, 1..30).await?;
    wait::until("ready", SOON, async || Ok((ready().await? == 200).then_some(()))).await?;
    platform.stop().await;
    Ok(())
}
