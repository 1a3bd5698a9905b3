//! The admin API (contract section 6): servers and plugins over HTTP, for operators.

mod asked;
mod body;
mod configuration;
mod figures;
mod guard;
mod metrics;
mod nodes;
mod plugins;
mod problem;
mod serve;
mod servers;
#[cfg(test)]
mod tests;
mod waiting;

pub use configuration::{Order, Outcome};
pub use serve::serve;
pub use waiting::Waiting;

use crate::{auth::FailedLogins, bus::Bus, cluster::Cluster, config, plugins::PluginFigures};
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use plugin_host::{PluginHost, State as PluginState};
use problem::Problem;
use serde_json::json;
use std::sync::Arc;
use telepulse_language::Code;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The description that `/openapi.json` answers with.
const OPENAPI: &str = include_str!("openapi.json");

/// What the admin API works on. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// Where the proxy is asked.
    pub bus: Arc<dyn Bus>,
    /// This node among the others.
    pub(crate) cluster: Cluster,
    /// The plugins.
    pub plugins: PluginHost,
    /// What they measure.
    pub figures: Arc<PluginFigures>,
    /// Where it listens, and the token that it asks for.
    pub settings: Arc<config::Admin>,
    /// Where wrong tokens are counted.
    pub failed: Arc<FailedLogins>,
    /// How many clients are connected at the gateways.
    pub clients: Arc<dyn Fn() -> usize + Send + Sync>,
    /// Where the program takes orders to read its configuration again.
    pub reload: mpsc::Sender<Order>,
    /// Cancelled when the program begins to stop: it is not ready any more.
    pub stopping: CancellationToken,
}

/// All paths of the API.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/servers", get(servers::list).post(servers::add))
        .route("/servers/{id}", get(servers::show).put(servers::change).delete(servers::remove))
        .route("/servers/{id}/audit", post(servers::audit))
        .route("/servers/{id}/{order}", post(servers::order))
        .route("/plugins", get(plugins::list))
        .route("/plugins/{name}", get(plugins::show).put(plugins::install).delete(plugins::remove))
        .route("/plugins/{name}/history", get(plugins::history))
        .route("/plugins/{name}/log", get(plugins::log))
        .route("/plugins/{name}/aside", get(plugins::aside))
        .route("/plugins/{name}/rollback", post(plugins::roll_back))
        .route("/plugins/{name}/approve", post(plugins::approve))
        .route("/plugins/{name}/{order}", post(plugins::order))
        .route("/configuration/reload", post(configuration::reload))
        .route("/nodes", get(nodes::list))
        .route("/drain", post(nodes::drain))
        .route("/figures", get(figures::show))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics::show))
        .route("/openapi.json", get(openapi))
        .fallback(async || {
            Problem::new(Code::NotFound, "there is no such path; GET /openapi.json lists them")
        })
        .method_not_allowed_fallback(async || {
            Problem::new(Code::BadRequest, "the path has no such method; see GET /openapi.json")
                .with_status(StatusCode::METHOD_NOT_ALLOWED)
        })
        .layer(middleware::from_fn_with_state(api.clone(), guard::check))
        .with_state(api)
}

/// The process runs.
async fn healthz() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// Whether clients would be served: the proxy answers, the bus reaches the other nodes, no gateway has failed,
/// and we are not stopping.
/// A server that is away is told by `/servers`: what is known of it is served on.
async fn readyz(State(api): State<Api>) -> Result<Response, Problem> {
    if api.stopping.is_cancelled() {
        return Err(Problem::new(Code::ServerUnavailable, "the program is stopping"));
    }
    servers::ask(&api, json!({ "command": "list", "here": true })).await?;
    if let Some(why) = api.cluster.trouble() {
        return Err(Problem::new(Code::ServerUnavailable, format!("the nodes: {why}")));
    }
    if let Some(why) = api.bus.condition().and_then(|bus| bus.trouble) {
        return Err(Problem::new(Code::ServerUnavailable, format!("the bus: {why}")));
    }
    if let Some(gateway) =
        api.plugins.list().iter().find(|it| is_gateway_down(it.state, &it.exports))
    {
        // Whoever asks needs no token, so the reason is for `GET /plugins` to tell.
        let message = format!("the gateway {} does not run; see GET /plugins", gateway.name);
        return Err(Problem::new(Code::ServerUnavailable, message));
    }
    Ok(Json(json!({ "status": "ready" })).into_response())
}

/// One that waits for grants or was stopped is as its operator wants it.
fn is_gateway_down(state: PluginState, exports: &[String]) -> bool {
    let serves = [
        "telepulse:plugin/http-handler",
        "wasi:http/incoming-handler",
        "telepulse:plugin/connection-handler",
    ];
    let is_gateway = exports.iter().any(|it| serves.iter().any(|serves| it.starts_with(serves)));
    state == PluginState::Failed && is_gateway
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
