//! Which figures a plugin may keep: names and sets of labels are counted, so that a plugin that makes
//! up new ones does not fill the host. Pure.

use crate::ports::Measure;
use std::{
    collections::{BTreeMap, HashSet},
    mem::{Discriminant, discriminant},
};

/// Names that one plugin may use.
const NAMES: usize = 64;
/// Names with one set of labels each.
const SERIES: usize = 1024;
const LABELS: usize = 8;
const LONGEST_NAME: usize = 64;
const LONGEST_VALUE: usize = 128;
/// What the host and Prometheus put there themselves.
const TAKEN: [&str; 3] = ["plugin", "le", "quantile"];

/// What one plugin keeps.
#[derive(Default)]
pub(crate) struct Series {
    names: BTreeMap<String, Discriminant<Measure>>,
    known: HashSet<(String, Vec<(String, String)>)>,
}

/// Why a figure is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{0:?} is no name: 1 to 64 of a-z, 0-9 and _, beginning with a letter")]
    Name(String),
    #[error("the name {0:?} is the host's own")]
    Taken(String),
    #[error("{0}: infinite, or not a number")]
    Number(String),
    #[error("{0} is of another kind already")]
    Kind(String),
    #[error("more than {NAMES} names")]
    Names,
    #[error("more than {SERIES} sets of names and labels; do not put numbers of calls into labels")]
    Series,
    #[error("more than {LABELS} labels, one twice, or a value of more than {LONGEST_VALUE} bytes")]
    Labels,
}

impl Series {
    /// Whether this figure is taken; a new name or set of labels is remembered.
    pub(crate) fn admit(
        &mut self,
        name: &str,
        measure: Measure,
        labels: &[(String, String)],
    ) -> Result<(), Refused> {
        let kind = discriminant(&measure);
        if let Measure::Set(value) | Measure::Observe(value) = measure
            && !value.is_finite()
        {
            return Err(Refused::Number(name.to_owned()));
        }
        match self.names.get(name) {
            Some(known) if *known != kind => return Err(Refused::Kind(name.to_owned())),
            Some(_) => {}
            None => check_name(name)?,
        }
        let series = (name.to_owned(), labels.to_vec());
        if self.known.contains(&series) {
            return Ok(());
        }
        check_labels(labels)?;
        if self.known.len() >= SERIES {
            return Err(Refused::Series);
        }
        if self.names.len() >= NAMES && !self.names.contains_key(name) {
            return Err(Refused::Names);
        }
        self.names.insert(name.to_owned(), kind);
        self.known.insert(series);
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), Refused> {
    let is_good = name.len() <= LONGEST_NAME
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if is_good { Ok(()) } else { Err(Refused::Name(name.chars().take(80).collect())) }
}

/// Labels come sorted.
fn check_labels(labels: &[(String, String)]) -> Result<(), Refused> {
    for (key, _) in labels {
        check_name(key)?;
        if TAKEN.contains(&key.as_str()) {
            return Err(Refused::Taken(key.clone()));
        }
    }
    let is_twice = labels.windows(2).any(|pair| pair[0].0 == pair[1].0);
    let is_long = labels.iter().any(|(_, value)| value.len() > LONGEST_VALUE);
    if labels.len() > LABELS || is_twice || is_long { Err(Refused::Labels) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn names_are_of_one_kind_and_well_formed() {
        let mut series = Series::default();
        assert_eq!(series.admit("looked_up", Measure::Add(1), &[]), Ok(()));
        assert_eq!(
            series.admit("looked_up", Measure::Set(1.0), &[]),
            Err(Refused::Kind("looked_up".to_owned()))
        );
        for bad in ["", "1st", "Up", "a-b", "ä", &"a".repeat(65)] {
            assert!(matches!(series.admit(bad, Measure::Add(1), &[]), Err(Refused::Name(_))));
        }
        for bad in [f64::NAN, f64::INFINITY] {
            let refused = series.admit("took", Measure::Observe(bad), &[]);
            assert_eq!(refused, Err(Refused::Number("took".to_owned())));
        }
    }

    #[test]
    fn labels_are_checked_once_and_counted() {
        let mut series = Series::default();
        let mut admit = |labels: &[_]| series.admit("n", Measure::Add(1), labels);
        assert_eq!(admit(&[label("plugin", "x")]), Err(Refused::Taken("plugin".to_owned())));
        assert_eq!(admit(&[label("a", "x"), label("a", "y")]), Err(Refused::Labels));
        assert_eq!(admit(&[label("a", &"x".repeat(129))]), Err(Refused::Labels));
        for call in 0..SERIES {
            assert_eq!(admit(&[label("call", &call.to_string())]), Ok(()));
        }
        assert_eq!(admit(&[label("call", "one more")]), Err(Refused::Series));
        assert_eq!(admit(&[label("call", "7")]), Ok(()), "known ones go on");
    }

    #[test]
    fn there_is_an_end_to_names() {
        let mut series = Series::default();
        for name in 0..NAMES {
            assert_eq!(series.admit(&format!("n{name}"), Measure::Add(1), &[]), Ok(()));
        }
        assert_eq!(series.admit("more", Measure::Add(1), &[]), Err(Refused::Names));
    }
}
