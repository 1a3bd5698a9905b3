//! Names and numbers with `*` for anything and `?` for one character, as operators write them.

use serde::{Deserialize, Deserializer, Serialize, de};

/// The longest one.
const LONGEST: usize = 64;

/// A name, or many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// Whether a text is what it says, from the first character to the last.
    pub(crate) fn matches(&self, text: &str) -> bool {
        matches(self.0.as_bytes(), text.as_bytes())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || text.len() > LONGEST || text.contains(char::is_control) {
            let message = format!("must be 1 to {LONGEST} characters, * for any and ? for one");
            return Err(de::Error::custom(message));
        }
        Ok(Self(text))
    }
}

/// Without recursion: where a `*` does not fit, the last one takes a character more.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut last_star = None;
    while place < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                last_star = Some((at, place));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[place] => {
                at += 1;
                place += 1;
            }
            _ => match last_star {
                Some((star, taken)) => {
                    last_star = Some((star, taken + 1));
                    (at, place) = (star + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, expected) in [
            ("201", "201", true),
            ("201", "2011", false),
            ("+49*", "+4930123", true),
            ("+49*", "+43123", false),
            ("*", "", true),
            ("2?1", "271", true),
            ("2?1", "21", false),
            ("*00*7", "12003007", true),
            ("*00*7", "12003008", false),
            ("**", "x", true),
            ("?", "", false),
        ] {
            let pattern = Pattern(pattern.to_owned());
            assert_eq!(pattern.matches(text), expected, "{pattern:?} {text}");
        }
    }
}
