//! The configuration as it is written: a tree whose every value knows where it stands.

use super::mistake::{Mistakes, Place};
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What can be written.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A string in quotes.
    Text(String),
    /// What a variable of the environment holds: of the type that its key wants.
    Word(String),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Truth(bool),
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(Table),
    /// A type that no key takes.
    Other,
}

pub(super) type Table = BTreeMap<String, Node>;

impl Node {
    pub(super) fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Word(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads TOML. What cannot be read is told, and the rest is read all the same.
pub(super) fn read(text: &str, mistakes: &mut Mistakes) -> Table {
    let lines = Lines::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = lines.place(error.span().unwrap_or_default().start);
        mistakes.add(&line, format!("not TOML: {}", error.message()));
    }
    lines.table(table.get_ref())
}

/// Offsets of the lines' beginnings.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect())
    }

    fn place(&self, offset: usize) -> Place {
        Place::Line(self.0.partition_point(|begin| *begin <= offset))
    }

    fn table(&self, table: &DeTable<'_>) -> Table {
        let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
            let key: &toml::Spanned<std::borrow::Cow<'_, str>> = key;
            let node =
                Node { place: self.place(key.span().start), value: self.value(value.get_ref()) };
            (key.get_ref().to_string(), node)
        };
        table.iter().map(entry).collect()
    }

    fn value(&self, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Other, Value::Integer),
            DeValue::Array(list) => {
                let node = |item: &toml::Spanned<DeValue<'_>>| Node {
                    place: self.place(item.span().start),
                    value: self.value(item.get_ref()),
                };
                Value::List(list.iter().map(node).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table)),
            DeValue::Boolean(truth) => Value::Truth(*truth),
            DeValue::Float(_) | DeValue::Datetime(_) => Value::Other,
        }
    }
}
