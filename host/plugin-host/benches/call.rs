//! What a call into a component costs: events in batches, framed and as records, and a new instance.
//!
//! `cargo bench -p plugin-host`. Times are for a whole call; the counters give events a second.

#[path = "../tests/support/mod.rs"]
mod support;

use bytes::Bytes;
use divan::{Bencher, counter::ItemsCount};
use plugin_host::{Build, Instance, Manifest, PluginName, Runtime, ports::BusEvent};
use std::sync::{Arc, OnceLock};
use support::{guests::guest, world::World};
use tempfile::TempDir;

fn main() {
    divan::main();
}

/// One runtime with a pool of instances, one without.
struct Bench {
    tokio: tokio::runtime::Runtime,
    pooled: Runtime,
    on_demand: Runtime,
    _folder: TempDir,
}

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let runtime =
            |pooling| Runtime::new(&folder.path().join("cache"), pooling, None).expect("a runtime");
        let (pooled, on_demand) = (runtime(true), runtime(false));
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a tokio runtime");
        Bench { tokio, pooled, on_demand, _folder: folder }
    })
}

async fn instance(build: &Build) -> Instance {
    let name = PluginName::parse("bench").expect("a name");
    let world = Arc::new(World::default());
    Instance::bare(build, &name, &Manifest::default(), World::ports(&world))
        .await
        .expect("an instance")
}

/// Events of about 330 bytes, of four kinds in turn; address, kind and server shared, as the bus gives
/// them.
fn events(count: u64) -> Vec<Arc<BusEvent>> {
    let kinds = ["activeLines", "channelState", "extensionStatus", "phoneNumber"];
    let named = |kind: &str| -> (Arc<str>, Arc<str>) {
        (format!("telepulse.event.{kind}").into(), kind.into())
    };
    let kinds = kinds.map(named);
    let server: Arc<str> = "pbx1".into();
    let turns = kinds.iter().cycle();
    let event = |(seq, (address, kind)): (u64, &(Arc<str>, Arc<str>))| BusEvent {
        seq,
        time_ns: 1,
        address: address.clone(),
        kind: kind.clone(),
        server: Some(server.clone()),
        payload: Bytes::from(vec![b'x'; 270]),
    };
    (1..=count).zip(turns).map(|numbered| Arc::new(event(numbered))).collect()
}

fn handle(bencher: Bencher<'_, '_>, name: &str, batch: u64) {
    let bench = bench();
    let build = bench.pooled.load(&guest(name)).expect("a build");
    let events = events(batch);
    let mut slot = Some(bench.tokio.block_on(instance(&build)));
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        bench.tokio.block_on(async {
            let running = slot.take().expect("an instance");
            let (running, done) = running.handle(&events).await.expect("no fault");
            assert_eq!(u64::from(done), batch);
            slot = Some(running);
        });
    });
}

#[divan::bench(args = [1, 64], sample_size = 500)]
fn framed(bencher: Bencher<'_, '_>, batch: u64) {
    handle(bencher, "idle", batch);
}

#[divan::bench(args = [1, 64], sample_size = 500)]
fn records(bencher: Bencher<'_, '_>, batch: u64) {
    handle(bencher, "records", batch);
}

#[divan::bench(args = [true, false], sample_size = 20)]
fn instantiate(bencher: Bencher<'_, '_>, pooled: bool) {
    let bench = bench();
    let runtime = if pooled { &bench.pooled } else { &bench.on_demand };
    let build = runtime.load(&guest("records")).expect("a build");
    bencher.bench_local(|| bench.tokio.block_on(instance(&build)));
}
