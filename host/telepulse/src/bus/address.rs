//! Addresses of the bus and patterns over them: dot-separated tokens, checked once at the edge.

use std::{collections::BTreeSet, fmt, sync::Arc};

/// Longer addresses are refused: names from outside end up in them.
pub const MAX_LEN: usize = 512;

/// A leaf address that messages go to, like `telepulse.event.activeLines`. Cheap to clone.
#[derive(Clone)]
pub struct Address {
    text: Arc<str>,
    kind: Arc<str>,
}

/// Why a text is no address or pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing between two dots, or nothing at all.
    #[error("{0:?} is no address: a token is empty")]
    EmptyToken(String),
    /// A token has a character outside `[A-Za-z0-9_%-]` (an address has no `*` either).
    #[error("{0:?} is no address: token {1:?} may only hold A-Z, a-z, 0-9, _ and -, others as %XX")]
    BadToken(String, String),
    /// Longer than [`MAX_LEN`] bytes.
    #[error("an address may have at most {MAX_LEN} bytes, this one has {0}")]
    TooLong(usize),
}

impl Address {
    /// Checks an address that is already escaped.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        check(text, |token| token.bytes().all(is_plain_or_escape))?;
        let last = text.rsplit('.').next().unwrap_or(text);
        Ok(Self { kind: unescape(last).into(), text: text.into() })
    }

    /// Joins tokens, each escaped: `%XX` for every byte outside `[A-Za-z0-9_-]`.
    pub fn build(tokens: &[&str]) -> Result<Self, AddressError> {
        let mut text = String::with_capacity(tokens.iter().map(|token| token.len() + 1).sum());
        for (index, token) in tokens.iter().enumerate() {
            if index > 0 {
                text.push('.');
            }
            escape(token, &mut text);
        }
        check(&text, |_| true)?;
        Ok(Self { text: text.into(), kind: tokens.last().copied().unwrap_or_default().into() })
    }

    /// The address one token further down; the token is escaped.
    pub fn below(&self, token: &str) -> Result<Self, AddressError> {
        let mut text = self.text.to_string();
        text.push('.');
        escape(token, &mut text);
        check(&text, |_| true)?;
        Ok(Self { text: text.into(), kind: token.into() })
    }

    /// The address as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The last token, unescaped.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    pub(super) fn shared(&self) -> (Arc<str>, Arc<str>) {
        (Arc::clone(&self.text), Arc::clone(&self.kind))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a subscription takes: an address and everything below it; `*` stands for one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    has_star: bool,
}

impl Pattern {
    /// Checks a pattern.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        check(text, |token| token == "*" || token.bytes().all(is_plain_or_escape))?;
        Ok(Self { text: text.into(), has_star: text.split('.').any(|token| token == "*") })
    }

    /// The pattern as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `address` is this address or below it.
    pub fn covers(&self, address: &Address) -> bool {
        let address = address.as_str();
        if self.has_star {
            let mut tokens = address.split('.');
            let mut own = self.text.split('.');
            return own.all(|own| tokens.next().is_some_and(|token| own == "*" || own == token));
        }
        address
            .strip_prefix(&*self.text)
            .is_some_and(|below| below.is_empty() || below.starts_with('.'))
    }
}

/// Which of the addresses one token below another are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Below {
    /// All of them.
    All,
    /// Those whose last token is one of these (unescaped).
    Names(BTreeSet<String>),
}

impl Below {
    /// None of them.
    pub fn none() -> Self {
        Self::Names(BTreeSet::new())
    }

    /// Whatever one of the two wants.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Names(mut names), Self::Names(more)) => {
                names.extend(more);
                Self::Names(names)
            }
            _ => Self::All,
        }
    }
}

impl Pattern {
    /// What it covers of the addresses one token below `root`.
    pub(super) fn below(&self, root: &Address) -> Below {
        let mut own = self.text.split('.');
        for token in root.as_str().split('.') {
            match own.next() {
                // The pattern ends here: it takes everything below.
                None => return Below::All,
                Some(own) if own == "*" || own == token => {}
                Some(_) => return Below::none(),
            }
        }
        match own.next() {
            None | Some("*") => Below::All,
            Some(name) => Below::Names(BTreeSet::from([unescape(name)])),
        }
    }
}

fn check(text: &str, good: impl Fn(&str) -> bool) -> Result<(), AddressError> {
    if text.len() > MAX_LEN {
        return Err(AddressError::TooLong(text.len()));
    }
    for token in text.split('.') {
        if token.is_empty() {
            return Err(AddressError::EmptyToken(text.to_owned()));
        }
        if !good(token) {
            return Err(AddressError::BadToken(text.to_owned(), token.to_owned()));
        }
    }
    Ok(())
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_plain_or_escape(byte: u8) -> bool {
    is_plain(byte) || byte == b'%'
}

fn escape(token: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in token.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// `%XX` back to bytes; a lone `%` stays, and so does what is no UTF-8.
fn unescape(token: &str) -> String {
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after
            .get(..2)
            .filter(|_| first == b'%')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        rest = if let Some(code) = code {
            bytes.push(code);
            &after[2..]
        } else {
            bytes.push(first);
            after
        };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_checked() {
        let check =
            |text: &str, good: bool| assert_eq!(Address::parse(text).is_ok(), good, "{text:?}");
        check("telepulse.event.activeLines", true);
        check("telepulse.proxy.event.pbx%201.New-channel_", true);
        check("", false);
        check("telepulse..event", false);
        check("telepulse.event.", false);
        check("telepulse.*", false);
        check("telepulse.event.ä", false);
        check("telepulse event", false);
        check(&"a".repeat(MAX_LEN), true);
        check(&"a".repeat(MAX_LEN + 1), false);
        assert!(Address::build(&[]).is_err());
        assert!(Address::build(&["telepulse", ""]).is_err());
    }

    #[test]
    fn a_pattern_takes_what_is_below_it() {
        let check = |pattern: &str, address: &str, expected: bool| {
            let pattern = Pattern::parse(pattern).unwrap();
            let address = Address::parse(address).unwrap();
            assert_eq!(pattern.covers(&address), expected, "{pattern:?} {address}");
        };
        check("telepulse.event", "telepulse.event", true);
        check("telepulse.event", "telepulse.event.activeLines", true);
        check("telepulse.event", "telepulse.events", false);
        check("telepulse.event.activeLines", "telepulse.event", false);
        check("telepulse.proxy.event.*.Newchannel", "telepulse.proxy.event.pbx1.Newchannel", true);
        check("telepulse.proxy.event.*.Newchannel", "telepulse.proxy.event.pbx1.Hangup", false);
        check("telepulse.*", "telepulse.event.activeLines", true);
        check("telepulse.*", "telepulse", false);
        check("*.event", "telepulse.event.x", true);
        check("*", "anything.at.all", true);
        assert!(Pattern::parse("telepulse.ev*").is_err());
    }

    #[test]
    fn what_a_pattern_wants_below_an_address() {
        let check = |pattern: &str, expected: Option<&[&str]>| {
            let root = Address::parse("telepulse.proxy.event.pbx1").unwrap();
            let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
            let expected = expected.map_or(Below::All, |expected| Below::Names(names(expected)));
            assert_eq!(Pattern::parse(pattern).unwrap().below(&root), expected, "{pattern}");
        };
        check("telepulse", None);
        check("telepulse.proxy.event", None);
        check("telepulse.proxy.event.pbx1", None);
        check("telepulse.proxy.event.*", None);
        check("telepulse.proxy.event.*.*", None);
        check("telepulse.proxy.event.pbx2", Some(&[]));
        check("telepulse.event", Some(&[]));
        check("telepulse.proxy.event.*.VarSet", Some(&["VarSet"]));
        check("telepulse.proxy.event.pbx1.AOC-D", Some(&["AOC-D"]));
        check("telepulse.proxy.event.pbx1.A%20B.deeper", Some(&["A B"]));
    }

    #[test]
    fn names_are_escaped_and_come_back() {
        let address = Address::build(&["telepulse", "proxy", "status", "Köln 1.x"]).unwrap();
        assert_eq!(address.as_str(), "telepulse.proxy.status.K%C3%B6ln%201%2Ex");
        assert_eq!(address.kind(), "Köln 1.x");
        assert_eq!(Address::parse(address.as_str()).unwrap().kind(), "Köln 1.x");
        let below = Address::parse("telepulse.proxy.status").unwrap().below("Köln 1.x").unwrap();
        assert_eq!((below.as_str(), below.kind()), (address.as_str(), address.kind()));
        assert!(below.below("").is_err());
        assert_eq!(Address::parse("a.100%").unwrap().kind(), "100%");
        assert_eq!(Address::parse("a.%FF").unwrap().kind(), "%FF");
    }

    proptest! {
        #[test]
        fn whatever_the_name_it_is_one_token(name in ".{1,40}") {
            let address = Address::build(&["telepulse", &name]).unwrap();
            prop_assert_eq!(address.as_str().split('.').count(), 2);
            let parsed = Address::parse(address.as_str()).unwrap();
            prop_assert_eq!(parsed.kind(), &name);
        }
    }
}
