//! What is going on, as the platform says and as Asterisk lists it, in the same words.

use crate::{platform::SOON, ws::Client};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use telepulse_tests::{ami, asterisk::Asterisk, wait};

/// Compares what `query` says with Asterisk's own CoreShowChannels and QueueStatus.
pub(crate) async fn equals_the_listings(client: &mut Client, pbx: &Asterisk) -> Result<()> {
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

/// Asterisk's CoreShowChannels and QueueStatus.
pub(crate) async fn their_view(auditor: &mut ami::Client) -> Result<BTreeSet<String>> {
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
        } else if item.is_event("QueueEntry") {
            view.insert(format!("caller {} {}", field("Queue"), field("CallerIDNum")));
        } else if item.is_event("QueueMember") {
            let agent = field("Location").replace("PJSIP/", "");
            let paused = if field("Paused") == "1" { "paused" } else { "ready" };
            view.insert(format!("member {} {agent} {} {paused}", field("Queue"), field("Penalty")));
        }
    }
    Ok(view)
}

/// The platform's calls and queues.
pub(crate) async fn our_view(client: &mut Client) -> Result<BTreeSet<String>> {
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
        for caller in queue["callers"].as_array().into_iter().flatten() {
            view.insert(format!("caller {name} {}", text(caller, "number")));
        }
        for member in queue["members"].as_array().into_iter().flatten() {
            let paused = if member["status"] == "paused" { "paused" } else { "ready" };
            let (agent, penalty) = (text(member, "agent"), &member["penalty"]);
            view.insert(format!("member {name} {agent} {penalty} {paused}"));
        }
    }
    Ok(view)
}

fn text<'a>(item: &'a Value, key: &str) -> &'a str {
    item[key].as_str().unwrap_or_default()
}
