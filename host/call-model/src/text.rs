//! Words as Asterisk writes them: what means "not known", and escapes taken back.

use std::borrow::Cow;
use telepulse_language::SmolStr;

use ami_proto::{Key, Lookup, Message};

/// A value, or empty if it only says that there is none.
pub(crate) fn known(value: &str) -> &str {
    match value {
        "<unknown>" | "unknown" | "<none>" | "(null)" => "",
        value => value,
    }
}

/// The first value under `key`, empty if absent, not UTF-8, or said to be unknown.
pub(crate) fn field<'m>(message: &'m Message, key: &str) -> &'m str {
    message.get(key).map_or("", known)
}

/// A number under `key`.
pub(crate) fn number<T: std::str::FromStr>(message: &Message, key: &str) -> Option<T> {
    message.get(key)?.trim().parse().ok()
}

/// A display name under `key`: may be cut UTF-8, and is C-escaped (`O\'Brien`).
pub(crate) fn name<'m>(message: &'m Message, key: &str) -> Cow<'m, str> {
    shown(message.get_bytes(key))
}

fn shown(value: Option<&[u8]>) -> Cow<'_, str> {
    let Some(value) = value else { return Cow::Borrowed("") };
    match std::str::from_utf8(value) {
        Ok(value) => unescape(Cow::Borrowed(known(value))),
        Err(_) => unescape(String::from_utf8_lossy(value)),
    }
}

/// Fields that stand together, asked for in their order: see [`ami_proto::Lookup`].
pub(crate) struct Group<'m>(Lookup<'m>);

impl<'m> Group<'m> {
    pub(crate) fn of(message: &'m Message) -> Self {
        Self(message.lookup())
    }

    /// As [`field`] gives it.
    #[inline]
    pub(crate) fn field(&mut self, key: Key) -> &'m str {
        self.0.get(key).map_or("", known)
    }

    /// As [`name`] gives it.
    pub(crate) fn name(&mut self, key: Key) -> Cow<'m, str> {
        shown(self.0.get_bytes(key))
    }
}

/// Takes back what Asterisk's `ast_escape_c` did.
fn unescape(value: Cow<'_, str>) -> Cow<'_, str> {
    if !value.contains('\\') {
        return value;
    }
    let mut plain = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                // Control characters have no place in a name that is shown.
                Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v') => plain.push(' '),
                Some(escaped) => plain.push(escaped),
                None => plain.push('\\'),
            },
            character => plain.push(character),
        }
    }
    Cow::Owned(plain)
}

/// Replaces `place` if `value` is another; says whether it did.
pub(crate) fn set(place: &mut SmolStr, value: &str) -> bool {
    let differs = **place != *value;
    if differs {
        *place = value.into();
    }
    differs
}

/// A part of a call id that can stand in a URL's path as it is: `~XX` for all but letters, digits,
/// `.`, `_` and `-` (not `%XX`, which servers and proxies would take back at will).
pub(crate) fn url_safe(id: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if id.bytes().all(plain) {
        return Cow::Borrowed(id);
    }
    let mut escaped = String::with_capacity(id.len() + 8);
    for byte in id.bytes() {
        if plain(byte) {
            escaped.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            escaped.push('~');
            escaped.push(char::from(HEX[usize::from(byte >> 4)]));
            escaped.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_taken_back() {
        let check = |given: &str, expected: &str| {
            assert_eq!(unescape(Cow::Borrowed(given)), expected, "{given}");
        };
        check("Ann", "Ann");
        check(r"O\'Brien", "O'Brien");
        check(r#"\"Bob\" \\ Co"#, r#""Bob" \ Co"#);
        check(r"a\nb", "a b");
        check(r"cut\", r"cut\");
    }

    #[test]
    fn ids_can_stand_in_a_path() {
        assert_eq!(url_safe("tp-1795215905.0"), "tp-1795215905.0");
        assert_eq!(url_safe("a/b ;2"), "a~2Fb~20~3B2");
        assert_eq!(url_safe("é"), "~C3~A9");
    }
}
