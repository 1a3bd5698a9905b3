//! ARI of a real Asterisk: the table of channels by extension, the events as they come, and what
//! happens when the connection is cut, refused or taken over.

use crate::{
    platform::{Platform, SOON, TOKEN, hash},
    rest::{call, send},
    ws::Client,
};
use anyhow::{Context, Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use telepulse::bus::{EventSink, Message, Pattern};
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    fault_proxy::{Fault, FaultProxy},
    phones::{Call, Phone},
    ports,
    storm::Storm,
    wait,
};

/// An Asterisk with ARI.
async fn start(name: &str) -> Result<Option<Asterisk>> {
    let Some(installation) = asterisk::require(name) else { return Ok(None) };
    let options = Options { ari: true, ..Options::default() };
    Ok(Some(Asterisk::start(&installation, options).await?))
}

/// `[server.ari]` for the server that was written last.
fn ari(pbx: &Asterisk, at: SocketAddr) -> String {
    let password = pbx.ari_password();
    format!(
        "[server.ari]\nurl = \"http://{at}/ari\"\nusername = \"telepulse\"\n\
         password = \"{password}\"\n\n"
    )
}

/// Waits until a server's ARI is in a state; answers its description.
async fn ari_state(platform: &Platform, server: &str, state: &str) -> Result<Value> {
    let mut last = Value::Null;
    let what = format!("the ARI of {server} to be {state}");
    let found = wait::until(&what, SOON, async || {
        last = platform.server(server).await?["ari"].clone();
        Ok((last["state"] == state).then(|| last.clone()))
    });
    found.await.with_context(|| format!("last: {last}"))
}

/// The table as lines of text, without times and ids.
async fn table(client: &mut Client) -> Result<BTreeSet<String>> {
    let result = client.ok(json!({"action": "query", "query": "devices"})).await?;
    let mut lines = BTreeSet::new();
    for device in result["items"].as_array().context("items")? {
        for channel in device["channels"].as_array().context("channels")? {
            let way = if channel["outbound"] == true { "called" } else { "calls" };
            let text = |key: &str| channel[key].as_str().unwrap_or_default().to_owned();
            let agent = device["agent"].as_str().context("an agent")?;
            let (state, number) = (text("state"), text("number"));
            lines.insert(format!("{agent} {way}: {state} {number} {:?}", text("name")));
        }
    }
    Ok(lines)
}

/// Waits until the table is just this.
async fn table_is(client: &mut Client, expected: &[&str]) -> Result<()> {
    let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
    let mut last = BTreeSet::new();
    let what = format!("the table to be {expected:?}");
    let found = wait::until(&what, SOON, async || {
        last = table(client).await?;
        Ok((last == expected).then_some(()))
    });
    found.await.with_context(|| format!("last: {last:?}"))
}

/// Asterisk's own list of channels.
async fn listing(pbx: &Asterisk) -> Result<Vec<Value>> {
    let asked = reqwest::Client::new().get(format!("http://{}/ari/channels", pbx.http()));
    let answer = asked.basic_auth("telepulse", Some(pbx.ari_password())).send().await?;
    Ok(answer.error_for_status()?.json().await?)
}

/// Waits until the table has what Asterisk itself lists of phones, channel by channel; answers how many.
async fn equals_the_listing(client: &mut Client, pbx: &Asterisk) -> Result<usize> {
    let mut last = String::new();
    let found = wait::until("the table to equal the listing", SOON, async || {
        let theirs: BTreeSet<String> = listing(pbx).await?.iter().filter_map(phone).collect();
        let result = client.ok(json!({"action": "query", "query": "devices"})).await?;
        let mut ours = BTreeSet::new();
        for device in result["items"].as_array().context("items")? {
            for one in device["channels"].as_array().context("channels")? {
                let (id, channel, state) = (&one["id"], &one["channel"], &one["state"]);
                ours.insert(format!("{} {id} {channel} {state}", device["agent"]));
            }
        }
        last = format!("ours:   {ours:?}\ntheirs: {theirs:?}");
        Ok((ours == theirs).then_some(ours.len()))
    });
    found.await.with_context(|| last.clone())
}

/// A listed channel of a phone, as ours are written.
fn phone(listed: &Value) -> Option<String> {
    let name = listed["name"].as_str()?;
    let extension = name.strip_prefix("PJSIP/")?.split('-').next()?;
    let extension = extension.parse::<u16>().ok()?.to_string();
    let state = listed["state"].as_str()?.to_lowercase();
    Some(format!("{extension:?} {} {name:?} {state:?}", listed["id"]))
}

/// Writes down what is published, with its address.
#[derive(Default)]
struct Recorder {
    events: Mutex<Vec<(String, Value)>>,
}

impl EventSink for Recorder {
    fn deliver(&self, event: &Arc<Message>) {
        let json = serde_json::from_slice(&event.payload).expect("what is published is JSON");
        let mut events = self.events.lock().expect("nobody panics with it");
        events.push((event.address.to_string(), json));
    }
}

impl Recorder {
    fn all(&self) -> Vec<(String, Value)> {
        self.events.lock().expect("nobody panics with it").clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_in_the_table_and_its_events_are_on_the_bus() -> Result<()> {
    let name = "ari::a_call_is_in_the_table_and_its_events_are_on_the_bus";
    let Some(pbx) = start(name).await? else { return Ok(()) };
    let _callee = Phone::answering(pbx.phone_port("102")?, Duration::from_secs(2)).await?;
    let limited = format!(
        "[[auth.user]]\nname = \"ann\"\ntoken = \"sha256:{}\"\nagents = [\"101\"]\nallow = []\n",
        hash("ann's own token")
    );
    let builder = Platform::builder().server("without", &pbx).server("pbx1", &pbx);
    let platform = builder.raw(&ari(&pbx, pbx.http())).raw(&limited).start().await?;
    platform.connected("pbx1").await?;
    ari_state(&platform, "pbx1", "CONNECTED").await?;
    ensure!(platform.server("without").await?["ari"].is_null(), "it has none");
    let (all, created) = (Arc::new(Recorder::default()), Arc::new(Recorder::default()));
    let pattern = |text: &str| Pattern::parse(text).map(|pattern| [pattern]);
    let bus = platform.app.bus();
    let _all = bus.subscribe(&pattern("telepulse.ari.event.pbx1")?, all.clone());
    let _created =
        bus.subscribe(&pattern("telepulse.ari.event.*.ChannelCreated")?, created.clone());
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    let mut ann = Client::connect(platform.ws_port, "ann's own token").await?;
    table_is(&mut client, &[]).await?;

    let _caller = Phone::call(&pbx, "101", "102")?;
    let ringing = ["101 calls: ring 102 \"Phone 102\"", "102 called: ringing 101 \"Phone 101\""];
    table_is(&mut client, &ringing).await?;
    let up = ["101 calls: up 102 \"Phone 102\"", "102 called: up 101 \"Phone 101\""];
    table_is(&mut client, &up).await?;
    equals_the_listing(&mut client, &pbx).await?;

    // Over REST, with a filter; and for somebody who may see 101 alone.
    let devices = call(&platform, Method::GET, "/v1/devices?agents=102", None).await?;
    ensure!(devices.status == StatusCode::OK, "{}", devices.body);
    let items = devices.body["items"].as_array().context("items")?;
    ensure!(items.len() == 1 && items[0]["agent"] == "102", "{}", devices.body);
    ensure!(items[0]["server"] == "pbx1" && items[0]["channels"][0]["outbound"] == true);
    table_is(&mut ann, &up[..1]).await?;
    let filter = json!({"servers": ["without"]});
    let none = json!({"action": "query", "query": "devices", "filter": filter});
    ensure!(client.ok(none).await?["items"] == json!([]), "it has no ARI");

    let hangup = json!({"action": "hangup", "server": "pbx1", "agent": "102"});
    client.ok(hangup).await?;
    table_is(&mut client, &[]).await?;
    let destroyed = |(address, event): &(String, Value)| {
        address == "telepulse.ari.event.pbx1.ChannelDestroyed"
            && event["channel"]["dialplan"].is_object()
    };
    wait::until("the ends on the bus", SOON, async || {
        let count = all.all().iter().filter(|told| destroyed(told)).count();
        Ok((count == 2).then_some(()))
    })
    .await?;
    for (address, event) in all.all() {
        ensure!(event["ServerId"] == "pbx1" && event["application"] == "telepulse", "{event}");
        let kind = event["type"].as_str().context("a type")?;
        ensure!(address == format!("telepulse.ari.event.pbx1.{kind}"), "{address}: {event}");
    }
    let names: Vec<Value> =
        created.all().iter().map(|(_, event)| event["channel"]["name"].clone()).collect();
    ensure!(names.len() == 2, "{names:?}");
    let shown = platform.server("pbx1").await?["ari"].clone();
    ensure!(shown["figures"]["events"].as_u64() > Some(0), "{shown}");
    ensure!(shown["figures"]["unreadable"] == 0, "{shown}");
    platform.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_cut_the_table_is_as_asterisk_lists_it() -> Result<()> {
    let name = "ari::after_a_cut_the_table_is_as_asterisk_lists_it";
    let Some(mut pbx) = start(name).await? else { return Ok(()) };
    let proxy = FaultProxy::start(pbx.http()).await?;
    let manager = format!(
        "[[server]]\nid = \"pbx1\"\nhost = \"127.0.0.1\"\nport = {}\nkeepAlive = 3\n\
         username = \"{}\"\nsecret = \"{}\"\n",
        pbx.manager().port(),
        pbx.username(),
        pbx.secret()
    );
    let settings = manager + &ari(&pbx, proxy.address());
    let platform = Platform::builder().raw(&settings).start().await?;
    platform.connected("pbx1").await?;
    ari_state(&platform, "pbx1", "CONNECTED").await?;
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    let mut phones = Vec::new();
    for extension in ["104", "105", "106"] {
        let ring = Duration::from_millis(100);
        phones.push(Phone::answering(pbx.phone_port(extension)?, ring).await?);
    }
    let _ringing = Phone::ringing_only(pbx.phone_port("107")?).await?;

    let (callers, callees) = (["101", "102", "103"], ["104", "105", "106"]);
    let mut calls: Vec<Phone> = Vec::new();
    let faults = [Fault::Silence, Fault::Reset, Fault::Mute, Fault::Close, Fault::Stall];
    for (round, fault) in faults.into_iter().enumerate() {
        // The call of the round before ends unseen, and another begins.
        proxy.set(fault);
        drop(calls.pop());
        let agent = callers[(round + 2) % 3];
        drop(client.request(json!({"action": "hangup", "agent": agent})).await?);
        calls.push(Phone::call(&pbx, callers[round % 3], callees[round % 3])?);
        calls.push(Call::new("108", "107").patience(Duration::from_millis(1500)).place(&pbx)?);
        wait::until("the connection to be lost", SOON, async || {
            let shown = platform.server("pbx1").await?["ari"].clone();
            Ok((shown["state"] == "DISCONNECTED").then_some(()))
        })
        .await
        .with_context(|| format!("{fault:?}"))?;
        proxy.set(Fault::None);
        // Whoever says nothing for long is sent away.
        client.ok(json!({"action": "ping"})).await?;
        let connected = ari_state(&platform, "pbx1", "CONNECTED").await;
        connected.with_context(|| format!("after {fault:?}"))?;
        equals_the_listing(&mut client, &pbx).await.with_context(|| format!("{fault:?}"))?;
    }
    let shown = platform.server("pbx1").await?;
    ensure!(shown["ari"]["figures"]["reconnects"].as_u64() >= Some(5), "{shown}");
    ensure!(shown["state"] == "CONNECTED" && shown["figures"]["reconnects"] == 0, "{shown}");

    // A transfer gives a channel another name for a moment; Asterisk itself comes anew.
    let caller = Phone::call(&pbx, "109", "800")?;
    let channel = wait::until("109 to hear its echo", SOON, async || {
        let of_agent = json!({"agents": ["109"]});
        let asked = json!({"action": "query", "query": "devices", "filter": of_agent});
        let found = client.ok(asked).await?["items"][0]["channels"][0].clone();
        Ok((found["state"] == "up").then(|| found["channel"].clone()))
    })
    .await?;
    client.ok(json!({"action": "transfer", "channel": channel, "to": "801"})).await?;
    ensure!(equals_the_listing(&mut client, &pbx).await.context("after a transfer")? > 0);
    drop((caller, calls));
    pbx.kill()?;
    ari_state(&platform, "pbx1", "DISCONNECTED").await?;
    pbx.start_again().await?;
    ari_state(&platform, "pbx1", "CONNECTED").await?;
    table_is(&mut client, &[]).await.context("nobody outlives Asterisk")?;
    platform.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_passes_and_nothing_stays() -> Result<()> {
    let name = "ari::a_storm_passes_and_nothing_stays";
    let Some(pbx) = start(name).await? else { return Ok(()) };
    let builder = Platform::builder().server("pbx1", &pbx).raw(&ari(&pbx, pbx.http()));
    let platform = builder.start().await?;
    platform.connected("pbx1").await?;
    let storm = Storm::start(&pbx, 50).await?;
    storm.made_more(100, SOON).await?;
    // In the middle of it the connection is made anew.
    ari_state(&platform, "pbx1", "CONNECTED").await?;
    let restart = platform.admin("/servers/pbx1/restart");
    let restarted = send(&restart, Method::POST, None, None).await?;
    ensure!(restarted.status == StatusCode::ACCEPTED, "{}", restarted.body);
    storm.made_more(300, SOON).await?;
    let made = storm.stop().await;
    let mut last = String::new();
    let empty = wait::until("the storm to pass", SOON, async || {
        let (theirs, shown) = (listing(&pbx).await?.len(), platform.server("pbx1").await?);
        last = format!("listed: {theirs}, ours: {}", shown["ari"]);
        Ok((theirs == 0 && shown["ari"]["figures"]["channels"] == 0).then_some(shown))
    });
    let shown = empty.await.with_context(|| last.clone())?["ari"].clone();
    // Where Asterisk left it without events by the restart, it found out by itself.
    ensure!(shown["figures"]["reconnects"].as_u64() >= Some(1), "{shown}");
    ensure!(shown["figures"]["unreadable"] == 0, "{shown}");
    eprintln!("{made} calls, {} events", shown["figures"]["events"]);
    platform.stop().await;
    Ok(())
}

/// The server as `PUT` takes it.
fn described(pbx: &Asterisk, ari: Option<Value>) -> Value {
    let mut server = json!({
        "host": "127.0.0.1", "port": pbx.manager().port(),
        "username": pbx.username(), "secret": pbx.secret(),
    });
    if let Some(ari) = ari {
        server["ari"] = ari;
    }
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_is_told_and_the_manager_goes_on() -> Result<()> {
    let name = "ari::a_refused_login_is_told_and_the_manager_goes_on";
    let Some(pbx) = start(name).await? else { return Ok(()) };
    let wrong = ari(&pbx, pbx.http()).replace(pbx.ari_password(), "not-the-one");
    let platform = Platform::builder().server("pbx1", &pbx).raw(&wrong).start().await?;
    platform.connected("pbx1").await?;
    let refused = ari_state(&platform, "pbx1", "REJECTED").await?;
    let reason = refused["reason"].as_str().context("a reason")?;
    ensure!(reason.contains("ARI refuses the user \"telepulse\" (401"), "{reason}");
    ensure!(refused["lastError"]["reason"] == reason, "{refused}");
    let shown = platform.server("pbx1").await?;
    ensure!(!shown.to_string().contains("not-the-one"), "{shown}");
    let since = shown["since"].clone();

    // The right password, by another configuration: ARI comes, the link and its calls go on.
    let right = platform.changed(|text| text.replace("not-the-one", pbx.ari_password()))?;
    let changes = platform.app.reconfigure(right).await?.servers;
    ensure!(changes.changed == ["pbx1"], "{changes:?}");
    ari_state(&platform, "pbx1", "CONNECTED").await?;
    let goes_on = async || -> Result<()> {
        let shown = platform.server("pbx1").await?;
        ensure!(shown["state"] == "CONNECTED" && shown["since"] == since, "{shown}");
        ensure!(shown["figures"]["reconnects"] == 0, "{shown}");
        Ok(())
    };
    goes_on().await?;
    let metrics = reqwest::get(platform.admin("/metrics")).await?.text().await?;
    let connected = "telepulse_server_ari_state{server=\"pbx1\",state=\"CONNECTED\"} 1";
    ensure!(metrics.lines().any(|line| line == connected), "{metrics}");

    let url = platform.admin("/servers/pbx1");
    let settings = json!({
        "url": format!("http://{}/ari", pbx.http()), "username": "telepulse",
        "password": pbx.ari_password(),
    });
    let put =
        async |ari: Option<Value>| send(&url, Method::PUT, Some(described(&pbx, ari)), None).await;

    // Another client of the same name takes the application over, and that is said.
    let mut other = described(&pbx, Some(settings.clone()));
    other["id"] = "pbx2".into();
    let added = send(&platform.admin("/servers"), Method::POST, Some(other), None).await?;
    ensure!(added.status == StatusCode::CREATED, "{}", added.body);
    ari_state(&platform, "pbx2", "CONNECTED").await?;
    let replaced = ari_state(&platform, "pbx1", "REJECTED").await?;
    let reason = replaced["reason"].as_str().context("a reason")?;
    ensure!(reason.contains("give each one an `app` of its own"), "{reason}");
    // Over the admin API the password of before is good for the same server.
    let mut own = settings.clone();
    own["app"] = "telepulse-1".into();
    own.as_object_mut().context("an object")?.remove("password");
    let changed = put(Some(own)).await?;
    ensure!(changed.status == StatusCode::OK, "{}", changed.body);
    ensure!(!changed.body.to_string().contains(pbx.ari_password()), "{}", changed.body);
    ari_state(&platform, "pbx1", "CONNECTED").await?;
    goes_on().await?;
    ari_state(&platform, "pbx2", "CONNECTED").await?;

    // Stopped with the server, and started; then done without.
    let order = async |order: &str| {
        send(&format!("{url}/{order}"), Method::POST, None, None).await.map(|answer| answer.status)
    };
    ensure!(order("stop").await? == StatusCode::ACCEPTED);
    let stopped = ari_state(&platform, "pbx1", "DISCONNECTED").await?;
    ensure!(stopped["reason"] == "stopped by the operator", "{stopped}");
    ensure!(order("start").await? == StatusCode::ACCEPTED);
    ari_state(&platform, "pbx1", "CONNECTED").await?;
    platform.connected("pbx1").await?;
    let without = put(None).await?;
    ensure!(without.status == StatusCode::OK && without.body["ari"].is_null(), "{}", without.body);
    let bad =
        put(Some(json!({"url": "http://u:p@h/ari", "username": "u", "password": "p"}))).await?;
    ensure!(
        bad.status == StatusCode::BAD_REQUEST && bad.body["field"] == "ari.url",
        "{}",
        bad.body
    );
    ensure!(!bad.body.to_string().contains("u:p@"), "{}", bad.body);
    platform.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ari_is_encrypted_and_knows_whom_it_talks_to() -> Result<()> {
    let name = "ari::ari_is_encrypted_and_knows_whom_it_talks_to";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate =
        CertificateParams::new(["127.0.0.1".to_owned()])?.signed_by(&key, &authority)?;
    let port = ports::free()?;
    let options = Options {
        ari: true,
        files: vec![("pbx.pem".to_owned(), certificate.pem() + &key.serialize_pem())],
        http: vec![
            "tlsenable = yes".to_owned(),
            format!("tlsbindaddr = 127.0.0.1:{port}"),
            "tlscertfile = {etc}/pbx.pem".to_owned(),
        ],
        ..Options::default()
    };
    let pbx = Asterisk::start(&installation, options).await?;
    let folder = tempfile::tempdir()?;
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem())?;
    let plain = format!("http://{}/", pbx.http());
    let encrypted = ari(&pbx, pbx.http()).replace(&plain, &format!("https://127.0.0.1:{port}/"));
    let trusted =
        format!("{}ca = \"{}\"\n\n", encrypted.trim_end().to_owned() + "\n", ca.display());
    let strange = encrypted.replace("[server.ari]\n", "[server.ari]\napp = \"strange\"\n");
    let builder = Platform::builder().server("good", &pbx).raw(&trusted);
    let platform = builder.server("strange", &pbx).raw(&strange).start().await?;
    ari_state(&platform, "good", "CONNECTED").await?;
    let shown = wait::until("the failure to be told", SOON, async || {
        let shown = platform.server("strange").await?["ari"].clone();
        Ok(shown["lastError"].is_object().then_some(shown))
    })
    .await?;
    let reason = shown["lastError"]["reason"].as_str().unwrap_or_default();
    ensure!(reason.contains("certificate") && reason.contains("Set ari.ca"), "{reason}");
    platform.stop().await;
    Ok(())
}
