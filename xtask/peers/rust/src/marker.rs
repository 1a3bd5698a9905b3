//! What is looked for in the bytes that a client gets: the number of an event, and when it was sent.
//!
//! `bench-NNNNNNNNNN-TTTTTTTTTTTTTTTT`: ten digits of number, sixteen of microseconds since 1970. Every
//! server puts it into its events, whatever surrounds them on the wire.

use memchr::memmem::Finder;
use std::time::{SystemTime, UNIX_EPOCH};

const PREFIX: &[u8] = b"bench-";
const NUMBER: usize = 10;
const TIME: usize = 16;
/// All of it.
pub const LENGTH: usize = PREFIX.len() + NUMBER + 1 + TIME;

/// One that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    pub number: u64,
    /// Microseconds since 1970.
    pub sent: u64,
}

/// Microseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// The marker of an event that is sent now.
pub fn mark(number: u64) -> String {
    format!("bench-{number:010}-{:016}", now())
}

/// The event that servers send which have no events of their own: some 300 bytes of JSON.
pub fn event(number: u64) -> String {
    format!(
        r#"{{"event":"channelState","server":"bench","seq":{number:010},"time":"2026-11-21T12:00:00.000Z","agent":"{:04}","channel":"PJSIP/201-0000abcd","call":"{}","state":"up","number":"38511234567","name":"Ana Horvat","causeText":"Normal call clearing, as far as anybody knows at this moment"}}"#,
        number % 1_000,
        mark(number),
    )
}

/// Finds them.
pub struct Reader(Finder<'static>);

impl Default for Reader {
    fn default() -> Self {
        Self(Finder::new(PREFIX))
    }
}

impl Reader {
    /// Calls `found` for each whole marker; answers where the part begins that has to be looked at
    /// again with what follows.
    pub fn read(&self, bytes: &[u8], mut found: impl FnMut(Marker)) -> usize {
        let mut at = 0;
        while let Some(next) = self.0.find(&bytes[at..]) {
            let Some(marker) = bytes.get(at + next..at + next + LENGTH) else { return at + next };
            let digits = &marker[PREFIX.len()..];
            found(Marker { number: value(&digits[..NUMBER]), sent: value(&digits[NUMBER + 1..]) });
            at += next + LENGTH;
        }
        at.max(bytes.len().saturating_sub(PREFIX.len() - 1))
    }
}

fn value(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit.wrapping_sub(b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_found_wherever_the_bytes_are_cut() {
        let text = format!("x{}y{}", event(7), event(8));
        for cut in 0..text.len() {
            let (reader, mut numbers) = (Reader::default(), Vec::new());
            let keep = reader.read(&text.as_bytes()[..cut], |it| numbers.push(it.number));
            reader.read(&text.as_bytes()[keep..], |it| numbers.push(it.number));
            assert_eq!(numbers, [7, 8], "cut at {cut}");
        }
        assert_eq!(event(1).len(), event(999_999).len());
    }
}
