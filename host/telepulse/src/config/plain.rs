//! Which keys of a file hold a secret itself, rather than where it is.

use super::{
    mistake::{Mistakes, Place},
    written::{self, Table, Value},
};
use std::path::Path;

/// Tables, by their paths, with the keys that are secrets. What is hashed is none.
const SECRETS: [(&[&str], &str); 7] = [
    (&["server"], "secret"),
    (&["server", "ari"], "password"),
    (&["auth", "jwt"], "secret"),
    (&["bus"], "password"),
    (&["bus"], "token"),
    (&["store"], "url"),
    (&["telemetry"], "headers"),
];

/// Line and name of each key whose value is the secret itself. Of a URL, only one with a password.
pub fn plain_secrets(text: &str) -> Vec<(usize, String)> {
    let root = written::read(text, &mut Mistakes::new(Path::new("")));
    let mut found = Vec::new();
    for (path, key) in SECRETS {
        for table in tables(&root, path) {
            let Some(node) = table.get(key) else { continue };
            let is_plain = node.as_text().is_some_and(|text| {
                let is_elsewhere = text.starts_with("env:") || text.starts_with("file:");
                !is_elsewhere && (key != "url" || text.contains('@'))
            });
            if let (true, Place::Line(line)) = (is_plain, &node.place) {
                found.push((*line, format!("{}.{key}", path.join("."))));
            }
        }
    }
    found.sort();
    found
}

/// The tables at a path, each entry of an array of tables for itself.
fn tables<'t>(root: &'t Table, path: &[&str]) -> Vec<&'t Table> {
    let mut tables = vec![root];
    for name in path {
        let nodes = tables.iter().filter_map(|table| table.get(*name));
        tables = nodes
            .flat_map(|node| match &node.value {
                Value::Table(table) => vec![table],
                Value::List(list) => list.iter().filter_map(written::Node::as_table).collect(),
                _ => Vec::new(),
            })
            .collect();
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_elsewhere_is_no_plain_secret() {
        let text = "[[server]]\nid = \"a\"\nsecret = \"hunter2\"\n[server.ari]\n\
                    password = \"env:X\"\n[[server]]\nsecret = \"file:y\"\n\
                    [store]\nurl = \"redis://u:p@h\"\n[telemetry]\nheaders = \"k=v\"\n";
        let found = plain_secrets(text);
        let expected = [(3, "server.secret"), (9, "store.url"), (11, "telemetry.headers")];
        assert_eq!(found, expected.map(|(line, key)| (line, key.to_owned())));
        assert_eq!(plain_secrets("[store]\nurl = \"redis://h\"\n"), []);
    }
}
