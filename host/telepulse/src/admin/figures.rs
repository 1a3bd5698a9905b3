//! `GET /figures`: how much goes on just now, for `telepulse top`. Made from what the proxy and the
//! core answer to anybody.

use super::{Api, problem::Problem, servers};
use crate::{
    bus::{Address, Headers},
    clock,
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::time::Duration;
use telepulse_language::{Code, Reply};

/// How long the servers' tasks may take for their parts.
const WITHIN: Duration = Duration::from_secs(5);
/// What a figure of a plugin is called here and in `GET /plugins`.
const OF_A_PLUGIN: [&str; 6] = ["name", "state", "queued", "handled", "dropped", "requests"];

pub(super) async fn show(State(api): State<Api>) -> Result<Response, Problem> {
    let list = servers::ask(&api, json!({ "command": "list" })).await?;
    let links = list["items"].as_array().cloned().unwrap_or_default();
    // Where nobody serves queries there are no calls to count.
    let calls = query(&api, "calls").await.unwrap_or_default();
    let queues = query(&api, "queues").await.unwrap_or_default();
    let plugins: Vec<Value> = api.plugins.list().iter().map(|plugin| json!(plugin)).collect();
    Ok(Json(json!({
        "time": clock::now(),
        "version": env!("CARGO_PKG_VERSION"),
        "events": api.bus.stream().tail(),
        "clients": (api.clients)(),
        "calls": calls.len(),
        "servers": links.iter().map(|link| server(link, &calls)).collect::<Vec<_>>(),
        "queues": queues.iter().map(queue).collect::<Vec<_>>(),
        "plugins": plugins.iter().map(plugin).collect::<Vec<_>>(),
    }))
    .into_response())
}

async fn query(api: &Api, kind: &str) -> Result<Vec<Value>, Problem> {
    let internal = |error: String| Problem::new(Code::Internal, error);
    let address = Address::parse("telepulse.query").map_err(|error| internal(error.to_string()))?;
    let payload = json!({ "query": kind }).to_string().into();
    let answer = api.bus.request(&address, payload, Headers::within(WITHIN)).await;
    let answer = answer.map_err(|error| internal(error.to_string()))?;
    let reply = Reply::from_slice(&answer).map_err(|error| internal(error.to_string()))?;
    Ok(reply.outcome?["items"].as_array().cloned().unwrap_or_default())
}

fn server(link: &Value, calls: &[Value]) -> Value {
    let figures = &link["figures"];
    json!({
        "id": link["id"],
        "state": link["state"],
        "asterisk": link["asterisk"],
        "calls": calls.iter().filter(|call| call["server"] == link["id"]).count(),
        "eventsPerSecond": figures["eventsPerSecond"],
        "events": figures["events"],
        "latencyMs": figures["latencyMs"],
        "reconnects": figures["reconnects"],
        "eventsLeftOut": figures["eventsLeftOut"],
    })
}

fn queue(queue: &Value) -> Value {
    let members = queue["members"].as_array().map(Vec::as_slice).unwrap_or_default();
    let are = |status: &str| members.iter().filter(|member| member["status"] == status).count();
    let callers = queue["callers"].as_array().map(Vec::as_slice).unwrap_or_default();
    json!({
        "queue": queue["queue"],
        "server": queue["server"],
        "waiting": queue["count"],
        "oldestSince": callers.iter().filter_map(|caller| caller["since"].as_str()).min(),
        "members": members.len(),
        "free": are("not_inuse"),
        "paused": are("paused"),
    })
}

fn plugin(status: &Value) -> Value {
    let figure = |key: &str| {
        let value = status.get(key).or_else(|| status["figures"].get(key)).cloned();
        (key.to_owned(), value.unwrap_or_default())
    };
    Value::Object(OF_A_PLUGIN.iter().map(|key| figure(key)).collect())
}
