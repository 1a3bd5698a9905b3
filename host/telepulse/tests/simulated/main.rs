//! The platform without plugins on a simulated call centre: what the bus is asked happens there,
//! and what happens there is told on the bus.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod reload;
#[allow(dead_code, reason = "shared with the tests of the bus")]
#[path = "../../src/bus/nats/tests/server.rs"]
mod server;
mod stage;
mod words;

use ami_simulator::{Disaster, Settings};
use serde_json::{Value, json};
use server::NatsServer;
use stage::{SOON, Stage};
use std::time::Duration;
use tokio::time::timeout;

fn line_up(event: &Value, number: &str) -> bool {
    let lines = event["lines"].as_array().unwrap();
    lines.iter().any(|line| line["state"] == "up" && line["number"] == number)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialled_call_shows_on_both_lines_until_it_is_hung_up() {
    dialled_and_hung_up(Stage::start(Settings::quiet(4, &["support"])).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialled_call_shows_on_both_lines_over_nats_too() {
    let nats = NatsServer::start();
    let bus = format!("[bus]\nkind = \"nats\"\nurl = \"{}\"\n", nats.url());
    let site = Settings { system_name: "demo".to_owned(), ..Settings::quiet(4, &["support"]) };
    dialled_and_hung_up(Stage::on(&bus, vec![site]).await).await;
}

async fn dialled_and_hung_up(mut stage: Stage) {
    let dialled = stage.command(json!({"action": "dial", "from": "101", "to": "102"})).await;
    let call = dialled["call"].as_str().unwrap();
    let answered = |event: &Value| event["call"] == call && event["agent"] == "102";
    stage.until("callAnswered", answered).await;
    let lines = stage.query("lines").await;
    for (agent, other) in [("101", "102"), ("102", "101")] {
        let line = lines.iter().find(|line| line["agent"] == agent).unwrap();
        assert!(line_up(line, other), "{line}");
    }
    stage.command(json!({"action": "hangup", "agent": "101"})).await;
    stage.until("callEnded", |event| event["call"] == call).await;
    assert!(stage.query("calls").await.is_empty());
    stage.app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transferred_call_goes_on_with_the_third() {
    let mut stage = Stage::start(Settings::quiet(4, &["support"])).await;
    stage.command(json!({"action": "dial", "from": "101", "to": "102"})).await;
    stage.until("callAnswered", |event| event["agent"] == "102").await;
    stage.command(json!({"action": "transfer", "agent": "101", "to": "103"})).await;
    let talks_to_102 = |event: &Value| event["agent"] == "103" && line_up(event, "102");
    stage.until("activeLines", talks_to_102).await;
    let lines = stage.query("lines").await;
    let idle = |line: &&Value| line["lines"].as_array().is_some_and(Vec::is_empty);
    assert!(lines.iter().find(|line| line["agent"] == "101").is_none_or(|line| idle(&line)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_serves_a_caller_with_the_member_that_was_added() {
    let settings = Settings { talk_ms: 1_500..=1_500, ..Settings::quiet(4, &["support"]) };
    let mut stage = Stage::start(settings).await;
    stage.command(json!({"action": "queueAdd", "agent": "102", "queue": "support"})).await;
    let status = |status: &'static str| {
        move |event: &Value| event["agent"] == "102" && event["status"] == status
    };
    stage.until("queueMemberStatus", status("not_inuse")).await;
    stage.command(json!({"action": "queuePause", "agent": "102", "reason": "Lunch"})).await;
    stage.until("queueMemberStatus", status("paused")).await;
    stage.command(json!({"action": "dial", "from": "101", "to": "600"})).await;
    stage.until("queueCount", |event| event["count"] == 1).await;
    stage.command(json!({"action": "queueUnpause", "agent": "102"})).await;
    stage.until("queueCount", |event| event["count"] == 0).await;
    let complete = stage.until("agentComplete", |event| event["queue"] == "support").await;
    assert_eq!(complete["agent"], "102");
    assert_eq!(complete["talkTime"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_is_not_there_fails_the_dial() {
    let mut settings = Settings::quiet(4, &["support"]);
    settings.phones[3].online = false;
    let mut stage = Stage::start(settings).await;
    let dialled = stage.command(json!({"action": "dial", "from": "104", "to": "102"})).await;
    let failed = stage.until("originateFailed", |_| true).await;
    assert_eq!(failed["actionId"], dialled["actionId"]);
}

/// What the platform shows after a busy while is what the call centre itself would list.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_busy_while_the_model_is_what_the_lists_say() {
    let settings = Settings {
        ring_ms: 50..=300,
        talk_ms: 200..=1_500,
        patience_ms: 500..=2_000,
        ..Settings::demo(24, 3, 1_200)
    };
    let mut stage = Stage::start(settings).await;
    for _ in 0..60 {
        stage.until("callEnded", |_| true).await;
    }
    // Calls come and go between two questions: ask until both answers are of one moment.
    let agrees = async {
        loop {
            let before = channels_listed(&stage).await;
            let calls = stage.query("calls").await;
            let shown: usize =
                calls.iter().map(|call| call["channels"].as_array().unwrap().len()).sum();
            let after = channels_listed(&stage).await;
            if before == after && shown == before.len() {
                return;
            }
        }
    };
    timeout(SOON, agrees).await.unwrap();
}

async fn channels_listed(stage: &Stage) -> Vec<String> {
    let request = json!({"ServerId": "demo", "Action": "CoreShowChannels"});
    let reply = stage.ask("telepulse.proxy.action", request).await;
    let events = reply["result"]["events"].as_array().or(reply["events"].as_array()).cloned();
    let events = events.unwrap_or_else(|| panic!("{reply}"));
    events.iter().filter_map(|event| Some(event["Uniqueid"].as_str()?.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_servers_dies_and_is_back() {
    let scale =
        ami_simulator::Scale { servers: 2, agents: 6, phones: 16, queues: 2, calls_per_minute: 0 };
    let mut sites = Settings::sites(&scale);
    for site in &mut sites {
        (site.ring_ms, site.talk_ms) = (50..=50, 3_600_000..=3_600_000);
    }
    let mut stage = Stage::of(sites).await;
    for (from, to) in [("101", "102"), ("201", "202")] {
        stage.command(json!({"action": "dial", "from": from, "to": to})).await;
        stage.until("callAnswered", |event| event["agent"] == to).await;
    }
    assert!(stage.simulators[0].befall(Disaster::Down(Duration::from_millis(300))));
    let state = |state: &'static str| {
        move |event: &Value| event["server"] == "pbx1" && event["state"] == state
    };
    stage.until("serverStatus", state("DISCONNECTED")).await;
    let lost = |event: &Value| event["agent"] == "101" && event["disposition"] == "lost";
    stage.until("callEnded", lost).await;
    stage.until("serverStatus", state("CONNECTED")).await;
    let calls = stage.query("calls").await;
    assert_eq!(calls.len(), 1, "the other server's call goes on: {calls:?}");
    assert_eq!(calls[0]["server"], "pbx2");
    // What is dialled by a phone does the same.
    stage.command(json!({"action": "dial", "from": "201", "to": "9911"})).await;
}
