//! What a message costs on the in-process bus that one subscriber wants, beside so many who want others.
//! `cargo bench -p telepulse --bench bus`.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use bytes::Bytes;
use divan::{Bencher, black_box};
use std::sync::Arc;
use telepulse::bus::{Address, Bus, EventSink, Guard, LocalBus, Message, Pattern};

fn main() {
    divan::main();
}

struct Nobody;

impl EventSink for Nobody {
    fn deliver(&self, message: &Arc<Message>) {
        black_box(message);
    }
}

fn subscribe(bus: &LocalBus, pattern: &str) -> Guard {
    bus.subscribe(&[Pattern::parse(pattern).unwrap()], Arc::new(Nobody))
}

#[divan::bench(args = [0, 10, 100, 1_000])]
fn wanted_by_one_of(bencher: Bencher<'_, '_>, others: usize) {
    let bus = LocalBus::new("e".to_owned(), 16);
    let _others: Vec<Guard> =
        (0..others).map(|number| subscribe(&bus, &format!("test.of-{number}"))).collect();
    let _one = subscribe(&bus, "test.wanted");
    let address = Address::parse("test.wanted").unwrap();
    let payload = Bytes::from_static(b"{}");
    bencher.bench(|| bus.publish(black_box(&address), None, payload.clone()));
}

#[divan::bench(args = [0, 10, 100, 1_000])]
fn wanted_by_none_of(bencher: Bencher<'_, '_>, others: usize) {
    let bus = LocalBus::new("e".to_owned(), 16);
    let _others: Vec<Guard> =
        (0..others).map(|number| subscribe(&bus, &format!("test.of-{number}"))).collect();
    let address = Address::parse("test.wanted").unwrap();
    let payload = Bytes::from_static(b"{}");
    bencher.bench(|| bus.publish(black_box(&address), None, payload.clone()));
}
