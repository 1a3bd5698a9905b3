//! What is printed: tables, and text from elsewhere that must not command the terminal.

pub(super) use crate::paint::inert;
use serde_json::Value;
use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

/// Prints JSON, for programs and for whoever wants all of it.
pub(super) fn print_json(value: &Value) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", inert(&format!("{value:#}"), true))
}

/// Prints some keys of all items as a table with a head.
pub(super) fn print_table(items: &[Value], keys: &[&str]) -> io::Result<()> {
    write!(io::stdout().lock(), "{}", table(items, keys))
}

fn table(items: &[Value], keys: &[&str]) -> String {
    let head = keys.iter().map(|key| key.to_uppercase()).collect();
    let cells = |item: &Value| keys.iter().map(|key| cell(&item[*key])).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(items.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..keys.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => return "-".to_owned(),
        Value::Array(list) => list.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    inert(&text, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::disturbs;
    use serde_json::json;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let items = [
            json!({ "id": "pbx1", "port": 5038, "state": "CONNECTED", "missing": ["a", "b"] }),
            json!({ "id": "š", "state": "x\u{1b}[2J", "missing": [] }),
        ];
        let expected = "ID    PORT  STATE       MISSING\n\
                        pbx1  5038  CONNECTED   a, b\n\
                        š     -     x\\u001b[2J  -\n";
        assert_eq!(table(&items, &["id", "port", "state", "missing"]), expected);
    }

    #[test]
    fn what_is_made_inert_is_the_same_json() {
        let text = json!({ "name": "a\n\u{9b}31m\u{202e}b" }).to_string();
        let inert = inert(&text, false);
        assert!(!inert.contains(disturbs), "{inert}");
        let [before, after] = [&text, &inert].map(|t| serde_json::from_str::<Value>(t).unwrap());
        assert_eq!(before, after);
    }
}
