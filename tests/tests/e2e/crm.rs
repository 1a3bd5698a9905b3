//! Who calls, on the pages of those whose phones ring, and what people write of it in the CRM: on a real Asterisk
//! with twelve phones, and CRMs that are simulated by the vendors' pages.

use crate::{
    platform::{Platform, SOON, TOKEN, hash},
    rest, words,
    ws::{Client, Incoming},
};
use anyhow::{Context, Result, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{collections::HashSet, time::Duration};
use telepulse_tests::{
    asterisk::{self, Asterisk, EXTENSIONS, Options},
    crm::{Crm, Kind},
    phones::{Call, Phone},
    wait,
};

/// Who calls, as the trunk says it and as the CRM has it.
pub(crate) const WRITTEN: &str = "014812345";
pub(crate) const NUMBER: &str = "+38514812345";
/// Where all twelve phones ring.
const ALL: &str = "610";

/// The plugin's grants and settings for a CRM.
pub(crate) fn at(crm: &Crm) -> impl FnOnce(String) -> String {
    let lines: Vec<String> = crm
        .settings()
        .into_iter()
        .filter(|(name, _)| *name != "url")
        .map(|(name, value)| format!("{name} = {value:?}\n"))
        .collect();
    let secrets: Vec<String> =
        crm.secrets().into_iter().map(|(name, value)| format!("{name} = {value:?}\n")).collect();
    let own = format!(
        "country = \"HR\"\nlookup = \"http\"\nadapter = {:?}\nurl = {:?}\n[settings.values]\n{}[secrets]\n{}",
        crm.kind().name(),
        crm.url(),
        lines.concat(),
        secrets.concat(),
    );
    let origin = crm.url().to_owned();
    move |toml| settings(&toml, &own).replace("http = []", &format!("http = [{origin:?}]"))
}

/// Other settings in place of those that it comes with.
fn settings(toml: &str, own: &str) -> String {
    format!("{}[settings]\n{own}", toml.split("[settings]").next().unwrap_or_default())
}

/// Fields of a contact as each API names them.
pub(crate) fn contact(kind: Kind) -> Value {
    match kind {
        Kind::Rest => json!({"name": "Maja Horvat", "company": "Horvat d.o.o."}),
        Kind::HubSpot => json!({"firstname": "Maja", "lastname": "Horvat"}),
        Kind::Salesforce => json!({"FirstName": "Maja", "LastName": "Horvat"}),
        Kind::Zoho => json!({"First_Name": "Maja", "Last_Name": "Horvat"}),
    }
}

async fn all_ring(pbx: &Asterisk) -> Result<Vec<Phone>> {
    let mut phones = Vec::new();
    for extension in EXTENSIONS {
        phones.push(Phone::ringing_only(pbx.phone_port(&extension.to_string())?).await?);
    }
    Ok(phones)
}

/// Waits until so many agents have heard who calls; answers the call, and who they are.
async fn heard(
    client: &mut Client,
    count: usize,
    info: impl Fn(&Value) -> bool,
) -> Result<(String, HashSet<String>)> {
    let (mut call, mut agents) = (None, HashSet::new());
    client
        .event(&format!("{count} agents to hear who calls"), |event| {
            if event["event"] == "callerInfo" && event["number"] == NUMBER && info(&event["info"]) {
                call = event["call"].as_str().map(str::to_owned);
                agents.extend(event["agent"].as_str().map(str::to_owned));
            }
            agents.len() == count
        })
        .await?;
    Ok((call.context("the call's id")?, agents))
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_phones_ring_and_the_crm_is_asked_once() -> Result<()> {
    let name = "crm::twelve_phones_ring_and_the_crm_is_asked_once";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let mut phones = all_ring(&pbx).await?;
    // One of them answers after a while.
    phones.remove(2);
    let port = pbx.phone_port("103")?;
    phones.push(Phone::answering(port, Duration::from_secs(4)).await?);
    let crm = Crm::start(Kind::Rest).await?;
    crm.contact(NUMBER, contact(Kind::Rest));
    let platform = Platform::builder().server("pbx1", &pbx).start().await?;
    platform.add("crm", at(&crm)).await?;
    platform.connected("pbx1").await?;
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    client.ok(json!({"action": "subscribe"})).await?;

    let mut caller = Call::new("trunk", ALL).caller(WRITTEN, "").patience(SOON).place(&pbx)?;
    let (call, agents) = heard(&mut client, 12, |info| info["name"] == "Maja Horvat").await?;
    assert_eq!(agents, EXTENSIONS.map(|it| it.to_string()).collect());
    let mut down = HashSet::new();
    client
        .event("103 to have the call, and the others to see no more of it", |event| {
            if event["event"] == "popup" && event["state"] == "down" {
                drop(words::note("event-popup", event));
                down.extend(event["agent"].as_str().map(str::to_owned));
            }
            down.len() == 11
        })
        .await?;
    assert!(!down.contains("103"));

    // What is written of it goes there with the call.
    let note = json!({"action": "note", "call": call, "text": "wants a refund"});
    let result = client.ok(note.clone()).await?;
    words::note("command-note", &json!({"command": note, "result": result}))?;
    // 103 closes what popped up there.
    let close = json!({"action": "popupClose", "call": call, "agent": "103"});
    let result = client.ok(close.clone()).await?;
    words::note("command-popupClose", &json!({"command": close, "result": result}))?;
    client
        .event("the pop-up at 103 to close", |event| {
            event["event"] == "popup"
                && (&event["agent"], &event["reason"]) == (&json!("103"), &json!("byHand"))
        })
        .await?;
    client.ok(json!({"action": "hangup", "call": call})).await?;
    caller.finished(SOON).await?;
    let logged =
        wait::until("the CRM to have the call", SOON, async || Ok(crm.logged().into_iter().next()))
            .await?;
    assert_eq!(logged["text"], "test: wants a refund");
    assert_eq!((&logged["number"], &logged["agent"]), (&json!(NUMBER), &json!("103")));
    // And what is written after it follows.
    client.ok(json!({"action": "note", "call": call, "text": "got it"})).await?;
    wait::until("the CRM to have the note", SOON, async || Ok(crm.notes().into_iter().next()))
        .await?;
    assert_eq!(crm.lookups(NUMBER), 1);
    assert_eq!(crm.logged().len(), 1);
    platform.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_vendors_shape_is_spoken() -> Result<()> {
    let name = "crm::each_vendors_shape_is_spoken";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let _phone = Phone::answering(pbx.phone_port("101")?, Duration::from_millis(500)).await?;
    let platform = Platform::builder().server("pbx1", &pbx).start().await?;
    platform.connected("pbx1").await?;
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    client.ok(json!({"action": "subscribe"})).await?;
    for kind in Kind::ALL {
        let crm = Crm::start(kind).await?;
        let id = crm.contact(NUMBER, contact(kind));
        // Another CRM while everything runs; what the one before said of the number is of no concern to it.
        platform.add("crm", at(&crm)).await?;
        wait::until(&format!("{} to be asked", kind.name()), SOON, async || {
            let state = rest::call(&platform, Method::GET, "/v1/crm", None).await?;
            Ok((state.body["source"] == kind.name()).then_some(()))
        })
        .await?;
        rest::call(&platform, Method::DELETE, "/v1/crm/contacts/%2B38514812345", None).await?;
        // The CRM has a bad moment at first.
        crm.fail_next(1, 503)?;
        let mut caller =
            Call::new("trunk", "101").caller(WRITTEN, "").patience(SOON).place(&pbx)?;
        let is_maja = |info: &Value| info["id"] == *id && info["name"] == "Maja Horvat";
        let (call, _) = heard(&mut client, 1, is_maja).await.context(kind.name())?;
        // The phone may have answered before the CRM did.
        wait::until("101 to talk", SOON, async || {
            let of_agent = json!({"agents": ["101"]});
            let lines = json!({"action": "query", "query": "lines", "filter": of_agent});
            let lines = client.ok(lines).await?["items"][0]["lines"].clone();
            Ok((lines[0]["state"] == "up").then_some(()))
        })
        .await?;
        client.ok(json!({"action": "note", "call": call, "text": "a note"})).await?;
        // Tokens may be over by the time that a call is.
        crm.expire_tokens();
        if matches!(kind, Kind::Rest | Kind::HubSpot) {
            crm.accept_token(telepulse_tests::crm::TOKEN);
        }
        client.ok(json!({"action": "hangup", "call": call})).await?;
        caller.finished(SOON).await?;
        let logged = wait::until(&format!("{} to have the call", kind.name()), SOON, async || {
            Ok(crm.logged().into_iter().next())
        })
        .await?
        .to_string();
        ensure!(logged.contains("test: a note"), "{}: {logged}", kind.name());
        assert_eq!(crm.lookups(NUMBER), 1, "{}", kind.name());
    }
    platform.stop().await;
    Ok(())
}

/// Users at two extensions, whose clients look numbers up.
fn two_users() -> String {
    let user = |name: &str, extension: &str| {
        format!(
            "[[auth.user]]\nname = \"{name}\"\ntoken = \"sha256:{}\"\nextension = \"{extension}\"\n\
             allow = [\"lookupAnswer\"]\n",
            hash(name)
        )
    };
    user("ann", "101") + &user("bob", "102")
}

/// Waits for the question; other events are dropped.
async fn question(client: &mut Client) -> Result<Value> {
    client.event("the question who calls", |event| event["event"] == "lookup").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_asked_and_when_it_dies_another_one() -> Result<()> {
    let name = "crm::a_client_is_asked_and_when_it_dies_another_one";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let _phones = all_ring(&pbx).await?;
    let platform = Platform::builder().server("pbx1", &pbx).raw(&two_users()).start().await?;
    let own = "country = \"HR\"\nlookup = \"client\"\nclients = [\"ann\"]\nanswerSeconds = 30\n";
    platform.add("crm", |toml| settings(&toml, own)).await?;
    platform.connected("pbx1").await?;
    let mut all = Client::connect(platform.ws_port, TOKEN).await?;
    all.ok(json!({"action": "subscribe"})).await?;
    let mut clients = Vec::new();
    for user in ["ann", "bob"] {
        let mut client = Client::connect(platform.ws_port, user).await?;
        client.ok(json!({"action": "subscribe", "filter": {"events": ["lookup"]}})).await?;
        clients.push(client);
    }
    let (mut bob, mut ann) = (clients.remove(1), clients.remove(0));

    let _caller = Call::new("trunk", ALL).caller(WRITTEN, "").patience(SOON).place(&pbx)?;
    let asked = question(&mut ann).await?;
    assert_eq!((&asked["number"], &asked["agent"]), (&json!(NUMBER), &json!("101")));
    // Not asked is not asked, whatever one knows.
    let answer = |question: &Value| json!({"action": "lookupAnswer", "lookup": question["lookup"], "info": {"name": "Maja"}});
    assert_eq!(bob.refused(answer(&asked)).await?["code"], "notFound");
    // The one that was asked dies with the answer in its hands.
    drop(ann);
    let asked = question(&mut bob).await?;
    assert_eq!(asked["agent"], "102");
    let command = answer(&asked);
    let result = bob.ok(command.clone()).await?;
    words::note("command-lookupAnswer", &json!({"command": command, "result": result}))?;
    let (_, agents) = heard(&mut all, 12, |info| info["name"] == "Maja").await?;
    assert_eq!(agents.len(), 12);
    let figures = reqwest::get(platform.admin("/metrics")).await?.text().await?;
    let queries = figures.lines().find(|line| line.starts_with("plugin_queries_total{"));
    ensure!(queries.is_some_and(|line| line.ends_with(" 2")), "{queries:?}");
    // Who did not ring was not asked, and nobody else.
    if let Ok(Incoming::Json(other)) = bob.incoming(Duration::from_millis(200)).await {
        ensure!(other["event"] != "lookup", "{other}");
    }
    platform.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_ends_while_nobody_listens_is_told_all_the_same() -> Result<()> {
    let name = "crm::a_call_that_ends_while_nobody_listens_is_told_all_the_same";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let _phone = Phone::answering(pbx.phone_port("101")?, Duration::from_millis(300)).await?;
    let crm = Crm::start(Kind::Rest).await?;
    crm.contact(NUMBER, contact(Kind::Rest));
    let platform = Platform::builder().server("pbx1", &pbx).start().await?;
    platform.add("crm", at(&crm)).await?;
    platform.connected("pbx1").await?;
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    client.ok(json!({"action": "subscribe"})).await?;
    let mut caller = Call::new("trunk", "101").caller(WRITTEN, "").patience(SOON).place(&pbx)?;
    let (call, _) = heard(&mut client, 1, |info| info["name"] == "Maja Horvat").await?;
    client.lines("101", &[("up", WRITTEN)]).await?;
    client.ok(json!({"action": "note", "call": call, "text": "before"})).await?;
    let http = reqwest::Client::new();
    let order = |what: &str| http.post(platform.admin(&format!("/plugins/crm/{what}"))).send();
    ensure!(order("stop").await?.status().is_success());
    let refused = client.refused(json!({"action": "note", "call": call, "text": "x"})).await?;
    assert_eq!(
        (&refused["code"], &refused["field"]),
        (&json!("serverUnavailable"), &json!("action"))
    );
    client.ok(json!({"action": "hangup", "call": call})).await?;
    caller.finished(SOON).await?;
    client
        .event("the call to end", |event| event["event"] == "callEnded" && event["call"] == *call)
        .await?;
    ensure!(order("start").await?.status().is_success());
    let logged =
        wait::until("the CRM to have the call", SOON, async || Ok(crm.logged().into_iter().next()))
            .await?;
    assert_eq!(logged["text"], "test: before");
    platform.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_with_the_right_come_in() -> Result<()> {
    let platform = Platform::builder().raw(&two_users()).start().await?;
    platform.add("crm", |toml| toml).await?;
    let state = rest::call(&platform, Method::GET, "/v1/crm", None).await?;
    assert_eq!((state.status, &state.body["lookup"]), (StatusCode::OK, &json!("book")));
    let http = reqwest::Client::new();
    // An address book of many contacts comes whole.
    let contacts: String =
        (0..20_000).fold(String::new(), |book, it| book + &format!("name {it},+38591{it:07}\n"));
    let book = http.put(platform.rest("/v1/crm/book")).bearer_auth(TOKEN);
    let book = book.header("content-type", "text/csv").body(format!("name,number\n{contacts}"));
    let stored = book.send().await?;
    ensure!(stored.status() == StatusCode::OK, "{}", stored.text().await?);
    assert_eq!(stored.json::<Value>().await?, json!({"contacts": 20_000}));
    platform.plugin_runs("crm").await?;
    let url = platform.rest("/v1/crm");
    let ann = http.get(&url).bearer_auth("ann").send().await?;
    assert_eq!(ann.status(), StatusCode::FORBIDDEN);
    assert_eq!(http.get(&url).send().await?.status(), StatusCode::UNAUTHORIZED);
    platform.stop().await;
    Ok(())
}
