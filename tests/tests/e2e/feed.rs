//! WebSocket clients in the background: one that writes down what it is told, and one that gives
//! orders all the while and writes down what became of each.

use crate::{
    platform::{SOON, TOKEN},
    ws::{Client, Incoming},
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};
use telepulse_tests::wait;
use tokio::time::{interval, timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Everything that a client with a full subscription is told.
pub(crate) struct Feed {
    events: Arc<Mutex<Vec<Value>>>,
    task: AbortOnDropHandle<Result<()>>,
}

impl Feed {
    pub(crate) async fn start(port: u16) -> Result<Self> {
        let mut client = Client::connect(port, TOKEN).await?;
        client.ok(json!({"action": "subscribe"})).await?;
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = events.clone();
        let task = tokio::spawn(async move {
            loop {
                match client.incoming(Duration::from_mins(10)).await? {
                    Incoming::Json(event) => {
                        ensure!(event["seq"].is_u64(), "no event: {event}");
                        sink.lock().expect("nobody panics with it").push(event);
                    }
                    Incoming::Closed(frame) => bail!("was disconnected: {frame:?}"),
                }
            }
        });
        Ok(Self { events, task: AbortOnDropHandle::new(task) })
    }

    /// How many events were told so far.
    pub(crate) fn mark(&self) -> usize {
        self.events.lock().expect("nobody panics with it").len()
    }

    /// Those after a mark.
    pub(crate) fn since(&self, mark: usize) -> Vec<Value> {
        self.events.lock().expect("nobody panics with it")[mark..].to_vec()
    }

    /// Waits for an event after a mark.
    pub(crate) async fn event(
        &self,
        mark: usize,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        wait::until(what, SOON, async || {
            if self.task.is_finished() {
                bail!("the client was disconnected");
            }
            let events = self.events.lock().expect("nobody panics with it");
            Ok(events[mark..].iter().find(|event| wanted(event)).cloned())
        })
        .await
    }
}

/// A pause of an agent, again and again, each with a reason of its own: `p17`.
pub(crate) struct Orders {
    stop: CancellationToken,
    task: AbortOnDropHandle<Result<HashMap<String, String>>>,
}

impl Orders {
    /// Twenty a second, without waiting for replies.
    pub(crate) async fn start(port: u16, agent: &'static str) -> Result<Self> {
        let client = Client::connect(port, TOKEN).await?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(give(client, agent, stop.clone()));
        Ok(Self { stop, task: AbortOnDropHandle::new(task) })
    }

    /// What became of each: `ok`, or the code of the error.
    pub(crate) async fn stop(self) -> Result<HashMap<String, String>> {
        self.stop.cancel();
        self.task.await?
    }
}

async fn give(
    mut client: Client,
    agent: &str,
    stop: CancellationToken,
) -> Result<HashMap<String, String>> {
    let mut outcomes = HashMap::new();
    let mut given = 0;
    let mut pace = interval(Duration::from_millis(50));
    while !stop.is_cancelled() {
        pace.tick().await;
        let order = json!({
            "action": "queuePause", "agent": agent, "queue": "support",
            "id": format!("p{given}"), "reason": format!("p{given}"),
        });
        client.send_text(&order.to_string()).await?;
        given += 1;
        while let Ok(reply) = timeout(Duration::from_millis(1), client.incoming(SOON)).await {
            take(reply?, &mut outcomes)?;
        }
    }
    while outcomes.len() < given {
        let reply = client.incoming(SOON).await;
        let missing = || format!("{} of {given} orders were answered", outcomes.len());
        let reply = reply.with_context(missing)?;
        take(reply, &mut outcomes)?;
    }
    // None comes twice.
    match timeout(Duration::from_secs(1), client.incoming(SOON)).await {
        Err(_) => Ok(outcomes),
        Ok(_) => bail!("more replies than orders"),
    }
}

fn take(reply: Incoming, outcomes: &mut HashMap<String, String>) -> Result<()> {
    let Incoming::Json(reply) = reply else { bail!("was disconnected") };
    let id = reply["id"].as_str().with_context(|| format!("no reply: {reply}"))?;
    let outcome = match reply["error"]["code"].as_str() {
        Some(code) => code,
        None if reply["ok"] == true => "ok",
        None => bail!("neither ok nor an error: {reply}"),
    };
    let before = outcomes.insert(id.to_owned(), outcome.to_owned());
    ensure!(before.is_none(), "{id} was answered twice");
    Ok(())
}

/// Whether a feed is in order, and every call was told of once to each who is concerned: begun, and
/// ended if it is not among those that still live.
pub(crate) fn check(events: &[Value], living: &[String]) -> Result<()> {
    let seqs: Vec<_> = events.iter().filter_map(|event| event["seq"].as_u64()).collect();
    ensure!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "the feed is out of order");
    let mut calls: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for event in events {
        let kind = event["event"].as_str().unwrap_or_default();
        if matches!(kind, "callStarted" | "callEnded") {
            let text = |key: &str| event[key].as_str().unwrap_or_default();
            calls.entry((text("call"), text("agent"))).or_default().push(kind);
        }
    }
    for (call, told) in &calls {
        let expected: &[&str] = if living.iter().any(|id| id == call.0) {
            &["callStarted"]
        } else {
            &["callStarted", "callEnded"]
        };
        ensure!(told == expected, "{call:?}: {told:?}, expected {expected:?}");
    }
    ensure!(calls.len() > 100, "only {} calls were told", calls.len());
    Ok(())
}
