//! Variables of the environment take the place of what the file says: `TELEPULSE_SECTION__KEY`.

use super::{
    mistake::{Mistakes, Place},
    rules,
    schema::{SECTIONS, Section},
    written::{Node, Table, Value},
};
use std::collections::BTreeMap;

/// What all of them begin with; those without `__` after it are no keys (`TELEPULSE_TOKEN`).
const PREFIX: &str = "TELEPULSE_";

/// Puts the variables' values into the tree.
pub(super) fn apply(
    root: &mut Table,
    variables: &BTreeMap<String, String>,
    mistakes: &mut Mistakes,
) {
    for (name, value) in variables {
        let Some(path) = name.strip_prefix(PREFIX).filter(|path| path.contains("__")) else {
            continue;
        };
        let place = Place::Variable(name.clone());
        let words: Vec<&str> = path.split("__").collect();
        let node = Node { place: place.clone(), value: Value::Word(value.clone()) };
        if let Err(message) = put(root, &words, node) {
            mistakes.add(&place, message);
        }
    }
}

fn put(root: &mut Table, words: &[&str], node: Node) -> Result<(), String> {
    let section = SECTIONS.iter().find(|section| {
        let path = section.path;
        words.len() > path.len() && path.iter().zip(words).all(|(name, word)| same(name, word))
    });
    let Some(section) = section else {
        let known: Vec<&str> = SECTIONS.iter().map(|section| section.path[0]).collect();
        let word = words[0].to_lowercase();
        return Err(format!("there is no section {word:?}{}", rules::perhaps(&word, &known)));
    };
    let rest = &words[section.path.len()..];
    match section.named_by {
        None => {
            let table = descend(root, section.path, &node.place)?;
            table.insert(key(section, &rest.join("__")), node);
        }
        Some(named_by) => {
            let Some((last, name)) = rest.split_last().filter(|(_, name)| !name.is_empty()) else {
                let path = section.path.join("__").to_uppercase();
                return Err(format!("say of which: {PREFIX}{path}__NAME__KEY"));
            };
            let (inner, name) = inner(section, name);
            let entry = entry(root, section.path, named_by, &name.join("__"))?;
            match inner {
                Some(inner) => {
                    let own = &inner.path[section.path.len()..];
                    descend(entry, own, &node.place)?.insert(key(inner, last), node);
                }
                None => drop(entry.insert(key(section, last), node)),
            }
        }
    }
    Ok(())
}

/// Splits a table within the entry off the words that name the entry.
fn inner<'w, 's>(
    section: &Section,
    name: &'w [&'s str],
) -> (Option<&'static Section>, &'w [&'s str]) {
    let found = name.split_last().filter(|(_, rest)| !rest.is_empty()).and_then(|(last, rest)| {
        let names = |inner: &&Section| inner.path.last().is_some_and(|own| same(own, last));
        Some((section.inner.iter().find(names)?, rest))
    });
    found.map_or((None, name), |(inner, rest)| (Some(inner), rest))
}

/// The table at a path, made where it is not written.
fn descend<'t>(
    mut table: &'t mut Table,
    path: &[&str],
    place: &Place,
) -> Result<&'t mut Table, String> {
    for name in path {
        let node = table
            .entry((*name).to_owned())
            .or_insert_with(|| Node { place: place.clone(), value: Value::Table(Table::new()) });
        let Value::Table(inner) = &mut node.value else {
            return Err(format!("[{}] is not a table in the file", path.join(".")));
        };
        table = inner;
    }
    Ok(table)
}

/// The entry of an array of tables that has this name.
fn entry<'t>(
    mut table: &'t mut Table,
    path: &[&str],
    named_by: &str,
    name: &str,
) -> Result<&'t mut Table, String> {
    let mut list: &mut [Node] = &mut [];
    for (depth, part) in path.iter().enumerate() {
        match table.get_mut(*part).map(|node| &mut node.value) {
            Some(Value::List(found)) if depth + 1 == path.len() => {
                list = found;
                break;
            }
            Some(Value::Table(inner)) if depth + 1 < path.len() => table = inner,
            _ => break,
        }
    }
    let names: Vec<String> = list.iter().filter_map(|node| name_of(node, named_by)).collect();
    let mut found = list
        .iter_mut()
        .filter(|node| name_of(node, named_by).is_some_and(|known| same(&known, name)))
        .filter_map(|node| match &mut node.value {
            Value::Table(table) => Some(table),
            _ => None,
        });
    match (found.next(), found.next()) {
        (Some(table), None) => Ok(table),
        (Some(_), Some(_)) => {
            Err(format!("{name:?} could mean several of {}: rename one", names.join(", ")))
        }
        (None, _) => {
            let path = path.join(".");
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let message = format!(
                "there is no [[{path}]] with {named_by} {name:?} in the file (there: {there})"
            );
            Err(message)
        }
    }
}

fn name_of(node: &Node, named_by: &str) -> Option<String> {
    node.as_table()?.get(named_by)?.as_text().map(str::to_owned)
}

/// The key as the file would have it; one that is not known stays for the reader to refuse.
fn key(section: &Section, word: &str) -> String {
    let known = section.keys.iter().chain(section.later).find(|key| same(key, word));
    known.map_or_else(|| word.to_lowercase(), ToString::to_string)
}

/// Variables are in capitals, with `_` for what they cannot hold: `PBX_1` is `pbx-1`, and both
/// `MAXCALLS` and `MAX_CALLS` are `maxCalls`.
fn same(name: &str, word: &str) -> bool {
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
    };
    plain(name) == plain(word)
}
