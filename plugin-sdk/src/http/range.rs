//! Parts of a representation: `Range` and `Content-Range` by RFC 9110, section 14. Pure.

/// What of it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All: nobody asked for a part, or in a way that need not be understood.
    All,
    /// So many bytes from there.
    Part { from: u64, length: u64 },
    /// Nothing that is there.
    Nothing,
}

/// Reads `Range` for something of this length. Several ranges at once, and units other than bytes, may be
/// ignored, and are: then all of it is sent.
pub(super) fn wanted(range: Option<&str>, length: u64) -> Wanted {
    let Some(range) = range.and_then(spec) else { return Wanted::All };
    let (from, to) = match range {
        (Some(first), None) => (first, length.saturating_sub(1)),
        (Some(first), Some(last)) if first <= last => (first, last.min(length.saturating_sub(1))),
        (None, Some(last)) => {
            if last == 0 {
                return Wanted::Nothing;
            }
            (length.saturating_sub(last), length.saturating_sub(1))
        }
        _ => return Wanted::All,
    };
    if from < length { Wanted::Part { from, length: to - from + 1 } } else { Wanted::Nothing }
}

/// The two numbers of `bytes=FIRST-LAST`, of which one may be missing.
fn spec(range: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, range) = range.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    // One that is too large for us is past the end of everything.
    let number = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX));
    (is_number(first) && is_number(last)).then(|| (number(first), number(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_it_says_and_what_is_there() {
        let part = |from, length| Wanted::Part { from, length };
        for (range, length, expected) in [
            ("bytes=0-0", 10, part(0, 1)),
            ("bytes=0-", 10, part(0, 10)),
            ("bytes=3-5", 10, part(3, 3)),
            ("bytes=3-99", 10, part(3, 7)),
            ("bytes=9-", 10, part(9, 1)),
            ("bytes=-1", 10, part(9, 1)),
            ("bytes=-99", 10, part(0, 10)),
            ("Bytes = 2-3", 10, part(2, 2)),
            ("bytes=0-99999999999999999999999", 10, part(0, 10)),
            ("bytes=10-", 10, Wanted::Nothing),
            ("bytes=99999999999999999999999-", 10, Wanted::Nothing),
            ("bytes=-0", 10, Wanted::Nothing),
            ("bytes=0-", 0, Wanted::Nothing),
            ("bytes=-1", 0, Wanted::Nothing),
            ("bytes=5-3", 10, Wanted::All),
            ("bytes=-", 10, Wanted::All),
            ("bytes=0-1,3-4", 10, Wanted::All),
            ("bytes=a-b", 10, Wanted::All),
            ("bytes=+1-2", 10, Wanted::All),
            ("bytes=1", 10, Wanted::All),
            ("lines=1-2", 10, Wanted::All),
            ("", 10, Wanted::All),
        ] {
            assert_eq!(wanted(Some(range), length), expected, "{range} of {length}");
        }
        assert_eq!(wanted(None, 10), Wanted::All);
    }
}
