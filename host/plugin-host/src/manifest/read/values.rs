//! What values may be: lists, tables, numbers, sizes, words; and any of them as JSON.

use super::{Node, Reader};
use serde_json::{Map, Value};
use std::ops::{Range, RangeInclusive};
use toml::de::{DeTable, DeValue};

impl Reader<'_> {
    /// The strings of a list, each with its place.
    pub(super) fn strings<'v>(
        &mut self,
        key: &str,
        value: &'v Node<'_>,
    ) -> Vec<(&'v str, Range<usize>)> {
        let Some(list) = value.get_ref().as_array() else {
            self.mistake(value.span(), key, "must be a list of strings: write [\"…\"]");
            return Vec::new();
        };
        let mut strings = Vec::new();
        for item in list {
            match item.get_ref().as_str() {
                Some(text) => strings.push((text, item.span())),
                None => self.mistake(item.span(), key, "must be a string in quotes"),
            }
        }
        strings
    }

    /// The tables of a list, each with its place.
    pub(super) fn tables<'v>(
        &mut self,
        key: &str,
        value: &'v Node<'_>,
        example: &str,
    ) -> Vec<(&'v DeTable<'v>, Range<usize>)> {
        let Some(list) = value.get_ref().as_array() else {
            self.mistake(value.span(), key, format!("must be a list: {example}"));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in list {
            match item.get_ref().as_table() {
                Some(table) => tables.push((table, item.span())),
                None => self.mistake(item.span(), key, format!("must be a table: {example}")),
            }
        }
        tables
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &mut self,
        key: &str,
        value: &Node<'_>,
        min: u64,
        max: u64,
    ) -> Option<u64> {
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|int| u64::from_str_radix(int.as_str(), int.radix()).ok())
            .filter(|number| (min..=max).contains(number));
        if number.is_none() {
            self.mistake(value.span(), key, format!("must be a whole number from {min} to {max}"));
        }
        number
    }
}

/// Letters and digits, like the name of a right or of a command.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Reads `64 MiB`.
pub(super) fn bytes(text: &str, range: RangeInclusive<u64>) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit: u64 = match text[digits..].trim() {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    let size = text[..digits].parse::<u64>().ok()?.checked_mul(unit)?;
    range.contains(&size).then_some(size)
}

pub(super) fn object(table: &DeTable<'_>) -> Map<String, Value> {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref()))).collect()
}

/// A TOML value as JSON; dates and numbers beyond 64 bits become strings.
fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(int) => i64::from_str_radix(int.as_str(), int.radix())
            .map_or_else(|_| Value::from(int.as_str()), Value::from),
        DeValue::Float(float) => {
            float.as_str().parse::<f64>().map_or_else(|_| Value::from(float.as_str()), Value::from)
        }
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Datetime(date) => Value::from(date.to_string()),
        DeValue::Array(list) => list.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => Value::Object(object(table)),
    }
}
