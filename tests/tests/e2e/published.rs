//! What clients were promised: the published JSON Schema. Everything that a test's client gets is
//! held against it.

use anyhow::{Context, Result, bail};
use jsonschema::Validator;
use serde_json::{Value, json};
use std::sync::LazyLock;

const SCHEMA: &str = include_str!("../../../clients/schema/telepulse.v1.schema.json");
/// What the gateway itself says in an event's clothes.
const OF_THE_GATEWAY: [&str; 3] = ["lagged", "snapshot", "lookup"];
/// What the plugins of these tests say: an event of a plugin's own is as the plugin says.
const OF_PLUGINS: [&str; 1] = ["screenPop"];

static EVENT: LazyLock<Option<Validator>> = LazyLock::new(|| validator("Event"));

/// Fails for an event that is not as published.
pub(crate) fn check(message: &Value) -> Result<()> {
    let Some(kind) = message["event"].as_str() else { return Ok(()) };
    if OF_THE_GATEWAY.contains(&kind) || OF_PLUGINS.contains(&kind) {
        return Ok(());
    }
    let kind = format!("{}Event", capitalised(kind));
    let is_valid = EVENT.as_ref().context("the schema of events")?.is_valid(message);
    if is_valid {
        return Ok(());
    }
    let why = validator(&kind).and_then(|one| Some(one.validate(message).err()?.to_string()));
    bail!("not as published: {message}: {}", why.unwrap_or_default())
}

/// Fails if the answer to a query holds an item that is not as published.
pub(crate) fn check_items(query: &Value, result: &Value) -> Result<()> {
    let item = match query.as_str().context("a query has a kind")? {
        "calls" => "Call",
        "endedCalls" => "EndedCall",
        "lines" => "Lines",
        "users" => "User",
        "queues" => "Queue",
        "agents" => "Agent",
        "parked" => "ParkedCall",
        "conferences" => "ConferenceRoom",
        "servers" => "Server",
        "devices" => "Device",
        _ => "Snapshot",
    };
    let of_item = validator(item).with_context(|| format!("the schema of {item}"))?;
    let of_result = validator("QueryResult").context("the schema of results")?;
    if let Err(error) = of_result.validate(result) {
        bail!("not as published: {result}: {error}");
    }
    for one in result["items"].as_array().into_iter().flatten() {
        if let Err(error) = of_item.validate(one) {
            bail!("not as published: {one}: {error}");
        }
    }
    Ok(())
}

fn validator(definition: &str) -> Option<Validator> {
    let mut schema: Value = serde_json::from_str(SCHEMA).ok()?;
    schema["$defs"].get(definition)?;
    let fields = schema.as_object_mut()?;
    fields.remove("oneOf");
    fields.insert("$ref".to_owned(), json!(format!("#/$defs/{definition}")));
    jsonschema::validator_for(&schema).ok()
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

#[test]
fn what_is_not_as_published_is_found() {
    let status = json!({"event": "userStatus", "server": "pbx1", "seq": 1, "agent": "101",
        "time": "2026-11-20T22:08:00.000Z", "status": "online", "device": "PJSIP/101"});
    assert!(check(&status).is_ok());
    let wrong = |field: &str, value: Value| {
        let mut status = status.clone();
        status[field] = value;
        check(&status).is_err()
    };
    assert!(wrong("status", json!("asleep")));
    assert!(wrong("seq", json!("1")));
    assert!(wrong("address", Value::Null));
    assert!(wrong("event", json!("userState")));
}
