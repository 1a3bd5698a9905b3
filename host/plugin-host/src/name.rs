//! A plugin's name: the part of its file before `.wasm`.

use std::{fmt, sync::Arc};

/// A plugin's name, checked: 1 to 63 of `a-z`, `0-9` and `-`, so that it means the same as a file,
/// in a URL and on the bus.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginName(Arc<str>);

/// Why something is no plugin's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no plugin name: use 1 to 63 of the characters a-z, 0-9 and -")]
pub struct BadName(String);

impl PluginName {
    /// Checks a name.
    pub fn parse(name: &str) -> Result<Self, BadName> {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=63).contains(&name.len()) && name.bytes().all(good) {
            Ok(Self(name.into()))
        } else {
            Err(BadName(name.chars().take(80).collect()))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_letters_digits_and_dashes() {
        for good in ["websocket", "a", "crm-2", &"x".repeat(63)] {
            assert_eq!(PluginName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "../x", "CON", "a.b", "ｗｓ", "a_b", "a/b", &"x".repeat(64)] {
            assert!(PluginName::parse(bad).is_err(), "{bad}");
        }
    }
}
