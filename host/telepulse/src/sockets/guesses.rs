//! Counts failed logins by address, so that guessing does not pay. Pure: time is passed in.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// So many failures within a [`WINDOW`] are forgiven.
const FORGIVEN: u32 = 30;
/// How long failures are remembered.
const WINDOW: Duration = Duration::from_mins(1);
/// How many addresses are remembered; when all are fresh, further ones go uncounted.
const ADDRESSES: usize = 4096;

/// Who has failed how often.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    failures: HashMap<IpAddr, (u32, Instant)>,
}

impl Guesses {
    /// Whether this address has failed too often of late.
    pub(super) fn too_many(&self, peer: IpAddr, now: Instant) -> bool {
        self.failures
            .get(&network(peer))
            .is_some_and(|(count, since)| *count >= FORGIVEN && now.duration_since(*since) < WINDOW)
    }

    /// Counts a failure.
    pub(super) fn failed(&mut self, peer: IpAddr, now: Instant) {
        if self.failures.len() >= ADDRESSES {
            self.failures.retain(|_, (_, since)| now.duration_since(*since) < WINDOW);
        }
        let full = self.failures.len() >= ADDRESSES;
        match self.failures.get_mut(&network(peer)) {
            Some((count, since)) if now.duration_since(*since) < WINDOW => *count += 1,
            Some(old) => *old = (1, now),
            None if full => {}
            None => drop(self.failures.insert(network(peer), (1, now))),
        }
    }
}

/// One subscriber of IPv6 has a /64 of addresses to himself.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn failures_add_up_by_address_and_are_forgotten() {
        let start = Instant::now();
        let mut guesses = Guesses::default();
        for _ in 0..FORGIVEN {
            assert!(!guesses.too_many(address("192.0.2.7"), start));
            guesses.failed(address("192.0.2.7"), start);
        }
        assert!(guesses.too_many(address("192.0.2.7"), start));
        assert!(
            guesses.too_many(address("::ffff:192.0.2.7"), start),
            "the same in another spelling"
        );
        assert!(!guesses.too_many(address("192.0.2.8"), start));
        assert!(!guesses.too_many(address("192.0.2.7"), start + WINDOW));
        guesses.failed(address("192.0.2.7"), start + WINDOW);
        assert!(!guesses.too_many(address("192.0.2.7"), start + WINDOW));
    }

    #[test]
    fn a_whole_ipv6_network_is_one() {
        let start = Instant::now();
        let mut guesses = Guesses::default();
        for host in 0..FORGIVEN {
            guesses.failed(address(&format!("2001:db8::{host:x}")), start);
        }
        assert!(guesses.too_many(address("2001:db8::ffff"), start));
        assert!(!guesses.too_many(address("2001:db8:0:1::1"), start));
    }

    #[test]
    fn the_table_is_bounded() {
        let start = Instant::now();
        let mut guesses = Guesses::default();
        for host in 0..u32::try_from(ADDRESSES).unwrap() + 10 {
            guesses.failed(std::net::Ipv4Addr::from_bits(host).into(), start);
        }
        assert_eq!(guesses.failures.len(), ADDRESSES);
        guesses.failed(address("192.0.2.7"), start + WINDOW);
        assert_eq!(guesses.failures.len(), 1);
    }
}
