//! TypeScript types made from the document: an interface for each object, a union for each choice.

use serde_json::{Map, Value};
use std::fmt::Write as _;

/// The document's definitions as a TypeScript declaration file.
pub fn typescript(document: &Value) -> String {
    let mut text = String::from(
        "// The TelePulse language. Made from telepulse.v1.schema.json by `cargo run -p telepulse-schema`.\n",
    );
    let none = Map::new();
    for (name, schema) in document["$defs"].as_object().unwrap_or(&none) {
        text.push('\n');
        comment(&mut text, "", schema);
        let is_interface = schema["properties"].is_object();
        // Writing to a String cannot fail.
        let _ = if is_interface {
            writeln!(text, "export interface {name} {}", object(schema, ""))
        } else {
            writeln!(text, "export type {name} = {};", shape(schema, ""))
        };
    }
    text
}

fn comment(text: &mut String, indent: &str, schema: &Value) {
    if let Some(words) = schema["description"].as_str() {
        let words = words.replace('\n', &format!("\n{indent} * ")).replace("*/", "* /");
        let _ = writeln!(text, "{indent}/** {words} */");
    }
}

fn object(schema: &Value, indent: &str) -> String {
    let inner = format!("{indent}  ");
    let mut text = String::from("{\n");
    let none = Map::new();
    for (name, property) in schema["properties"].as_object().unwrap_or(&none) {
        comment(&mut text, &inner, property);
        let is_needed = schema["required"]
            .as_array()
            .is_some_and(|all| all.iter().any(|needed| needed.as_str() == Some(name)));
        let mark = if is_needed { "" } else { "?" };
        let _ = writeln!(text, "{inner}{name}{mark}: {};", shape(property, &inner));
    }
    let _ = write!(text, "{indent}}}");
    text
}

pub(crate) fn shape(schema: &Value, indent: &str) -> String {
    let all = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().map(|schema| shape(schema, indent)).collect()
    };
    if let Some(path) = schema["$ref"].as_str() {
        return path.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(word) = schema.get("const") {
        return word.to_string();
    }
    if let Some(words) = schema["enum"].as_array() {
        return union(words.iter().map(ToString::to_string).collect());
    }
    if schema["properties"].is_object() {
        return object(schema, indent);
    }
    for list in ["oneOf", "anyOf"] {
        if schema[list].is_array() {
            return union(all(&schema[list]));
        }
    }
    match &schema["type"] {
        Value::Array(types) => {
            let one = |name: &Value| plain(name.as_str().unwrap_or_default(), schema, indent);
            union(types.iter().map(one).collect())
        }
        Value::String(name) => plain(name, schema, indent),
        _ => "unknown".to_owned(),
    }
}

fn plain(name: &str, schema: &Value, indent: &str) -> String {
    match name {
        "string" | "boolean" | "null" => name.to_owned(),
        "integer" | "number" => "number".to_owned(),
        "array" if schema["prefixItems"].is_array() => {
            let items = schema["prefixItems"].as_array().into_iter().flatten();
            let items: Vec<String> = items.map(|item| shape(item, indent)).collect();
            format!("[{}]", items.join(", "))
        }
        "array" => {
            let item = shape(&schema["items"], indent);
            if item.contains(" | ") { format!("({item})[]") } else { format!("{item}[]") }
        }
        "object" => match &schema["additionalProperties"] {
            Value::Object(_) => {
                format!("Record<string, {}>", shape(&schema["additionalProperties"], indent))
            }
            // Keys of one kind.
            _ => match schema["patternProperties"]
                .as_object()
                .and_then(|kinds| kinds.values().next())
            {
                Some(value) => format!("Record<string, {}>", shape(value, indent)),
                None => "Record<string, unknown>".to_owned(),
            },
        },
        _ => "unknown".to_owned(),
    }
}

fn union(mut words: Vec<String>) -> String {
    words.dedup();
    words.join(" | ")
}
