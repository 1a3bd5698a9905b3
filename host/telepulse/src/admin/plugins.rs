//! `/plugins`: what the plugin host tells and does.

use super::{Api, body, problem::Problem};
use axum::{
    Json,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use plugin_host::{ControlError, PluginName, PluginStatus, RollBackError};
use serde::Deserialize;
use serde_json::{Value, json};
use telepulse_language::{Code, Refusal, Timestamp};

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
        _ => {
            let message = "a plugin takes reload, stop, start, approve and rollback";
            return Err(Problem::new(Code::NotFound, message));
        }
    };
    Ok(Json(status))
}

/// The builds that took over, the last one first: hash, since when, whether it is the one in force.
pub(super) async fn history(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let history = api.plugins.history(&name).await?;
    let last = history.len().saturating_sub(1);
    let items = history.iter().enumerate().rev().map(|(at, past)| {
        let since = Timestamp(past.since_ms);
        // Their grants stay here: they may hold secrets.
        json!({ "hash": past.hash, "since": since, "current": at == last })
    });
    Ok(Json(json!({ "items": items.collect::<Vec<_>>() })))
}

/// The events that are not handed over any more, the last ones.
pub(super) async fn aside(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    check(&name)?;
    let aside = api.plugins.aside(&name).ok_or(ControlError::Unknown(name))?;
    Ok(Json(json!({ "items": aside })))
}

/// What a plugin logged last; `after` a line's number, what came since.
pub(super) async fn log(
    State(api): State<Api>,
    Path(name): Path<String>,
    since: Result<Query<Since>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    check(&name)?;
    let Query(since) = since.map_err(|rejected| {
        let message = format!("{}; after is the number of a line", rejected.body_text());
        Problem::from(Refusal::field("after", message))
    })?;
    let lines = api.plugins.log(&name, since.after).ok_or(ControlError::Unknown(name))?;
    Ok(Json(json!({ "items": lines })))
}

/// The query of [`log`].
#[derive(Deserialize)]
pub(super) struct Since {
    #[serde(default)]
    after: u64,
}

/// `{"hash"?}`: grants what the component asks for, if it is that one. Done when it answers.
pub(super) async fn approve(
    State(api): State<Api>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<PluginStatus>, Problem> {
    let hash = hash_in(request, "of the component, or its beginning").await?;
    Ok(Json(api.plugins.approve(&name, hash.as_deref()).await?))
}

/// `{"hash"?}`: back to the build before, or to the one of that hash. Done when it answers.
pub(super) async fn roll_back(
    State(api): State<Api>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<PluginStatus>, Problem> {
    let hash = hash_in(request, "as `history` shows it, or its beginning").await?;
    Ok(Json(api.plugins.roll_back(&name, hash.as_deref()).await?))
}

/// Reads `{"hash"?}`.
async fn hash_in(request: Request, which: &str) -> Result<Option<String>, Problem> {
    let mut fields = body::json_or_none(request).await?;
    let hash = match fields.remove("hash") {
        None => None,
        Some(Value::String(hash)) if is_hash(&hash) => Some(hash),
        Some(_) => return Err(Refusal::field("hash", format!("must be a hash {which}")).into()),
    };
    if let Some(field) = fields.keys().next() {
        return Err(Refusal::field(field.as_str(), "is unknown; there is `hash`").into());
    }
    Ok(hash)
}

fn is_hash(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn check(name: &str) -> Result<(), Problem> {
    PluginName::parse(name).map(drop).map_err(|error| ControlError::from(error).into())
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        let message = error.to_string();
        match error {
            ControlError::Name(_) => Refusal::field("name", message).into(),
            ControlError::Io { .. } | ControlError::RollBack(RollBackError::Io { .. }) => {
                Self::new(Code::Internal, message)
            }
            ControlError::Unknown(_) | ControlError::RollBack(_) => {
                Self::new(Code::NotFound, message)
            }
            ControlError::Refused(_) | ControlError::NotApproved(_) => {
                Self::new(Code::BadRequest, message)
            }
            ControlError::Stopping => Self::new(Code::ServerUnavailable, message),
        }
    }
}
