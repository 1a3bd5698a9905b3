//! `bench calldata`: the cache of call data, with Redis and embedded, beside the same interface in Express with
//! Redis, and beside a Rust program with nothing else in it. One load generator for all, rounds interleaved.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{peers, result::middle};
use crate::console::step;
use crate::{components, tools};

const ROUNDS: usize = 3;
const CONNECTIONS: u32 = 64;
const SECONDS: u32 = 8;
const REDIS: &str = "TelePulse, Redis";
const EMBEDDED: &str = "TelePulse, embedded, on disk";
const EXPRESS: &str = "Express, Redis";
const NATIVE: &str = "axum, Redis: no sandbox, the floor";

/// What the load generator tells of one server.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    per_second: f64,
    cpu_ns: f64,
    p50_us: f64,
    p99_us: f64,
}

struct Cache {
    name: &'static str,
    program: Vec<PathBuf>,
    rounds: Vec<Told>,
}

/// Builds, measures, prints the table and the goals.
pub(super) fn compare() -> Result<()> {
    step("Load generator", peers::build_rust)?;
    step("Rust for plugins", tools::ensure_wasm_target)?;
    step("Plugins", components::plugins)?;
    let ours = step("Ours", || tools::bench_program("telepulse", "calldata"))?;
    step("Express from npm", peers::install_servers)?;
    let redis = Redis::start()?;
    let port = redis.port.to_string();
    let script = tools::root().join("xtask/peers/fanout/calldata-express.js");
    let cache = |name, program| Cache { name, program, rounds: Vec::new() };
    let mut caches = [
        cache(REDIS, vec![ours.clone(), "redis".into(), port.clone().into()]),
        cache(EMBEDDED, vec![ours, "embedded".into()]),
        cache(EXPRESS, vec!["node".into(), script, port.clone().into()]),
        cache(NATIVE, vec![peers::rust_program("calldata-native"), port.into()]),
    ];
    for round in 1..=ROUNDS {
        step(&format!("Round {round} of {ROUNDS}"), || {
            for cache in &mut caches {
                let told = run(cache).with_context(|| cache.name)?;
                cache.rounds.push(told);
            }
            Ok(())
        })?;
    }
    print(&caches);
    Ok(())
}

fn run(cache: &Cache) -> Result<Told> {
    let mut load = Command::new(peers::rust_program("calldata"));
    load.args([CONNECTIONS.to_string(), SECONDS.to_string(), "--".to_owned()]).args(&cache.program);
    load.env("NODE_PATH", peers::servers_modules());
    peers::told(&mut load)
}

/// Each figure's own median.
fn median(cache: &Cache, of: fn(&Told) -> f64) -> f64 {
    middle(cache.rounds.iter().map(of)).unwrap_or(f64::NAN)
}

fn print(caches: &[Cache]) {
    println!(
        "\n{CONNECTIONS} connections, each of which stores a value and draws a number, looks it up, and takes it;\n\
         HTTP/1.1, Basic. Medians of {ROUNDS} rounds of {SECONDS} s; one machine with {} cores, which server, Redis\n\
         and load generator share. Embedded: each answer follows its write to disk.\n",
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    println!("{:36}{:>12}{:>10}{:>10}{:>12}", "", "requests/s", "p50 ms", "p99 ms", "CPU µs each");
    for cache in caches {
        println!(
            "{:36}{:>12.0}{:>10.2}{:>10.2}{:>12.1}",
            cache.name,
            median(cache, |it| it.per_second),
            median(cache, |it| it.p50_us) / 1e3,
            median(cache, |it| it.p99_us) / 1e3,
            median(cache, |it| it.cpu_ns) / 1e3,
        );
    }
    println!();
    let rate = |cache: &Cache| median(cache, |it| it.per_second);
    let [redis, embedded, express, native] = caches else { return };
    let goals = [
        ("requests/s with Redis, times Express's (goal: over 5)", rate(redis) / rate(express), 5.0),
        (
            "requests/s embedded, times those with Redis (goal: more)",
            rate(embedded) / rate(redis),
            1.0,
        ),
    ];
    for (what, times, goal) in goals {
        println!("{what:62}{times:>8.2}  {}", if times > goal { "yes" } else { "NO" });
    }
    let floor = rate(native) / rate(express);
    println!("{:62}{floor:>8.2}", "requests/s of the floor, times Express's");
}

/// A Redis of its own, ended when dropped. It keeps nothing on disk.
struct Redis {
    port: u16,
    child: Child,
}

impl Redis {
    fn start() -> Result<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = free.local_addr()?.port();
        drop(free);
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .context("starting Redis: install it by `apt-get install redis-server`")?;
        let redis = Self { port, child };
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if began.elapsed() > Duration::from_secs(10) {
                bail!("Redis does not listen on port {port}");
            }
            sleep(Duration::from_millis(20));
        }
        Ok(redis)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
