//! Plugins' keys as NATS names them: any text as one token of a subject, and back.

use std::fmt::Write as _;

/// What the subjects of a bucket begin with.
#[derive(Clone, Debug)]
pub(super) struct Names {
    start: String,
}

impl Names {
    pub(super) fn of(bucket: &str) -> Self {
        Self { start: format!("$KV.{bucket}.") }
    }

    /// All that is in the bucket.
    pub(super) fn all(&self) -> String {
        format!("{}>", self.start)
    }

    /// All keys of a plugin.
    pub(super) fn of_plugin(&self, plugin: &str) -> String {
        format!("{}{plugin}.*", self.start)
    }

    /// One key of a plugin. No plugin's name has a dot.
    pub(super) fn of_key(&self, plugin: &str, key: &str) -> String {
        format!("{}{plugin}.{}", self.start, escaped(key))
    }

    /// The key of a plugin that a subject names; `None` if it is none of ours.
    pub(super) fn key(&self, plugin: &str, subject: &str) -> Option<String> {
        let rest = subject.strip_prefix(&self.start)?.strip_prefix(plugin)?;
        plain(rest.strip_prefix('.')?)
    }
}

/// Letters, digits, `-`, `_` and `/` stand for themselves, all else for its bytes as `=XX`: what is left is
/// good for every version of NATS's key-value store. Nothing is ever kept under no key at all, but it may be
/// asked for, and no token is empty.
fn escaped(key: &str) -> String {
    if key.is_empty() {
        return "=".to_owned();
    }
    let mut token = String::with_capacity(key.len());
    for byte in key.bytes() {
        if is_plain(byte) {
            token.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(token, "={byte:02X}");
        }
    }
    token
}

/// The key that is written so; each key has one way to be written.
fn plain(token: &str) -> Option<String> {
    let mut key = Vec::with_capacity(token.len());
    let mut rest = token.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        if first == b'=' {
            let digits = std::str::from_utf8(more.get(..2)?).ok()?;
            key.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &more[2..];
        } else {
            key.push(first);
            rest = more;
        }
    }
    String::from_utf8(key).ok().filter(|key| escaped(key) == token)
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
        fn any_key_is_one_token_and_comes_back(key in "\\PC{1,40}|[\\x00-\\x7f]{1,40}") {
            let names = Names::of("TELEPULSE");
            let subject = names.of_key("crm", &key);
            let token = subject.strip_prefix("$KV.TELEPULSE.crm.").unwrap();
            prop_assert!(!token.is_empty() && token.bytes().all(|it| is_plain(it) || it == b'='));
            prop_assert_eq!(names.key("crm", &subject), Some(key));
        }
    }

    #[test]
    fn what_others_have_written_is_no_key() {
        let names = Names::of("TELEPULSE");
        assert_eq!(names.of_key("crm", ""), "$KV.TELEPULSE.crm.=");
        assert_eq!(names.of_key("crm", "555:1.é"), "$KV.TELEPULSE.crm.555=3A1=2E=C3=A9");
        for foreign in ["=", "=4", "=zz", "=FF", "=41", "=3a", "a.b", "", "é"] {
            let subject = format!("$KV.TELEPULSE.crm.{foreign}");
            assert_eq!(names.key("crm", &subject), None, "{foreign}");
        }
        assert_eq!(names.key("crm", "$KV.TELEPULSE.crm2.a"), None);
    }
}
