//! A hundred builds dropped into the folder while 20,000 events a second go to 500 WebSocket clients and
//! through a plugin that counts them: good ones, and ones that trap, loop, eat memory, are cut off or want
//! another host. Every client has to get each of its events once and in order on the connection that it
//! opened first, and the counting plugin has to count each event once.
//!
//! `cargo xtask bench reload` builds the components first. Clients run in this process.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use plugin_host::{PluginStatus, State, ports::EventSink};
use sha2::{Digest as _, Sha256};
use support::{
    PATIENCE, Socket, component, configuration, event, free_port, number_of, runtime, subscribed,
};
use telepulse::app::App;
use telepulse::bus::{Bus, Message as BusMessage, Pattern};
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

const CLIENTS: u64 = 500;
const EVENTS_PER_MS: u64 = 20;
const RELOADS: usize = 100;
/// How often a client asks the gateway something.
const ASKS: Duration = Duration::from_secs(2);
/// The longest that a client may wait for anything, in the middle of a swap.
const GOAL: Duration = Duration::from_millis(50);

/// What the plugin may do that counts all events.
const LEDGER: &str = "[grants]\nsubscribe = [\"telepulse.event\"]\n\
                      publish = [\"test.out\", \"test.log\"]\n[limits]\nmailbox = 1000000\n";

fn main() {
    let platform = runtime("platform");
    let clients = runtime("clients");
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = configuration(folder.path(), port);
    let plugins = folder.path().join("plugins.d");
    fs::write(plugins.join("ledger.toml"), LEDGER).unwrap();
    fs::write(plugins.join("ledger.wasm"), component("counter")).unwrap();
    let app = platform.block_on(App::start(config)).unwrap();
    for plugin in ["websocket", "ledger"] {
        assert_eq!(app.plugins().show(plugin).unwrap().state, State::Running, "{plugin}");
    }
    let ledger = Arc::new(Ledger::default());
    let sink: Arc<dyn EventSink> = ledger.clone();
    let _counted = app.bus().subscribe(&[Pattern::parse("test.out").unwrap()], sink);

    let stop = CancellationToken::new();
    let clock = Arc::new(Clock::default());
    let readers: Vec<_> = clients.block_on(async {
        let mut readers = Vec::new();
        for client in 0..CLIENTS {
            let socket = subscribed(port, &format!(r#"{{"agents":["{client}"]}}"#)).await;
            readers.push(tokio::spawn(read(socket, client, clock.clone(), stop.clone())));
        }
        readers
    });
    let before = resident_kib();
    let publishing = platform.spawn(publish(app.bus().clone(), clock.clone(), stop.clone()));
    let outcome = platform.block_on(replace_again_and_again(&app, &plugins));
    let after = resident_kib();
    stop.cancel();
    let sent = platform.block_on(publishing).unwrap();
    clock.last.store(sent, Ordering::Release);

    let mut seen = Seen::default();
    for reader in readers {
        seen.add(clients.block_on(reader).unwrap());
    }
    platform.block_on(ledger.counted(sent));
    report(&outcome, sent, seen, before, after);
    platform.block_on(app.shutdown());
}

/// The same component with other bytes.
fn variant(wasm: &[u8], number: usize) -> Vec<u8> {
    let tag = u8::try_from(number % 256).unwrap();
    [wasm, &[0, 6, 4, b't', b'a', b'g', 0, tag]].concat()
}

/// When each event was sent, by its number.
#[derive(Default)]
struct Clock {
    /// Microseconds since the first one; an event's millisecond tells it.
    sent: Mutex<Vec<Instant>>,
    /// How many there are in all, once that is known.
    last: AtomicU64,
}

/// What clients saw.
#[derive(Default)]
struct Seen {
    events: u64,
    /// Microseconds from publication to the client.
    waits: Vec<u32>,
    /// Microseconds from a question to the gateway's answer.
    answers: Vec<u32>,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.waits.extend(other.waits);
        self.answers.extend(other.answers);
    }
}

/// Reads an agent's events until the last one; asks something now and then. Panics if one is missing,
/// comes twice or out of order, or if the connection ends.
async fn read(mut socket: Socket, client: u64, clock: Arc<Clock>, stop: CancellationToken) -> Seen {
    let mut seen = Seen::default();
    let mut asked: Option<Instant> = None;
    let start = tokio::time::Instant::now() + ASKS * u32::try_from(client).unwrap() / 500;
    let mut asks = tokio::time::interval_at(start, ASKS);
    loop {
        let next = client + seen.events * CLIENTS;
        let last = clock.last.load(Ordering::Acquire);
        if stop.is_cancelled() && last > 0 && next >= last {
            return seen;
        }
        let message = tokio::select! {
            message = timeout(PATIENCE, socket.next()) => message,
            _ = asks.tick(), if asked.is_none() && !stop.is_cancelled() => {
                asked = Some(Instant::now());
                socket.send(Message::text(r#"{"action":"ping","id":2}"#)).await.unwrap();
                continue;
            }
            // The end may be reached while nothing comes.
            () = tokio::time::sleep(Duration::from_millis(200)), if stop.is_cancelled() => continue,
        };
        let message = message.expect("something in time").expect("the connection stays").unwrap();
        let text = match message {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => continue,
            other => panic!("{other:?}"),
        };
        let Some(number) = number_of(&text) else {
            let since = asked.take().unwrap_or_else(|| panic!("nobody asked: {text}"));
            assert!(text.contains(r#""ok":true"#), "{text}");
            seen.answers.push(micros(since));
            continue;
        };
        assert_eq!(number, next, "each event once, in order");
        seen.events += 1;
        let batch = usize::try_from(number / EVENTS_PER_MS).unwrap();
        let sent = clock.sent.lock().unwrap()[batch];
        seen.waits.push(micros(sent));
    }
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// Appends twenty events each millisecond until it is stopped; answers how many there were.
async fn publish(bus: Arc<dyn Bus>, clock: Arc<Clock>, stop: CancellationToken) -> u64 {
    let first = tokio::time::Instant::now();
    let mut next = 0;
    // Whole rounds, so that every client gets equally many.
    while !stop.is_cancelled() || next % CLIENTS != 0 {
        sleep_until(first + Duration::from_millis(next / EVENTS_PER_MS)).await;
        clock.sent.lock().unwrap().push(Instant::now());
        bus.append((next..next + EVENTS_PER_MS).map(|it| event(it, CLIENTS)).collect());
        next += EVENTS_PER_MS;
    }
    next
}

/// What the counting plugin said: `NUMBER-IN-THE-STREAM COUNT`.
#[derive(Default)]
struct Ledger(Mutex<(u64, u64)>);

impl EventSink for Ledger {
    fn deliver(&self, message: &Arc<BusMessage>) {
        let text = std::str::from_utf8(&message.payload).unwrap();
        let (seq, count) = text.split_once(' ').unwrap();
        let (seq, count): (u64, u64) = (seq.parse().unwrap(), count.parse().unwrap());
        let mut last = self.0.lock().unwrap();
        if last.1 > 0 {
            assert_eq!((seq, count), (last.0 + 1, last.1 + 1), "each event counted once, in order");
        }
        *last = (seq, count);
    }
}

impl Ledger {
    /// Waits until all have been counted; before the first of ours there were some of the host's own.
    async fn counted(&self, sent: u64) {
        let all = async {
            while self.0.lock().unwrap().1 < sent {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, all)
            .await
            .unwrap_or_else(|_| panic!("{:?} of {sent}", self.0.lock().unwrap()));
    }
}

/// What became of the builds.
#[derive(Default)]
struct Outcome {
    taken: usize,
    refused: usize,
    /// From the file's rename to the swap, of good ones.
    swaps: Vec<Duration>,
    /// Memory when half of them were done: what the stream keeps is full by then.
    halfway_kib: u64,
}

/// Every other build is good; both plugins get them in turn.
async fn replace_again_and_again(app: &App, folder: &Path) -> Outcome {
    let gateway = fs::read(folder.join("websocket.wasm")).unwrap();
    let counter = component("counter");
    let bad = [
        component("trapping_init"),
        gateway[..gateway.len() / 2].to_vec(),
        component("stranger"),
        component("looping_init"),
        component("greedy_init"),
    ];
    let mut outcome = Outcome::default();
    for number in 0..RELOADS {
        if number == RELOADS / 2 {
            outcome.halfway_kib = resident_kib();
        }
        let (name, good) =
            if number % 4 < 2 { ("websocket", &gateway) } else { ("ledger", &counter) };
        let is_good = number % 2 == 0;
        let build = if is_good { good } else { &bad[number / 2 % bad.len()] };
        let build = variant(build, number);
        let hash = format!("{:x}", Sha256::digest(&build));
        let begun = Instant::now();
        replace(&folder.join(format!("{name}.wasm")), &build);
        let wanted = |it: &PluginStatus| {
            if is_good {
                it.hash.as_ref() == Some(&hash)
            } else {
                it.refused.as_ref() == Some(&hash)
            }
        };
        let mut changed = app.plugins().changed();
        let is_so = |all: &plugin_host::Statuses| all.get(name).is_some_and(wanted);
        let waited = timeout(PATIENCE, changed.wait_for(is_so)).await;
        assert!(waited.is_ok(), "build {number}: {:?}", app.plugins().show(name));
        assert_eq!(app.plugins().show(name).unwrap().state, State::Running, "{name}");
        if is_good {
            outcome.taken += 1;
            outcome.swaps.push(begun.elapsed());
        } else {
            outcome.refused += 1;
        }
    }
    outcome
}

fn replace(path: &PathBuf, bytes: &[u8]) {
    let part = path.with_extension("part");
    fs::write(&part, bytes).unwrap();
    fs::rename(part, path).unwrap();
}

/// What of this process is in memory.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

fn report(outcome: &Outcome, sent: u64, mut seen: Seen, before: u64, after: u64) {
    assert_eq!(seen.events, sent, "each event to its client");
    println!("figure builds taken: {}", outcome.taken);
    println!("figure builds refused, the one before went on: {}", outcome.refused);
    println!("figure events, each once and in order to its client and to the counter: {sent}");
    println!("figure connections closed: 0 of {CLIENTS}");
    let slowest = outcome.swaps.iter().max().unwrap();
    println!("figure file to swap, slowest: {:.0} ms", slowest.as_secs_f64() * 1e3);
    seen.waits.sort_unstable();
    seen.answers.sort_unstable();
    for (what, sorted) in [("event to client", &seen.waits), ("ping to answer", &seen.answers)] {
        let part = |permille: usize| f64::from(sorted[(sorted.len() - 1) * permille / 1_000]) / 1e3;
        println!(
            "figure {what}: p50 {:.2} ms, p99 {:.2} ms, slowest {:.2} ms",
            part(500),
            part(990),
            part(1_000)
        );
    }
    let longest = seen.answers.last().max(seen.waits.last()).copied().unwrap_or_default();
    let is_met = u128::from(longest) <= GOAL.as_micros();
    println!(
        "figure longest pause within {} ms: {}",
        GOAL.as_millis(),
        if is_met { "yes" } else { "NO" }
    );
    let [before, halfway, after] = [before, outcome.halfway_kib, after].map(|kib| kib / 1024);
    println!("figure memory before, halfway, after: {before} MiB, {halfway} MiB, {after} MiB");
}
