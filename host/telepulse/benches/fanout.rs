//! The platform with its WebSocket gateway, as a server that `cargo xtask bench fanout` measures beside
//! others: it says `ready PORT` and takes orders on its standard input, `burst N` and `paced RATE N`. Or, as
//! `gateway PORT`, what `cargo xtask bench end-to-end` measures: events come from a manager interface there.
//!
//! The events of a burst enter the bus together, as what one read of an AMI connection brings; the others one
//! at a time.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[allow(dead_code, reason = "the clients are others' here")]
mod support;

use std::{
    io::stdin,
    thread,
    time::{Duration, SystemTime},
};
use support::{configuration_with, event, free_port, runtime};
use telepulse::{app::App, bus::Bus};
use telepulse_language::{Details, Event, format_smolstr};
use tokio::{sync::mpsc, time::sleep_until};

/// The same as the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // `cargo bench` without `xtask` has no orders: there is nothing to measure then.
    let words: Vec<String> = std::env::args().skip(1).collect();
    let server = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["obey"] => String::new(),
        ["gateway", port] => format!(
            "[[server]]\nid = \"pbx1\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             username = \"u\"\nsecret = \"s\"\n"
        ),
        _ => return,
    };
    telepulse::memory::in_small_pages();
    let platform = runtime("platform");
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = configuration_with(folder.path(), port, &server);
    let app = platform.block_on(App::start(config)).unwrap();
    println!("ready {port}");
    let (orders, ordered) = mpsc::unbounded_channel();
    thread::spawn(move || stdin().lines().map_while(Result::ok).try_for_each(|it| orders.send(it)));
    let bus = app.bus().clone();
    platform.block_on(platform.spawn(async move { obey(&*bus, ordered).await })).unwrap();
    platform.block_on(app.shutdown());
}

async fn obey(bus: &dyn Bus, mut orders: mpsc::UnboundedReceiver<String>) {
    let mut next = 1;
    let mut publish = |count: u64| {
        bus.append((next..next + count).map(marked).collect());
        next += count;
    };
    while let Some(order) = orders.recv().await {
        let words: Vec<&str> = order.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        match words[0] {
            "burst" => publish(number(1)),
            "paced" => {
                let began = tokio::time::Instant::now();
                for turn in 0..number(2) {
                    sleep_until(began + Duration::from_micros(turn * 1_000_000 / number(1))).await;
                    publish(1);
                }
            }
            _ => panic!("no such order: {order}"),
        }
    }
}

/// An event of some 300 bytes that tells its number and when it was sent.
fn marked(number: u64) -> Event {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut event = event(number, 1_000);
    if let Details::ChannelState(state) = &mut event.details {
        state.call = format_smolstr!("bench-{number:010}-{:016}", since.as_micros());
        state.cause_text = Some("Normal call clearing, as far as anybody knows".into());
    }
    event
}
