//! `/nodes` and `/drain`: this node among the others.

use super::{Api, problem::Problem};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use telepulse_language::Code;

/// The nodes of the platform, as this one sees them.
pub(super) async fn list(State(api): State<Api>) -> Result<Response, Problem> {
    let Some(view) = api.cluster.view() else { return Err(alone()) };
    let mut answer = json!({ "items": view.nodes });
    if let Some(why) = api.cluster.trouble() {
        answer["trouble"] = Value::String(why);
    }
    Ok(Json(answer).into_response())
}

/// Hands all servers of this node over to others; it takes none until it is started again.
pub(super) async fn drain(State(api): State<Api>) -> Result<Response, Problem> {
    if api.cluster.view().is_none() {
        return Err(alone());
    }
    api.cluster.drain();
    Ok(StatusCode::ACCEPTED.into_response())
}

fn alone() -> Problem {
    let why = "this process is alone: it has other nodes beside it with kind = \"nats\" in [bus]";
    Problem::new(Code::Conflict, why)
}
