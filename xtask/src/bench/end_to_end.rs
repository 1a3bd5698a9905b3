//! `bench end-to-end`: AMI bytes to filtered WebSocket clients, through our platform and through the same
//! gateway written on Bun and on node. One load generator for all: the manager interface and the clients.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{peers, result::middle};
use crate::console::step;
use crate::{components, tools};

const ROUNDS: usize = 3;
const OURS: &str = "TelePulse";
const BUN: &str = "Bun, yana";
/// Events a second at which latencies are told.
const RATES: [&str; 3] = ["1000", "2500", "16000"];

/// What the load generator tells of one gateway.
#[derive(Deserialize)]
struct Told {
    rates: BTreeMap<String, Rate>,
    /// Events a second at which p99 stays within 50 ms.
    highest: f64,
    /// Deliveries a second to 50 clients that want everything.
    blast: f64,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rate {
    p50_us: f64,
    p99_us: f64,
    cpu_ns: f64,
}

struct Gateway {
    name: &'static str,
    /// What its clients say first.
    kind: &'static str,
    program: Vec<PathBuf>,
    rounds: Vec<Told>,
    failure: Option<String>,
}

/// Builds, measures, prints the table and the goals.
pub(super) fn compare() -> Result<()> {
    step("Load generator", peers::build_rust)?;
    step("Rust for plugins", tools::ensure_wasm_target)?;
    step("Plugins", components::plugins)?;
    let ours = step("Ours", || tools::bench_program("telepulse", "fanout"))?;
    let npm = step("Gateways from npm", peers::install_servers)?;
    let script = |name: &str| tools::root().join("xtask/peers/fanout").join(name);
    let gateway = |name, kind, program| {
        let (rounds, failure) = Default::default();
        Gateway { name, kind, program, rounds, failure }
    };
    let mut gateways = [
        gateway(OURS, "telepulse", vec![ours, "gateway".into()]),
        gateway(BUN, "asking", vec![npm.join("node_modules/.bin/bun"), script("gateway-bun.js")]),
        gateway(
            "node, ws, asterisk-manager",
            "asking",
            vec!["node".into(), script("gateway-node.js")],
        ),
    ];
    for round in 1..=ROUNDS {
        step(&format!("Round {round} of {ROUNDS}"), || {
            for gateway in gateways.iter_mut().filter(|gateway| gateway.failure.is_none()) {
                match run(gateway) {
                    Ok(told) => gateway.rounds.push(told),
                    Err(error) => gateway.failure = Some(format!("{error:#}")),
                }
            }
            Ok(())
        })?;
    }
    print(&gateways);
    goals(&gateways)?;
    match &gateways[0].failure {
        Some(failure) => bail!("{OURS}: {failure}"),
        None => Ok(()),
    }
}

fn run(gateway: &Gateway) -> Result<Told> {
    let mut load = Command::new(peers::rust_program("end-to-end"));
    load.args([gateway.kind, "--"]).args(&gateway.program);
    load.env("NODE_PATH", peers::servers_modules());
    peers::told(&mut load)
}

/// Each figure's own median.
fn median(gateway: &Gateway, of: impl Fn(&Told) -> Option<f64>) -> Option<f64> {
    middle(gateway.rounds.iter().filter_map(of))
}

fn rate(name: &str, of: fn(&Rate) -> f64) -> impl Fn(&Told) -> Option<f64> + '_ {
    move |told| told.rates.get(name).map(of)
}

fn print(gateways: &[Gateway]) {
    println!(
        "\nFrom the write to the AMI socket to the read of one of 1,000 clients, each of which wants one agent;\n\
         whole calls, every tenth event is measured. Medians of {ROUNDS} rounds; one machine with {} cores,\n\
         which gateway and load generator share. No history of calls.\n",
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    print!("{:28}", "events/s");
    for rate in RATES {
        print!("{rate:>10}{:>8}{:>8}", "", "");
    }
    println!("{:>12}{:>12}", "highest", "blast M/s");
    print!("{:28}", "");
    for _ in RATES {
        print!("{:>10}{:>8}{:>8}", "p50 ms", "p99", "CPU µs");
    }
    println!("{:>12}{:>12}", "p99<50 ms", "50 clients");
    for gateway in gateways {
        print!("{:28}", gateway.name);
        if let Some(failure) = &gateway.failure {
            println!("{failure}");
            continue;
        }
        let told = |value: Option<f64>, scale: f64| value.unwrap_or(f64::NAN) / scale;
        for name in RATES {
            let of = |figure| told(median(gateway, rate(name, figure)), 1e3);
            print!(
                "{:>10.2}{:>8.2}{:>8.1}",
                of(|it| it.p50_us),
                of(|it| it.p99_us),
                of(|it| it.cpu_ns)
            );
        }
        println!(
            "{:>12.0}{:>12.2}",
            told(median(gateway, |it| Some(it.highest)), 1.0),
            told(median(gateway, |it| Some(it.blast)), 1e6)
        );
    }
}

/// What was promised, and whether it holds.
fn goals(gateways: &[Gateway]) -> Result<()> {
    let of = |name: &str, figure: &dyn Fn(&Told) -> Option<f64>| {
        let gateway = gateways.iter().find(|gateway| gateway.name == name);
        let value = gateway.and_then(|gateway| median(gateway, figure));
        value.with_context(|| format!("no figures of {name}"))
    };
    let told = |what: &str, value: f64, good: bool| {
        println!("{what:62}{value:>8.2}  {}", if good { "yes" } else { "NO" });
    };
    println!();
    for name in RATES {
        let figure = rate(name, |it| it.p99_us);
        let part = of(OURS, &figure)? / of(BUN, &figure)?;
        let what = format!("p99 at {name} events/s, of Bun's (goal: at most 0.75)");
        told(&what, part, part <= 0.75);
    }
    let times = of(OURS, &|it| Some(it.highest))? / of(BUN, &|it| Some(it.highest))?;
    told("highest rate, times Bun's (goal: at least 1.25)", times, times >= 1.25);
    let times = of(OURS, &|it| Some(it.blast))? / of(BUN, &|it| Some(it.blast))?;
    told("blast, times Bun's (goal: at least 1.3)", times, times >= 1.3);
    Ok(())
}
