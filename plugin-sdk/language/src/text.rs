//! Words that come from outside, checked once where they enter and trusted afterwards.

use serde::{Deserialize, Deserializer, Serialize, de};
use std::{borrow::Borrow, fmt, ops::Deref, str::FromStr};
use thiserror::Error;

/// Why a word was refused. The message says what is allowed, never repeats the word itself: it may
/// hold control characters or a secret.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TextError {
    /// Nothing was given.
    #[error("is empty")]
    Empty,
    /// More bytes than the type takes.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// CR, LF, NUL or another control character: these would end or cut an AMI line.
    #[error("holds a control character (CR, LF, NUL and the like are never sent to Asterisk)")]
    Control,
    /// `${…}` or `$[…]`: Asterisk would evaluate it.
    #[error("holds `${{` or `$[`, which Asterisk would evaluate")]
    Expression,
    /// A character outside the type's alphabet.
    #[error("may hold only {0}")]
    Alphabet(&'static str),
}

/// The characters that a word may have: in words for people, and as a test.
type Alphabet = (&'static str, fn(u8) -> bool);

/// What a checked word allows.
struct Rule {
    max: usize,
    alphabet: Option<Alphabet>,
    /// The same as a regular expression of ECMAScript, for the published schema.
    #[cfg_attr(not(feature = "schema"), expect(dead_code, reason = "for the schema alone"))]
    pattern: &'static str,
}

/// Anything printable that Asterisk does not evaluate.
const PRINTABLE: &str = r"^(?!.*\$[{\[])[^\u0000-\u001f\u007f-\u009f]+$";

impl Rule {
    fn check(&self, text: &str) -> Result<(), TextError> {
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        if text.len() > self.max {
            return Err(TextError::TooLong(self.max));
        }
        if text.chars().any(char::is_control) {
            return Err(TextError::Control);
        }
        if text.contains("${") || text.contains("$[") {
            return Err(TextError::Expression);
        }
        match self.alphabet {
            Some((words, allowed)) if !text.bytes().all(allowed) => Err(TextError::Alphabet(words)),
            _ => Ok(()),
        }
    }
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $rule:expr $(, $extra:expr)?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The checked word.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = TextError;
            fn from_str(text: &str) -> Result<Self, TextError> {
                const RULE: Rule = $rule;
                RULE.check(text)?;
                $( let extra: fn(&str) -> Result<(), TextError> = $extra; extra(text)?; )?
                Ok(Self(text.to_owned()))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                const RULE: Rule = $rule;
                schemars::json_schema!({
                    "type": "string", "minLength": 1, "maxLength": RULE.max, "pattern": RULE.pattern,
                })
            }
        }

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// Words for people that never go to Asterisk: 1 to 4,096 bytes, also of several lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Prose(String);

impl Prose {
    const MOST: usize = 4_096;
}

impl Deref for Prose {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl FromStr for Prose {
    type Err = TextError;
    fn from_str(text: &str) -> Result<Self, TextError> {
        if text.trim().is_empty() {
            return Err(TextError::Empty);
        }
        if text.len() > Self::MOST {
            return Err(TextError::TooLong(Self::MOST));
        }
        if text.chars().any(|it| it.is_control() && !matches!(it, '\n' | '\r' | '\t')) {
            return Err(TextError::Control);
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Prose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Prose {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Prose".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "minLength": 1, "maxLength": Self::MOST})
    }
}

checked_text!(
    /// An extension or a number to dial: digits, letters, `* # + _ . -`; at most 80 bytes.
    /// No `&`, `/`, `@`, `,` or `|`, which would fork the call or change its technology.
    Extension,
    Rule {
        max: 80,
        alphabet: Some(("digits, letters and * # + _ . -", |b: u8| {
            b.is_ascii_alphanumeric() || b"*#+_.-".contains(&b)
        })),
        pattern: r"^[A-Za-z0-9*#+_.-]+$",
    }
);

checked_text!(
    /// An AMI channel name (`PJSIP/201-0000002a`) or a Uniqueid; at most 128 bytes. Never starts with
    /// `/`: AMI's Hangup would take it for a regular expression.
    ChannelName,
    Rule {
        max: 128,
        alphabet: None,
        pattern: r"^(?!/)(?!.*\$[{\[])[^\u0000-\u001f\u007f-\u009f,&]+$",
    },
    |text| {
        if text.starts_with('/') || text.contains(',') || text.contains('&') {
            Err(TextError::Alphabet("an AMI channel name or Uniqueid, without , & or a leading /"))
        } else {
            Ok(())
        }
    }
);

checked_text!(
    /// The id of a call, a server, a conference: opaque, printable, at most 128 bytes.
    Id,
    Rule { max: 128, alphabet: None, pattern: PRINTABLE }
);

checked_text!(
    /// A queue's or a member's name as Asterisk has it; at most 128 bytes.
    Name,
    Rule { max: 128, alphabet: None, pattern: PRINTABLE }
);

checked_text!(
    /// Free words for people (a reason, a caller ID); at most 512 bytes.
    Words,
    Rule { max: 512, alphabet: None, pattern: PRINTABLE }
);

checked_text!(
    /// A channel variable's plain name: `^_{0,2}[A-Za-z][A-Za-z0-9_]*$`. Dialplan functions
    /// (`SHELL()`, `FILE()`, …) are no plain names and never pass.
    VariableName,
    Rule {
        max: 79,
        alphabet: Some(("a plain variable name: up to two _, a letter, then letters, digits, _", |b: u8| {
            b.is_ascii_alphanumeric() || b == b'_'
        })),
        pattern: r"^_{0,2}[A-Za-z][A-Za-z0-9_]*$",
    },
    |text| {
        let bare = text.strip_prefix("__").or_else(|| text.strip_prefix('_')).unwrap_or(text);
        if bare.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) {
            Ok(())
        } else {
            Err(TextError::Alphabet(
                "a plain variable name: up to two _, a letter, then letters, digits, _",
            ))
        }
    }
);

checked_text!(
    /// Keys of a phone: `0-9 * # A-D`; at most 32.
    Digits,
    Rule {
        max: 32,
        alphabet: Some(("0-9 * # A-D", |b: u8| {
            b.is_ascii_digit() || b"*#ABCD".contains(&b)
        })),
        pattern: r"^[0-9*#A-D]+$",
    }
);

checked_text!(
    /// A file of Asterisk's below its own folder: letters, digits, `. _ - /`, at most 200 bytes. Never
    /// starts with `/` and never has a part that starts with a dot, so that it stays in that folder.
    FileName,
    Rule {
        max: 200,
        alphabet: Some((FILE_ALPHABET, |b: u8| {
            b.is_ascii_alphanumeric() || b"._-/".contains(&b)
        })),
        pattern: r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$",
    },
    |text| {
        if text.split('/').any(|part| part.is_empty() || part.starts_with('.')) {
            Err(TextError::Alphabet(FILE_ALPHABET))
        } else {
            Ok(())
        }
    }
);

const FILE_ALPHABET: &str =
    "letters, digits and . _ - /, and is a path below Asterisk's own folder";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_reach_past_its_field_is_refused() {
        for bad in [
            "",
            "102\r\nAction: Command",
            "102\n",
            "10\u{0}2",
            "102&103",
            "SIP/1",
            "102@x",
            "1,2",
            "a|b",
            "${X}",
        ] {
            assert!(bad.parse::<Extension>().is_err(), "{bad:?} passed");
        }
        for good in ["102", "*8", "+4930123", "reception", "a.b-c_d#"] {
            assert_eq!(good.parse::<Extension>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn a_channel_is_never_a_pattern() {
        assert!("/.*/".parse::<ChannelName>().is_err());
        assert!("PJSIP/201-0000002a".parse::<ChannelName>().is_ok());
        assert!("Local/1@storm-00000001;2".parse::<ChannelName>().is_ok());
    }

    #[test]
    fn a_variable_is_never_a_function() {
        for bad in ["SHELL(ls)", "___X", "1X", "_", "A-B", "CURL(x)"] {
            assert!(bad.parse::<VariableName>().is_err(), "{bad:?} passed");
        }
        for good in ["X", "_X", "__X9_y"] {
            assert!(good.parse::<VariableName>().is_ok(), "{good:?} refused");
        }
    }
}
