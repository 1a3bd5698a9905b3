//! The WebSocket gateway as an AsyncAPI 3 document: the language's messages, and those that are the gateway's
//! own.

use serde_json::{Map, Value, json};

/// What clients and the WebSocket gateway say to each other (contract section 3). `language` is the
/// document of [`crate::document`].
pub fn asyncapi(language: &Value) -> Value {
    let mut schemas = language["$defs"].as_object().cloned().unwrap_or_default();
    for (name, action, fields, required) in requests() {
        schemas.insert(name.to_owned(), request(action, &fields, required));
    }
    schemas.insert("Snapshotted".to_owned(), snapshotted());
    schemas.insert("Lagged".to_owned(), lagged());
    schemas.insert("Lookup".to_owned(), lookup());
    let mut schemas = Value::Object(schemas);
    refer(&mut schemas);
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "TelePulse WebSocket gateway",
            "version": "1",
            "description": "One JSON object a text frame. Each request may have an `id`, which its reply brings back. Close codes: 4401 not logged in, or the rights are gone; 4408 too slow; 1012 the server restarts: come back with `since`.",
            "license": {"name": "Apache-2.0"},
        },
        "servers": {
            "gateway": {
                "host": "127.0.0.1:8084", "protocol": "ws",
                "description": "wss where the host has a certificate ([tls]).",
                "security": [{"$ref": "#/components/securitySchemes/bearer"}],
            },
        },
        "channels": {
            "gateway": {"address": "/", "messages": messages()},
        },
        "operations": {
            "say": {
                "action": "send", "channel": {"$ref": "#/channels/gateway"},
                "summary": "What a client says. Seen from the client.",
                "messages": of(&["login", "subscribe", "unsubscribe", "query", "ping", "whoami", "command"]),
                "reply": {
                    "channel": {"$ref": "#/channels/gateway"},
                    "messages": of(&["reply"]),
                },
            },
            "hear": {
                "action": "receive", "channel": {"$ref": "#/channels/gateway"},
                "summary": "What it is told.",
                "messages": of(&["event", "snapshot", "lagged", "lookup", "reply"]),
            },
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "`Authorization: Bearer TOKEN`; from a web page the subprotocols `telepulse.v1, bearer.TOKEN`; or the first message `login`, within 5 s.",
                },
            },
        },
    })
}

/// The gateway's own requests: schema, action, fields, and which must be there.
fn requests() -> [(&'static str, &'static str, Value, &'static [&'static str]); 6] {
    let filter = json!({"$ref": "#/$defs/Filter"});
    let since = json!({
        "type": "object", "additionalProperties": false, "required": ["epoch", "seq"],
        "description": "Where the client was: what it missed comes, each event once; or a snapshot and `resync`, if that is too long ago.",
        "properties": {
            "epoch": {"type": "string"},
            "seq": {"type": "integer", "minimum": 0},
        },
    });
    [
        ("Login", "login", json!({"token": {"type": "string"}}), &["token"]),
        (
            "Subscribe",
            "subscribe",
            json!({"filter": filter, "snapshot": {"type": "boolean"}, "since": since}),
            &[],
        ),
        (
            "Unsubscribe",
            "unsubscribe",
            json!({"subscription": {"description": "The `id` of the subscribe, or what its reply calls it."}}),
            &["subscription"],
        ),
        (
            "Ask",
            "query",
            json!({"query": {"$ref": "#/$defs/QueryKind"}, "filter": filter, "page": {"$ref": "#/$defs/Page"}}),
            &["query"],
        ),
        ("Ping", "ping", json!({}), &[]),
        ("WhoAmI", "whoami", json!({}), &[]),
    ]
}

fn request(action: &str, fields: &Value, required: &[&str]) -> Value {
    let mut properties = Map::new();
    properties.insert("action".to_owned(), json!({"const": action}));
    properties.insert("id".to_owned(), json!({"type": ["string", "number"]}));
    properties.extend(fields.as_object().cloned().unwrap_or_default());
    let required = [&["action"], required].concat();
    json!({
        "type": "object", "additionalProperties": false,
        "properties": properties, "required": required,
    })
}

fn snapshotted() -> Value {
    json!({
        "description": "What goes on now, for a subscription that missed too much.",
        "type": "object", "required": ["event", "subscription", "seq", "snapshot"],
        "properties": {
            "event": {"const": "snapshot"},
            "subscription": {"type": ["string", "number"]},
            "seq": {"type": "integer", "minimum": 0},
            "snapshot": {"$ref": "#/$defs/Snapshot"},
        },
    })
}

fn lagged() -> Value {
    json!({
        "description": "The client reads too slowly: events were left out, and a snapshot follows.",
        "type": "object", "required": ["event", "missed"],
        "properties": {"event": {"const": "lagged"}, "missed": {"type": "integer", "minimum": 1}},
    })
}

fn lookup() -> Value {
    json!({
        "description": "Who has this number? Asked of one client at a time, of those that subscribe to `lookup` by name and whose extension rings; it answers with the command `lookupAnswer`. Has no `seq`: it is not in the stream.",
        "type": "object",
        "required": ["event", "server", "agent", "lookup", "call", "number", "deadline"],
        "properties": {
            "event": {"const": "lookup"},
            "server": {"type": "string"},
            "agent": {"type": "string", "description": "The extension that rings or talks."},
            "lookup": {"type": "string", "description": "What the answer names."},
            "call": {"type": "string"},
            "number": {"type": "string", "description": "E.164, where the number is known to some plan."},
            "deadline": {"type": "string", "format": "date-time"},
        },
    })
}

fn messages() -> Value {
    let message = |schema: &str, summary: &str| {
        json!({
            "contentType": "application/json", "summary": summary,
            "payload": {"$ref": format!("#/components/schemas/{schema}")},
        })
    };
    json!({
        "login": message("Login", "Logs in; needed as the first message where nothing came with the handshake"),
        "subscribe": message("Subscribe", "Asks for events; another one of the same id takes its place"),
        "unsubscribe": message("Unsubscribe", "Ends a subscription"),
        "query": message("Ask", "Asks what goes on"),
        "ping": message("Ping", "Asks whether somebody is there"),
        "whoami": message("WhoAmI", "Asks who is logged in: `user`, `extension`, what they may do (`allow`) and see (`agents`, `queues`, `servers`; left out: all)"),
        "command": message("Command", "Has something done"),
        "reply": message("Reply", "The answer to a request"),
        "event": message("Event", "Something happened"),
        "snapshot": message("Snapshotted", "A subscription begins anew"),
        "lagged": message("Lagged", "Events were left out"),
        "lookup": message("Lookup", "Somebody wants to know who calls"),
    })
}

fn of(names: &[&str]) -> Value {
    let message = |name: &&str| json!({"$ref": format!("#/channels/gateway/messages/{name}")});
    names.iter().map(message).collect()
}

/// Turns references into those of an AsyncAPI or OpenAPI document, which keeps schemas elsewhere than JSON
/// Schema.
pub fn refer(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(path)) = fields.get_mut("$ref")
                && let Some(name) = path.strip_prefix("#/$defs/")
            {
                *path = format!("#/components/schemas/{name}");
            }
            fields.values_mut().for_each(refer);
        }
        Value::Array(items) => items.iter_mut().for_each(refer),
        _ => {}
    }
}
