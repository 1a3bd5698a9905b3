//! `bench servers`: a hundred links in one process, at an even pace for a minute: is any event lost,
//! and how late does it reach the bus?

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::peers;
use crate::console::step;
use crate::tools;

const SERVERS: u64 = 100;
/// Events a second, of each server.
const PER_SECOND: u64 = 200;
const SECONDS: u64 = 60;
/// What the slowest one of a hundred events may take from socket to bus.
const GOAL_MS: f64 = 5.0;

/// What our side tells.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    events: u64,
    /// Numbers that were not one more than the one before.
    gaps: u64,
    servers: u64,
    seconds: f64,
    cpu_seconds: f64,
    peak_kib: u64,
    p50_us: u64,
    p99_us: u64,
    p999_us: u64,
    max_us: u64,
}

/// Builds, runs, and prints what came.
pub(super) fn measure() -> Result<()> {
    step("The servers", peers::build_rust)?;
    let ours = step("Ours", || tools::bench_program("telepulse", "servers"))?;
    let told = step(&format!("{SERVERS} servers, {SECONDS} s"), || run(&ours))?;
    #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
    let ms = |us: u64| us as f64 / 1000.0;
    let sent = SERVERS * PER_SECOND * SECONDS;
    println!(
        "\n{SERVERS} servers in one load process, {PER_SECOND} events/s each for {SECONDS} s, all to one \
         platform;\nfrom just before the event is written to the socket until it is published as JSON.\n"
    );
    println!("events sent        {sent}");
    println!("events published   {} by {} links, {} gaps", told.events, told.servers, told.gaps);
    println!(
        "socket to bus      p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
        ms(told.p50_us),
        ms(told.p99_us),
        ms(told.p999_us),
        ms(told.max_us)
    );
    #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
    let (cpu_us, peak) =
        (told.cpu_seconds * 1e6 / told.events as f64, told.peak_kib as f64 / 1024.0);
    println!(
        "CPU                {:.1} % of one core, {cpu_us:.2} µs an event",
        100.0 * told.cpu_seconds / told.seconds
    );
    println!("memory             {peak:.0} MiB at most, that of the measurement included");
    if told.events != sent || told.gaps > 0 {
        bail!("events were lost: {} of {sent} came, with {} gaps", told.events, told.gaps);
    }
    let good = if ms(told.p99_us) < GOAL_MS { "yes" } else { "NO" };
    println!("p99 below {GOAL_MS} ms     {good}");
    Ok(())
}

fn run(ours: &Path) -> Result<Told> {
    let mut load = Command::new(peers::rust_program("load"));
    load.args([PER_SECOND.to_string(), SECONDS.to_string()]).stdout(Stdio::piped());
    let mut load = load.spawn().context("starting the servers")?;
    let told = talk_with(&mut load, ours);
    // It waits for us to end it.
    let _ = load.kill();
    let _ = load.wait();
    told
}

fn talk_with(load: &mut Child, ours: &Path) -> Result<Told> {
    let mut line = String::new();
    let stdout = load.stdout.take().context("its output")?;
    BufReader::new(stdout).read_line(&mut line)?;
    let port = line.trim().strip_prefix("serving ").context("the servers said no port")?.to_owned();
    let mut ours = Command::new(ours);
    ours.args([port, SERVERS.to_string()]);
    let output = ours.stdin(Stdio::null()).output().context("starting ours")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let result = text.lines().find_map(|line| line.strip_prefix("result "));
    let result = result.with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    serde_json::from_str(result).with_context(|| format!("its result was {result}"))
}
