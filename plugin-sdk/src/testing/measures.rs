//! What the plugin measured.

use crate::metrics::Measure;
use std::collections::BTreeMap;

type Labels = Vec<(String, String)>;

/// By name and labels, in the order of time.
#[derive(Default)]
pub(super) struct Measures(BTreeMap<(String, Labels), Vec<Measure>>);

impl Measures {
    pub(super) fn take(&mut self, name: &str, labels: &[(&str, &str)], measure: Measure) {
        self.0.entry(key(name, labels)).or_default().push(measure);
    }

    pub(super) fn of(&self, name: &str, labels: &[(&str, &str)]) -> &[Measure] {
        self.0.get(&key(name, labels)).map_or(&[], Vec::as_slice)
    }
}

fn key(name: &str, labels: &[(&str, &str)]) -> (String, Labels) {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let mut labels: Labels = labels.iter().map(owned).collect();
    labels.sort();
    (name.to_owned(), labels)
}
