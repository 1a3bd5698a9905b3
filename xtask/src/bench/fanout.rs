//! `bench fanout`: events to many WebSocket clients, through our gateway and through other people's servers,
//! beside a floor that does nothing but the system calls. One load generator for all, rounds interleaved, each
//! round with a fresh process of each server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{peers, result::middle};
use crate::console::step;
use crate::{components, tools};

const CLIENTS: [u64; 2] = [1_000, 5_000];
const ROUNDS: usize = 3;

const OURS: &str = "TelePulse, gateway in wasm";
const FLOOR: &str = "floor: one thread, one frame";
const BUN: &str = "Bun 1.4.5 (uWebSockets)";

/// One that is measured.
struct Server {
    name: &'static str,
    /// What its clients say first.
    kind: &'static str,
    /// How much of the usual number of deliveries: the slow ones get less.
    scale: f64,
    program: Vec<PathBuf>,
}

/// What the load generator tells of one server with so many clients.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    connect_seconds: f64,
    bytes_per_client: f64,
    burst: Phase,
    one: Phase,
    paced: Phase,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Phase {
    per_second: f64,
    cpu_ns: f64,
    p50_us: f64,
    p99_us: f64,
}

/// Rounds of each server, by how many clients there were.
type Rounds = BTreeMap<(u64, &'static str), Vec<Told>>;

/// Builds, measures, prints the table and the goals.
pub(super) fn compare() -> Result<()> {
    step("Load generator and floor", peers::build_rust)?;
    step("Rust for plugins", tools::ensure_wasm_target)?;
    step("Plugins", components::plugins)?;
    let ours = step("Ours", || tools::bench_program("telepulse", "fanout"))?;
    let node = step("Servers from npm", peers::install_servers)?;
    let folder = tools::target_dir().join("peers/fanout");
    let servers = servers(ours, &node, &folder);
    let mut rounds = Rounds::new();
    let mut failures = BTreeMap::new();
    for round in 1..=ROUNDS {
        for clients in CLIENTS {
            step(&format!("Round {round} of {ROUNDS}, {clients} clients"), || {
                for server in &servers {
                    match run(server, clients) {
                        Ok(told) => rounds.entry((clients, server.name)).or_default().push(told),
                        Err(error) => {
                            failures.insert(server.name, format!("{error:#}"));
                        }
                    }
                }
                Ok(())
            })?;
        }
    }
    for clients in CLIENTS {
        print(clients, &servers, &rounds);
    }
    for (name, failure) in &failures {
        println!("{name}: {failure}");
    }
    for clients in CLIENTS {
        goals(clients, &rounds)?;
    }
    match failures.get(OURS) {
        Some(failure) => bail!("{OURS}: {failure}"),
        None => Ok(()),
    }
}

fn servers(ours: PathBuf, node: &Path, folder: &Path) -> Vec<Server> {
    let script = |name: &str| tools::root().join("xtask/peers/fanout").join(name);
    let bun = node.join("node_modules/.bin/bun");
    let server = |name, kind, scale, program| Server { name, kind, scale, program };
    let js = |program: &Path, name: &str| vec![program.to_owned(), script(name)];
    let plain = Path::new("node");
    vec![
        server(OURS, "telepulse", 1.0, vec![ours, "obey".into()]),
        server(FLOOR, "plain", 1.0, vec![peers::rust_program("fanout-floor")]),
        server(BUN, "plain", 1.0, js(&bun, "bun.js")),
        server("node ws 8, preframed", "plain", 1.0, js(plain, "ws-preframed.js")),
        server("node ws 8, as documented", "plain", 0.2, js(plain, "ws.js")),
        server(
            "nats-server, WebSocket",
            "nats",
            1.0,
            vec![peers::rust_program("fanout-nats"), folder.to_owned()],
        ),
        server("node socket.io 4", "socketio", 0.2, js(plain, "socketio.js")),
    ]
}

fn run(server: &Server, clients: u64) -> Result<Told> {
    let mut load = Command::new(peers::rust_program("fanout"));
    load.args([server.kind, &clients.to_string(), &server.scale.to_string(), "--"]);
    load.args(&server.program).env("NODE_PATH", peers::servers_modules());
    peers::told(&mut load)
}

/// Each figure's own median.
fn median(rounds: &[Told], of: impl Fn(&Told) -> f64) -> f64 {
    middle(rounds.iter().map(of)).unwrap_or(f64::NAN)
}

fn print(clients: u64, servers: &[Server], rounds: &Rounds) {
    println!(
        "\nEvents of some 300 bytes to {clients} clients; medians of {ROUNDS} rounds; one machine with {} \
         cores, which server\nand load generator share. Bursts of 100; one at a time; 100,000 deliveries/s \
         at an even pace.\n",
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    println!(
        "{:30}{:>10}{:>8}{:>10}{:>8}{:>8}{:>9}{:>9}{:>8}{:>8}{:>8}",
        "",
        "burst M/s",
        "CPU ns",
        "one M/s",
        "CPU ns",
        "p99 ms",
        "pace p50",
        "pace p99",
        "CPU ns",
        "KB each",
        "joined s"
    );
    for server in servers {
        let Some(told) = rounds.get(&(clients, server.name)) else { continue };
        let of = |figure: fn(&Told) -> f64| median(told, figure);
        println!(
            "{:30}{:>10.2}{:>8.0}{:>10.2}{:>8.0}{:>8.2}{:>9.2}{:>9.2}{:>8.0}{:>8.1}{:>8.2}",
            server.name,
            of(|it| it.burst.per_second / 1e6),
            of(|it| it.burst.cpu_ns),
            of(|it| it.one.per_second / 1e6),
            of(|it| it.one.cpu_ns),
            of(|it| it.one.p99_us / 1e3),
            of(|it| it.paced.p50_us / 1e3),
            of(|it| it.paced.p99_us / 1e3),
            of(|it| it.paced.cpu_ns),
            of(|it| it.bytes_per_client / 1e3),
            of(|it| it.connect_seconds),
        );
    }
}

/// What was promised, and whether it holds.
fn goals(clients: u64, rounds: &Rounds) -> Result<()> {
    let of = |name: &'static str, figure: fn(&Told) -> f64| {
        let told = rounds.get(&(clients, name)).with_context(|| format!("no figures of {name}"))?;
        anyhow::Ok(median(told, figure))
    };
    let ratio = |to, figure| anyhow::Ok(of(OURS, figure)? / of(to, figure)?);
    println!("\n{clients} clients");
    let told = |what: &str, value: f64, good: bool| {
        println!("{what:62}{value:>8.2}  {}", if good { "yes" } else { "NO" });
    };
    let burst = ratio(BUN, |it| it.burst.per_second)?;
    told("bursts, times Bun (goal: over 1)", burst, burst > 1.0);
    let one = ratio(BUN, |it| it.one.per_second)?;
    told("one at a time, times Bun (goal: over 1)", one, one > 1.0);
    let floor = ratio(FLOOR, |it| it.burst.per_second)?;
    told("bursts, part of the floor (goal: at least 0.7)", floor, floor >= 0.7);
    let late = ratio(BUN, |it| it.paced.p99_us)?;
    told("paced p99, of Bun's (goal: at most 1)", late, late <= 1.0);
    let cpu = ratio(FLOOR, |it| it.paced.cpu_ns)?;
    told("paced, CPU a delivery, of the floor's (goal: at most 1.15)", cpu, cpu <= 1.15);
    let each = of(OURS, |it| it.bytes_per_client / 1e3)?;
    told("memory of a client, KB (goal: at most 10)", each, each <= 10.0);
    Ok(())
}
