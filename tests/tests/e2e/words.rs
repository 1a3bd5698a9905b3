//! Every word of the language on a real Asterisk: what each command does, and what is told of it.
//! With `TELEPULSE_EXAMPLES=DIR` each command, its result and each event is left there as JSON, for the
//! documentation.

use crate::{
    platform::{Platform, SOON, TOKEN},
    ws::Client,
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    phones::{Act, Call, Phone},
    wait,
};
use tokio::{net::UdpSocket, time::timeout};

const RING: Duration = Duration::from_millis(200);
/// Long enough to be seen as an act of its own.
const A_MOMENT: Duration = Duration::from_millis(700);

/// A PBX with phones, a platform, and a client that is told everything.
struct Desk {
    pbx: Asterisk,
    platform: Platform,
    client: Client,
    phones: Vec<Phone>,
}

impl Desk {
    /// `None` where there is no Asterisk to test with.
    async fn set(test: &str, answering: &[&str]) -> Result<Option<Self>> {
        let Some(installation) = asterisk::require(test) else { return Ok(None) };
        let pbx = Asterisk::start(&installation, Options::default()).await?;
        let mut phones = Vec::new();
        for extension in answering {
            // A silent phone is a dead line to who listens: ChanSpy then does not even hang up.
            let speaks = [Act::Speak];
            phones.push(Phone::acting(pbx.phone_port(extension)?, RING, &speaks).await?);
        }
        let server = format!(
            "[[server]]\nid = \"pbx1\"\nhost = \"127.0.0.1\"\nport = {}\nusername = \"{}\"\n\
             secret = \"{}\"\nvoicemail = \"*{{ext}}\"\n",
            pbx.manager().port(),
            pbx.username(),
            pbx.secret()
        );
        let platform = Platform::builder().raw(&server).start().await?;
        platform.connected("pbx1").await?;
        let mut client = Client::connect(platform.ws_port, TOKEN).await?;
        client.ok(json!({"action": "subscribe"})).await?;
        Ok(Some(Self { pbx, platform, client, phones }))
    }

    /// Gives a command that must be carried out.
    async fn does(&mut self, command: Value) -> Result<Value> {
        let result = self.client.ok(command.clone()).await?;
        let action = command["action"].as_str().unwrap_or_default();
        note(&format!("command-{action}"), &json!({"command": command, "result": result}))?;
        Ok(result)
    }

    /// Waits until each of these events has come, in whatever order.
    async fn told<const N: usize>(
        &mut self,
        what: &str,
        wanted: [&dyn Fn(&Value) -> bool; N],
    ) -> Result<[Value; N]> {
        let mut found = [const { Value::Null }; N];
        self.client
            .event(what, |event| {
                for (found, wanted) in found.iter_mut().zip(wanted) {
                    if found.is_null() && wanted(event) {
                        *found = event.clone();
                    }
                }
                found.iter().all(|event| !event.is_null())
            })
            .await?;
        for event in &found {
            let kind = event["event"].as_str().unwrap_or_default();
            note(&format!("event-{kind}"), event)?;
        }
        Ok(found)
    }

    /// Has `from` call `to`, and waits until they talk; the call, and both channels.
    async fn talk(&mut self, from: &str, to: &str) -> Result<(String, String, String)> {
        let call = self.does(json!({"action": "dial", "from": from, "to": to})).await?;
        let call = call["call"].as_str().context("a call")?.to_owned();
        let (caller, callee) = (up(from, to), up(to, from));
        let answered = |agent| event("callAnswered", &json!({"agent": agent}));
        let what = format!("{from} to talk with {to}");
        let all: [&dyn Fn(&Value) -> bool; 4] = [&caller, &callee, &answered(from), &answered(to)];
        let [caller, callee, ..] = self.told(&what, all).await?;
        let channel = |event: &Value| -> Result<String> {
            Ok(event["lines"][0]["channel"].as_str().context("a channel")?.to_owned())
        };
        Ok((call, channel(&caller)?, channel(&callee)?))
    }

    async fn items(&mut self, query: &str) -> Result<Vec<Value>> {
        let answer = self.client.ok(json!({"action": "query", "query": query})).await?;
        note(&format!("query-{query}"), &answer)?;
        Ok(answer["items"].as_array().context("items")?.clone())
    }

    async fn leave(self) {
        self.platform.stop().await;
        drop((self.phones, self.pbx));
    }
}

/// Leaves an example for the documentation, if somebody wants it.
pub(crate) fn note(name: &str, example: &Value) -> Result<()> {
    if let Some(dir) = std::env::var_os("TELEPULSE_EXAMPLES") {
        let path = std::path::Path::new(&dir).join(format!("{name}.json"));
        if !path.exists() {
            std::fs::write(path, serde_json::to_string_pretty(example)?)?;
        }
    }
    Ok(())
}

fn up<'w>(agent: &'w str, number: &'w str) -> impl Fn(&Value) -> bool + 'w {
    line(agent, move |line| line["state"] == "up" && line["number"] == number)
}

/// The one line of an extension is so.
fn line<'w>(agent: &'w str, is_so: impl Fn(&Value) -> bool + 'w) -> impl Fn(&Value) -> bool + 'w {
    move |event| {
        event["event"] == "activeLines"
            && event["agent"] == agent
            && event["lines"].as_array().is_some_and(|lines| lines.len() == 1 && is_so(&lines[0]))
    }
}

/// An event of this type, with these fields among others.
fn event(kind: &str, fields: &Value) -> impl Fn(&Value) -> bool + use<> {
    let (kind, fields) = (kind.to_owned(), fields.clone());
    move |event| {
        event["event"] == *kind
            && fields.as_object().is_some_and(|fields| {
                fields.iter().all(|(key, value)| event.get(key).unwrap_or(&Value::Null) == value)
            })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_listened_to() -> Result<()> {
    let test = "words::a_call_is_listened_to";
    let Some(mut desk) = Desk::set(test, &["101", "102", "103"]).await? else { return Ok(()) };
    let (call, _, callee) = desk.talk("101", "102").await?;
    for action in ["spy", "whisper", "barge"] {
        let target = if action == "barge" { &*call } else { "101" };
        let spy = desk.does(json!({"action": action, "agent": "103", "target": target})).await?;
        ensure!(spy["call"] != *call, "who listens is in a call of its own: {spy}");
        let spied = |spied: bool| move |line: &Value| line["spiedBy"].is_array() == spied;
        desk.told("101 to be listened to", [&line("101", spied(true))]).await?;
        desk.does(json!({"action": "hangup", "agent": "103"})).await?;
        desk.told("101 to be alone again", [&line("101", spied(false))]).await?;
    }
    // What makes no sense is refused.
    let own =
        desk.client.refused(json!({"action": "spy", "agent": "102", "target": "102"})).await?;
    assert_eq!((&own["code"], &own["field"]), (&json!("conflict"), &json!("agent")));
    let idle =
        desk.client.refused(json!({"action": "spy", "agent": "101", "target": "105"})).await?;
    assert_eq!((&idle["code"], &idle["field"]), (&json!("conflict"), &json!("target")));
    let gone =
        desk.client.refused(json!({"action": "spy", "agent": "101", "target": "no"})).await?;
    assert_eq!(gone["code"], "notFound");

    desk.does(json!({"action": "mute", "channel": callee})).await?;
    desk.told("102 to be mute", [&line("102", |line| line["muted"] == true)]).await?;
    desk.does(json!({"action": "unmute", "channel": callee})).await?;
    desk.told("102 to be heard", [&line("102", |line| line["muted"] == false)]).await?;
    desk.does(json!({"action": "dtmf", "channel": callee, "digits": "1*#"})).await?;
    desk.does(json!({"action": "setVariable", "channel": callee, "name": "CRM", "value": "a,b"}))
        .await?;
    let read = json!({"action": "getVariable", "channel": callee, "name": "CRM"});
    assert_eq!(desk.does(read).await?, json!({"value": "a,b"}));
    let read = json!({"action": "getVariable", "channel": callee, "name": "NOBODY_SET_IT"});
    assert_eq!(desk.client.ok(read).await?, json!({"value": ""}));
    desk.does(json!({"action": "message", "to": "102", "text": "Lunch?"})).await?;
    let said = event("message", &json!({"agent": "102", "from": "101", "text": "Lunch?"}));
    desk.told("the message", [&said]).await?;
    desk.does(json!({"action": "hangup", "call": call})).await?;
    desk.leave().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_is_asked_to_answer_by_itself() -> Result<()> {
    let test = "words::a_phone_is_asked_to_answer_by_itself";
    let Some(mut desk) = Desk::set(test, &[]).await? else { return Ok(()) };
    let phone = UdpSocket::bind(("127.0.0.1", desk.pbx.phone_port("102")?)).await?;
    let mut last = String::new();
    for is_asked in [true, false] {
        let dial = json!({"action": "dial", "from": "102", "to": "101", "autoAnswer": is_asked});
        let call = desk.client.ok(dial).await?;
        let (invite, id) = timeout(SOON, invite(&phone, &last)).await??;
        last = id;
        let has = |words: &str| invite.lines().any(|line| line.contains(words));
        assert_eq!(has("Call-Info: <sip:telepulse>;answer-after=0"), is_asked, "{invite}");
        assert_eq!(
            has("Alert-Info: <http://telepulse>;info=alert-autoanswer"),
            is_asked,
            "{invite}"
        );
        desk.client.ok(json!({"action": "hangup", "call": call["call"]})).await?;
    }
    desk.leave().await;
    Ok(())
}

/// The next INVITE that a phone gets, and its Call-ID: it may come several times.
async fn invite(phone: &UdpSocket, but_not: &str) -> Result<(String, String)> {
    let mut buffer = [0; 4096];
    loop {
        let (length, _) = phone.recv_from(&mut buffer).await?;
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let id = text.lines().find_map(|line| line.strip_prefix("Call-ID: ")).unwrap_or_default();
        if text.starts_with("INVITE") && id != but_not {
            let id = id.to_owned();
            return Ok((text, id));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_recorded() -> Result<()> {
    let test = "words::a_call_is_recorded";
    let Some(mut desk) = Desk::set(test, &["101", "102"]).await? else { return Ok(()) };
    let (call, ..) = desk.talk("101", "102").await?;
    let record = |change: &str| json!({"action": "record", "agent": "102", "change": change});
    let none = desk.client.refused(record("pause")).await?;
    assert_eq!((&none["code"], &none["field"]), (&json!("conflict"), &json!("change")));
    let file = desk.does(record("start")).await?["file"].as_str().context("a file")?.to_owned();
    let change = |change: &str| event("recording", &json!({"agent": "102", "change": change}));
    let shown = line("102", |line| line["recording"] == true && line["recordingPaused"] == false);
    let [started, _] = desk.told("the recording", [&change("started"), &shown]).await?;
    let told = started["file"].as_str().unwrap_or_default().to_owned();
    ensure!(told.ends_with(&file), "{file} was asked for: {started}");
    assert_eq!((&started["by"], &started["call"]), (&json!("101"), &json!(call)));
    // Again is no harm; another file is.
    assert_eq!(desk.client.ok(record("start")).await?["file"], told);
    let mut other = record("start");
    other["file"] = json!("another.wav");
    assert_eq!(desk.client.refused(other).await?["code"], "conflict");

    desk.does(record("pause")).await?;
    let shown = line("102", |line| line["recordingPaused"] == true);
    desk.told("the pause", [&change("paused"), &shown]).await?;
    desk.does(record("resume")).await?;
    desk.told("its end", [&change("resumed")]).await?;
    desk.does(record("stop")).await?;
    let shown = line("102", |line| line["recording"] == false);
    desk.told("the recording's end", [&change("stopped"), &shown]).await?;
    desk.client.ok(record("stop")).await?;

    let mut named = record("start");
    named["file"] = json!("words/second.wav");
    desk.does(named).await?;
    desk.told("the second", [&change("started")]).await?;
    desk.does(json!({"action": "hangup", "call": call})).await?;
    let ended = event("callEnded", &json!({"call": call, "agent": "101"}));
    let [ended] = desk.told("the call's end", [&ended]).await?;
    let files = ended["recordings"].as_array().context("recordings")?;
    ensure!(files.len() == 2 && files[0] == *told, "{ended}");
    ensure!(files[1].as_str().is_some_and(|file| file.ends_with("words/second.wav")), "{ended}");
    for file in files.iter().filter_map(Value::as_str).map(|file| desk.pbx.file(file)) {
        wait::until("a recording", SOON, async || Ok(file.is_file().then_some(())))
            .await
            .with_context(|| file.display().to_string())?;
    }
    desk.leave().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_parked_and_fetched() -> Result<()> {
    let test = "words::a_call_is_parked_and_fetched";
    let Some(mut desk) = Desk::set(test, &["101", "102", "103"]).await? else { return Ok(()) };
    let (call, ..) = desk.talk("101", "102").await?;
    let stranger = json!({"action": "park", "agent": "101", "announceTo": "103"});
    assert_eq!(desk.client.refused(stranger).await?["field"], "announceTo");
    desk.does(json!({"action": "park", "agent": "101", "announceTo": "101", "timeout": 60}))
        .await?;
    let parked = event("parked", &json!({"agent": "102", "call": call, "timeout": 60}));
    let shown = line("102", |line| line["state"] == "parked");
    let [parked, _] = desk.told("102 to be parked", [&parked, &shown]).await?;
    let space = parked["space"].as_str().context("a space")?.to_owned();
    let listed = desk.items("parked").await?;
    ensure!(listed.len() == 1, "{listed:?}");
    assert_eq!((&listed[0]["space"], &listed[0]["agent"]), (&json!(space), &json!("102")));

    desk.does(json!({"action": "dial", "from": "103", "to": space})).await?;
    let fetched = event("unparked", &json!({"agent": "102", "reason": "retrieved", "by": "103"}));
    desk.told("102 to be fetched", [&fetched, &up("102", "103")]).await?;
    ensure!(desk.items("parked").await?.is_empty(), "nobody is parked any more");
    desk.does(json!({"action": "hangup", "agent": "103"})).await?;
    desk.leave().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_is_handed_over() -> Result<()> {
    let test = "words::a_party_is_handed_over";
    let Some(mut desk) = Desk::set(test, &["101", "102", "103"]).await? else { return Ok(()) };
    let (call, _, channel) = desk.talk("101", "102").await?;
    // 101 talks to 103 first, while 102 waits; who hangs up hands over.
    let attended = json!({"action": "transfer", "agent": "101", "to": "103", "kind": "attended"});
    desk.does(attended).await?;
    desk.told("101 to talk with 103", [&line("103", |line| line["state"] == "up")]).await?;
    tokio::time::sleep(A_MOMENT).await;
    desk.client.ok(json!({"action": "hangup", "agent": "101"})).await?;
    let transferred = event(
        "callTransferred",
        &json!({"agent": "102", "kind": "attended", "by": "101", "party": "102", "to": "103"}),
    );
    desk.told("102 to be handed over", [&transferred, &up("102", "103"), &up("103", "102")])
        .await?;
    // Into a voicemail box, of which there is one where the server's `voicemail` says.
    desk.does(json!({"action": "transfer", "agent": "103", "to": "101", "kind": "voicemail"}))
        .await?;
    let transferred = event(
        "callTransferred",
        &json!({"agent": "102", "kind": "blind", "by": "103", "party": "102", "to": "*101"}),
    );
    desk.told("102 to be in the box", [&transferred]).await?;
    // Who talks with nobody is simply sent on.
    desk.client.ok(json!({"action": "transfer", "channel": channel, "to": "801"})).await?;
    let sent = event("callTransferred", &json!({"agent": "102", "to": "801"}));
    desk.told("102 to hear music", [&sent]).await?;
    desk.does(json!({"action": "hangup", "call": call})).await?;
    desk.leave().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ringing_call_is_picked_up() -> Result<()> {
    let test = "words::a_ringing_call_is_picked_up";
    let Some(mut desk) = Desk::set(test, &["101", "103"]).await? else { return Ok(()) };
    desk.phones.push(Phone::ringing_only(desk.pbx.phone_port("102")?).await?);
    desk.client.ok(json!({"action": "dial", "from": "101", "to": "102"})).await?;
    let rings = line("102", |line| line["state"] == "ringing");
    desk.told("102 to ring", [&rings]).await?;
    let nothing = json!({"action": "pickup", "agent": "103", "target": "101"});
    assert_eq!(desk.client.refused(nothing).await?["code"], "conflict");
    desk.does(json!({"action": "pickup", "agent": "103", "target": "102"})).await?;
    let talk = |agent| line(agent, |line| line["state"] == "up");
    desk.told("103 to have it", [&talk("103")]).await?;
    // Its phone is up before Asterisk has put it in the other's place.
    let one_call = wait::until("one call", SOON, async || {
        let calls = desk.items("calls").await?;
        Ok((calls.len() == 1).then(|| calls[0]["call"].clone()))
    });
    let call = one_call.await?;
    desk.client.ok(json!({"action": "hangup", "call": call})).await?;
    desk.leave().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conference_is_led() -> Result<()> {
    let test = "words::a_conference_is_led";
    let Some(mut desk) = Desk::set(test, &["101", "102"]).await? else { return Ok(()) };
    let none = json!({"action": "conferenceLock", "conference": "700"});
    assert_eq!(desk.client.refused(none).await?["code"], "notFound");
    desk.client.ok(json!({"action": "dial", "from": "101", "to": "700"})).await?;
    let change = |change: &str, agent: Option<&str>| {
        event("conference", &json!({"conference": "700", "change": change, "agent": agent}))
    };
    let joined = change("joined", Some("101"));
    desk.told("the conference", [&change("started", None), &joined]).await?;
    desk.client.ok(json!({"action": "dial", "from": "102", "to": "700"})).await?;
    let [joined] = desk.told("102 to join", [&change("joined", Some("102"))]).await?;
    let channel = joined["channel"].clone();
    let rooms = desk.items("conferences").await?;
    ensure!(rooms.len() == 1 && rooms[0]["members"].as_array().is_some_and(|m| m.len() == 2));

    desk.does(json!({"action": "conferenceMute", "conference": "700", "channel": channel})).await?;
    let shown = line("102", |line| line["muted"] == true && line["state"] == "conference");
    desk.told("102 to be mute", [&change("muted", Some("102")), &shown]).await?;
    desk.does(json!({"action": "conferenceUnmute", "conference": "700"})).await?;
    desk.told("102 to be heard", [&change("unmuted", Some("102"))]).await?;
    desk.does(json!({"action": "conferenceLock", "conference": "700"})).await?;
    desk.told("the lock", [&change("locked", None)]).await?;
    ensure!(desk.items("conferences").await?[0]["locked"] == true);
    desk.does(json!({"action": "conferenceUnlock", "conference": "700"})).await?;
    desk.told("the lock's end", [&change("unlocked", None)]).await?;
    desk.does(json!({"action": "conferenceKick", "conference": "700", "channel": channel})).await?;
    desk.told("102 to be out", [&change("left", Some("102"))]).await?;
    desk.client.ok(json!({"action": "conferenceKick", "conference": "700"})).await?;
    desk.told("the end", [&change("left", Some("101")), &change("ended", None)]).await?;
    desk.leave().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_do_with_their_phones_is_told() -> Result<()> {
    let test = "words::what_people_do_with_their_phones_is_told";
    let Some(mut desk) = Desk::set(test, &["102", "104"]).await? else { return Ok(()) };
    let mut caller = Call::new("101", "102")
        .then(Act::Talk(A_MOMENT))
        .then(Act::Hold)
        .then(Act::Talk(A_MOMENT * 2))
        .then(Act::Resume)
        .then(Act::Talk(A_MOMENT))
        .then(Act::HangUp)
        .place(&desk.pbx)?;
    let held = event("callHeld", &json!({"agent": "101", "number": "102"}));
    let shown = line("101", |line| line["state"] == "hold");
    let named = event("agentName", &json!({"agent": "101"}));
    desk.told("101 to hold", [&held, &shown, &named]).await?;
    let resumed = event("callResumed", &json!({"agent": "101", "number": "102", "duration": 1}));
    let idle = event("phoneNumber", &json!({"agent": "101", "number": null}));
    desk.told("101 to come back, and go", [&resumed, &idle]).await?;
    caller.finished(SOON).await?;

    let mut auditor = desk.pbx.auditor().await?;
    let away = [("Variable", "PRESENCE_STATE(CustomPresence:101)"), ("Value", "away,coffee,Soon")];
    auditor.action("Setvar", &away).await?;
    let said = json!({"agent": "101", "state": "away", "subtype": "coffee", "message": "Soon"});
    desk.told("101 to be away", [&event("presence", &said)]).await?;

    Phone::register(&desk.pbx, "121", Duration::from_mins(10)).await?;
    // Its contact and its device state are told by Asterisk in either order.
    let there = |event: &Value| {
        event["event"] == "userStatus"
            && event["agent"] == "121"
            && event["address"].is_string()
            && event["status"] == "online"
    };
    let all = |event: &Value| {
        let users = event["users"].as_array();
        event["event"] == "activeUsers" && users.is_some_and(|users| users.contains(&json!("121")))
    };
    desk.told("121 to be there", [&there, &all]).await?;

    let mut caller = Call::new("101", "600").then(Act::Talk(A_MOMENT)).then(Act::HangUp);
    caller = caller.patience(SOON);
    let mut caller = caller.place(&desk.pbx)?;
    let change = |change: &str| {
        event("queueCaller", &json!({"queue": "support", "change": change, "number": "101"}))
    };
    let [joined, _] = desk.told("a caller", [&change("joined"), &change("abandoned")]).await?;
    assert_eq!((&joined["position"], joined.get("wait")), (&json!(1), None));
    caller.finished(SOON).await?;
    let people = desk.items("users").await?;
    let Some(ann) = people.iter().find(|user| user["agent"] == "101") else {
        bail!("101 is not listed: {people:?}");
    };
    assert_eq!((&ann["name"], &ann["presence"]["state"]), (&json!("Phone 101"), &json!("away")));
    desk.leave().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_served_and_a_server_comes_back() -> Result<()> {
    let test = "words::a_queue_is_served_and_a_server_comes_back";
    let Some(mut desk) = Desk::set(test, &["102"]).await? else { return Ok(()) };
    let member = json!({"agent": "102", "queue": "support"});
    let order = |action: &str, more: Value| {
        let mut command = member.clone();
        command["action"] = json!(action);
        for (key, value) in more.as_object().into_iter().flatten() {
            command[key] = value.clone();
        }
        command
    };
    let member_is = |status: &str| {
        event("queueMemberStatus", &json!({"agent": "102", "queue": "support", "status": status}))
    };
    desk.does(order("queueAdd", json!({"name": "Ann", "penalty": 2}))).await?;
    let [added] = desk.told("102 to be a member", [&member_is("not_inuse")]).await?;
    assert_eq!(added["penalty"], 2);
    desk.does(order("queuePause", json!({"reason": "lunch"}))).await?;
    let [paused] = desk.told("102 to rest", [&member_is("paused")]).await?;
    assert_eq!(paused["reason"], "lunch");
    desk.does(order("queueUnpause", json!({}))).await?;
    desk.told("102 to serve", [&member_is("not_inuse")]).await?;

    let mut caller = Call::new("101", "600").then(Act::Talk(A_MOMENT * 4)).then(Act::HangUp);
    caller = caller.patience(SOON);
    let mut caller = caller.place(&desk.pbx)?;
    let started = event("callStarted", &json!({"agent": "101", "direction": "out"}));
    let one = event("queueCount", &json!({"queue": "support", "count": 1}));
    let rings = event("extensionStatus", &json!({"agent": "102", "status": "ringing"}));
    let left = event("queueCaller", &json!({"queue": "support", "change": "left"}));
    let state = event("channelState", &json!({"agent": "102", "state": "up"}));
    let talks = up("102", "101");
    let all: [&dyn Fn(&Value) -> bool; 6] = [&started, &one, &rings, &left, &state, &talks];
    desk.told("102 to be called, and to talk", all).await?;
    desk.does(json!({"action": "record", "agent": "102", "change": "start"})).await?;
    let complete = event("agentComplete", &json!({"agent": "102", "queue": "support"}));
    let [complete] = desk.told("the queue's call to be over", [&complete]).await?;
    ensure!(complete["talkTime"].is_u64() && complete["recording"].is_string(), "{complete}");
    caller.finished(SOON).await?;
    desk.does(order("queueRemove", json!({}))).await?;
    desk.told("102 to be no member", [&member_is("loggedoff")]).await?;

    // Nobody answers at 105: it has no phone.
    let dial = json!({"action": "dial", "from": "105", "to": "102", "timeout": 1});
    let dialled = desk.client.ok(dial).await?;
    let failed = event("originateFailed", &json!({"actionId": dialled["actionId"]}));
    desk.told("the dial to fail", [&failed]).await?;

    let restart = format!("http://127.0.0.1:{}/servers/pbx1/restart", desk.platform.admin_port);
    reqwest::Client::new().post(restart).send().await?.error_for_status()?;
    let back = event("serverStatus", &json!({"state": "CONNECTED"}));
    desk.told("the server to be back", [&back, &event("resync", &json!({}))]).await?;
    desk.leave().await;
    Ok(())
}
