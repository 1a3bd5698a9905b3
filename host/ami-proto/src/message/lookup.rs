//! Looking up keys that stand together, in the order in which Asterisk writes them.

use super::{Lines, Message, is_plain_key, value_after_colon};

/// A key that is known when the program is compiled, and was found fit then: nothing in it could be
/// mistaken for a line's colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(&'static str);

impl Key {
    /// Takes a key of letters, digits and the like; where it holds a colon, a bracket or a line's end,
    /// or nothing at all, compiling it as a constant fails.
    ///
    /// # Panics
    /// On such a key, if it is made at run time.
    pub const fn new(key: &'static str) -> Self {
        assert!(is_plain_key(key.as_bytes()), "no key of a line");
        Self(key)
    }
}

/// A place in a message to look keys up from: it is right behind the key that was found last, so
/// that neighbours asked for in their order cost one look each.
///
/// A key that is not among the next few lines is looked up as [`Message::get`] does it. Where a key
/// comes more than once, it is the next one behind that place that is found.
#[derive(Debug, Clone)]
pub struct Lookup<'m> {
    message: &'m Message,
    next: usize,
}

impl<'m> Lookup<'m> {
    /// How many lines are looked at before all are.
    const NEAR: usize = 4;

    pub(super) fn new(message: &'m Message) -> Self {
        Self { message, next: 0 }
    }

    /// The value under `key` (any case); `None` if it is absent or not UTF-8.
    #[inline]
    pub fn get(&mut self, key: Key) -> Option<&'m str> {
        self.get_bytes(key).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The value under `key` (any case), byte for byte.
    #[inline]
    pub fn get_bytes(&mut self, key: Key) -> Option<&'m [u8]> {
        self.right_here(key.0.as_bytes()).or_else(|| self.elsewhere(key.0))
    }

    /// If it is on one of the next few lines of an ordinary message, as it nearly always is, and
    /// written as Asterisk writes it.
    #[inline]
    fn right_here(&mut self, key: &[u8]) -> Option<&'m [u8]> {
        let Message { bytes, lines: Lines::Short { count, bounds }, raw_from: u32::MAX } =
            self.message
        else {
            return None;
        };
        let ends = bounds[..usize::from(*count)].get(self.next..)?;
        for (skipped, pair) in ends.windows(2).take(Self::NEAR).enumerate() {
            let line = bytes.get(usize::from(pair[0])..usize::from(pair[1]))?;
            // On few lines but the right one there is a colon there.
            if line.get(key.len()) == Some(&b':') && line[..key.len()] == *key {
                self.next += skipped + 1;
                return Some(value_after_colon(super::trim_end(&line[key.len() + 1..])));
            }
        }
        None
    }

    #[inline(never)]
    fn elsewhere(&mut self, key: &str) -> Option<&'m [u8]> {
        let Message { bytes, lines, raw_from } = self.message;
        if *raw_from != u32::MAX {
            return self.message.get_bytes(key);
        }
        let key = key.as_bytes();
        let mut near = self.next..self.next + Self::NEAR;
        let (index, line) = near
            .find_map(|index| Some((index, lines.at(bytes, index, key)?)))
            .or_else(|| lines.find(bytes, key))?;
        self.next = index + 1;
        Some(value_after_colon(&line[key.len() + 1..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_mistaken_is_no_key() {
        for key in ["", "Y:", "ChanVariable(a)", "a\n"] {
            assert!(std::panic::catch_unwind(|| Key::new(key)).is_err(), "{key:?}");
        }
        assert_eq!(Key::new("Uniqueid"), Key("Uniqueid"));
    }
}
