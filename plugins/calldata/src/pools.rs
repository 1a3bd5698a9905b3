//! Numbers that calls can be sent to: single ones, and ranges that take no more room than one.

use crate::number;
use serde::{Deserialize, Deserializer, de};
use std::collections::BTreeMap;

/// The most numbers that a range may have.
const LARGEST: u64 = 1_000_000;

/// By name.
pub(crate) type Pools = BTreeMap<String, Pool>;

/// The numbers of one system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Pool(Vec<Numbers>);

/// One number, or all from one to another.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Numbers {
    One(String),
    /// Digits, so many of them.
    Range {
        first: u64,
        last: u64,
        width: usize,
    },
}

impl Numbers {
    fn count(&self) -> u64 {
        match self {
            Self::One(_) => 1,
            Self::Range { first, last, .. } => last - first + 1,
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let is_digits = |text: &str| {
            (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        match text.split_once('-') {
            Some((from, to)) if is_digits(from) && is_digits(to) => {
                if from.len() != to.len() {
                    return Err(format!("{text:?}: both ends of a range have as many digits"));
                }
                let number = |text: &str| text.parse::<u64>().unwrap_or_default();
                let (first, last, width) = (number(from), number(to), from.len());
                match last.checked_sub(first) {
                    None => Err(format!("{text:?}: the first number is behind the last")),
                    Some(more) if more >= LARGEST => {
                        Err(format!("{text:?}: a range has at most {LARGEST} numbers"))
                    }
                    Some(_) => Ok(Self::Range { first, last, width }),
                }
            }
            _ if number::is_one(text) => Ok(Self::One(text.to_owned())),
            _ => Err(format!(
                "{text:?} is no number like \"5550100\", and no range like \"5550100-5550199\""
            )),
        }
    }

    /// A number that is in both.
    fn shared(&self, other: &Self) -> Option<String> {
        match (self, other) {
            (Self::One(one), other) | (other, Self::One(one)) => {
                other.contains(one).then(|| one.clone())
            }
            (
                Self::Range { first, last, width },
                Self::Range { first: others_first, last: others_last, width: others_width },
            ) => {
                let both = *first.max(others_first);
                let is_shared = width == others_width && both <= *last.min(others_last);
                is_shared.then(|| written(both, *width))
            }
        }
    }

    fn contains(&self, number: &str) -> bool {
        match self {
            Self::One(one) => one == number,
            Self::Range { first, last, width } => {
                number.len() == *width
                    && number.bytes().all(|byte| byte.is_ascii_digit())
                    && number.parse().is_ok_and(|number| (*first..=*last).contains(&number))
            }
        }
    }
}

fn written(number: u64, width: usize) -> String {
    format!("{number:0width$}")
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Pool {
    /// How many numbers it has.
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(Numbers::count).sum()
    }

    /// The number at a place, from 0, in the order in which they are written.
    pub(crate) fn at(&self, mut place: u64) -> Option<String> {
        for numbers in &self.0 {
            if place < numbers.count() {
                return Some(match numbers {
                    Numbers::One(one) => one.clone(),
                    Numbers::Range { first, width, .. } => written(first + place, *width),
                });
            }
            place -= numbers.count();
        }
        None
    }
}

/// A number that is there twice would be handed out twice: which, and in what pools.
pub(crate) fn twice(pools: &Pools) -> Option<(String, &str, &str)> {
    let all: Vec<(&str, &Numbers)> = pools
        .iter()
        .flat_map(|(name, pool)| pool.0.iter().map(move |numbers| (name.as_str(), numbers)))
        .collect();
    all.iter().enumerate().find_map(|(place, (pool, numbers))| {
        all[place + 1..].iter().find_map(|(other, others)| {
            numbers.shared(others).map(|number| (number, *pool, *other))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pool(numbers: &[&str]) -> Pool {
        serde_json::from_value(json!(numbers)).unwrap()
    }

    #[test]
    fn numbers_have_places_in_the_order_in_which_they_are_written() {
        let pool = pool(&["0099-0101", "+49-30-1", "7"]);
        assert_eq!(pool.count(), 5);
        let all: Vec<_> = (0..6).map_while(|place| pool.at(place)).collect();
        assert_eq!(all, ["0099", "0100", "0101", "+49-30-1", "7"]);
    }

    #[test]
    fn what_is_no_number_is_named() {
        for (text, why) in [
            ("", "is no number"),
            ("5:5", "is no number"),
            ("0-999999999", "as many digits"),
            ("20-10", "behind the last"),
            ("0000000-9999999", "at most 1000000"),
        ] {
            let error = serde_json::from_value::<Pool>(json!([text])).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(text), "{error}");
        }
    }

    #[test]
    fn a_number_is_in_one_pool_once() {
        let pools = |a: &[&str], b: &[&str]| {
            Pools::from([("a".to_owned(), pool(a)), ("b".to_owned(), pool(b))])
        };
        assert_eq!(twice(&pools(&["10-19", "7"], &["20-29", "007", "8"])), None);
        for (a, b, expected) in [
            (&["10-19"][..], &["15-29"][..], ("15", "a", "b")),
            (&["10-19"], &["12"], ("12", "a", "b")),
            (&["1", "2", "1"], &[], ("1", "a", "a")),
        ] {
            let (number, first, second) = expected;
            assert_eq!(twice(&pools(a, b)), Some((number.to_owned(), first, second)));
        }
    }
}
