//! What a link costs a real Asterisk: bytes and actions for each call, and for each login at a site
//! of a thousand endpoints; beside it what the same costs a client that asks for everything.

#[path = "../tests/core_on_the_bus/bench.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod bench;

use anyhow::{Context, Result, ensure};
use bench::{Bench, SOON};
use serde_json::{Value, json};
use std::{process::ExitCode, time::Duration};
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    phones::Phone,
    wait,
};

const CALLS: u64 = 10;
const ENDPOINTS: u16 = 1_000;

fn main() -> ExitCode {
    let done = tokio::runtime::Runtime::new().map_err(anyhow::Error::from).and_then(|runtime| {
        // Asterisk ends with the thread that started it.
        runtime.block_on(measure())
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure() -> Result<()> {
    let installation = asterisk::require("traffic").context("there is no Asterisk")?;
    let read = "system,call,agent,user,reporting,dialplan,dtmf,cdr,cc".to_owned();
    let options = Options { read, crowd: ENDPOINTS - 16, ..Options::default() };
    let pbx = Asterisk::start(&installation, options).await?;
    let _callee = Phone::answering(pbx.phone_port("102")?, Duration::from_millis(50)).await?;

    let bench = Bench::start(&pbx).await?;
    let login = Cost::of(&bench).await?;
    login.tell(&format!("login, {ENDPOINTS} endpoints"), 1);
    let hints = bench.items("users").await?.len();
    ensure!(hints >= usize::from(ENDPOINTS), "only {hints} extensions are known");
    let again = login_again(&bench).await?;
    again.tell(&format!("reconnect, {ENDPOINTS} endpoints"), 1);

    let needed = calls(&bench, &pbx).await?;
    needed.tell("answered call, as needed", CALLS);
    let (_everything, _guard) = bench.record("telepulse.proxy.event")?;
    // The wider mask is in force once it is answered.
    wait::until("the mask to be widened", SOON, async || {
        let before = Cost::of(&bench).await?;
        let one = call(&bench, &pbx).await.map(|()| before)?;
        let after = Cost::of(&bench).await?.since(&one);
        Ok((after.events * CALLS > needed.events * 3 / 2).then_some(()))
    })
    .await?;
    let all = calls(&bench, &pbx).await?;
    all.tell("answered call, with EventMask on", CALLS);
    bench.app.shutdown().await;
    Ok(())
}

/// What a link has cost so far.
#[derive(Debug)]
struct Cost {
    bytes_in: u64,
    bytes_out: u64,
    actions: u64,
    events: u64,
}

impl Cost {
    async fn of(bench: &Bench) -> Result<Self> {
        let figures = bench.server("pbx1").await?["figures"].clone();
        let figure = |name: &str| -> Result<u64> {
            figures[name].as_u64().with_context(|| format!("{name} in {figures}"))
        };
        Ok(Self {
            bytes_in: figure("bytesIn")?,
            bytes_out: figure("bytesOut")?,
            actions: figure("actions")?,
            events: figure("events")?,
        })
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            bytes_in: self.bytes_in - before.bytes_in,
            bytes_out: self.bytes_out - before.bytes_out,
            actions: self.actions - before.actions,
            events: self.events - before.events,
        }
    }

    fn tell(&self, what: &str, times: u64) {
        println!(
            "figure {what}: {} B in, {} B out, {} actions, {} events",
            self.bytes_in / times,
            self.bytes_out / times,
            self.actions / times,
            self.events / times
        );
    }
}

async fn login_again(bench: &Bench) -> Result<Cost> {
    let before = Cost::of(bench).await?;
    let logins = |server: &Value| server["figures"]["reconnects"].as_u64();
    bench.ok("telepulse.proxy.command", json!({"command": "restart", "server": "pbx1"})).await?;
    wait::until("the link to be back", SOON, async || {
        let server = bench.server("pbx1").await?;
        Ok((logins(&server) == Some(1) && server["state"] == "CONNECTED").then_some(()))
    })
    .await?;
    Ok(Cost::of(bench).await?.since(&before))
}

async fn calls(bench: &Bench, pbx: &Asterisk) -> Result<Cost> {
    let before = Cost::of(bench).await?;
    for _ in 0..CALLS {
        call(bench, pbx).await?;
    }
    Ok(Cost::of(bench).await?.since(&before))
}

/// 101 calls 102, which answers; then Asterisk hangs up, asked by the tests' own connection.
async fn call(bench: &Bench, pbx: &Asterisk) -> Result<()> {
    let _caller = Phone::call(pbx, "101", "102")?;
    let line = bench.line("101", Some(("up", "102"))).await?;
    let channel = line["lines"][0]["channel"].as_str().context("a channel")?;
    pbx.auditor().await?.action("Hangup", &[("Channel", channel)]).await?;
    bench.line("101", None).await?;
    bench.line("102", None).await?;
    Ok(())
}
