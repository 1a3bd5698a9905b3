//! Where the lines of a message start: in place for ordinary messages, on the heap for long ones.

use std::sync::Arc;

/// Boundaries that fit in place: 46 lines, which only transfers and big listings exceed.
const IN_PLACE: usize = 47;

/// The start of every line, and the end of the last one.
#[derive(Clone)]
pub(crate) enum Lines {
    /// `count` boundaries, all below 65,536: no allocation for a message.
    Short { count: u8, bounds: [u16; IN_PLACE] },
    /// Longer ones, shared by clones.
    Long(Arc<[u32]>),
}

impl Lines {
    /// From the boundaries that the decoder noted: each line's start, then the last line's end.
    #[expect(clippy::cast_possible_truncation, reason = "both casts are checked just before")]
    pub(crate) fn new(bounds: &[u32]) -> Self {
        let fits =
            bounds.len() <= IN_PLACE && bounds.last().is_none_or(|&end| u16::try_from(end).is_ok());
        if !fits {
            return Self::Long(bounds.into());
        }
        let mut short = [0; IN_PLACE];
        for (short, &bound) in short.iter_mut().zip(bounds) {
            *short = bound as u16;
        }
        Self::Short { count: bounds.len() as u8, bounds: short }
    }

    /// How many lines there are.
    pub(crate) fn count(&self) -> usize {
        let bounds = match self {
            Self::Short { count, .. } => usize::from(*count),
            Self::Long(bounds) => bounds.len(),
        };
        bounds.saturating_sub(1)
    }

    /// Where line `index` of `bytes` starts, and the line without what ends it.
    pub(crate) fn line<'a>(&self, bytes: &'a [u8], index: usize) -> (usize, &'a [u8]) {
        let (start, end) = match self {
            Self::Short { bounds, .. } => {
                (usize::from(bounds[index]), usize::from(bounds[index + 1]))
            }
            Self::Long(bounds) => (bounds[index] as usize, bounds[index + 1] as usize),
        };
        (start, trim_end(&bytes[start..end]))
    }

    /// Line `index`, if it starts with `key` (any case) and a colon.
    pub(crate) fn at<'a>(&self, bytes: &'a [u8], index: usize, key: &[u8]) -> Option<&'a [u8]> {
        match self {
            Self::Short { count, bounds } => {
                at(bytes, bounds[..usize::from(*count)].get(index..index + 2)?, key)
            }
            Self::Long(bounds) => at(bytes, bounds.get(index..index + 2)?, key),
        }
    }

    /// The first line that starts with `key` (any case) and a colon, and its index.
    pub(crate) fn find<'a>(&self, bytes: &'a [u8], key: &[u8]) -> Option<(usize, &'a [u8])> {
        match self {
            Self::Short { count, bounds } => find(bytes, &bounds[..usize::from(*count)], key),
            Self::Long(bounds) => find(bytes, bounds, key),
        }
    }
}

fn find<'a, T: Copy + TryInto<usize>>(
    bytes: &'a [u8],
    bounds: &[T],
    key: &[u8],
) -> Option<(usize, &'a [u8])> {
    let mut lines = bounds.windows(2).enumerate();
    lines.find_map(|(index, pair)| Some((index, at(bytes, pair, key)?)))
}

/// The line between two bounds, if it has this key. The colon is looked at first: it is where it
/// should be on few lines but the right one.
#[inline]
fn at<'a, T: Copy + TryInto<usize>>(bytes: &'a [u8], pair: &[T], key: &[u8]) -> Option<&'a [u8]> {
    let place = |bound: T| bound.try_into().unwrap_or(usize::MAX);
    let start = place(pair[0]);
    let colon = start + key.len();
    let found = bytes.get(colon) == Some(&b':') && is_key(&bytes[start..colon], key);
    found.then(|| trim_end(&bytes[start..place(pair[1])]))
}

/// Whether both are one key, in any case; as a rule they are written alike.
#[inline]
fn is_key(found: &[u8], key: &[u8]) -> bool {
    found == key || found.eq_ignore_ascii_case(key)
}

/// A line without its LF or CRLF.
#[inline]
pub(crate) fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
