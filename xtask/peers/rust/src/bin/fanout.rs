//! Measures one server that sends events to WebSocket clients: `fanout KIND CLIENTS SCALE -- PROGRAM …`.
//!
//! It starts the program, reads `ready PORT PID` from it, connects the clients, and orders events by lines on
//! the program's standard input: `burst N` (one after the other, at once), `paced RATE N`. Every client has
//! to get every event once, in order; who does not ends the measurement. One thread reads all sockets.
//! Tells one line `result {…}`.

use ami_peers::{
    clients::Clients,
    hello::{self, Hello},
    measured::Server,
};
use hdrhistogram::Histogram;
use serde_json::json;
use std::{
    error::Error,
    time::{Duration, Instant},
};

/// Deliveries that one phase of bursts should make.
const DELIVERIES: u64 = 2_000_000;
/// Events in a burst.
const BURST: u64 = 100;
/// Deliveries of events that go one at a time.
const SINGLE: u64 = 400_000;
/// Deliveries a second when events are paced.
const PACE: u64 = 100_000;
/// For how long they are paced.
const PACED: u64 = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [kind, clients, scale, dashes, program @ ..] = &words[..] else {
        return Err("usage: fanout KIND CLIENTS SCALE -- PROGRAM …".into());
    };
    let (Some(hello), "--") = (Hello::of(kind), &**dashes) else {
        return Err(format!("kinds are {}", hello::KINDS.join(", ")).into());
    };
    let (clients, scale) = (clients.parse::<u64>()?, scale.parse::<f64>()?);
    let result = measure(&hello, clients, scale, program)?;
    println!("result {result}");
    Ok(())
}

/// `scale`: how much of the usual number of deliveries, for those who are slow.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
fn measure(
    hello: &Hello,
    count: u64,
    scale: f64,
    program: &[String],
) -> Result<serde_json::Value, Box<dyn Error>> {
    let mut server = Server::start(program)?;
    let before = server.memory()?;
    let began = Instant::now();
    let mut clients = Clients::connect(server.port(), usize::try_from(count)?, hello, 1)?;
    let connecting = began.elapsed();
    std::thread::sleep(Duration::from_millis(500));
    let memory = server.memory()?.saturating_sub(before);

    // One for each that is read the first time, and for the server's caches and compilers.
    server.order(&format!("burst {BURST}"))?;
    clients.receive(BURST, None)?;
    let bursts = ((DELIVERIES as f64 * scale) as u64 / BURST / count).max(1);
    let burst = phase(&mut server, |server, latencies| {
        for _ in 0..bursts {
            server.order(&format!("burst {BURST}"))?;
            clients.receive(BURST, Some(latencies))?;
        }
        Ok(bursts * BURST * count)
    })?;
    let single = ((SINGLE as f64 * scale) as u64 / count).max(10);
    let one = phase(&mut server, |server, latencies| {
        for _ in 0..single {
            server.order("burst 1")?;
            clients.receive(1, Some(latencies))?;
        }
        Ok(single * count)
    })?;
    let rate = PACE / count;
    let paced = phase(&mut server, |server, latencies| {
        server.order(&format!("paced {rate} {}", rate * PACED))?;
        clients.receive(rate * PACED, Some(latencies))?;
        Ok(rate * PACED * count)
    })?;
    Ok(json!({
        "clients": count,
        "connectSeconds": connecting.as_secs_f64(),
        "bytesPerClient": memory / count,
        "peakMib": server.peak()? >> 20,
        "burst": burst, "one": one, "paced": paced,
    }))
}

/// Deliveries a second, what the server computed for each, and how late they were.
#[expect(clippy::cast_precision_loss)]
fn phase(
    server: &mut Server,
    run: impl FnOnce(&mut Server, &mut Histogram<u64>) -> Result<u64, Box<dyn Error>>,
) -> Result<serde_json::Value, Box<dyn Error>> {
    let mut latencies = Histogram::new_with_bounds(1, 60_000_000, 3)?;
    let (cpu, began) = (server.cpu()?, Instant::now());
    let deliveries = run(server, &mut latencies)?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = server.cpu()?.saturating_sub(cpu);
    Ok(json!({
        "perSecond": deliveries as f64 / seconds,
        "cpuNs": cpu.as_nanos() as f64 / deliveries as f64,
        "p50Us": latencies.value_at_quantile(0.5),
        "p99Us": latencies.value_at_quantile(0.99),
        "maxUs": latencies.max(),
    }))
}
