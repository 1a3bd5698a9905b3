//! Clients that ask for far too much: each is read at its own pace and kept within its own bounds, and nobody
//! else waits for them.

use crate::{
    platform::{Platform, SOON, TOKEN},
    ws::Client,
};
use anyhow::{Result, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

/// A million subscriptions between them.
const FLOODERS: usize = 10;
const EACH: u32 = 100_000;
/// For how long they try.
const FLOOD: Duration = Duration::from_secs(5);
/// Subscriptions that one client may have.
const SUBSCRIPTIONS: usize = 64;
/// Messages of one client that are read at once, and in each second after.
const MESSAGES: (u32, u32) = (200, 100);

/// What one of them achieved.
struct Flooded {
    accepted: usize,
    refused: usize,
    within: Duration,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_subscriptions_are_bounded_and_hold_nobody_up() -> Result<()> {
    let platform = Platform::builder().start().await?;
    let mut other = Client::connect(platform.ws_port, TOKEN).await?;
    let floods: Vec<_> = (0..FLOODERS).map(|_| tokio::spawn(flood(platform.ws_port))).collect();
    let mut answered = 0;
    while !floods.iter().all(tokio::task::JoinHandle::is_finished) {
        // Answered within its patience, or the test fails here.
        other.ok(json!({"action": "ping"})).await?;
        answered += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ensure!(answered > 1, "the flood was over before anybody else said anything");
    for flood in floods {
        let Flooded { accepted, refused, within } = flood.await??;
        let (burst, rate) = MESSAGES;
        let most = f64::from(burst) + f64::from(rate) * within.as_secs_f64() + 1.0;
        ensure!(accepted == SUBSCRIPTIONS, "{accepted} subscriptions of one client");
        ensure!(refused > 0, "none was refused");
        let said = u32::try_from(accepted + refused)?;
        ensure!(f64::from(said) <= most, "{said} messages of one client within {within:?}");
    }
    platform.stop().await;
    Ok(())
}

/// Subscribes as often as the socket takes it; all subscriptions are different.
async fn flood(port: u16) -> Result<Flooded> {
    let mut request = format!("ws://127.0.0.1:{port}/").into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {TOKEN}").parse()?);
    let (socket, _) = connect_async(request).await?;
    let (mut says, mut hears) = socket.split();
    let began = Instant::now();
    let saying = tokio::spawn(async move {
        for id in 0..EACH {
            let filter = json!({"agents": [id.to_string()]});
            let subscribe = json!({"action": "subscribe", "id": id, "filter": filter});
            if says.feed(Message::text(subscribe.to_string())).await.is_err() {
                break;
            }
        }
        // Still open: its end is the other half's to see.
        says
    });
    let (mut accepted, mut refused) = (0, 0);
    while began.elapsed() < FLOOD {
        let Ok(Some(heard)) = tokio::time::timeout(FLOOD, hears.next()).await else { break };
        let Message::Text(text) = heard? else { continue };
        let reply: Value = serde_json::from_str(&text)?;
        match (reply["ok"].as_bool(), reply["error"]["code"].as_str()) {
            (Some(true), _) => accepted += 1,
            (Some(false), Some("tooManyRequests")) => refused += 1,
            _ => ensure!(reply.get("event").is_some(), "{reply}"),
        }
    }
    let within = began.elapsed();
    ensure!(within < SOON, "{within:?}");
    saying.abort();
    Ok(Flooded { accepted, refused, within })
}
