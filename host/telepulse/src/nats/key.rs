//! Any text as a key of NATS's key-value store, and back.

use std::fmt::Write as _;

/// Letters, digits, `-`, `_` and `/` stand for themselves, all else for its bytes as `=XX`: what is left is
/// one token of a subject, and good for every version of the key-value store. No token is empty, so no text at
/// all is `=`.
pub(crate) fn escape(text: &str) -> String {
    if text.is_empty() {
        return "=".to_owned();
    }
    let mut key = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) {
            key.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(key, "={byte:02X}");
        }
    }
    key
}

/// The text that is written so; `None` if it is none of ours: each text has one way to be written.
pub(crate) fn unescape(key: &str) -> Option<String> {
    let mut text = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        if first == b'=' {
            let digits = std::str::from_utf8(more.get(..2)?).ok()?;
            text.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &more[2..];
        } else {
            text.push(first);
            rest = more;
        }
    }
    String::from_utf8(text).ok().filter(|text| escape(text) == key)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_one_token_and_comes_back(text in "\\PC{1,40}|[\\x00-\\x7f]{1,40}") {
            let key = escape(&text);
            prop_assert!(!key.is_empty() && key.bytes().all(|it| is_plain(it) || it == b'='));
            prop_assert_eq!(unescape(&key), Some(text));
        }
    }

    #[test]
    fn what_is_not_plain_is_written_as_its_bytes() {
        for (text, key) in [
            ("", "="),
            ("pbx1", "pbx1"),
            ("a/b", "a/b"),
            ("a.b", "a=2Eb"),
            ("ž=1", "=C5=BE=3D1"),
            ("a b*>", "a=20b=2A=3E"),
            ("plugin:crm", "plugin=3Acrm"),
        ] {
            assert_eq!(escape(text), key);
        }
    }

    #[test]
    fn what_others_have_written_is_no_text() {
        for foreign in ["=", "=4", "a=", "a=1", "=zz", "=FF", "=41", "=3a", "a.b", "", "é"] {
            assert_eq!(unescape(foreign), None, "{foreign}");
        }
    }
}
