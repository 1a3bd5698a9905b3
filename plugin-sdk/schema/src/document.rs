//! The document: every event with its envelope, every command with its action, replies and items.

use serde_json::{Map, Value, json};
use telepulse_language::schema::{self, Schemas};

/// The language as a JSON Schema document (2020-12). What goes over a WebSocket in either direction is
/// valid by it; each type is a definition of its own (`ActiveLinesEvent`, `DialCommand`, `Call`, …).
pub fn document() -> Value {
    let mut definitions = Map::new();
    let events = named(&mut definitions, schema::events(), "Event", event);
    let commands = named(&mut definitions, schema::commands(), "Command", command);
    let answers = schema::answers();
    definitions.extend(answers.definitions);
    definitions.insert("Event".to_owned(), one_of("What the platform tells.", &events));
    definitions.insert("Command".to_owned(), one_of("What it can be told.", &commands));
    definitions.insert("Reply".to_owned(), reply());
    definitions.values_mut().for_each(absent_is_not_null);
    definitions.values_mut().for_each(numbers_end);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:telepulse:language:1",
        "title": "The TelePulse language",
        "description": "Events, commands, replies and items. Times are RFC 3339 in UTC with milliseconds, durations whole seconds, numbers that identify are strings, optional fields are absent and never null.",
        "oneOf": [{"$ref": "#/$defs/Event"}, {"$ref": "#/$defs/Command"}, {"$ref": "#/$defs/Reply"}],
        "$defs": definitions,
    })
}

/// Adds each named schema under a name of its own, completed by `complete`; queries and filters keep
/// their names and are no part of the union. Gives the names of the others.
fn named(
    definitions: &mut Map<String, Value>,
    schemas: Schemas,
    ending: &str,
    complete: impl Fn(&str, &mut Map<String, Value>),
) -> Vec<String> {
    let Schemas { named, definitions: mut types } = schemas;
    let mut names = Vec::new();
    let mut used = Vec::new();
    for (word, schema) in named {
        let Some(path) = schema.get("$ref").and_then(Value::as_str) else { continue };
        let known = path.trim_start_matches("#/$defs/").to_owned();
        if word == known {
            continue;
        }
        let Some(Value::Object(mut fields)) = types.get(&known).cloned() else { continue };
        complete(word, &mut fields);
        let name = format!("{}{ending}", capitalised(word));
        definitions.insert(name.clone(), Value::Object(fields));
        names.push(name);
        used.push(known);
    }
    for known in used {
        types.remove(&known);
    }
    definitions.extend(types);
    names
}

/// The envelope around an event's details.
fn event(kind: &str, fields: &mut Map<String, Value>) {
    let properties = object(fields, "properties");
    let details = std::mem::take(properties);
    let text = |words: &str| json!({"type": "string", "description": words});
    properties.insert("event".to_owned(), json!({"const": kind}));
    properties.insert("server".to_owned(), text("The Asterisk server."));
    properties.insert(
        "seq".to_owned(),
        json!({"type": "integer", "minimum": 0, "description": "The number in the event stream."}),
    );
    properties.insert("time".to_owned(), json!({"type": "string", "format": "date-time"}));
    let (has_agent, has_queue) = scope(kind);
    if has_agent {
        properties.insert("agent".to_owned(), text("Scope: the extension concerned."));
    }
    if has_queue {
        properties.insert("queue".to_owned(), text("Scope: the queue concerned."));
    }
    properties.extend(details);
    require(fields, &["event", "server", "seq", "time"]);
}

/// Whether a type can have an agent, and a queue, as its scope.
fn scope(kind: &str) -> (bool, bool) {
    let has_agent =
        !matches!(kind, "serverStatus" | "activeUsers" | "resync" | "queueCount" | "queueCaller");
    let has_queue = kind.starts_with("call")
        || matches!(
            kind,
            "queueMemberStatus" | "queueCount" | "queueCaller" | "recording" | "recordingPolicy"
        );
    (has_agent, has_queue)
}

/// What goes around a command's fields.
fn command(action: &str, fields: &mut Map<String, Value>) {
    let properties = object(fields, "properties");
    let own = std::mem::take(properties);
    let is_targeted = ["call", "channel", "agent"].iter().all(|name| own.contains_key(*name));
    properties.insert("action".to_owned(), json!({"const": action}));
    properties.insert(
        "id".to_owned(),
        json!({"type": ["string", "number"], "description": "Given back in the reply."}),
    );
    let mut server = schema::id();
    server["description"] = json!("The Asterisk server, where several could be meant.");
    properties.insert("server".to_owned(), server);
    properties.extend(own);
    require(fields, &["action"]);
    if is_targeted {
        let one = |name: &str| json!({"required": [name]});
        fields.insert("oneOf".to_owned(), json!([one("call"), one("channel"), one("agent")]));
    }
}

fn object<'f>(fields: &'f mut Map<String, Value>, key: &str) -> &'f mut Map<String, Value> {
    let entry = fields.entry(key).or_insert_with(|| json!({}));
    if !entry.is_object() {
        *entry = json!({});
    }
    match entry {
        Value::Object(object) => object,
        _ => unreachable!("it was made an object just before"),
    }
}

fn require(fields: &mut Map<String, Value>, first: &[&str]) {
    let mut all: Vec<Value> = first.iter().map(|name| json!(name)).collect();
    if let Some(Value::Array(own)) = fields.remove("required") {
        all.extend(own);
    }
    fields.insert("required".to_owned(), Value::Array(all));
}

fn one_of(description: &str, names: &[String]) -> Value {
    let references: Vec<Value> =
        names.iter().map(|name| json!({"$ref": format!("#/$defs/{name}")})).collect();
    json!({"description": description, "oneOf": references})
}

fn reply() -> Value {
    let id = json!({"type": ["string", "number", "null"], "description": "The request's own."});
    json!({
        "description": "The answer to a request.",
        "oneOf": [
            {
                "type": "object",
                "properties": {"id": id, "ok": {"const": true}, "result": {"type": "object"}},
                "required": ["id", "ok", "result"],
            },
            {
                "type": "object",
                "properties": {"id": id, "ok": {"const": false}, "error": {"$ref": "#/$defs/Refusal"}},
                "required": ["id", "ok", "error"],
            },
        ],
    })
}

/// What fits into 32 bits is no larger.
fn numbers_end(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("format").is_some_and(|format| format == "uint32") {
                fields.entry("maximum").or_insert_with(|| u32::MAX.into());
            }
            fields.values_mut().for_each(numbers_end);
        }
        Value::Array(items) => items.iter_mut().for_each(numbers_end),
        _ => {}
    }
}

/// An optional field of Rust may be null to serde; in the language it is left out instead.
fn absent_is_not_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(absent_is_not_null),
        Value::Object(object) => {
            let required = object.get("required").cloned().unwrap_or_default();
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                for (name, property) in properties {
                    if required.as_array().is_none_or(|all| !all.contains(&json!(name))) {
                        not_null(property);
                    }
                }
            }
            object.values_mut().for_each(absent_is_not_null);
        }
        _ => {}
    }
}

fn not_null(property: &mut Value) {
    let Some(object) = property.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(any)) = object.get_mut("anyOf") {
        any.retain(|schema| schema["type"] != "null");
        if let [Value::Object(only)] = any.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            object.extend(only);
        }
    }
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
