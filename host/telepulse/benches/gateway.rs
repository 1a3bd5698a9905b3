//! How long an event takes from the bus to WebSocket clients, through the real gateway component:
//! 1,000 events a second, 100 clients, and each client has to get each event once, in order. Once with the
//! gateway alone, and once beside plugins that compute as long as they may, use much memory, trap, flood the
//! log, or wait for a server that does not answer.
//!
//! `cargo xtask bench gateway` builds the component first. Clients run in this process, on threads
//! of their own, so the figures include what reading costs them.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

mod support;

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use support::{
    PATIENCE, Socket, configuration, event, free_port, number_of, offenders, runtime, subscribed,
};
use telepulse::app::App;
use telepulse::bus::Bus;
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;

const CLIENTS: usize = 100;
const EVENTS_PER_SECOND: u64 = 1_000;
const SECONDS: u64 = 10;
const EVENTS: u64 = EVENTS_PER_SECOND * SECONDS;

fn main() {
    let alone = run(false);
    report("the gateway alone", alone);
    let beside = run(true);
    report("beside offenders", beside);
}

/// One run; answers how many microseconds each frame took.
fn run(with_offenders: bool) -> Vec<u32> {
    let platform = runtime("platform");
    let clients = runtime("clients");
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = configuration(folder.path(), port);
    // A server that takes connections and says nothing.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    if with_offenders {
        offenders::install(folder.path(), port, silent.local_addr().unwrap().port());
    }
    let app = platform.block_on(App::start(config)).unwrap();
    let began = Instant::now();
    let sent: Arc<[AtomicU64]> = (0..EVENTS).map(|_| AtomicU64::new(0)).collect();

    let readers = clients.block_on(async {
        let mut readers = Vec::new();
        for _ in 0..CLIENTS {
            let socket = subscribed(port, "{}").await;
            readers.push(tokio::spawn(read(socket, sent.clone(), began)));
        }
        readers
    });
    let offending = with_offenders.then(|| {
        let silent = silent.local_addr().unwrap();
        platform.spawn(offenders::offend(app.bus().clone(), silent.to_string()))
    });
    platform.block_on(publish(&**app.bus(), &sent, began));
    let mut waits = Vec::new();
    for reader in readers {
        waits.extend(clients.block_on(reader).unwrap());
    }
    if let Some(offending) = offending {
        offending.abort();
        for (name, _) in offenders::OFFENCES {
            let it = app.plugins().show(name).unwrap();
            println!("offender {name}: {:?}, {:?}", it.state, it.figures);
        }
    }
    platform.block_on(app.shutdown());
    waits
}

/// Reads all events, and tells how many microseconds each took. Panics if one is missing, comes
/// twice, or comes out of order.
async fn read(mut socket: Socket, sent: Arc<[AtomicU64]>, began: Instant) -> Vec<u32> {
    let mut waits = Vec::with_capacity(sent.len());
    while waits.len() < sent.len() {
        let message = timeout(PATIENCE, socket.next()).await.expect("the next event in time");
        let Message::Text(text) = message.expect("the connection stays").unwrap() else { continue };
        let number = number_of(&text).unwrap_or_else(|| panic!("not one of ours: {text}"));
        let place = usize::try_from(number).unwrap();
        assert_eq!(place, waits.len(), "each event once, in order");
        let wait = micros(began).saturating_sub(sent[place].load(Ordering::Acquire));
        waits.push(u32::try_from(wait).unwrap_or(u32::MAX));
    }
    waits
}

fn micros(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Appends the events at an even pace.
async fn publish(bus: &dyn Bus, sent: &[AtomicU64], began: Instant) {
    let first = tokio::time::Instant::now();
    for (number, sent) in (0..).zip(sent) {
        sleep_until(first + Duration::from_micros(number * 1_000_000 / EVENTS_PER_SECOND)).await;
        sent.store(micros(began), Ordering::Release);
        bus.append(vec![event(number, 100)]);
    }
}

fn report(when: &str, mut waits: Vec<u32>) {
    waits.sort_unstable();
    let part = |permille: usize| waits[(waits.len() - 1) * permille / 1_000];
    for (what, micros) in [("p50", part(500)), ("p99", part(990)), ("slowest", part(1_000))] {
        println!("figure event to client, {when}, {what}: {:.2} ms", f64::from(micros) / 1_000.0);
    }
    println!("figure frames delivered, {when}: {}, each event once and in order", waits.len());
}
