//! Counts failed logins by address and by name, so that guessing does not pay. Pure: time is passed in.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// So many failures within a [`WINDOW`] are forgiven.
const FORGIVEN: u32 = 30;
/// How long failures are remembered.
const WINDOW: Duration = Duration::from_mins(1);
/// How many addresses and names are remembered; when all are fresh, further ones go uncounted.
const REMEMBERED: usize = 4096;

/// Who has failed how often: by the address that it came from, and by the name that it was for, from wherever.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    by_address: Failures<IpAddr>,
    by_name: Failures<String>,
}

impl Guesses {
    /// Whether this address has failed too often of late, or too many have failed with this name.
    pub(super) fn too_many(&self, peer: IpAddr, name: Option<&str>, now: Instant) -> bool {
        self.by_address.too_many(&network(peer), now)
            || name.is_some_and(|name| self.by_name.too_many(name, now))
    }

    /// Counts a failure.
    pub(super) fn failed(&mut self, peer: IpAddr, name: Option<&str>, now: Instant) {
        self.by_address.add(network(peer), now);
        if let Some(name) = name {
            self.by_name.add(name.to_owned(), now);
        }
    }
}

#[derive(Debug)]
struct Failures<K>(HashMap<K, (u32, Instant)>);

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Failures<K> {
    fn too_many<Q: Eq + Hash + ?Sized>(&self, key: &Q, now: Instant) -> bool
    where
        K: Borrow<Q>,
    {
        self.0
            .get(key)
            .is_some_and(|(count, since)| *count >= FORGIVEN && now.duration_since(*since) < WINDOW)
    }

    fn add(&mut self, key: K, now: Instant) {
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, (_, since)| now.duration_since(*since) < WINDOW);
        }
        let full = self.0.len() >= REMEMBERED;
        match self.0.get_mut(&key) {
            Some((count, since)) if now.duration_since(*since) < WINDOW => *count += 1,
            Some(old) => *old = (1, now),
            None if full => {}
            None => drop(self.0.insert(key, (1, now))),
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
            assert!(!guesses.too_many(address("192.0.2.7"), None, start));
            guesses.failed(address("192.0.2.7"), None, start);
        }
        assert!(guesses.too_many(address("192.0.2.7"), None, start));
        assert!(
            guesses.too_many(address("::ffff:192.0.2.7"), None, start),
            "the same in another spelling"
        );
        assert!(!guesses.too_many(address("192.0.2.8"), None, start));
        assert!(!guesses.too_many(address("192.0.2.7"), None, start + WINDOW));
        guesses.failed(address("192.0.2.7"), None, start + WINDOW);
        assert!(!guesses.too_many(address("192.0.2.7"), None, start + WINDOW));
    }

    #[test]
    fn a_name_is_not_guessed_from_many_addresses() {
        let start = Instant::now();
        let mut guesses = Guesses::default();
        for host in 0..FORGIVEN {
            let peer = address(&format!("192.0.2.{host}"));
            assert!(!guesses.too_many(peer, Some("ann"), start));
            guesses.failed(peer, Some("ann"), start);
        }
        assert!(guesses.too_many(address("192.0.2.200"), Some("ann"), start));
        assert!(!guesses.too_many(address("192.0.2.200"), Some("bob"), start));
        assert!(!guesses.too_many(address("192.0.2.200"), None, start), "tokens are no names");
        assert!(!guesses.too_many(address("192.0.2.200"), Some("ann"), start + WINDOW));
    }

    #[test]
    fn a_whole_ipv6_network_is_one() {
        let start = Instant::now();
        let mut guesses = Guesses::default();
        for host in 0..FORGIVEN {
            guesses.failed(address(&format!("2001:db8::{host:x}")), None, start);
        }
        assert!(guesses.too_many(address("2001:db8::ffff"), None, start));
        assert!(!guesses.too_many(address("2001:db8:0:1::1"), None, start));
    }

    #[test]
    fn the_table_is_bounded() {
        let start = Instant::now();
        let mut guesses = Guesses::default();
        for host in 0..u32::try_from(REMEMBERED).unwrap() + 10 {
            guesses.failed(std::net::Ipv4Addr::from_bits(host).into(), None, start);
        }
        assert_eq!(guesses.by_address.0.len(), REMEMBERED);
        guesses.failed(address("192.0.2.7"), None, start + WINDOW);
        assert_eq!(guesses.by_address.0.len(), 1);
    }
}
