//! Answers larger than NATS takes at once travel in parts. Pure.

use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, btree_map::Entry};

/// An answer may have so many bytes.
pub(super) const MOST: usize = 256 << 20;
/// And so many parts.
const PARTS: usize = 1 << 16;

/// Cuts an answer into parts of at most `most` bytes, at least one.
pub(super) fn split(mut answer: Bytes, most: usize) -> Vec<Bytes> {
    let most = most.max(1);
    let mut parts = Vec::with_capacity(answer.len() / most + 1);
    while answer.len() > most {
        parts.push(answer.split_to(most));
    }
    parts.push(answer);
    parts
}

/// How a part says which of how many it is: `2/7`.
pub(super) fn name(index: usize, count: usize) -> String {
    format!("{}/{count}", index + 1)
}

/// Index and number of a part.
pub(super) fn read_name(name: &str) -> Option<(usize, usize)> {
    let (index, count) = name.split_once('/')?;
    let (index, count): (usize, usize) = (index.parse().ok()?, count.parse().ok()?);
    (1..=count).contains(&index).then(|| (index - 1, count)).filter(|_| count <= PARTS)
}

/// The parts of one answer that have come.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// No more than what came: how many there are to be is another's word.
    got: BTreeMap<usize, Bytes>,
    count: usize,
    bytes: usize,
}

/// A part that does not fit the others, or one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misfit;

impl Parts {
    /// The bytes of what has come.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a part; answers the whole with the last one.
    pub(super) fn take(
        &mut self,
        index: usize,
        count: usize,
        part: Bytes,
    ) -> Result<Option<Bytes>, Misfit> {
        if self.got.is_empty() {
            self.count = count;
        }
        if count != self.count || index >= count {
            return Err(Misfit);
        }
        let bytes = part.len();
        if let Entry::Vacant(place) = self.got.entry(index) {
            place.insert(part);
            self.bytes += bytes;
        }
        if self.bytes > MOST {
            return Err(Misfit);
        }
        if self.got.len() < self.count {
            return Ok(None);
        }
        if self.count == 1 {
            return Ok(self.got.remove(&0));
        }
        let mut whole = BytesMut::with_capacity(self.bytes);
        self.got.values().for_each(|part| whole.extend_from_slice(part));
        Ok(Some(whole.freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_answers_are_one_part() {
        assert_eq!(split(Bytes::new(), 10), [Bytes::new()]);
        assert_eq!(split(Bytes::from_static(b"abc"), 3), ["abc"]);
        assert_eq!(split(Bytes::from_static(b"abcd"), 3), ["abc", "d"]);
        assert_eq!(Parts::default().take(0, 1, Bytes::from_static(b"abc")), Ok(Some("abc".into())));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for bad in ["", "1", "0/1", "2/1", "x/2", "1/99999999"] {
            assert_eq!(read_name(bad), None, "{bad}");
        }
        let mut parts = Parts::default();
        assert_eq!(parts.take(0, 2, "a".into()), Ok(None));
        assert_eq!(parts.take(1, 3, "b".into()), Err(Misfit));
        assert_eq!(parts.take(0, 2, "a".into()), Ok(None), "twice is no harm");
    }

    proptest! {
        #[test]
        fn the_parts_make_the_whole_in_whatever_order(
            answer in prop::collection::vec(any::<u8>(), 0..200),
            most in 1usize..50,
            swap in any::<usize>(),
        ) {
            let answer = Bytes::from(answer);
            let parts = split(answer.clone(), most);
            let count = parts.len();
            let mut named: Vec<_> =
                parts.into_iter().enumerate().map(|(at, part)| (name(at, count), part)).collect();
            named.swap(0, swap % count);
            let (mut taken, mut whole) = (Parts::default(), None);
            for (name, part) in named {
                let (index, count) = read_name(&name).unwrap();
                whole = taken.take(index, count, part).unwrap();
            }
            prop_assert_eq!(whole, Some(answer));
        }
    }
}
