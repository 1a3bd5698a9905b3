//! `openapi.json`, made from the table of operations and the language's published schema. It is checked by
//! the tests; `TELEPULSE_WRITE=1 cargo test -p telepulse-plugin-rest describe` writes it anew.

use crate::operations::{Answer, CALLS, Does, List, OPERATIONS, Operation};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, fs, path::Path};
use telepulse_schema::refer;

const SCHEMA: &str = include_str!("../../../clients/schema/telepulse.v1.schema.json");

/// The whole description.
fn description() -> Value {
    let language: Value = serde_json::from_str(SCHEMA).unwrap();
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.to_ascii_lowercase()] = described(operation, &language["$defs"]);
    }
    paths.insert("/v1/events".to_owned(), json!({"get": events()}));
    let mut document = json!({
        "openapi": "3.1.1",
        "info": {
            "title": "TelePulse REST gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Calls, queues and agents of any number of Asterisk servers. What then happens \
                to a call is told by events, over the WebSocket gateway. Times are RFC 3339 in UTC, \
                durations whole seconds. GET answers have an ETag; HEAD works wherever GET does.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "where this description comes from"}],
        "security": [{"bearer": []}, {"basic": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "a user's token"},
                "basic": {"type": "http", "scheme": "basic", "description": "name, and password or token"},
            },
            "parameters": {
                "IdempotencyKey": {
                    "name": "Idempotency-Key", "in": "header",
                    "description": "A key of the client's for this request, such as a UUID. A request with \
                        the same key within 24 hours is not carried out again, but answered as the first \
                        one was, with `Idempotency-Replayed: true`.",
                    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
                },
                "IfNoneMatch": {
                    "name": "If-None-Match", "in": "header",
                    "description": "The `ETag` of an answer that the client has.",
                    "schema": {"type": "string"},
                },
            },
            "responses": {"Problem": problem()},
            "schemas": {},
        },
    });
    let schemas = needed(&document, &language["$defs"]);
    document["components"]["schemas"] = schemas.into();
    refer(&mut document);
    document
}

/// The WebSocket gateway answers there, on the same listener.
fn events() -> Value {
    let list = |name: &str, of: &str| {
        json!({
            "name": name, "in": "query", "style": "form", "explode": false,
            "description": format!("Only these {of}."),
            "schema": {"type": "array", "items": {"type": "string"}},
        })
    };
    let last = "The `id` of the last message: what came since comes first, or a snapshot, if that is \
                too long ago.";
    json!({
        "operationId": "events",
        "summary": "Events as they happen, as server-sent events",
        "parameters": [
            list("events", "types"),
            list("servers", "servers"),
            list("agents", "extensions"),
            list("queues", "queues"),
            {"name": "snapshot", "in": "query", "schema": {"type": "boolean"},
                "description": "Whether the first message holds what goes on now."},
            {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}, "description": last},
            {"name": "lastEventId", "in": "query", "schema": {"type": "string"},
                "description": "The same, for clients that cannot set headers."},
        ],
        "responses": {
            "200": {
                "description": "Each message is an event of the language; the first one is the reply to \
                    the subscription. At the end comes one of the type `close`.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            "default": {"$ref": "#/components/responses/Problem"},
        },
    })
}

fn problem() -> Value {
    json!({
        "description": "Refused, as `code` says; `detail` tells what, where, and the way out (RFC 9457).",
        "content": {"application/problem+json": {"schema": {
            "type": "object",
            "required": ["type", "title", "status", "detail", "code"],
            "properties": {
                "type": {"const": "about:blank"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "code": {"$ref": "#/$defs/Code"},
                "field": {"type": "string", "description": "The field or parameter at fault."},
            },
        }}},
    })
}

fn described(operation: &Operation, definitions: &Value) -> Value {
    let mut parameters: Vec<Value> =
        operation.names().map(|name| path_parameter(name, operation, definitions)).collect();
    parameters.extend(query_parameters(operation));
    match operation.method {
        "GET" => parameters.push(json!({"$ref": "#/components/parameters/IfNoneMatch"})),
        "POST" => parameters.push(json!({"$ref": "#/components/parameters/IdempotencyKey"})),
        _ => {}
    }
    let mut responses = Map::new();
    let (status, answer) = answer(operation);
    responses.insert(status.to_owned(), answer);
    if operation.is_read() {
        let same = "The answer is what the client has, by `If-None-Match`.";
        responses.insert("304".to_owned(), json!({"description": same}));
    }
    responses.insert("default".to_owned(), json!({"$ref": "#/components/responses/Problem"}));
    let mut described = json!({
        "operationId": operation_id(operation),
        "summary": operation.summary,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(body) = body(operation, definitions) {
        described["requestBody"] = body;
    }
    if operation.does == Does::Describe {
        described["security"] = json!([]);
    }
    described
}

fn operation_id(operation: &Operation) -> String {
    let capital = |text: &str| text[..1].to_uppercase() + &text[1..];
    match operation.does {
        Does::List(list) => format!("list{}", capital(list.query)),
        Does::Calls => "listCalls".to_owned(),
        Does::Call => "getCall".to_owned(),
        Does::One(list) => format!("get{}", list.item),
        Does::Command(action, _) => action.to_owned(),
        Does::Pause => "queuePause".to_owned(),
        Does::AnyCommand => "command".to_owned(),
        Does::Describe => "describe".to_owned(),
    }
}

/// In a command it is what the command's field is; of what is only looked for, anything can be asked.
fn path_parameter(name: &str, operation: &Operation, definitions: &Value) -> Value {
    let what = match name {
        "call" => "A call's id.",
        "target" => "To whom: a call's id, an extension or a channel.",
        "agent" => "An extension.",
        _ => "A queue's name.",
    };
    let action = match operation.does {
        Does::Command(action, _) => Some(action),
        Does::Pause => Some("queuePause"),
        _ => None,
    };
    let field = action.map(|action| definitions[command_name(action)]["properties"][name].clone());
    let schema = field.unwrap_or_else(|| json!({"type": "string", "minLength": 1}));
    json!({"name": name, "in": "path", "required": true, "description": what, "schema": schema})
}

fn query_parameters(operation: &Operation) -> Vec<Value> {
    let list = |name: &str, of: &str| {
        json!({
            "name": name, "in": "query", "style": "form", "explode": false,
            "description": format!("Only what is about these {of}."),
            "schema": {"type": "array", "items": {"type": "string"}},
        })
    };
    let one = |name: &str, what: &str, schema: Value| json!({"name": name, "in": "query", "description": what, "schema": schema});
    let limit = json!({"type": "integer", "minimum": 1, "maximum": 1000});
    let text = || json!({"type": "string"});
    let servers = list("servers", "servers");
    let filter = || vec![servers.clone(), list("agents", "extensions"), list("queues", "queues")];
    let part = || {
        vec![
            one("limit", "At most so many items.", limit.clone()),
            one("after", "Goes on behind this place: `next` of the answer before.", text()),
        ]
    };
    match operation.does {
        Does::List(_) => [filter(), part()].concat(),
        Does::Calls => {
            let moment = json!({"type": "string", "format": "date-time"});
            let more = vec![
                one("ended", "Calls that are over, the last first.", json!({"type": "boolean"})),
                one("since", "With `ended`: those that ended then or later.", moment.clone()),
                one("until", "With `ended`: those that ended before.", moment),
                one("number", "With `ended`: those from or to this number.", text()),
                one("before", "With `ended`: `next` of the answer before.", text()),
            ];
            [filter(), part(), more].concat()
        }
        Does::Call | Does::One(_) => vec![servers.clone()],
        _ => Vec::new(),
    }
}

/// The status of success, and what then comes.
fn answer(operation: &Operation) -> (&'static str, Value) {
    let json_of = |description: &str, schema: Value| json!({"description": description, "content": {"application/json": {"schema": schema}}});
    let tagged = |mut answer: Value| {
        answer["headers"] = json!({"ETag": {"schema": {"type": "string"}}});
        answer
    };
    let item = |list: List| json!({"$ref": format!("#/$defs/{}", list.item)});
    let items = |of: Value| {
        json!({
            "type": "object", "required": ["items", "seq"],
            "properties": {
                "items": {"type": "array", "items": of},
                "seq": {"type": "integer", "description": "The last event that the items know of."},
                "next": {"type": "string", "description": "Where the next part begins."},
            },
        })
    };
    let result = json!({"type": "object", "description": "The command's result."});
    match operation.does {
        Does::List(list) => ("200", tagged(json_of("The list.", items(item(list))))),
        Does::Calls => {
            let either = json!({"anyOf": [item(CALLS), {"$ref": "#/$defs/EndedCall"}]});
            ("200", tagged(json_of("The calls.", items(either))))
        }
        Does::Call => {
            let either = json!({"anyOf": [item(CALLS), {"$ref": "#/$defs/EndedCall"}]});
            ("200", tagged(json_of("The call.", either)))
        }
        Does::One(list) => ("200", tagged(json_of("It.", item(list)))),
        Does::Command(_, Answer::Begun) => {
            let begun = json!({"type": "object", "properties": {
                "call": {"type": "string", "description": "The call that begins."},
                "actionId": {"type": "string", "description": "As in `originateFailed`."},
            }});
            let mut answer = json_of("A call begins; what comes of it is told by events.", begun);
            answer["headers"] = json!({"Location": {"schema": {"type": "string"}}});
            ("202", answer)
        }
        Does::Command(_, Answer::Accepted) => ("202", json_of("Asterisk takes it.", result)),
        Does::Command(_, Answer::Nothing) => ("204", json!({"description": "Done."})),
        Does::Command(_, Answer::Result) | Does::Pause => ("200", json_of("Done.", result)),
        Does::AnyCommand => {
            let reply = json!({"type": "object", "required": ["id", "ok", "result"], "properties": {
                "id": {"type": ["string", "number", "null"]}, "ok": {"const": true}, "result": result,
            }});
            ("200", json_of("Done.", reply))
        }
        Does::Describe => ("200", tagged(json_of("OpenAPI 3.1.", json!({"type": "object"})))),
    }
}

fn body(operation: &Operation, definitions: &Value) -> Option<Value> {
    let schema = match operation.does {
        Does::Command(action, _) if operation.method != "DELETE" => {
            command_body(action, operation, definitions)
        }
        Does::Pause => {
            let mut schema = command_body("queuePause", operation, definitions);
            schema["properties"]["paused"] = json!({"type": "boolean"});
            schema["required"] = json!(["paused"]);
            schema
        }
        Does::AnyCommand => json!({"$ref": "#/$defs/Command"}),
        _ => return None,
    };
    let is_needed = schema["required"].as_array().is_none_or(|names| !names.is_empty());
    Some(json!({"required": is_needed, "content": {"application/json": {"schema": schema}}}))
}

fn command_name(action: &str) -> String {
    action[..1].to_uppercase() + &action[1..] + "Command"
}

/// A command without what the path says, and without what else could be said instead of that.
fn command_body(action: &str, operation: &Operation, definitions: &Value) -> Value {
    let name = command_name(action);
    let mut schema = definitions[&name].clone();
    assert!(schema.is_object(), "the language has no {name}");
    let mut gone: BTreeSet<String> = operation.names().map(str::to_owned).collect();
    if let Some(either) = schema["oneOf"].as_array() {
        let each = either.iter().filter_map(|one| one["required"][0].as_str());
        let each: BTreeSet<String> = each.map(str::to_owned).collect();
        if !each.is_disjoint(&gone) {
            gone.extend(each);
            schema.as_object_mut().unwrap().remove("oneOf");
        }
    }
    gone.extend(["action".to_owned(), "id".to_owned()]);
    let properties = schema["properties"].as_object_mut().unwrap();
    properties.retain(|name, _| !gone.contains(name));
    let required = schema["required"].as_array_mut().unwrap();
    required.retain(|name| !gone.contains(name.as_str().unwrap()));
    schema
}

/// The definitions that the document refers to, and those that they refer to.
fn needed(document: &Value, definitions: &Value) -> Map<String, Value> {
    let mut found = Map::new();
    let mut wanted = references(document);
    while let Some(name) = wanted.pop() {
        if !found.contains_key(&name) {
            wanted.extend(references(&definitions[&name]));
            found.insert(name.clone(), definitions[&name].clone());
        }
    }
    found
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str);
            let own = own.and_then(|path| path.strip_prefix("#/$defs/")).map(str::to_owned);
            fields.values().flat_map(references).chain(own).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn describe() {
    let text = serde_json::to_string_pretty(&description()).unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    if std::env::var_os("TELEPULSE_WRITE").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let way_out = "TELEPULSE_WRITE=1 cargo test -p telepulse-plugin-rest describe";
    assert!(fs::read_to_string(&file).unwrap() == text, "openapi.json is of old: {way_out}");
    let ids: BTreeSet<String> = OPERATIONS.iter().map(operation_id).collect();
    assert_eq!(ids.len(), OPERATIONS.len(), "each has a name of its own: {ids:?}");
}
