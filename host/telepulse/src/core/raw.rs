//! `telepulse.proxy.action`: one raw AMI action from a plugin that was granted it, checked once more
//! here: some things must not reach a PBX whoever was granted what.

use super::{commands::Desk, note::Note};
use crate::{
    audit,
    bus::Headers,
    proxy::{Ask, Registry},
    telemetry::{Name, Trace},
};
use ami_proto::Action;
use bytes::Bytes;
use serde_json::{Map, Value};
use telepulse_language::{Code, Permission, Refusal, Reply};

/// Actions that belong to the session itself, or that hand out the machine under the PBX.
const FORBIDDEN: &[&str] = &[
    "Challenge",
    "Command",
    "CreateConfig",
    "DBDel",
    "DBDelTree",
    "DBPut",
    "Events",
    "Filter",
    "GetConfig",
    "GetConfigJSON",
    "ListCategories",
    "Login",
    "Logoff",
    "ModuleLoad",
    "Reload",
    "UpdateConfig",
];

/// Headers that run something on the PBX's machine or in its dialplan.
const FORBIDDEN_HEADERS: &[(&str, &str)] = &[
    ("MixMonitor", "Command"),
    ("Originate", "Application"),
    ("Originate", "Data"),
    ("Originate", "PreDialGoSub"),
];

/// Answers with the response's JSON, or with a reply that holds the refusal.
pub(super) async fn answer(desk: &Desk, headers: &Headers, bytes: &[u8]) -> Bytes {
    match run(desk, headers, bytes).await {
        Ok(json) => json,
        Err(refusal) => Reply { id: Value::Null, outcome: Err(refusal) }.to_bytes().into(),
    }
}

async fn run(desk: &Desk, headers: &Headers, bytes: &[u8]) -> Result<Bytes, Refusal> {
    let mut fields = telepulse_language::object(bytes)?;
    let server = take_text(&mut fields, "ServerId")?;
    let name = take_text(&mut fields, "Action")?;
    let about = audit::about(&fields);
    let span = desk.tracer.asked(Name::Command("proxy.action"), headers.trace.as_deref());
    let mut note = Note::begin(&desk.audit, span, headers, format!("proxy.action:{name}"), about);
    note.server(&server);
    let result = send(&desk.registry, headers, &note.trace(), (&server, &name), &fields).await;
    note.end(&result);
    result
}

async fn send(
    registry: &Registry,
    headers: &Headers,
    trace: &Trace,
    (server, name): (&str, &str),
    fields: &Map<String, Value>,
) -> Result<Bytes, Refusal> {
    if let Some(who) = &headers.principal
        && who.permission("proxy") != Permission::Any
    {
        return Err(Refusal::new(Code::Forbidden, "the right `proxy` is needed"));
    }
    let action = build(name, fields)?;
    let links = registry.links();
    let link = links.get(server).ok_or_else(|| {
        Refusal::new(Code::NotFound, format!("there is no server {server:?}"))
            .with_field("ServerId")
    })?;
    let (deadline, trace) = (headers.deadline, trace.clone());
    link.answer(|reply| Ask::Action { action, deadline, trace, reply }).await
}

fn take_text(fields: &mut Map<String, Value>, field: &str) -> Result<String, Refusal> {
    match fields.remove(field) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Refusal::field(field, "must be a string")),
        None => Err(Refusal::field(field, "is missing")),
    }
}

/// Builds the action: strings, numbers, booleans and lists of them become headers.
fn build(name: &str, fields: &Map<String, Value>) -> Result<Action, Refusal> {
    if FORBIDDEN.iter().any(|banned| banned.eq_ignore_ascii_case(name)) {
        let message = format!("{name} is never sent for a plugin");
        return Err(Refusal::new(Code::Forbidden, message).with_field("Action"));
    }
    let mut action = Action::new(name.to_owned());
    for (key, value) in fields {
        check_header(name, key, value)?;
        match value {
            Value::Array(list) => {
                for item in list {
                    action = action.header(key.clone(), text(key, item)?);
                }
            }
            single => action = action.header(key.clone(), text(key, single)?),
        }
    }
    // Building it once here tells the sender what is wrong before anything waits.
    action.encode("check").map_err(|error| Refusal::new(Code::BadRequest, error.to_string()))?;
    Ok(action)
}

fn check_header(name: &str, key: &str, value: &Value) -> Result<(), Refusal> {
    let refuse = |why: &str| Err(Refusal::field(key, why));
    if key.eq_ignore_ascii_case("ActionID") {
        return refuse("is the proxy's own");
    }
    let banned = FORBIDDEN_HEADERS.iter().any(|(action, header)| {
        action.eq_ignore_ascii_case(name) && header.eq_ignore_ascii_case(key)
    });
    if banned {
        return refuse("is never sent for a plugin: it would run something on the PBX");
    }
    let pattern = value.as_str().is_some_and(|value| value.starts_with('/'));
    if name.eq_ignore_ascii_case("Hangup") && key.eq_ignore_ascii_case("Channel") && pattern {
        return refuse("must be one channel, not a pattern");
    }
    Ok(())
}

fn text(key: &str, value: &Value) -> Result<String, Refusal> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err(Refusal::field(key, "must be a string, a number, a boolean or a list of these")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(name: &str, fields: &Value, field: Option<&str>) {
        let fields = fields.as_object().unwrap();
        match (build(name, fields), field) {
            (Ok(_), None) => {}
            (Err(refusal), Some(expected)) => {
                assert_eq!(refusal.field.as_deref().unwrap_or(""), expected, "{refusal:?}");
            }
            (Ok(_), Some(field)) => panic!("{name} passed although {field} is bad"),
            (Err(refusal), None) => panic!("{name} was refused: {refusal:?}"),
        }
    }

    #[test]
    fn what_runs_something_is_refused_whatever_the_spelling() {
        check("QueueReset", &json!({"Queue": "sales"}), None);
        check("command", &json!({"Command": "core stop now"}), Some("Action"));
        check("MIXMONITOR", &json!({"Channel": "x", "command": "rm -rf /"}), Some("command"));
        check("Originate", &json!({"application": "System"}), Some("application"));
        check("Hangup", &json!({"Channel": "/.*/"}), Some("Channel"));
        check("Ping", &json!({"actionid": "7"}), Some("actionid"));
        check("Ping", &json!({"X": {"y": 1}}), Some("X"));
        check("Ping", &json!({"X": "a\r\nAction: Command"}), Some(""));
    }
}
