//! Two telephony systems pass data with a call: over HTTP, and by a call that a real Asterisk gets.

use crate::{
    platform::{Builder, Platform, SOON, TOKEN, hash},
    rest,
    ws::Client,
};
use anyhow::{Context, Result, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{
    collections::HashSet,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    daemon::{Daemon, NATS, REDIS},
    phones::{Call, Phone},
    ports, wait,
};

const ANI: &str = "38511234567";
const RING: Duration = Duration::from_millis(300);
const POOL: &str = "/cticache/DNIS-ANI";

/// The plugin's settings, in place of those that it comes with.
fn settings(toml: &str, settings: &str) -> String {
    let grants = toml.split("[settings]").next().unwrap_or_default();
    format!("{grants}\n[settings]\n{settings}")
}

async fn store(platform: &Platform, ani: &str, value: &Value) -> Result<rest::Answer> {
    rest::call(platform, Method::POST, POOL, Some(json!({"ani": ani, "value": value}))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_on_a_real_asterisk_brings_its_data_along() -> Result<()> {
    let name = "calldata::a_call_on_a_real_asterisk_brings_its_data_along";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let mut phones = Vec::new();
    for extension in ["101", "102"] {
        phones.push(Phone::answering(pbx.phone_port(extension)?, RING).await?);
    }
    let platform = Platform::builder().server("pbx1", &pbx).start().await?;
    let own = "variable = \"CALLDATA\"\n[settings.pools]\nDNIS-ANI = [\"600-601\"]\n";
    platform.add("calldata", |toml| settings(&toml, own)).await?;
    platform.connected("pbx1").await?;
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    client.ok(json!({"action": "subscribe"})).await?;
    for agent in ["101", "102"] {
        let add = json!({"action": "queueAdd", "agent": agent, "queue": "support"});
        client.ok(add).await?;
    }

    // The first system stores, and sends the call where it is told to.
    let data = json!({"customer": "Maja O'Brien-Šarić", "cases": [7, 9]});
    let stored = store(&platform, ANI, &data).await?;
    ensure!(stored.status == StatusCode::CREATED, "{} {}", stored.status, stored.body);
    let dnis = stored.body["dnis"].as_str().context("a number")?.to_owned();
    assert_eq!(dnis, "600");
    let mut caller =
        Call::new("trunk", &dnis).caller(ANI, "somebody").patience(SOON).place(&pbx)?;

    // Nobody asks, and everybody knows: who sees the call, and who rings.
    let (mut all, mut agents, mut call) = (false, HashSet::new(), None);
    client
        .event("the data for all who see the call, and for an agent who rings", |event| {
            if event["event"] == "callerInfo" && event["info"] == data {
                call = event["call"].as_str().map(str::to_owned);
                match event["agent"].as_str() {
                    None => all = true,
                    Some(agent) => drop(agents.insert(agent.to_owned())),
                }
            }
            all && !agents.is_empty()
        })
        .await?;
    let call = call.context("the call's id")?;
    let path = format!("/v1/calls/{call}");
    let channel =
        rest::call(&platform, Method::GET, &path, None).await?.body["channels"][0]["channel"]
            .as_str()
            .context("a channel")?
            .to_owned();
    let ask = json!({"action": "getVariable", "channel": channel, "name": "CALLDATA"});
    let value = wait::until("the channel to have the variable", SOON, async || {
        let told = client.ok(ask.clone()).await?;
        Ok(told["value"].as_str().filter(|value| !value.is_empty()).map(str::to_owned))
    })
    .await?;
    assert_eq!(serde_json::from_str::<Value>(&value)?, data);

    // The second system may fetch it all the same, once.
    let location = stored.location.context("a location")?;
    let taken = rest::call(&platform, Method::DELETE, &location, None).await?;
    assert_eq!((taken.status, &taken.body["value"]), (StatusCode::OK, &data));
    let again = rest::call(&platform, Method::DELETE, &location, None).await?;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    client.ok(json!({"action": "hangup", "call": call})).await?;
    caller.finished(SOON).await?;
    platform.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_with_the_right_come_in() -> Result<()> {
    let users = format!(
        "[[auth.user]]\nname = \"ivr\"\ntoken = \"sha256:{}\"\nallow = [\"callData\"]\n\
         [[auth.user]]\nname = \"ann\"\ntoken = \"sha256:{}\"\nallow = [\"dial\"]\n",
        hash("ivr-token"),
        hash("ann-token"),
    );
    let platform = Platform::builder().raw(&users).start().await?;
    let own = "[settings.pools]\nDNIS-ANI = [\"5550100\"]\n";
    platform.add("calldata", |toml| settings(&toml, own)).await?;
    let url = platform.rest(POOL);
    let http = reqwest::Client::new();
    let body = json!({"ani": ANI, "value": null});
    let basic = |name: &'static str, secret: &'static str| {
        http.post(&url).basic_auth(name, Some(secret)).json(&body).send()
    };
    assert_eq!(basic("ivr", "ivr-token").await?.status(), StatusCode::CREATED);
    assert_eq!(basic("ann", "ann-token").await?.status(), StatusCode::FORBIDDEN);
    assert_eq!(basic("ivr", "wrong").await?.status(), StatusCode::UNAUTHORIZED);
    let nobody = http.post(&url).json(&body).send().await?;
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    assert!(nobody.headers().contains_key("www-authenticate"));
    platform.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_draw_from_one_pool_in_a_redis_and_no_number_comes_twice() -> Result<()> {
    let redis = Daemon::start(REDIS).await?;
    let toml = format!("[store]\npath = \"data\"\nkind = \"redis\"\nurl = \"{}\"\n", redis.url());
    two_nodes_draw_from_one_pool(|_| Platform::builder(), &toml).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_draw_from_one_pool_in_a_nats_and_no_number_comes_twice() -> Result<()> {
    let nats = Daemon::start(NATS).await?;
    let node = |number| Platform::builder().node(&format!("n{number}"), &[], &nats);
    two_nodes_draw_from_one_pool(node, "[store]\npath = \"data\"\nkind = \"nats\"\n").await
}

/// Both draw all numbers, each of them once.
async fn two_nodes_draw_from_one_pool(
    node: impl Fn(usize) -> Builder,
    store_at: &str,
) -> Result<()> {
    const NUMBERS: usize = 10_000;
    let mut nodes = Vec::new();
    for number in 0..2 {
        let node = node(number).store(store_at).start().await?;
        let own = "[settings.pools]\nDNIS-ANI = [\"50000-59999\"]\n";
        node.add("calldata", |toml| settings(&toml, own)).await?;
        nodes.push(Arc::new(node));
    }
    let mut draws = tokio::task::JoinSet::new();
    for lane in 0..20 {
        let node = Arc::clone(&nodes[lane % 2]);
        draws.spawn(async move {
            let http = reqwest::Client::new();
            let mut drawn = Vec::new();
            for _ in 0..NUMBERS / 20 {
                let request = http.post(node.rest(POOL)).bearer_auth(TOKEN);
                let stored = request.json(&json!({"ani": ANI, "value": 1})).send().await?;
                ensure!(stored.status() == StatusCode::CREATED, "{}", stored.text().await?);
                drawn.push(stored.json::<Value>().await?["dnis"].to_string());
            }
            anyhow::Ok(drawn)
        });
    }
    let mut all = HashSet::new();
    while let Some(drawn) = draws.join_next().await {
        for dnis in drawn?? {
            ensure!(all.insert(dnis.clone()), "{dnis} was handed out twice");
        }
    }
    assert_eq!(all.len(), NUMBERS);
    let none = store(&nodes[0], ANI, &json!(1)).await?;
    assert_eq!(none.status, StatusCode::SERVICE_UNAVAILABLE, "{}", none.body);
    for node in nodes {
        Arc::into_inner(node).context("nobody else has it")?.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_goes_and_comes_back() -> Result<()> {
    let mut redis = Daemon::start(REDIS).await?;
    let toml = format!("[store]\npath = \"data\"\nkind = \"redis\"\nurl = \"{}\"\n", redis.url());
    let platform = Platform::builder().store(&toml).start().await?;
    let own = "[settings.pools]\nDNIS-ANI = [\"50000-59999\"]\n";
    platform.add("calldata", |toml| settings(&toml, own)).await?;
    assert_eq!(store(&platform, ANI, &json!(1)).await?.status, StatusCode::CREATED);
    redis.stop()?;
    let away = store(&platform, ANI, &json!(1)).await?;
    assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE);
    let detail = away.body["detail"].as_str().unwrap_or_default().to_owned();
    ensure!(detail.contains("Redis"), "{detail}");
    redis.start_again().await?;
    wait::until("Redis to be found again", SOON, async || {
        let stored = store(&platform, ANI, &json!(2)).await?;
        Ok((stored.status == StatusCode::CREATED).then_some(()))
    })
    .await?;
    platform.stop().await;
    Ok(())
}

/// A host in a process of its own.
struct Program {
    child: Child,
}

impl Program {
    fn start(folder: &Path) -> Result<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/telepulse");
        let child = Command::new(program)
            .args(["run", "--config", "telepulse.toml"])
            .current_dir(folder)
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SIGKILL: nothing more is written. It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_survives_a_kill() -> Result<()> {
    let folder = tempfile::TempDir::with_prefix("telepulse-kill-")?;
    let (rest, admin) = (ports::free()?, ports::free()?);
    let plugins = folder.path().join("plugins.d");
    fs::create_dir(&plugins)?;
    let own = "[settings.pools]\nDNIS-ANI = [\"50000-59999\"]\n";
    let listen = [("127.0.0.1:8083", rest)];
    crate::platform::install("calldata", &plugins, &listen, |toml| settings(&toml, own))?;
    let toml = format!(
        "[store]\npath = \"data\"\n[plugins]\ndir = \"plugins.d\"\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n\
         [[auth.user]]\nname = \"test\"\ntoken = \"sha256:{}\"\nallow = [\"callData\"]\n",
        hash(TOKEN)
    );
    fs::write(folder.path().join("telepulse.toml"), toml)?;
    let url = format!("http://127.0.0.1:{rest}{POOL}");
    let program = Program::start(folder.path())?;
    let body = |number: usize| json!({"ani": number.to_string(), "value": number});
    let stored = wait::until("the cache to answer", SOON, async || {
        let stored = rest::send(&url, Method::POST, Some(body(0)), Some(TOKEN)).await;
        Ok(stored.ok().filter(|stored| stored.status == StatusCode::CREATED))
    })
    .await?;
    let mut accepted = vec![(0, stored.location.context("a location")?)];
    // Killed in the middle of many that store: what got its 201 is there afterwards.
    let mut storing = tokio::task::JoinSet::new();
    for number in 1..100 {
        let (url, body) = (url.clone(), body(number));
        storing.spawn(async move {
            let stored = rest::send(&url, Method::POST, Some(body), Some(TOKEN)).await;
            stored.ok().and_then(|stored| Some((number, stored.location?)))
        });
    }
    while accepted.len() < 20 {
        let Some(stored) = storing.join_next().await else { break };
        accepted.extend(stored?);
    }
    drop(program);
    while let Some(stored) = storing.join_next().await {
        accepted.extend(stored?);
    }
    ensure!(accepted.len() >= 20, "{} were stored", accepted.len());
    let _program = Program::start(folder.path())?;
    for (number, location) in accepted {
        let at = format!("http://127.0.0.1:{rest}{location}");
        let found = wait::until("the cache to answer again", SOON, async || {
            let found = rest::send(&at, Method::GET, None, Some(TOKEN)).await.ok();
            // 503 while the plugin is being started.
            Ok(found.filter(|found| found.status != StatusCode::SERVICE_UNAVAILABLE))
        })
        .await?;
        ensure!(
            found.status == StatusCode::OK && found.body["value"] == number,
            "{number} at {location}: {} {}",
            found.status,
            found.body
        );
    }
    Ok(())
}
