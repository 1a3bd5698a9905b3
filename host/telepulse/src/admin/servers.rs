//! `/servers`: asked of the proxy over the bus, as anybody else would.

use super::{Api, asked, body, problem::Problem};
use axum::{
    Json,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::time::Duration;
use telepulse_language::{Code, Refusal};

/// Where the proxy takes commands.
const PROXY: &str = "telepulse.proxy.command";
/// How long the proxy may take: it waits up to 3 seconds for a link to log off.
const WITHIN: Duration = Duration::from_secs(10);
/// How long a large server may take to list all that it has.
const AUDIT: Duration = Duration::from_mins(1);

pub(super) async fn list(State(api): State<Api>) -> Result<Response, Problem> {
    Ok(Json(ask(&api, json!({ "command": "list" })).await?).into_response())
}

pub(super) async fn show(
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let all = ask(&api, json!({ "command": "list" })).await?;
    let items = all["items"].as_array().into_iter().flatten();
    match items.into_iter().find(|item| item["id"] == id.as_str()) {
        Some(item) => Ok(Json(item).into_response()),
        None => Err(Problem::new(Code::NotFound, format!("there is no server {id:?}"))),
    }
}

pub(super) async fn add(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let server = body::json(request).await?;
    // An id that goes through has no character that a path would escape.
    let location = format!("/servers/{}", server.get("id").and_then(Value::as_str).unwrap_or(""));
    let added = ask(&api, json!({ "command": "add", "server": server })).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(added)).into_response())
}

pub(super) async fn change(
    State(api): State<Api>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let mut server = body::json(request).await?;
    if server.get("id").is_some_and(|other| *other != id.as_str()) {
        let message = "is not the server of the path: a server cannot be renamed";
        return Err(Refusal::field("id", message).into());
    }
    server.insert("id".to_owned(), id.into());
    let changed = ask(&api, json!({ "command": "change", "server": server })).await?;
    Ok(Json(changed).into_response())
}

pub(super) async fn remove(
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    ask(&api, json!({ "command": "remove", "server": id })).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Compares the model with what the server lists, and mends it.
pub(super) async fn audit(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    body::none(&headers)?;
    let command = json!({ "command": "audit", "server": id });
    let report = asked::ask(&api, PROXY, &command, AUDIT).await?;
    Ok(Json(report).into_response())
}

/// Restart, stop, start: begun, not done, when it answers.
pub(super) async fn order(
    State(api): State<Api>,
    Path((id, order)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !matches!(order.as_str(), "restart" | "stop" | "start") {
        return Err(Problem::new(Code::NotFound, "a server takes restart, stop and start"));
    }
    body::none(&headers)?;
    let server = ask(&api, json!({ "command": order, "server": id })).await?;
    Ok((StatusCode::ACCEPTED, Json(server)).into_response())
}

/// Asks the proxy, in the name of the host itself.
pub(super) async fn ask(api: &Api, command: Value) -> Result<Value, Problem> {
    asked::ask(api, PROXY, &command, WITHIN).await
}
