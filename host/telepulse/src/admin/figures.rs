//! `GET /figures`: how much goes on just now, for `telepulse top`. Made from what the proxy and the
//! core answer to anybody.

use super::{Api, asked, problem::Problem, servers};
use crate::clock;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::{collections::HashMap, time::Duration};
use telepulse_language::Code;

/// How long the servers' tasks may take for their parts.
const WITHIN: Duration = Duration::from_secs(5);
/// What a figure of a plugin is called here and in `GET /plugins`.
const OF_A_PLUGIN: [&str; 6] = ["name", "state", "queued", "handled", "dropped", "requests"];

pub(super) async fn show(State(api): State<Api>) -> Result<Response, Problem> {
    let list = servers::ask(&api, json!({ "command": "list" })).await?;
    let links = list["items"].as_array().cloned().unwrap_or_default();
    // Where queries are not answered nobody knows: no number says otherwise.
    let calls = query(&api, "calls").await.ok();
    let queues = query(&api, "queues").await.ok();
    let on = calls.as_deref().map(by_server);
    let plugins: Vec<Value> = api.plugins.list().iter().map(|plugin| json!(plugin)).collect();
    Ok(Json(json!({
        "time": clock::now(),
        "version": env!("CARGO_PKG_VERSION"),
        "events": api.bus.stream().tail(),
        "clients": (api.clients)(),
        "calls": calls.as_ref().map(Vec::len),
        "servers": links.iter().map(|link| server(link, on.as_ref())).collect::<Vec<_>>(),
        "queues": queues.map(|queues| queues.iter().map(queue).collect::<Vec<_>>()),
        "plugins": plugins.iter().map(plugin).collect::<Vec<_>>(),
    }))
    .into_response())
}

async fn query(api: &Api, kind: &str) -> Result<Vec<Value>, Problem> {
    let mut answer = asked::ask(api, "telepulse.query", &json!({ "query": kind }), WITHIN).await?;
    match answer.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => Ok(items),
        _ => Err(Problem::new(Code::Internal, format!("the answer to {kind} has no items"))),
    }
}

/// How many calls each server has.
fn by_server(calls: &[Value]) -> HashMap<&str, u64> {
    let mut on = HashMap::new();
    for server in calls.iter().filter_map(|call| call["server"].as_str()) {
        *on.entry(server).or_default() += 1;
    }
    on
}

fn server(link: &Value, on: Option<&HashMap<&str, u64>>) -> Value {
    let figures = &link["figures"];
    let id = link["id"].as_str().unwrap_or_default();
    json!({
        "id": link["id"],
        "state": link["state"],
        "asterisk": link["asterisk"],
        "calls": on.map(|on| on.get(id).copied().unwrap_or_default()),
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
