//! What a new document takes away from an older one: whoever was written for that would fail.

use serde_json::{Map, Value};

/// Lists what breaks, in words; nothing, if all that was valid or promised still is.
///
/// What the platform says may gain fields and words, and what it takes may gain optional fields; a
/// field may not go, change its type, or become a duty of who sends it.
pub fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let none = Map::new();
    let definitions = |document: &'_ Value| document["$defs"].as_object().unwrap_or(&none).clone();
    let (old, new) = (definitions(old), definitions(new));
    for (name, before) in &old {
        match new.get(name) {
            None => found.push(format!("{name} is gone")),
            Some(after) => {
                let is_said_to_us =
                    name.ends_with("Command") || name == "Query" || name == "Filter";
                compare(name, before, after, is_said_to_us, &mut found);
            }
        }
    }
    found
}

fn compare(
    path: &str,
    before: &Value,
    after: &Value,
    is_said_to_us: bool,
    found: &mut Vec<String>,
) {
    for word in ["type", "const", "$ref", "format"] {
        if before.get(word) != after.get(word) {
            found.push(format!("{path}: {word} was {}, is {}", before[word], after[word]));
        }
    }
    if let Some(properties) = before["properties"].as_object() {
        for (name, was) in properties {
            match after["properties"].get(name) {
                None => found.push(format!("{path}.{name} is gone")),
                Some(is) => compare(&format!("{path}.{name}"), was, is, is_said_to_us, found),
            }
        }
    }
    let (had, has) = (words(before, "required"), words(after, "required"));
    let (lost, by) = if is_said_to_us {
        (less(&has, &had), "is needed now")
    } else {
        (less(&had, &has), "may be missing now")
    };
    found.extend(lost.into_iter().map(|name| format!("{path}.{name} {by}")));
    for list in ["enum", "oneOf", "anyOf"] {
        for gone in less(&words(before, list), &words(after, list)) {
            found.push(format!("{path}: {gone} is gone"));
        }
    }
    if let (Some(was), Some(is)) = (before.get("items"), after.get("items")) {
        compare(&format!("{path}[]"), was, is, is_said_to_us, found);
    }
}

/// The entries of a list, each as a word; descriptions are no part of it.
fn words(schema: &Value, key: &str) -> Vec<String> {
    let entries = schema[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let word = |entry: &Value| match entry {
        Value::String(word) => word.clone(),
        entry if !entry["const"].is_null() => entry["const"].to_string(),
        entry if !entry["$ref"].is_null() => entry["$ref"].to_string(),
        entry => entry["required"].to_string(),
    };
    entries.iter().map(word).collect()
}

fn less(all: &[String], without: &[String]) -> Vec<String> {
    all.iter().filter(|word| !without.contains(word)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(old: &Value, new: &Value, expected: &[&str]) {
        let document = |definitions: &Value| json!({"$defs": definitions});
        assert_eq!(breaks(&document(old), &document(new)), expected, "{old} {new}");
    }

    #[test]
    fn what_is_taken_away_is_found_and_what_is_added_is_not() {
        let a =
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
        let both = json!({"type": "object", "required": ["a"],
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}}});
        let needed = json!({"type": "object", "required": ["a", "b"],
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}}});
        check(&json!({"XEvent": a}), &json!({"XEvent": needed}), &[]);
        check(&json!({"XCommand": a}), &json!({"XCommand": both}), &[]);
        check(&json!({"XCommand": a}), &json!({"XCommand": needed}), &["XCommand.b is needed now"]);
        check(
            &json!({"XEvent": needed}),
            &json!({"XEvent": both}),
            &["XEvent.b may be missing now"],
        );
        check(&json!({"XEvent": both}), &json!({"XEvent": a}), &["XEvent.b is gone"]);
        check(&json!({"XEvent": a}), &json!({}), &["XEvent is gone"]);
        let number =
            json!({"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]});
        check(
            &json!({"XEvent": a}),
            &json!({"XEvent": number}),
            &["XEvent.a: type was \"string\", is \"number\""],
        );
        let words = |words: &[&str]| json!({"W": {"type": "string", "enum": words}});
        check(&words(&["up"]), &words(&["up", "hold"]), &[]);
        check(&words(&["up", "hold"]), &words(&["up"]), &["W: hold is gone"]);
    }
}
