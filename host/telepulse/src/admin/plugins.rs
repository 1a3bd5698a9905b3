//! `/plugins`: what the plugin host tells and does.

use super::{Api, body, problem::Problem};
use axum::{
    Json,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use plugin_host::{ControlError, PluginName, PluginStatus};
use telepulse_language::{Code, Refusal};

pub(super) async fn list(State(api): State<Api>) -> Json<Vec<PluginStatus>> {
    Json(api.plugins.list())
}

pub(super) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<PluginStatus>, Problem> {
    check(&name)?;
    api.plugins.show(&name).map(Json).ok_or_else(|| ControlError::Unknown(name).into())
}

/// Takes a component: 201 where there was none of that name, else 200. Its status tells whether it
/// runs; until it has the grants that it needs, it waits.
pub(super) async fn install(
    State(api): State<Api>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    // Before megabytes are read for nothing.
    check(&name)?;
    let component = body::component(request).await?;
    let known = api.plugins.show(&name).is_some();
    let status = api.plugins.install(&name, component).await?;
    let location = [(header::LOCATION, format!("/plugins/{name}"))];
    let code = if known { StatusCode::OK } else { StatusCode::CREATED };
    Ok((code, location, Json(status)).into_response())
}

pub(super) async fn remove(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    api.plugins.remove(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reload, stop, start: done when it answers.
pub(super) async fn order(
    State(api): State<Api>,
    Path((name, order)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<PluginStatus>, Problem> {
    body::none(&headers)?;
    let status = match order.as_str() {
        "reload" => api.plugins.reload(&name).await?,
        "stop" => api.plugins.stop(&name).await?,
        "start" => api.plugins.start_plugin(&name).await?,
        _ => return Err(Problem::new(Code::NotFound, "a plugin takes reload, stop and start")),
    };
    Ok(Json(status))
}

fn check(name: &str) -> Result<(), Problem> {
    PluginName::parse(name).map(drop).map_err(|error| ControlError::from(error).into())
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        let message = error.to_string();
        match error {
            ControlError::Name(_) => Refusal::field("name", message).into(),
            ControlError::Unknown(_) => Self::new(Code::NotFound, message),
            ControlError::Refused(_) => Self::new(Code::BadRequest, message),
            ControlError::Io { .. } => Self::new(Code::Internal, message),
            ControlError::Stopping => Self::new(Code::ServerUnavailable, message),
        }
    }
}
