//! What a contact centre does all day, through WebSocket and REST: dial, transfer, hang up, queue,
//! and one more PBX added while calls go on.

use crate::{
    platform::{Platform, SOON, TOKEN},
    rest,
    ws::Client,
};
use anyhow::Result;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    phones::{Act, Call, Phone},
    wait,
};

const RING: Duration = Duration::from_millis(300);

async fn phones(asterisk: &Asterisk, extensions: &[&str]) -> Result<Vec<Phone>> {
    let mut phones = Vec::new();
    for extension in extensions {
        phones.push(Phone::answering(asterisk.phone_port(extension)?, RING).await?);
    }
    Ok(phones)
}

async fn no_channels(asterisk: &Asterisk) -> Result<()> {
    let mut auditor = asterisk.auditor().await?;
    wait::until("Asterisk to have no channel left", SOON, async || {
        Ok(auditor.core_show_channels().await?.is_empty().then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn dial_transfer_and_hang_up() -> Result<()> {
    let Some(installation) = asterisk::require("main_job::dial_transfer_and_hang_up") else {
        return Ok(());
    };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let _phones = phones(&pbx, &["101", "102", "103"]).await?;
    let platform = Platform::builder().server("pbx1", &pbx).start().await?;
    platform.connected("pbx1").await?;
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    let subscribed = client.ok(json!({"action": "subscribe", "snapshot": true})).await?;
    assert_eq!(subscribed["snapshot"]["calls"], json!([]));
    let users = subscribed["snapshot"]["users"].as_array().expect("users");
    assert!(users.iter().any(|user| user["agent"] == "101"), "{users:?}");

    let dialled = client.ok(json!({"action": "dial", "from": "101", "to": "102"})).await?;
    let call = dialled["call"].as_str().expect("a dial tells its call").to_owned();
    assert!(dialled["actionId"].is_string());
    // Both ring, both talk, and each shows the other's number: in whatever order. Who has answered is
    // joined with the other a moment later.
    let mut seen = [false; 6];
    client
        .event("both to ring, then to talk with each other", |event| {
            seen[0] |= line_is(event, "101", "ringing");
            seen[1] |= line_is(event, "102", "ringing");
            seen[2] |= talks(event, "101", "102", &call);
            seen[3] |= talks(event, "102", "101", &call);
            seen[4] |= event["event"] == "callAnswered" && event["agent"] == "101";
            seen[5] |= event["event"] == "callAnswered" && event["agent"] == "102";
            seen == [true; 6]
        })
        .await?;
    let listed = rest::call(&platform, Method::GET, &format!("/v1/calls/{call}"), None).await?;
    assert_eq!((listed.status, &listed.body["state"]), (StatusCode::OK, &json!("up")));

    client.ok(json!({"action": "transfer", "agent": "101", "to": "103"})).await?;
    let mut seen = [false; 3];
    client
        .event("102 to talk with 103, and 101 to be idle", |event| {
            seen[0] |= talks(event, "102", "103", &call);
            seen[1] |= talks(event, "103", "102", &call);
            seen[2] |= event["event"] == "activeLines"
                && event["agent"] == "101"
                && event["lines"] == json!([]);
            seen == [true; 3]
        })
        .await?;

    client.ok(json!({"action": "hangup", "call": call})).await?;
    let mut ended = [false; 2];
    client
        .event("the call's end for both", |event| {
            let end = event["event"] == "callEnded" && event["call"] == *call;
            ended[0] |= end && event["agent"] == "102";
            ended[1] |= end && event["agent"] == "103";
            ended == [true; 2]
        })
        .await?;
    no_channels(&pbx).await?;
    let calls = client.ok(json!({"action": "query", "query": "calls"})).await?;
    assert_eq!(calls["items"], json!([]));
    platform.stop().await;
    Ok(())
}

fn line_is(event: &Value, agent: &str, state: &str) -> bool {
    event["event"] == "activeLines"
        && event["agent"] == agent
        && event["lines"]
            .as_array()
            .is_some_and(|lines| lines.iter().any(|line| line["state"] == state))
}

fn talks(event: &Value, agent: &str, number: &str, call: &str) -> bool {
    event["event"] == "activeLines"
        && event["agent"] == agent
        && event["lines"].as_array().is_some_and(|lines| {
            lines.len() == 1
                && lines[0]["state"] == "up"
                && lines[0]["number"] == number
                && lines[0]["call"] == call
        })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_call_from_log_on_to_agent_complete() -> Result<()> {
    let name = "main_job::a_queue_call_from_log_on_to_agent_complete";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let _phones = phones(&pbx, &["104"]).await?;
    let platform = Platform::builder().server("pbx1", &pbx).start().await?;
    platform.connected("pbx1").await?;
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    client.ok(json!({"action": "subscribe"})).await?;

    let member = "/v1/queues/support/members/104";
    let added = rest::call(&platform, Method::PUT, member, Some(json!({"name": "Ann"}))).await?;
    assert!(added.status.is_success(), "{} {}", added.status, added.body);
    member_is(&mut client, "not_inuse").await?;
    let paused = json!({"paused": true, "reason": "lunch"});
    let answer = rest::call(&platform, Method::PATCH, member, Some(paused)).await?;
    assert!(answer.status.is_success(), "{} {}", answer.status, answer.body);
    assert_eq!(member_is(&mut client, "paused").await?["reason"], "lunch");

    // While the only member is paused, a caller waits.
    let mut caller =
        Call::new("105", "600").then(Act::Talk(Duration::from_secs(30))).place(&pbx)?;
    client.event("one caller waiting", |event| count_is(event, 1)).await?;
    let queues = rest::call(&platform, Method::GET, "/v1/queues/support", None).await?;
    assert_eq!(queues.body["count"], 1, "{}", queues.body);
    assert_eq!(queues.body["callers"][0]["number"], "105", "{}", queues.body);

    let unpaused = json!({"action": "queueUnpause", "agent": "104", "queue": "support"});
    client.ok(unpaused).await?;
    let mut seen = [false; 3];
    client
        .event("104 to talk with the caller, and nobody to wait", |event| {
            seen[0] |= event["event"] == "phoneNumber"
                && event["agent"] == "104"
                && event["number"] == "105"
                && event["queue"] == "support";
            seen[1] |= line_is(event, "104", "up");
            seen[2] |= count_is(event, 0);
            seen == [true; 3]
        })
        .await?;
    let observer = pbx.observer().await?;
    client.ok(json!({"action": "hangup", "agent": "104"})).await?;
    let complete = client.event("agentComplete", |event| event["event"] == "agentComplete").await?;
    assert_eq!(complete["agent"], "104");
    assert_eq!(complete["queue"], "support");
    // Asterisk's own word: it calls a hang-up by AMI the caller's.
    let said = observer.wait(0, SOON, "AgentComplete", |event| event.is_event("AgentComplete"));
    assert_eq!(complete["reason"].as_str(), said.await?.get("Reason"));
    assert!(complete["holdTime"].is_u64() && complete["talkTime"].is_u64(), "{complete}");
    drop(caller.finished(SOON).await);

    let removed = rest::call(&platform, Method::DELETE, member, None).await?;
    assert!(removed.status.is_success(), "{} {}", removed.status, removed.body);
    member_is(&mut client, "loggedoff").await?;
    platform.stop().await;
    Ok(())
}

async fn member_is(client: &mut Client, status: &str) -> Result<Value> {
    client
        .event(&format!("member 104 to be {status}"), |event| {
            event["event"] == "queueMemberStatus"
                && event["agent"] == "104"
                && event["queue"] == "support"
                && event["status"] == status
        })
        .await
}

fn count_is(event: &Value, count: u64) -> bool {
    event["event"] == "queueCount" && event["queue"] == "support" && event["count"] == count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_joins_while_calls_go_on() -> Result<()> {
    let name = "main_job::a_second_server_joins_while_calls_go_on";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let first = Asterisk::start(&installation, Options::default()).await?;
    let second = Asterisk::start(&installation, Options::default()).await?;
    let _phones = (phones(&first, &["101", "102"]).await?, phones(&second, &["101", "102"]).await?);
    let platform = Platform::builder().server("pbx1", &first).start().await?;
    platform.connected("pbx1").await?;
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    client.ok(json!({"action": "subscribe"})).await?;
    let call = client.ok(json!({"action": "dial", "from": "101", "to": "102"})).await?;
    client.lines("102", &[("up", "101")]).await?;

    let server = json!({"id": "pbx2", "host": "127.0.0.1", "port": second.manager().port(),
        "username": second.username(), "secret": second.secret()});
    let added =
        rest::send(&platform.admin("/servers"), Method::POST, Some(server.clone()), None).await?;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    assert_eq!(added.location.as_deref(), Some("/servers/pbx2"));
    assert!(!added.body.to_string().contains(second.secret()), "a secret came back");
    let again = rest::send(&platform.admin("/servers"), Method::POST, Some(server), None).await?;
    assert_eq!(again.status, StatusCode::CONFLICT);
    platform.connected("pbx2").await?;

    // 101 is on both now: which one is meant has to be said.
    let refused = client.refused(json!({"action": "dial", "from": "101", "to": "102"})).await?;
    assert_eq!((&refused["code"], &refused["field"]), (&json!("conflict"), &json!("server")));
    let other =
        client.ok(json!({"action": "dial", "server": "pbx2", "from": "101", "to": "102"})).await?;
    client
        .event("102 to talk on pbx2", |event| {
            event["server"] == "pbx2"
                && talks(event, "102", "101", other["call"].as_str().unwrap_or(""))
        })
        .await?;
    let calls = client.ok(json!({"action": "query", "query": "calls"})).await?;
    let mut servers: Vec<_> = calls["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|call| call["server"].clone())
        .collect();
    servers.sort_by_key(Value::to_string);
    assert_eq!(servers, [json!("pbx1"), json!("pbx2")], "{calls}");
    // A call says itself where it is.
    client.ok(json!({"action": "hangup", "call": call["call"]})).await?;
    client.ok(json!({"action": "hangup", "call": other["call"]})).await?;
    no_channels(&first).await?;
    no_channels(&second).await?;

    let removed = rest::send(&platform.admin("/servers/pbx2"), Method::DELETE, None, None).await?;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    client
        .event("pbx2 to be removed", |event| {
            event["event"] == "serverStatus"
                && event["server"] == "pbx2"
                && event["state"] == "REMOVED"
        })
        .await?;
    platform.stop().await;
    Ok(())
}
