//! Ours, for `cargo xtask bench plugins`: prints `figure ours NAME: NANOSECONDS` (or KiB) as the program of
//! the peers does.

#[path = "../tests/support/mod.rs"]
mod support;

use bytes::Bytes;
use plugin_host::{
    Build, Instance, Manifest, PluginName, Runtime,
    ports::{BusEvent, Ports},
};
use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};
use support::{COUNTER, Rig, guests::guest, guests::variant, world::World};

/// Each figure is the middle of so many rounds.
const ROUNDS: usize = 21;
const INSTANCES: u32 = 500;

fn main() {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a tokio runtime");
    tokio.block_on(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let runtime = Runtime::new(&folder.path().join("cache"), true, None).expect("a runtime");
        let build = runtime.load(&guest("idle")).expect("a build");
        for (name, count, calls) in
            [("event in a batch of 64", 64, 2_000), ("event alone", 1, 10_000)]
        {
            let nanos = events(&build, count, calls).await;
            println!("figure ours {name}: {:.1}", nanos / f64::from(count));
        }
        println!("figure ours instance: {:.0}", instances(&build).await);
        println!("figure ours memory: {:.0}", memory(&build).await);
        println!("figure ours reload: {:.0}", reload().await);
    });
}

async fn instance(build: &Build, ports: &Ports) -> Instance {
    let name = PluginName::parse("bench").expect("a name");
    Instance::bare(build, &name, &Manifest::default(), ports.clone()).await.expect("an instance")
}

fn ports() -> Ports {
    World::ports(&Arc::new(World::default()))
}

/// Events of about 330 bytes with their heads, of four kinds in turn, as the bus gives them.
fn batch(count: u32) -> Vec<Arc<BusEvent>> {
    let kinds = ["activeLines", "channelState", "extensionStatus", "phoneNumber"];
    let named = |kind: &str| -> (Arc<str>, Arc<str>) {
        (format!("telepulse.event.{kind}").into(), kind.into())
    };
    let kinds = kinds.map(named);
    let server: Arc<str> = "pbx1".into();
    let turns = (1..=count).zip(kinds.iter().cycle());
    turns
        .map(|(seq, (address, kind))| {
            Arc::new(BusEvent {
                seq: seq.into(),
                time_ns: 1,
                address: Arc::clone(address),
                kind: Arc::clone(kind),
                server: Some(Arc::clone(&server)),
                payload: Bytes::from(vec![b'x'; 270]),
            })
        })
        .collect()
}

fn middle(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

/// Nanoseconds of one call with so many events.
async fn events(build: &Build, count: u32, calls: u32) -> f64 {
    let batch = batch(count);
    let mut running = instance(build, &ports()).await;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for _ in 0..calls {
            let done;
            (running, done) = running.handle(&batch).await.expect("no fault");
            assert_eq!(done, count);
        }
        rounds.push(begun.elapsed().as_secs_f64() * 1e9 / f64::from(calls));
    }
    middle(rounds)
}

/// Nanoseconds of a new instance, without its end.
async fn instances(build: &Build) -> f64 {
    let ports = ports();
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let mut all = Vec::with_capacity(100);
        let begun = Instant::now();
        for _ in 0..100 {
            all.push(instance(build, &ports).await);
        }
        rounds.push(begun.elapsed().as_secs_f64() * 1e9 / 100.0);
    }
    middle(rounds)
}

/// KiB of an instance that has handled an event.
async fn memory(build: &Build) -> f64 {
    let batch = batch(1);
    let ports = ports();
    let before = resident_kib();
    let mut all = Vec::new();
    for _ in 0..INSTANCES {
        all.push(instance(build, &ports).await.handle(&batch).await.expect("no fault").0);
    }
    (resident_kib() - before) / f64::from(INSTANCES)
}

/// Nanoseconds from the order to the swap to another build, which was compiled before.
async fn reload() -> f64 {
    let builds = [1, 2].map(|number| variant(&guest("counter"), number));
    let rig = Rig::with(&[("counter", &builds[0], COUNTER)]).await;
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        fs::write(rig.path("counter.wasm"), &builds[round % 2]).expect("a file");
        let begun = Instant::now();
        rig.host.reload("counter").await.expect("a reload");
        // The first one compiles.
        if round > 1 {
            rounds.push(begun.elapsed().as_secs_f64() * 1e9);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    rig.stop().await;
    middle(rounds)
}

/// What of this process is in memory.
fn resident_kib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}
