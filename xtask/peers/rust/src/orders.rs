//! The orders that a measured server takes on its standard input.

use std::{
    io::stdin,
    thread,
    time::{Duration, Instant},
};

/// Carries out orders until there are no more. `publish` is called with each event's number and with
/// whether another follows at once.
pub fn obey(mut publish: impl FnMut(u64, bool)) {
    let mut next = 1;
    for order in stdin().lines().map_while(Result::ok) {
        let words: Vec<&str> = order.split(' ').collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
        match (words.first().copied(), number(1), number(2)) {
            (Some("burst"), Some(count), _) => {
                for left in (0..count).rev() {
                    publish(next, left > 0);
                    next += 1;
                }
            }
            (Some("paced"), Some(rate), Some(count)) => {
                let began = Instant::now();
                for turn in 0..count {
                    let due = began + Duration::from_micros(turn * 1_000_000 / rate);
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    publish(next, false);
                    next += 1;
                }
            }
            _ => panic!("no such order: {order}"),
        }
    }
}
