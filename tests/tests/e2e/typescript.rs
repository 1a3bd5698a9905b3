//! The TypeScript client in Node.js: two subscriptions, connections that break again and again, and every event
//! told once and in order all the same.

use crate::platform::{Platform, SOON, TOKEN};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{process::Stdio, time::Duration};
use telepulse_tests::{
    fault_proxy::{Fault, FaultProxy},
    languages,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::{sleep, timeout},
};

/// The client's process, and what it was told.
struct Client {
    _process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// Colours of the events that each subscription was told.
    of_201: Vec<u64>,
    of_all: Vec<u64>,
    connections: usize,
    snapshots: usize,
}

impl Client {
    fn start(url: &str) -> Result<Self> {
        let folder = languages::typescript_client()?;
        let mut process = Command::new("node")
            .arg(folder.join("test/live.mjs"))
            .args([url, TOKEN])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = process.stdin.take().context("its input")?;
        let output = BufReader::new(process.stdout.take().context("its output")?).lines();
        let (of_201, of_all) = Default::default();
        let (connections, snapshots) = (0, 0);
        Ok(Self { _process: process, input, output, of_201, of_all, connections, snapshots })
    }

    /// Takes what it says until it says something that is wanted.
    async fn until(&mut self, mut wanted: impl FnMut(&Self, &Value) -> bool) -> Result<Value> {
        loop {
            let line = timeout(SOON, self.output.next_line()).await.context("in time")??;
            let told: Value = serde_json::from_str(&line.context("the client lives")?)?;
            let colour = told["colour"].as_u64();
            match (told["of"].as_str(), colour) {
                (Some("201"), Some(colour)) => self.of_201.push(colour),
                (Some("all"), Some(colour)) => self.of_all.push(colour),
                _ => {}
            }
            self.connections += usize::from(told["state"] == "connected");
            self.snapshots += usize::from(told["snapshot"].is_array());
            if wanted(self, &told) {
                return Ok(told);
            }
        }
    }

    async fn ask(&mut self, request: &Value) -> Result<Value> {
        self.input.write_all(format!("{request}\n").as_bytes()).await?;
        self.until(|_, told| !told["result"].is_null() || !told["code"].is_null()).await
    }
}

/// Paints one of two agents.
fn paint(platform: &Platform, colour: u64) {
    platform.paint(if is_201(colour) { "201" } else { "202" }, colour);
}

fn is_201(colour: u64) -> bool {
    colour.is_multiple_of(3)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_goes_on_where_it_was_however_often_it_is_cut() -> Result<()> {
    let platform = Platform::builder().start().await?;
    let gateway = format!("127.0.0.1:{}", platform.ws_port).parse()?;
    let proxy = FaultProxy::start(gateway).await?;
    let mut client = Client::start(&format!("ws://{}/", proxy.address()))?;
    client.until(|client, _| client.snapshots == 1).await?;
    let refused = client.ask(&json!({"action": "hangup", "agent": "201"})).await?;
    assert_eq!(refused["code"], "serverUnavailable", "{refused}");
    let asked = client.ask(&json!({"query": "servers"})).await?;
    assert_eq!(asked["result"], json!([]));

    let mut colour = 0;
    for round in 0..10 {
        for _ in 0..30 {
            paint(&platform, colour);
            colour += 1;
        }
        let seen = colour - 1;
        client.until(|client, _| client.of_all.last() == Some(&seen)).await?;
        // Cut within a frame; what is painted until it is back comes then.
        proxy.set(if round % 2 == 0 { Fault::Reset } else { Fault::Close });
        for _ in 0..30 {
            paint(&platform, colour);
            colour += 1;
        }
        sleep(Duration::from_millis(50)).await;
        proxy.set(Fault::None);
        let (seen, connections) = (colour - 1, client.connections);
        client.until(|client, _| client.of_all.last() == Some(&seen)).await?;
        ensure!(client.connections > connections, "it was cut in round {round}");
    }
    let expected: Vec<u64> = (0..colour).collect();
    assert_eq!(client.of_all, expected, "each once, in order");
    let expected: Vec<u64> = (0..colour).filter(|colour| is_201(*colour)).collect();
    assert_eq!(client.of_201, expected, "each once, in order");
    assert_eq!(client.snapshots, 1, "nothing was missed");

    // The rights are gone: it gives up, and says so.
    let without = platform.changed(|text| text.replace("name = \"test\"", "name = \"other\""))?;
    platform.app.reconfigure(without).await?;
    let end = client.until(|_, told| told["state"] == "closed").await?;
    assert!(end["reason"].as_str().is_some_and(|why| why.contains("log in again")), "{end}");
    platform.stop().await;
    Ok(())
}
