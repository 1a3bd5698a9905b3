//! `bench ami`: our proxy beside the clients of other people and beside the floors, on the same bytes.
//!
//! One server sends every client the same stream; each client is a process of its own that counts what
//! reached its user. Rounds are interleaved, so that a busy moment of the machine hits all alike, and
//! the median of the rounds is told, with the events that were lost.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use super::peers::{self, Client};
use super::result::Measured;
use crate::console::step;

/// Events of the stream.
const EVENTS: u64 = 200_000;
/// How often each client runs.
const ROUNDS: usize = 5;

/// The server of the stream; it ends with this.
struct Server {
    child: Child,
    port: u16,
    bytes: u64,
}

impl Server {
    fn start() -> Result<Self> {
        let mut command = Command::new(peers::rust_program("server"));
        command.arg(EVENTS.to_string()).stdout(Stdio::piped());
        let mut child = command.spawn().context("starting the server of the stream")?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("its output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let mut words = line.split_whitespace().skip(1);
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        let (Some(port), Some(_), Some(bytes)) = (number(), number(), number()) else {
            bail!("the server of the stream said {line:?}");
        };
        Ok(Self { child, port: u16::try_from(port)?, bytes })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One line of the table.
struct Row {
    client: Client,
    runs: Vec<Measured>,
    failure: Option<String>,
}

/// Builds everything, measures, and prints the table and the goals.
pub(super) fn compare() -> Result<()> {
    let clients = peers::clients()?;
    let server = Server::start()?;
    let mut rows: Vec<Row> = clients
        .into_iter()
        .map(|client| Row { failure: client.missing.clone(), client, runs: Vec::new() })
        .collect();
    for round in 1..=ROUNDS {
        step(&format!("Round {round} of {ROUNDS}"), || {
            for row in rows.iter_mut().filter(|row| row.failure.is_none()) {
                match row.client.run(server.port, EVENTS) {
                    Ok(measured) => row.runs.push(measured),
                    Err(error) => row.failure = Some(format!("{error:#}")),
                }
            }
            Ok(())
        })?;
    }
    println!(
        "\n{EVENTS} events of whole interleaved calls, {} bytes each, over loopback; {ROUNDS} rounds, \
         medians;\none machine with {} cores, which server and client share.\n",
        server.bytes / EVENTS,
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    println!("{:38}{:>12}{:>12}{:>12}{:>9}", "client", "events/s", "CPU µs/ev", "peak MiB", "lost");
    for row in &rows {
        print_row(row);
    }
    println!();
    goals(&rows, server.bytes)
}

fn print_row(row: &Row) {
    let name = row.client.name;
    if let Some(failure) = &row.failure {
        println!("{name:38}{}", failure.lines().next().unwrap_or_default());
        return;
    }
    let Some(median) = Measured::median(&row.runs) else { return };
    println!(
        "{name:38}{:>12.0}{:>12.2}{:>12.1}{:>8.1}%",
        median.per_second(),
        median.cpu_us(),
        median.peak_mib(),
        100.0 * lost(&median)
    );
}

/// The part of the stream that did not reach the user.
#[expect(clippy::cast_precision_loss, reason = "a percentage")]
fn lost(measured: &Measured) -> f64 {
    EVENTS.saturating_sub(measured.events) as f64 / EVENTS as f64
}

/// What was promised, what came of it, and whether that is enough.
fn goals(rows: &[Row], bytes: u64) -> Result<()> {
    let median = |name: &str| {
        let row = rows.iter().find(|row| row.client.name == name && row.failure.is_none());
        row.and_then(|row| Measured::median(&row.runs)).with_context(|| format!("no row {name:?}"))
    };
    let parse = median(peers::MEMORY)?;
    let full = median(peers::MODEL)?;
    let floor = median(peers::FLOOR)?;
    let peers: Vec<Measured> = rows
        .iter()
        .filter(|row| row.client.is_peer && row.failure.is_none())
        .filter_map(|row| Measured::median(&row.runs))
        .collect();
    let fastest = peers.iter().map(Measured::per_second).fold(0.0, f64::max);
    let leanest = peers.iter().map(Measured::cpu_us).fold(f64::INFINITY, f64::min);
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let gigabytes = bytes as f64 / parse.seconds / 1e9;
    let told = |what: &str, value: f64, good: bool| {
        println!("{what:66}{value:>7.2}  {}", if good { "yes" } else { "NO" });
    };
    told("parsing alone, GB/s on one core (goal: over 2)", gigabytes, gigabytes > 2.0);
    let times = full.per_second() / fastest;
    told("full path, times the fastest peer (goal: at least 5)", times, times >= 5.0);
    let part = full.per_second() / floor.per_second();
    told("full path, part of the floor (goal: at least 0.7)", part, part >= 0.7);
    let cpu = full.cpu_us() / leanest;
    told("full path, CPU of the best peer's (goal: at most 0.25)", cpu, cpu <= 0.25);
    for (what, name) in [
        ("with a plugin that gets each event, part of the rate (goal: 0.9)", peers::PLUGIN),
        ("beside offending plugins, part of the rate", peers::OFFENDERS),
    ] {
        let part = median(name)?.per_second() / full.per_second();
        told(what, part, part >= 0.9);
    }
    for row in rows.iter().filter(|row| row.client.is_ours) {
        if let Some(failure) = &row.failure {
            bail!("{}: {failure}", row.client.name);
        }
        for run in &row.runs {
            if run.events != EVENTS {
                bail!("{}: {} of {EVENTS} events", row.client.name, run.events);
            }
        }
    }
    println!("None of ours lost an event in any round.");
    Ok(())
}
