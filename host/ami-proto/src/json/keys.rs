//! Which keys of a message came before, in any case of their letters.

use std::collections::BTreeMap;

use crate::message::Message;

/// Messages with more fields than this take the slower way.
const FEW: usize = 128;

/// The keys seen so far, each with the index of its first field.
pub(super) struct Keys<'a> {
    message: &'a Message,
    /// A hash table over the first fields: index + 1, or 0 where it is free. At most half full.
    few: [u8; 2 * FEW],
    /// For messages of many fields instead; ordered, so that no choice of keys makes it slow.
    many: Option<BTreeMap<Vec<u8>, usize>>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(message: &'a Message) -> Self {
        let many = (message.fields().len() > FEW).then(BTreeMap::new);
        Self { message, few: [0; 2 * FEW], many }
    }

    /// The index of the first field with this key; `index` itself if there was none before.
    pub(super) fn first(&mut self, index: usize, key: &[u8]) -> usize {
        if let Some(seen) = &mut self.many {
            return *seen.entry(key.to_ascii_lowercase()).or_insert(index);
        }
        let mut slot = hash(key);
        loop {
            let entry = &mut self.few[usize::from(slot)];
            match usize::from(*entry).checked_sub(1) {
                None => {
                    *entry = u8::try_from(index + 1).unwrap_or(u8::MAX);
                    return index;
                }
                Some(seen) if self.message.key(seen).eq_ignore_ascii_case(key) => return seen,
                Some(_) => slot = slot.wrapping_add(1),
            }
        }
    }
}

/// A byte that depends on the key's length and ends; the same for every case of its letters.
fn hash(key: &[u8]) -> u8 {
    let word = |bytes: Option<&[u8]>| {
        let bytes = bytes.and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).unwrap_or_default();
        u32::from_le_bytes(bytes) | 0x2020_2020
    };
    let length = u32::from(key.len().to_le_bytes()[0]);
    let ends = match key {
        [] => 0,
        [first, .., last] if key.len() < 4 => u32::from(first | 0x20) << 8 | u32::from(last | 0x20),
        [only] => u32::from(only | 0x20),
        _ => word(key.get(..4)) ^ word(key.get(key.len() - 4..)).rotate_left(9),
    };
    let mixed = (ends ^ length.rotate_left(20)).wrapping_mul(0x9e37_79b1);
    (mixed >> 24) as u8
}
