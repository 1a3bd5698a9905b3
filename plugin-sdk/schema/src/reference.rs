//! The reference for people: each event and command with its fields, and an example that a test has
//! seen on a real Asterisk.

use serde_json::{Map, Value};
use std::fmt::Write as _;

/// The reference as Markdown. `example` gives the text of `event-NAME` or `command-NAME`, if there is one.
pub fn reference(document: &Value, example: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::from(
        "# The TelePulse language\n\n\
         Made from the types by `cargo run -p telepulse-schema`; the examples are what a test saw on a real\n\
         Asterisk 22 with SIP phones. As JSON Schema: [clients/schema](../clients/schema), as TypeScript:\n\
         [clients/typescript](../clients/typescript).\n\n\
         Times are RFC 3339 in UTC with milliseconds, durations whole seconds, numbers that identify\n\
         (extensions, queues, phone numbers) are strings, and optional fields are absent, never null.\n",
    );
    let words = |list: &str| -> Vec<(String, Value)> {
        let references = document["$defs"][list]["oneOf"].as_array().into_iter().flatten();
        references
            .filter_map(|reference| {
                let name = reference["$ref"].as_str()?.rsplit('/').next()?;
                Some((name.to_owned(), document["$defs"][name].clone()))
            })
            .collect()
    };
    text.push_str(
        "\n## Events\n\nEvery event has `event`, `server`, `seq` (its number in the stream) and `time`; \
         `agent` and `queue`\nare its scope, by which filters choose, where it is said so.\n",
    );
    for (_, schema) in words("Event") {
        let kind = schema["properties"]["event"]["const"].as_str().unwrap_or_default().to_owned();
        section(&mut text, document, &kind, &schema, &["event", "server", "seq", "time"]);
        examples(&mut text, example(&format!("event-{kind}")));
    }
    text.push_str(
        "\n## Commands\n\nEvery command has `action`; `id` comes back in the reply, `server` says which \
         Asterisk is meant where\nseveral could be.\n",
    );
    for (_, schema) in words("Command") {
        let action =
            schema["properties"]["action"]["const"].as_str().unwrap_or_default().to_owned();
        section(&mut text, document, &action, &schema, &["action", "id", "server"]);
        examples(&mut text, example(&format!("command-{action}")));
    }
    queries(&mut text, document);
    text
}

/// What can be asked for, and the items of the answers with all that they hold.
fn queries(text: &mut String, document: &Value) {
    text.push_str(
        "\n## Queries\n\n`{\"action\":\"query\",\"id\":1,\"query\":\"calls\",\"filter\":{\"agents\":[\"201\"]}}` over \
         WebSocket, or the path of the same\nname over REST. The result has `items`, true up to the event \
         `seq`; the history of calls comes in parts\n(`page`), each of which says where the `next` begins.\n\n\
         | query | items |\n|---|---|\n",
    );
    let mut items = vec!["Filter".to_owned(), "Page".to_owned()];
    for kind in document["$defs"]["QueryKind"]["oneOf"].as_array().into_iter().flatten() {
        let words = kind["description"].as_str().unwrap_or_default();
        let name = kind["const"].as_str().unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `{name}` | {} |", words.replace('\n', " "));
        items.extend(words.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    let mut next = 0;
    while let Some(name) = items.get(next).cloned() {
        next += 1;
        let schema = &document["$defs"][&name];
        section(text, document, &name, schema, &[]);
        for property in schema["properties"].as_object().into_iter().flat_map(Map::values) {
            let part = property["items"]["$ref"].as_str().or(property["$ref"].as_str());
            let part = part.and_then(|path| path.rsplit('/').next()).unwrap_or_default();
            let is_object = document["$defs"][part]["properties"].is_object();
            if is_object && !items.iter().any(|known| known == part) {
                items.push(part.to_owned());
            }
        }
    }
}

/// The type of a field; a choice of words is spelt out.
fn shape(document: &Value, property: &Value) -> String {
    let name = property["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    let choice = name.map(|name| &document["$defs"][name]).filter(|choice| {
        choice["enum"].is_array()
            || choice["oneOf"]
                .as_array()
                .is_some_and(|all| all.iter().all(|one| !one["const"].is_null()))
    });
    crate::typescript::shape(choice.unwrap_or(property), "")
}

fn section(text: &mut String, document: &Value, name: &str, schema: &Value, hidden: &[&str]) {
    let description = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
    // Writing to a String cannot fail.
    let _ = write!(text, "\n### {name}\n\n{description}\n");
    let none = Map::new();
    let fields: Vec<_> = schema["properties"]
        .as_object()
        .unwrap_or(&none)
        .iter()
        .filter(|(name, _)| !hidden.contains(&name.as_str()))
        .collect();
    if fields.is_empty() {
        return;
    }
    text.push_str("\n| field | type | |\n|---|---|---|\n");
    for (field, property) in fields {
        let is_needed = schema["required"]
            .as_array()
            .is_some_and(|all| all.iter().any(|needed| needed.as_str() == Some(field)));
        let mark = if is_needed { "" } else { "?" };
        let shape = shape(document, property).replace('|', "\\|");
        let words = property["description"].as_str().unwrap_or_default().replace('\n', " ");
        let _ = writeln!(text, "| `{field}`{mark} | {shape} | {words} |");
    }
}

fn examples(text: &mut String, example: Option<String>) {
    if let Some(example) = example {
        let _ = write!(text, "\n```json\n{}\n```\n", example.trim_end());
    }
}
