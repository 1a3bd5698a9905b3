//! Prints `figure NAME: NANOSECONDS` (or KiB) for each peer: an event in a batch of 64, one alone, a new
//! instance, and the memory of one. `plugin-peers EXTISM.wasm BARE.wasm`.

use anyhow::{Context, Result};
use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};
use std::{env, fs, hint::black_box, time::Instant};
use wasmtime::{Engine, Instance, Module, Store};

/// Each figure is the middle of so many rounds.
const ROUNDS: usize = 21;
const INSTANCES: u32 = 500;

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let mut wasm = || fs::read(arguments.next().context("EXTISM.wasm BARE.wasm")?).map_err(anyhow::Error::from);
    let (with_pdk, bare) = (wasm()?, wasm()?);
    native();
    core(&bare)?;
    extism(&with_pdk)
}

/// A batch of events of about 330 bytes, with the offsets before them.
fn batch(count: u32) -> Vec<u8> {
    let event = vec![b'x'; 330];
    let head = 4 * (count + 2);
    let mut batch = count.to_le_bytes().to_vec();
    for at in 0..=count {
        batch.extend((head + at * 330).to_le_bytes());
    }
    (0..count).for_each(|_| batch.extend(&event));
    batch
}

/// Nanoseconds of one call, the middle of many rounds; what calls make is dropped between them.
fn time<T>(calls: u32, mut call: impl FnMut() -> T) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let mut made = Vec::with_capacity(calls as usize);
            let begun = Instant::now();
            (0..calls).for_each(|_| made.push(call()));
            begun.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn figures(peer: &str, mut call: impl FnMut(&[u8])) {
    for (name, count, calls) in [("event in a batch of 64", 64, 2_000), ("event alone", 1, 10_000)] {
        let batch = batch(count);
        let nanos = time(calls, || call(&batch)) / f64::from(count);
        println!("figure {peer} {name}: {nanos:.1}");
    }
}

#[inline(never)]
fn handle(batch: &[u8]) -> u32 {
    let number = |at: usize| u32::from_le_bytes(batch[at * 4..at * 4 + 4].try_into().unwrap_or_default());
    let count = number(0) as usize;
    let mut sum = 0;
    for event in 0..count {
        let event = &batch[number(1 + event) as usize..number(2 + event) as usize];
        sum += u64::from(event[0]) + event.len() as u64;
    }
    black_box(sum);
    count as u32
}

/// A function of this program, which is handed a copy of the batch.
fn native() {
    let mut buffer = Vec::new();
    figures("native", |batch| {
        buffer.clear();
        buffer.extend_from_slice(batch);
        black_box(handle(black_box(&buffer)));
    });
}

/// No component, no limits, no interruption: a memory, a copy into it, a call.
fn core(wasm: &[u8]) -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(&engine, wasm)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let room = instance.get_typed_func::<u32, u32>(&mut store, "room")?;
    let events = instance.get_typed_func::<(u32, u32), u32>(&mut store, "events")?;
    let memory = instance.get_memory(&mut store, "memory").context("its memory")?;
    let at = room.call(&mut store, 1 << 20)?;
    figures("core module", |batch| {
        let to = at as usize;
        memory.data_mut(&mut store)[to..to + batch.len()].copy_from_slice(batch);
        black_box(events.call(&mut store, (at, batch.len() as u32)).expect("no trap"));
    });
    let nanos = time(200, || {
        let mut store = Store::new(&engine, ());
        black_box(Instance::new(&mut store, &module, &[]).expect("an instance"));
        store
    });
    println!("figure core module instance: {nanos:.0}");
    Ok(())
}

fn extism(wasm: &[u8]) -> Result<()> {
    let manifest = Manifest::new([Wasm::data(wasm.to_vec())]);
    let compiled = CompiledPlugin::new(PluginBuilder::new(manifest).with_wasi(false))?;
    let mut plugin = Plugin::new_from_compiled(&compiled)?;
    figures("extism", |batch| {
        black_box(plugin.call::<&[u8], &[u8]>("events", batch).expect("no trap"));
    });
    let nanos = time(50, || Plugin::new_from_compiled(&compiled).expect("an instance"));
    println!("figure extism instance: {nanos:.0}");
    let before = resident_kib()?;
    let batch = batch(1);
    let all: Result<Vec<Plugin>> = (0..INSTANCES)
        .map(|_| {
            let mut plugin = Plugin::new_from_compiled(&compiled)?;
            plugin.call::<&[u8], &[u8]>("events", &batch)?;
            Ok(plugin)
        })
        .collect();
    let all = all?;
    println!("figure extism memory: {:.0}", (resident_kib()? - before) / f64::from(INSTANCES));
    drop(all);
    Ok(())
}

/// What of this process is in memory.
fn resident_kib() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
