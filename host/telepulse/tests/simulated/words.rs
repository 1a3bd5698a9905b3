//! The commands of the language on the simulated call centre: each is carried out, and told of, as on
//! the real Asterisk of the end-to-end tests.

use ami_simulator::Settings;
use serde_json::{Value, json};

use crate::stage::Stage;

/// An event of this kind, with these fields among others.
fn event(kind: &'static str, fields: Value) -> impl Fn(&Value) -> bool {
    move |event| {
        let fields = fields.as_object().unwrap();
        let get = |key: &str| event.get(key).unwrap_or(&Value::Null).clone();
        event["event"] == kind && fields.iter().all(|(key, value)| get(key) == *value)
    }
}

/// The one line of an extension is so.
fn line<'w>(agent: &'w str, is_so: impl Fn(&Value) -> bool + 'w) -> impl Fn(&Value) -> bool + 'w {
    move |event| {
        let lines = event["lines"].as_array();
        event["event"] == "activeLines"
            && event["agent"] == agent
            && lines.is_some_and(|lines| lines.len() == 1 && is_so(&lines[0]))
    }
}

fn up<'w>(agent: &'w str, number: &'w str) -> impl Fn(&Value) -> bool + 'w {
    line(agent, move |line| line["state"] == "up" && line["number"] == number)
}

/// 101 and 102 talk: the stage, the call, and the channel of 102.
async fn talking() -> (Stage, String, String) {
    let mut stage = Stage::start(Settings::quiet(6, &["support"])).await;
    let dialled = stage.command(json!({"action": "dial", "from": "101", "to": "102"})).await;
    let both: [&dyn Fn(&Value) -> bool; 2] = [&up("101", "102"), &up("102", "101")];
    let [_, callee] = stage.told("101 and 102 to talk", both).await;
    let channel = callee["lines"][0]["channel"].as_str().unwrap().to_owned();
    (stage, dialled["call"].as_str().unwrap().to_owned(), channel)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_listened_to() {
    let (mut stage, call, _) = talking().await;
    for action in ["spy", "whisper", "barge"] {
        let target = if action == "barge" { &*call } else { "101" };
        stage.command(json!({"action": action, "agent": "103", "target": target})).await;
        let spied = |spied: bool| move |line: &Value| line["spiedBy"].is_array() == spied;
        stage.told("101 to be listened to", [&line("101", spied(true))]).await;
        stage.command(json!({"action": "hangup", "agent": "103"})).await;
        stage.told("101 to be alone again", [&line("101", spied(false))]).await;
    }
    stage.command(json!({"action": "spy", "agent": "103", "target": "101"})).await;
    stage.told("it again", [&line("101", |line| line["spiedBy"].is_array())]).await;
    stage.command(json!({"action": "hangup", "call": call})).await;
    let over = event("activeLines", json!({"agent": "103", "lines": []}));
    stage.told("nobody to be listened to", [&over]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_silenced_pressed_and_written_on() {
    let (mut stage, _, channel) = talking().await;
    stage.command(json!({"action": "mute", "channel": channel})).await;
    stage.told("102 to be mute", [&line("102", |line| line["muted"] == true)]).await;
    stage.command(json!({"action": "unmute", "channel": channel})).await;
    stage.told("102 to be heard", [&line("102", |line| line["muted"] == false)]).await;
    stage.command(json!({"action": "dtmf", "channel": channel, "digits": "1*#"})).await;
    let set = json!({"action": "setVariable", "channel": channel, "name": "CRM", "value": "a,b"});
    stage.command(set).await;
    for (name, value) in [("CRM", "a,b"), ("NOBODY_SET_IT", "")] {
        let get = json!({"action": "getVariable", "channel": channel, "name": name});
        assert_eq!(stage.command(get).await, json!({"value": value}));
    }
    stage.command(json!({"action": "message", "to": "102", "text": "Lunch?"})).await;
    let said = event("message", json!({"agent": "102", "text": "Lunch?"}));
    stage.told("the message", [&said]).await;
    // Variables of a dial are the channel's.
    let dial = json!({"action": "dial", "from": "103", "to": "104", "variables": {"CASE": "7"}});
    let call = stage.command(dial).await["call"].clone();
    stage.told("103 to talk", [&up("103", "104")]).await;
    let get = json!({"action": "getVariable", "channel": call, "name": "CASE"});
    assert_eq!(stage.command(get).await, json!({"value": "7"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_recorded() {
    let (mut stage, call, _) = talking().await;
    let record = |change: &str| json!({"action": "record", "agent": "102", "change": change});
    assert_eq!(stage.refused(record("pause")).await["code"], "conflict");
    let mut start = record("start");
    start["announcement"] = json!("950");
    let file = stage.command(start).await["file"].as_str().unwrap().to_owned();
    let change = |change: &str| event("recording", json!({"agent": "102", "change": change}));
    let shown = line("102", |line| line["recording"] == true);
    let spoken = line("102", |line| line["spiedBy"].is_array());
    let both: [&dyn Fn(&Value) -> bool; 3] = [&change("started"), &shown, &spoken];
    let [started, ..] = stage.told("the recording", both).await;
    assert!(started["file"].as_str().unwrap().ends_with(&file), "{started}");
    stage.command(record("pause")).await;
    let shown = line("102", |line| line["recordingPaused"] == true);
    stage.told("the pause", [&change("paused"), &shown]).await;
    stage.command(record("resume")).await;
    stage.told("its end", [&change("resumed")]).await;
    stage.command(record("stop")).await;
    let shown = line("102", |line| line["recording"] == false);
    stage.told("the recording's end", [&change("stopped"), &shown]).await;
    stage.command(json!({"action": "hangup", "call": call})).await;
    let [ended] = stage.told("the end", [&event("callEnded", json!({"call": call}))]).await;
    assert_eq!(ended["recordings"], json!([started["file"]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_parked_and_fetched() {
    let (mut stage, call, _) = talking().await;
    let park = json!({"action": "park", "agent": "101", "announceTo": "101", "timeout": 60});
    stage.command(park).await;
    let parked = event("parked", json!({"agent": "102", "call": call, "timeout": 60}));
    let shown = line("102", |line| line["state"] == "parked");
    let [parked, _] = stage.told("102 to be parked", [&parked, &shown]).await;
    let space = parked["space"].as_str().unwrap().to_owned();
    let listed = stage.query("parked").await;
    assert_eq!((&listed[0]["space"], &listed[0]["agent"]), (&json!(space), &json!("102")));
    stage.command(json!({"action": "dial", "from": "103", "to": space})).await;
    let fetched = event("unparked", json!({"agent": "102", "reason": "retrieved", "by": "103"}));
    stage.told("102 to be fetched", [&fetched, &up("102", "103")]).await;
    assert!(stage.query("parked").await.is_empty());
    // One that nobody fetches is back at who parked it.
    stage.command(json!({"action": "park", "agent": "103", "timeout": 1})).await;
    stage.told("102 to be parked", [&event("parked", json!({"agent": "102"}))]).await;
    stage.command(json!({"action": "hangup", "agent": "103"})).await;
    let back = event("unparked", json!({"agent": "102", "reason": "timeout"}));
    stage.told("102 to be back", [&back, &up("103", "102")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_is_handed_over() {
    let (mut stage, call, channel) = talking().await;
    let attended =
        |to: &str| json!({"action": "transfer", "agent": "101", "to": to, "kind": "attended"});
    stage.command(attended("103")).await;
    let third = line("103", |line| line["state"] == "up");
    let waits = line("102", |line| line["state"] == "moh" || line["state"] == "hold");
    stage.told("101 to talk with 103", [&third, &waits]).await;
    // The third goes: 101 is back with 102, and asks once more.
    stage.command(json!({"action": "hangup", "agent": "103"})).await;
    stage.told("101 to be back", [&up("102", "101")]).await;
    stage.command(attended("103")).await;
    stage.told("101 to talk with 103", [&third]).await;
    stage.command(json!({"action": "hangup", "agent": "101"})).await;
    let transferred = event(
        "callTransferred",
        json!({"agent": "102", "kind": "attended", "by": "101", "party": "102", "to": "103"}),
    );
    let all: [&dyn Fn(&Value) -> bool; 3] = [&transferred, &up("102", "103"), &up("103", "102")];
    stage.told("102 to be handed over", all).await;
    stage
        .command(json!({"action": "transfer", "agent": "103", "to": "101", "kind": "voicemail"}))
        .await;
    let transferred = event(
        "callTransferred",
        json!({"agent": "102", "kind": "blind", "by": "103", "party": "102", "to": "*101"}),
    );
    stage.told("102 to be in the box", [&transferred]).await;
    stage.command(json!({"action": "transfer", "channel": channel, "to": "801"})).await;
    let sent = event("callTransferred", json!({"agent": "102", "to": "801"}));
    stage.told("102 to hear music", [&sent]).await;
    stage.command(json!({"action": "hangup", "call": call})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ringing_call_is_picked_up() {
    let settings = Settings { ring_ms: 60_000..=60_000, ..Settings::quiet(4, &["support"]) };
    let mut stage = Stage::start(settings).await;
    // Who originates is there at once, but 102 lets it ring.
    stage.command(json!({"action": "dial", "from": "101", "to": "102"})).await;
    stage.told("102 to ring", [&line("102", |line| line["state"] == "ringing")]).await;
    stage.command(json!({"action": "pickup", "agent": "103", "target": "102"})).await;
    let idle = event("activeLines", json!({"agent": "102", "lines": []}));
    let caller = line("101", |line| line["state"] == "up");
    stage.told("103 to have it", [&up("103", "101"), &caller, &idle]).await;
    assert_eq!(stage.query("calls").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conference_is_led() {
    let mut stage = Stage::start(Settings::quiet(4, &["support"])).await;
    let of = |action: &str, channel: Option<&Value>| {
        let mut command = json!({"action": action, "conference": "700"});
        if let Some(channel) = channel {
            command["channel"] = channel.clone();
        }
        command
    };
    assert_eq!(stage.refused(of("conferenceLock", None)).await["code"], "notFound");
    let change = |change: &str, agent: Option<&str>| {
        event("conference", json!({"conference": "700", "change": change, "agent": agent}))
    };
    stage.command(json!({"action": "dial", "from": "101", "to": "700"})).await;
    let first = change("joined", Some("101"));
    stage.told("the conference", [&change("started", None), &first]).await;
    stage.command(json!({"action": "dial", "from": "102", "to": "700"})).await;
    let [joined] = stage.told("102 to join", [&change("joined", Some("102"))]).await;
    let channel = &joined["channel"];
    stage.command(of("conferenceMute", Some(channel))).await;
    let shown = line("102", |line| line["muted"] == true && line["state"] == "conference");
    stage.told("102 to be mute", [&change("muted", Some("102")), &shown]).await;
    stage.command(of("conferenceUnmute", None)).await;
    stage.told("102 to be heard", [&change("unmuted", Some("102"))]).await;
    stage.command(of("conferenceLock", None)).await;
    stage.told("the lock", [&change("locked", None)]).await;
    stage.command(of("conferenceUnlock", None)).await;
    stage.told("the lock's end", [&change("unlocked", None)]).await;
    stage.command(of("conferenceKick", Some(channel))).await;
    stage.told("102 to be out", [&change("left", Some("102"))]).await;
    stage.command(of("conferenceKick", None)).await;
    stage.told("the end", [&change("left", Some("101")), &change("ended", None)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_a_queue_is_told_of() {
    let mut stage = Stage::start(Settings::quiet(4, &["support"])).await;
    let status = |status: &str| {
        event("queueMemberStatus", json!({"agent": "102", "queue": "support", "status": status}))
    };
    let of = |action: &str| json!({"action": action, "agent": "102", "queue": "support"});
    let mut add = of("queueAdd");
    (add["name"], add["penalty"]) = (json!("Ann"), json!(2));
    stage.command(add).await;
    let [added] = stage.told("102 to be a member", [&status("not_inuse")]).await;
    assert_eq!(added["penalty"], 2);
    let mut pause = of("queuePause");
    pause["reason"] = json!("lunch");
    stage.command(pause).await;
    let [paused] = stage.told("102 to rest", [&status("paused")]).await;
    assert_eq!(paused["reason"], "lunch");
    stage.command(of("queueUnpause")).await;
    stage.told("102 to serve", [&status("not_inuse")]).await;
    stage.command(of("queueRemove")).await;
    stage.told("102 to be no member", [&status("loggedoff")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_to_be_disturbed_is_busy() {
    let mut stage = Stage::start(Settings::quiet(4, &["support"])).await;
    stage.command(json!({"action": "dial", "from": "102", "to": "*78"})).await;
    let dnd = event("presence", json!({"agent": "102", "state": "dnd"}));
    let over = event("activeLines", json!({"agent": "102", "lines": []}));
    stage.told("102 to be left in peace", [&dnd, &over]).await;
    let dialled = stage.command(json!({"action": "dial", "from": "101", "to": "102"})).await;
    let busy = event("callEnded", json!({"call": dialled["call"], "disposition": "busy"}));
    stage.told("102 to be busy", [&busy]).await;
}
