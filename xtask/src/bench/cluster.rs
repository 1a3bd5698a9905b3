//! `bench cluster`: from the AMI socket to WebSocket clients on the same node and on another one, over NATS; and
//! what more nodes bring, each with a server and clients of its own. The load generator is that of `end-to-end`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{peers, result::middle};
use crate::console::step;
use crate::{components, tools};

const ROUNDS: usize = 3;
/// Events a second of one server.
const RATES: [u64; 3] = [1_000, 2_500, 5_000];
/// Events a second of each server, where there are several nodes.
const SHARE: u64 = 2_000;
const NODES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(20);

const NEAR: &str = "one node, bus in the process";
const ON_NATS: &str = "one node, bus on NATS";
const FAR: &str = "clients on another node";

/// What the load generator tells of one gateway.
#[derive(Deserialize)]
struct Told {
    rates: BTreeMap<u64, Rate>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rate {
    p50_us: f64,
    p99_us: f64,
}

/// Rounds of each way, by events a second.
type Rounds = BTreeMap<(&'static str, u64), Vec<Rate>>;

/// Builds, measures, prints the tables.
pub(super) fn measure() -> Result<()> {
    step("Load generator", peers::build_rust)?;
    step("Rust for plugins", tools::ensure_wasm_target)?;
    step("Plugins", components::plugins)?;
    let ours = step("Ours", || tools::bench_program("telepulse", "cluster"))?;
    let mut rounds = Rounds::new();
    let mut growth: BTreeMap<usize, Vec<Rate>> = BTreeMap::new();
    for round in 1..=ROUNDS {
        step(&format!("Round {round} of {ROUNDS}"), || {
            for way in [NEAR, ON_NATS, FAR] {
                for (rate, told) in one_way(way, &ours)?.rates {
                    rounds.entry((way, rate)).or_default().push(told);
                }
            }
            for nodes in 1..=NODES {
                growth.entry(nodes).or_default().push(together(nodes, &ours)?);
            }
            Ok(())
        })?;
    }
    print_ways(&rounds);
    print_growth(&growth);
    Ok(())
}

fn one_way(way: &str, ours: &Path) -> Result<Told> {
    let nats = Nats::start()?;
    let port = nats.port.to_string();
    let words: &[&str] = match way {
        NEAR => &["near"],
        ON_NATS => &["node", "tp1", "pbx1", &port],
        _ => &["far", &port],
    };
    let told = peers::told(&mut load(&RATES, "", ours, words));
    told.with_context(|| way.to_owned())
}

/// So many nodes at once, each measured by itself; the slowest of them.
fn together(nodes: usize, ours: &Path) -> Result<Rate> {
    let nats = Nats::start()?;
    let port = nats.port.to_string();
    let measured: Vec<Result<Told>> = thread::scope(|scope| {
        let one = |number: usize| {
            let (name, id, port) = (format!("tp{number}"), format!("pbx{number}"), port.as_str());
            scope.spawn(move || {
                peers::told(&mut load(&[SHARE], &id, ours, &["node", &name, &id, port]))
            })
        };
        let running: Vec<_> = (1..=nodes).map(one).collect();
        let ended = |it: thread::ScopedJoinHandle<'_, Result<Told>>| {
            it.join().unwrap_or_else(|_| bail!("the load generator's thread panicked"))
        };
        running.into_iter().map(ended).collect()
    });
    let mut slowest: Option<Rate> = None;
    for told in measured {
        let told = told.with_context(|| format!("{nodes} nodes"))?;
        let rate = told.rates.get(&SHARE).copied().context("it told nothing of this rate")?;
        slowest = slowest.filter(|it| it.p99_us > rate.p99_us).or(Some(rate));
    }
    slowest.context("there were no nodes")
}

/// The load generator, at these rates, with clients that want events of one server or of all (``).
fn load(rates: &[u64], server: &str, ours: &Path, words: &[&str]) -> Command {
    let mut load = Command::new(peers::rust_program("end-to-end"));
    load.arg("telepulse").args(rates.iter().map(u64::to_string)).arg("--").arg(ours).args(words);
    load.env("BENCH_SERVER", server);
    load
}

/// A NATS with JetStream, in a folder of its own; ended when dropped.
struct Nats {
    port: u16,
    folder: PathBuf,
    child: Child,
}

impl Nats {
    fn start() -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = std::env::temp_dir().join(format!("telepulse-bench-nats-{port}"));
        let mut command = Command::new("nats-server");
        command.args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--jetstream"]);
        command.arg("--store_dir").arg(&folder).stdout(Stdio::null()).stderr(Stdio::null());
        let child =
            command.spawn().context("nats-server: install it by `apt-get install nats-server`")?;
        let nats = Self { port, folder, child };
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if begun.elapsed() > PATIENCE {
                bail!("nats-server does not listen on {port}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(nats)
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        // It may have ended by itself, and its folder is of use to nobody.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Each figure's own median, in milliseconds.
fn median(rounds: &[Rate], of: impl Fn(&Rate) -> f64) -> f64 {
    middle(rounds.iter().map(of)).unwrap_or(f64::NAN) / 1e3
}

fn cores() -> usize {
    thread::available_parallelism().map_or(0, usize::from)
}

fn print_ways(rounds: &Rounds) {
    println!(
        "\nFrom the write to the AMI socket to the read of one of 1,000 clients, each of which wants one agent;\n\
         whole calls, every tenth event is measured, each came once and in order. Medians of {ROUNDS} rounds;\n\
         one machine with {} cores, which nodes, NATS and load generator share.\n",
        cores()
    );
    print!("{:30}", "events/s");
    for rate in RATES {
        print!("{rate:>10}{:>8}", "");
    }
    print!("\n{:30}", "");
    for _ in RATES {
        print!("{:>10}{:>8}", "p50 ms", "p99");
    }
    println!();
    let of = |way, rate| rounds.get(&(way, rate)).map_or(&[][..], Vec::as_slice);
    for way in [NEAR, ON_NATS, FAR] {
        print!("{way:30}");
        for rate in RATES {
            let told = of(way, rate);
            print!("{:>10.2}{:>8.2}", median(told, |it| it.p50_us), median(told, |it| it.p99_us));
        }
        println!();
    }
    println!();
    for (what, way) in
        [("NATS, times the process", ON_NATS), ("another node, times the process", FAR)]
    {
        print!("{what:34}");
        for rate in RATES {
            let times =
                median(of(way, rate), |it| it.p99_us) / median(of(NEAR, rate), |it| it.p99_us);
            print!("{times:>14.2}    ");
        }
        println!();
    }
}

fn print_growth(growth: &BTreeMap<usize, Vec<Rate>>) {
    println!(
        "\nNodes on one NATS, each with a server of its own that tells {SHARE} events/s, and 1,000 clients of\n\
         its events; every node reads the events of all. The slowest node.\n"
    );
    println!("{:8}{:>12}{:>10}{:>8}{:>16}", "nodes", "events/s", "p50 ms", "p99", "p99, times one");
    let alone = growth.get(&1).map_or(f64::NAN, |rounds| median(rounds, |it| it.p99_us));
    for (nodes, rounds) in growth {
        let p99 = median(rounds, |it| it.p99_us);
        println!(
            "{nodes:<8}{:>12}{:>10.2}{p99:>8.2}{:>16.2}",
            SHARE * *nodes as u64,
            median(rounds, |it| it.p50_us),
            p99 / alone
        );
    }
}
