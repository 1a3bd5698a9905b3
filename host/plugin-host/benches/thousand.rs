//! A thousand plugins on one host, in Rust, C and JavaScript: how long a start takes when all are compiled,
//! what they take in memory, and how long one of them takes to be swapped meanwhile.
//!
//! `cargo xtask bench thousand`. Components of one kind have the same code under names of their own.

#[path = "../tests/support/mod.rs"]
mod support;

use plugin_host::State;
use std::{fs, path::Path, time::Instant};
use support::{COUNTER, Rig, guests::guest, guests::variant};

/// How many of each kind: a thousand.
const KINDS: [(&str, usize); 3] = [("counter", 400), ("pop-c", 400), ("pop-javascript", 200)];
const POP: &str = "[grants]\nsubscribe = [\"telepulse.event.phoneNumber\"]\n\
                   publish = [\"telepulse.event.screenPop\"]\n\
                   [settings]\nlink = \"https://crm.example/{number}\"\n";

fn main() {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a tokio runtime");
    tokio.block_on(measure());
}

async fn measure() {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/archive/0.1.0");
    let rig = Rig::start().await;
    let empty = resident_kib();
    for (kind, count) in KINDS {
        let wasm = match kind {
            "counter" => guest(kind),
            kind => fs::read(archive.join(format!("{kind}.wasm"))).expect("it is in the archive"),
        };
        let toml = if kind == "counter" { COUNTER } else { POP };
        for number in 0..count {
            fs::write(rig.path(&format!("{kind}-{number}.toml")), toml).expect("a file");
            fs::write(rig.path(&format!("{kind}-{number}.wasm")), &wasm).expect("a file");
        }
    }
    all_run(&rig).await;
    // Compiled by now: this is the start that counts.
    let begun = Instant::now();
    let rig = rig.again().await;
    let started = begun.elapsed();
    all_run(&rig).await;
    println!("figure start of 1,000 plugins, compiled before: {:.2} s", started.as_secs_f64());
    println!("figure memory of one, on average: {} KiB", (resident_kib() - empty) / 1_000);
    let next = variant(&guest("counter"), 1);
    rig.put("counter-7.wasm", &next);
    rig.runs("counter-7", &next).await;
    let begun = Instant::now();
    rig.host.reload("counter-7").await.expect("a reload");
    println!("figure reload of one: {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    rig.stop().await;
}

async fn all_run(rig: &Rig) {
    let running = |all: &plugin_host::Statuses| {
        all.values().filter(|it| it.state == State::Running).count() == 1_000
    };
    rig.until("a thousand that run", running).await;
}

/// What of this process is in memory.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}
