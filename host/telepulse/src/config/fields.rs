//! Typed access to the tree: wrong types become mistakes, absent keys stay absent.

use super::{
    mistake::{Mistakes, Place},
    rules,
    schema::Section,
    written::{Node, Table, Value},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

/// One table of the file, with what its keys are called in messages.
#[derive(Clone, Copy)]
pub(super) struct Fields<'t> {
    section: &'static str,
    table: &'t Table,
    pub(super) place: &'t Place,
}

/// Reads values and collects mistakes.
pub(super) struct Reader<'a> {
    pub(super) mistakes: Mistakes,
    /// The file is not well-formed TOML: what is missing may be there, unread.
    pub(super) broken: bool,
    pub(super) folder: &'a Path,
    pub(super) variables: &'a BTreeMap<String, String>,
    pub(super) files: &'a dyn Fn(&Path) -> io::Result<String>,
}

impl<'t> Fields<'t> {
    pub(super) fn new(section: &'static str, table: &'t Table, place: &'t Place) -> Self {
        Self { section, table, place }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'t Node> {
        self.table.get(key)
    }

    /// Where a key stands, or where it would.
    pub(super) fn place_of(&self, key: &str) -> &'t Place {
        self.table.get(key).map_or(self.place, |node| &node.place)
    }
}

impl Reader<'_> {
    /// Notes a mistake about a key, unless its line could not even be read.
    pub(super) fn mistake(&mut self, fields: &Fields<'_>, key: &str, message: &str) {
        self.mistake_at(fields.place_of(key), &format!("{}.{key}: {message}", fields.section));
    }

    pub(super) fn mistake_at(&mut self, place: &Place, text: &str) {
        if !(self.broken && self.mistakes.are_at(place)) {
            self.mistakes.add(place, text);
        }
    }

    pub(super) fn missing(&mut self, fields: &Fields<'_>, key: &str, way_out: &str) {
        if !self.broken {
            self.mistake(fields, key, &format!("is missing: {way_out}"));
        }
    }

    /// Refuses keys that the section does not have.
    pub(super) fn known(&mut self, fields: &Fields<'_>, section: &Section) {
        for (key, node) in fields.table {
            if section.keys.contains(&key.as_str()) {
                continue;
            }
            let name =
                if fields.section.is_empty() { key } else { &format!("{}.{key}", fields.section) };
            let message = if section.later.contains(&key.as_str()) {
                "is not in this version: remove it".to_owned()
            } else {
                format!("is unknown{}", rules::perhaps(key, section.keys))
            };
            self.mistake_at(&node.place, &format!("{name}: {message}"));
        }
    }

    pub(super) fn text<'t>(&mut self, fields: &Fields<'t>, key: &str) -> Option<&'t str> {
        let text = fields.get(key)?.as_text();
        if text.is_none() {
            self.mistake(fields, key, "must be a string in quotes");
        }
        text
    }

    /// A text that follows a rule.
    pub(super) fn ruled(
        &mut self,
        fields: &Fields<'_>,
        key: &str,
        rule: fn(&str) -> Result<(), String>,
    ) -> Option<String> {
        let text = self.text(fields, key)?;
        self.keep(fields, key, rule(text).map(|()| text.to_owned()))
    }

    /// The value, or its mistake noted.
    pub(super) fn keep<T>(
        &mut self,
        fields: &Fields<'_>,
        key: &str,
        value: Result<T, String>,
    ) -> Option<T> {
        value.map_err(|message| self.mistake(fields, key, &message)).ok()
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        fields: &Fields<'_>,
        key: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let node = fields.get(key)?;
        let found = choices.iter().find(|(word, _)| node.as_text() == Some(word));
        if found.is_none() {
            let words: Vec<String> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
            self.mistake(fields, key, &format!("must be {}", words.join(" or ")));
        }
        found.map(|(_, value)| *value)
    }

    pub(super) fn number(
        &mut self,
        fields: &Fields<'_>,
        key: &str,
        range: RangeInclusive<u32>,
    ) -> Option<u32> {
        let number = match &fields.get(key)?.value {
            Value::Integer(number) => u32::try_from(*number).ok(),
            Value::Word(word) => word.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (min, max) = range.into_inner();
            let message = format!("must be a whole number from {min} to {max}, without quotes");
            self.mistake(fields, key, &message);
        }
        number
    }

    pub(super) fn truth(&mut self, fields: &Fields<'_>, key: &str) -> Option<bool> {
        let truth = match &fields.get(key)?.value {
            Value::Truth(truth) => Some(*truth),
            Value::Word(word) => word.trim().parse().ok(),
            _ => None,
        };
        if truth.is_none() {
            self.mistake(fields, key, "must be true or false, without quotes");
        }
        truth
    }

    /// A list of texts; in the environment, separated by commas.
    pub(super) fn list(
        &mut self,
        fields: &Fields<'_>,
        key: &str,
        rule: fn(&str) -> Result<(), String>,
    ) -> Option<BTreeSet<String>> {
        let node = fields.get(key)?;
        let words: Vec<(&Place, Option<&str>)> = match &node.value {
            Value::List(list) => list.iter().map(|item| (&item.place, item.as_text())).collect(),
            Value::Word(word) => {
                let words = word.split(',').map(str::trim).filter(|word| !word.is_empty());
                words.map(|word| (&node.place, Some(word))).collect()
            }
            _ => {
                self.mistake(fields, key, "must be a list of strings, like [\"201\", \"202\"]");
                return None;
            }
        };
        let mut list = BTreeSet::new();
        for (place, word) in words {
            let outcome = word.ok_or("must be a string in quotes".to_owned());
            match outcome.and_then(|word| rule(word).map(|()| word)) {
                Ok(word) => drop(list.insert(word.to_owned())),
                Err(message) => {
                    self.mistake_at(place, &format!("{}.{key}: {message}", fields.section));
                }
            }
        }
        Some(list)
    }

    /// A path; a relative one begins at the file's folder.
    pub(super) fn path(&mut self, fields: &Fields<'_>, key: &str) -> Option<PathBuf> {
        let text = self.text(fields, key)?;
        let good = !text.is_empty() && !text.contains('\0');
        let path = if good { Ok(self.folder.join(text)) } else { Err("is empty".to_owned()) };
        self.keep(fields, key, path)
    }

    /// A value that may lie elsewhere: `env:NAME`, `file:PATH`, or the value itself.
    pub(super) fn secret(&mut self, fields: &Fields<'_>, key: &str) -> Option<String> {
        let text = self.text(fields, key)?;
        let value = if let Some(name) = text.strip_prefix("env:") {
            self.variables.get(name).cloned().ok_or_else(|| {
                format!("the environment has no {name}: set it, or write \"file:PATH\"")
            })
        } else if let Some(path) = text.strip_prefix("file:") {
            let path = self.folder.join(path);
            // Editors end a file with a newline that is no part of the secret.
            let read = (self.files)(&path).map(|text| text.trim_end_matches(['\r', '\n']).into());
            read.map_err(|error| format!("cannot read {}: {error}", path.display()))
        } else {
            Ok(text.to_owned())
        };
        let value = value.and_then(|value| {
            if value.is_empty() { Err("is empty where it is kept".to_owned()) } else { Ok(value) }
        });
        self.keep(fields, key, value)
    }
}
