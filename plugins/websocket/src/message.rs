//! What a client says, understood: one JSON object a text frame, read strictly.

use serde::Deserialize;
use serde_json::{Map, Value};
use telepulse_plugin_sdk::language::{
    Command, CommandEnvelope, Filter, Query, Refusal, Request, object, read_fields,
};

/// Actions that the gateway carries out by itself.
#[cfg(test)]
const OWN: [&str; 6] = ["login", "subscribe", "unsubscribe", "query", "ping", "whoami"];

/// A message. No `Debug`: it may hold a token.
#[derive(Clone)]
pub(crate) enum Message {
    Login(Login),
    Subscribe(Subscribe),
    Unsubscribe(Unsubscribe),
    Query(Query),
    Ping,
    /// Who is logged in here, and what may they do?
    WhoAmI,
    Command(CommandEnvelope),
    /// A command that the gateway does not know: a plugin may.
    Other(Map<String, Value>),
}

/// `{"action":"login","token"}`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    pub(crate) token: String,
}

/// `{"action":"subscribe","filter"?,"snapshot"?,"since"?}`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subscribe {
    #[serde(default)]
    pub(crate) filter: Filter,
    #[serde(default)]
    pub(crate) snapshot: bool,
    pub(crate) since: Option<Since>,
}

/// From where a client wants to go on.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Since {
    pub(crate) epoch: String,
    pub(crate) seq: u64,
}

/// `{"action":"unsubscribe","subscription"}`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unsubscribe {
    pub(crate) subscription: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// A message with its `id`, null if there was none; or the refusal to be sent under that `id`.
pub(crate) fn read(text: &str) -> Result<(Value, Message), (Value, Refusal)> {
    let fields = object(text.as_bytes()).map_err(|refusal| (Value::Null, refusal))?;
    let request = Request::new(fields)?;
    let id = request.id.clone();
    match understand(request) {
        Ok(message) => Ok((id, message)),
        Err(refusal) => Err((id, refusal)),
    }
}

fn understand(request: Request) -> Result<Message, Refusal> {
    let fields = |request: Request| -> Map<String, Value> { request.fields };
    match request.action.as_str() {
        "login" => read_fields(fields(request)).map(Message::Login),
        "subscribe" => read_fields(fields(request)).map(Message::Subscribe),
        "unsubscribe" => read_fields(fields(request)).map(Message::Unsubscribe),
        "query" => Query::from_fields(fields(request)).map(Message::Query),
        "ping" => read_fields(fields(request)).map(|Nothing {}| Message::Ping),
        "whoami" => read_fields(fields(request)).map(|Nothing {}| Message::WhoAmI),
        action if Command::ACTIONS.contains(&action) => {
            CommandEnvelope::from_request(request).map(Message::Command)
        }
        _ => Ok(Message::Other(request.into_fields())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The published description of the gateway says the same as what is read here.
    #[test]
    fn the_description_is_of_these_messages() {
        let text = include_str!("../../../clients/asyncapi/telepulse.v1.asyncapi.json");
        let description: Value = serde_json::from_str(text).unwrap();
        let schemas = &description["components"]["schemas"];
        let samples = [
            ("Login", json!({"action": "login", "token": "t"})),
            (
                "Subscribe",
                json!({"action": "subscribe", "filter": {"agents": ["201"]},
                "snapshot": true, "since": {"epoch": "e", "seq": 1}}),
            ),
            ("Unsubscribe", json!({"action": "unsubscribe", "subscription": "a"})),
            ("Ask", json!({"action": "query", "query": "calls", "filter": {}})),
            ("Ping", json!({"action": "ping"})),
            ("WhoAmI", json!({"action": "whoami"})),
        ];
        let described: Vec<&str> =
            samples.iter().map(|(_, it)| it["action"].as_str().unwrap()).collect();
        let mut own = OWN.to_vec();
        own.sort_unstable();
        let mut told = described.clone();
        told.sort_unstable();
        assert_eq!(told, own, "each of the gateway's own is described");
        for (schema, sample) in samples {
            let known = schemas[schema]["properties"].as_object().unwrap();
            for field in sample.as_object().unwrap().keys() {
                assert!(known.contains_key(field), "{schema}.{field}");
            }
            assert!(read(&sample.to_string()).is_ok(), "{sample}");
            for needed in schemas[schema]["required"].as_array().unwrap() {
                let mut less = sample.clone();
                less.as_object_mut().unwrap().remove(needed.as_str().unwrap());
                assert!(read(&less.to_string()).is_err(), "{less}");
            }
            let mut more = sample;
            more["colour"] = json!("red");
            assert!(read(&more.to_string()).is_err(), "{more}");
        }
    }
}
