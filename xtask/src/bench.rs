//! `bench`: runs the benchmark programs, and gathers their figures in one table.

mod ami;
mod calldata;
mod clients;
mod cluster;
mod end_to_end;
mod fanout;
mod peers;
mod plugins;
mod result;
mod servers;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use clap::builder::PossibleValue;

use crate::console::step;
use crate::test::AsteriskSetup;
use crate::{components, divan, tools};

/// A benchmark program: `benches/NAME.rs` in a package.
struct Bench {
    name: &'static str,
    package: &'static str,
    what: &'static str,
    needs_plugins: bool,
}

const BENCHES: [Bench; 8] = [
    Bench {
        name: "codec",
        package: "ami-proto",
        what: "AMI bytes to messages, on a recorded stream",
        needs_plugins: false,
    },
    Bench {
        name: "apply",
        package: "call-model",
        what: "AMI messages to changes of the model, and to events",
        needs_plugins: false,
    },
    Bench {
        name: "crowd",
        package: "call-model",
        what: "10,000 extensions, 2,000 calls, 200 queues: memory, and what one event costs",
        needs_plugins: false,
    },
    Bench {
        name: "call",
        package: "plugin-host",
        what: "a call into a component, and an event in a batch",
        needs_plugins: true,
    },
    Bench {
        name: "gateway",
        package: "telepulse",
        what: "event to WebSocket client: 1,000 events/s, 100 clients, alone and beside offenders",
        needs_plugins: true,
    },
    Bench {
        name: "reload",
        package: "telepulse",
        what: "a hundred builds under 20,000 events/s and 500 clients: nothing lost, no connection closed",
        needs_plugins: true,
    },
    Bench {
        name: "thousand",
        package: "plugin-host",
        what: "a thousand plugins in three languages: start, memory, swap of one",
        needs_plugins: true,
    },
    Bench {
        name: "traffic",
        package: "telepulse-tests",
        what: "bytes and actions a call and a login cost a real Asterisk",
        needs_plugins: false,
    },
];

/// A line with this prefix, then `NAME: VALUE`, is a figure from a program that does not use divan.
const FIGURE: &str = "figure ";

/// A benchmark of several programs at once, which prints a table of its own.
struct Composed {
    name: &'static str,
    what: &'static str,
    measure: fn() -> Result<()>,
}

const COMPOSED: [Composed; 8] = [
    Composed {
        name: "ami",
        what: "AMI events a second, beside peers and floors",
        measure: ami::compare,
    },
    Composed {
        name: "calldata",
        what: "values stored, found and taken a second, with Redis and embedded, beside Express",
        measure: calldata::compare,
    },
    Composed {
        name: "servers",
        what: "100 servers at 200 events/s each: losses, and how late",
        measure: servers::measure,
    },
    Composed {
        name: "fanout",
        what: "events to 1,000 and 5,000 WebSocket clients, beside Bun, ws, NATS, socket.io and a floor",
        measure: fanout::compare,
    },
    Composed {
        name: "clients",
        what: "10,000 clients on a simulated call centre: each exactly its events, also when all come back",
        measure: clients::measure,
    },
    Composed {
        name: "cluster",
        what: "AMI bytes to clients on another node, over NATS, beside one node; and one to three nodes",
        measure: cluster::measure,
    },
    Composed {
        name: "end-to-end",
        what: "AMI bytes to filtered WebSocket clients, beside the same gateway on Bun and on node",
        measure: end_to_end::compare,
    },
    Composed {
        name: "plugins",
        what: "what a plugin costs, beside Extism, a core module and a native function",
        measure: plugins::measure,
    },
];

/// What `bench` takes.
pub(crate) fn names() -> Vec<PossibleValue> {
    let single = BENCHES.iter().map(|bench| (bench.name, bench.what));
    let composed = COMPOSED.iter().map(|bench| (bench.name, bench.what));
    single.chain(composed).map(|(name, what)| PossibleValue::new(name).help(what)).collect()
}

/// Runs them all, or one, and prints the table.
pub(crate) fn bench(only: Option<&str>) -> Result<()> {
    for bench in COMPOSED.iter().filter(|bench| only.is_none_or(|only| only == bench.name)) {
        (bench.measure)()?;
    }
    let chosen = || BENCHES.iter().filter(|bench| only.is_none_or(|name| name == bench.name));
    if chosen().any(|bench| bench.needs_plugins) {
        step("Rust for plugins", tools::ensure_wasm_target)?;
        step("Plugins", components::plugins)?;
        step("Guests of the tests", components::guests)?;
    }
    if chosen().any(|bench| bench.package == "telepulse-tests") {
        AsteriskSetup::start()?.finish()?;
    }
    let mut table = Vec::new();
    for bench in chosen() {
        let output = step(bench.what, || run(bench))?;
        let figures = figures(&output);
        if figures.is_empty() {
            bail!("benchmark {} measured nothing: see what it said above", bench.name);
        }
        table.extend(figures.into_iter().map(|figure| (bench.name, figure)));
    }
    if !table.is_empty() {
        println!("\n{:10}{:36}figures", "benchmark", "what");
    }
    for (bench, (what, value)) in table {
        println!("{bench:10}{what:36}{value}");
    }
    Ok(())
}

/// Runs one, its output shown as it comes; returns the output.
fn run(bench: &Bench) -> Result<String> {
    let mut program = tools::cargo();
    program.args(["bench", "--package", bench.package, "--bench", bench.name]);
    let mut child = program.stdout(Stdio::piped()).spawn().context("starting cargo")?;
    let mut output = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            println!("{line}");
            output.push_str(&line);
            output.push('\n');
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("benchmark {} ended with {status}", bench.name);
    }
    Ok(output)
}

/// What was measured, and the figures, in the order of the output.
fn figures(output: &str) -> Vec<(String, String)> {
    let told = output.lines().filter_map(|line| {
        let (what, value) = line.strip_prefix(FIGURE)?.split_once(": ")?;
        Some((what.to_owned(), value.to_owned()))
    });
    let measured = divan::rows(output).into_iter().map(|row| {
        let figures = [vec![row.median], row.rates].concat();
        (row.name, figures.join(", "))
    });
    measured.chain(told).collect()
}
