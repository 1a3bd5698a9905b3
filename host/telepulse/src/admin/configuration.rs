//! `/configuration/reload`: the file read again, tried or used.

use super::{Api, body, problem::Problem};
use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::time::Duration;
use telepulse_language::{Code, Refusal};
use tokio::{sync::oneshot, time::timeout};

/// How long the program may take: it waits for links to log off.
const WITHIN: Duration = Duration::from_secs(20);

/// To read the configuration again.
pub struct Order {
    /// Tell what would change, and change nothing.
    pub is_trial: bool,
    /// Where the outcome goes.
    pub reply: oneshot::Sender<Outcome>,
}

/// What came of it.
pub enum Outcome {
    /// The configuration is good; unless it was a trial it is in force.
    Good {
        /// What differs, secrets left out.
        changes: Vec<Value>,
        /// The same in words.
        told: String,
    },
    /// It has these mistakes, each with its place; what was in force stays so.
    Bad(Vec<(String, String)>),
    /// It has none, but could not be put in force for these reasons; nothing was touched.
    Unusable(Vec<(String, String)>),
}

pub(super) async fn reload(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let fields = body::json(request).await?;
    if let Some(key) = fields.keys().find(|key| *key != "dryRun") {
        return Err(Refusal::field(key.as_str(), "is unknown; there is dryRun").into());
    }
    let is_trial = match fields.get("dryRun") {
        None | Some(Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(_) => return Err(Refusal::field("dryRun", "must be true or false").into()),
    };
    let nobody = || {
        let message = "this program has no configuration file to read again";
        Problem::new(Code::ServerUnavailable, message)
    };
    let (reply, outcome) = oneshot::channel();
    api.reload.try_send(Order { is_trial, reply }).map_err(|_| {
        Problem::new(Code::TooManyRequests, "the configuration is being read already, or never is")
    })?;
    let Ok(outcome) = timeout(WITHIN, outcome).await else {
        let message = "it takes longer than 20 seconds: what comes of it is in the log";
        return Err(Problem::new(Code::UnknownOutcome, message));
    };
    let outcome = outcome.map_err(|_| nobody())?;
    Ok(match outcome {
        Outcome::Good { changes, told } => {
            Json(json!({ "applied": !is_trial, "changes": changes, "told": told })).into_response()
        }
        Outcome::Bad(mistakes) => {
            refused("the configuration has mistakes; the one in force stays so", &mistakes)
        }
        Outcome::Unusable(reasons) => {
            refused("the configuration cannot be used; everything is as it was", &reasons)
        }
    })
}

fn refused(detail: &str, mistakes: &[(String, String)]) -> Response {
    let mistakes: Vec<Value> =
        mistakes.iter().map(|(place, text)| json!({ "where": place, "what": text })).collect();
    let body = json!({
        "type": "about:blank", "title": "Bad Request", "status": 400, "code": "badRequest",
        "detail": detail, "mistakes": mistakes,
    });
    let kind = [(axum::http::header::CONTENT_TYPE, "application/problem+json")];
    (StatusCode::BAD_REQUEST, kind, body.to_string()).into_response()
}
