//! `/revocations`: logins that are taken back before their time.

use super::{Api, body, problem::Problem};
use crate::{
    auth::{RevocationError, Target},
    clock,
};
use axum::{
    Json,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use telepulse_language::{Code, Refusal, Timestamp};

/// The longest name of a token or a subject, in characters.
const LONGEST: usize = 256;
/// What can stand in an order.
const FIELDS: [&str; 5] = ["jti", "subject", "before", "user", "expires"];

/// What is in force on this node.
pub(super) async fn list(State(api): State<Api>) -> Response {
    let (items, is_fresh) = api.revocations.list();
    Json(json!({ "items": items, "fresh": is_fresh })).into_response()
}

pub(super) async fn add(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let fields = body::json(request).await?;
    let (target, expires) = read(&fields, clock::now())?;
    if let Target::User { user } = &target
        && !api.gate.has_user(user)
    {
        let message = format!("there is no [[auth.user]] {user:?}; tokens have a `subject`");
        return Err(Refusal::new(Code::NotFound, message).with_field("user").into());
    }
    let revocation = api.revocations.add(target, expires).await?;
    let location = format!("/revocations/{}", revocation.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(revocation)).into_response())
}

pub(super) async fn remove(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    body::none(&headers)?;
    api.revocations.remove(&id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What an order revokes, and until when.
fn read(
    fields: &Map<String, Value>,
    now: Timestamp,
) -> Result<(Target, Option<Timestamp>), Refusal> {
    if let Some(key) = fields.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        let message = format!("is unknown; there are {}", FIELDS.join(", "));
        return Err(Refusal::field(key.as_str(), message));
    }
    let before = moment(fields, "before")?;
    let text = |key| text(fields, key);
    let target = match (text("jti")?, text("subject")?, text("user")?) {
        (Some(jti), None, None) => Target::Token { jti },
        (None, Some(subject), None) => Target::Subject { subject, before: before.unwrap_or(now) },
        (None, None, Some(user)) => Target::User { user },
        _ => {
            let message = "say what is revoked: jti, subject or user, one of the three";
            return Err(Refusal::new(Code::BadRequest, message));
        }
    };
    if before.is_some() && !matches!(target, Target::Subject { .. }) {
        return Err(Refusal::field("before", "goes with subject alone"));
    }
    let expires = moment(fields, "expires")?;
    if expires.is_some_and(|expires| expires <= now) {
        let message = "is over: what has run out needs no revocation";
        return Err(Refusal::field("expires", message));
    }
    Ok((target, expires))
}

fn text(fields: &Map<String, Value>, key: &str) -> Result<Option<String>, Refusal> {
    let Some(value) = fields.get(key) else { return Ok(None) };
    let is_good = |text: &&str| {
        (1..=LONGEST).contains(&text.chars().count()) && !text.chars().any(char::is_control)
    };
    match value.as_str().filter(is_good) {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(Refusal::field(key, format!("must be 1 to {LONGEST} printable characters"))),
    }
}

fn moment(fields: &Map<String, Value>, key: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(value) = fields.get(key) else { return Ok(None) };
    let moment = serde_json::from_value(value.clone());
    let wanted = "must be a time from 1970 on, like \"2026-11-21T15:04:05Z\"";
    moment.map(Some).map_err(|_| Refusal::field(key, wanted))
}

impl From<RevocationError> for Problem {
    fn from(error: RevocationError) -> Self {
        let code = match error {
            RevocationError::Store(_) => Code::ServerUnavailable,
            RevocationError::Unreadable(_) => Code::Internal,
            RevocationError::Full => Code::Conflict,
            RevocationError::Busy => Code::TooManyRequests,
            RevocationError::Unknown(_) => Code::NotFound,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(order: Value) -> Result<(Target, Option<Timestamp>), (String, String)> {
        let Value::Object(fields) = order else { panic!("{order}") };
        read(&fields, Timestamp(5_000))
            .map_err(|refusal| (refusal.field.unwrap_or_default(), refusal.message))
    }

    #[test]
    fn each_shape_is_read() {
        let jti = || Target::Token { jti: "a".to_owned() };
        assert_eq!(told(json!({"jti": "a"})), Ok((jti(), None)));
        let later = json!({"jti": "a", "expires": "1970-01-01T00:00:05.001Z"});
        assert_eq!(told(later), Ok((jti(), Some(Timestamp(5_001)))));
        let subject = |before| Target::Subject { subject: "s".to_owned(), before };
        assert_eq!(told(json!({"subject": "s"})), Ok((subject(Timestamp(5_000)), None)));
        let before = json!({"subject": "s", "before": "1970-01-01T01:00:01+01:00"});
        assert_eq!(told(before), Ok((subject(Timestamp(1_000)), None)));
        let user = Target::User { user: "ana".to_owned() };
        assert_eq!(told(json!({"user": "ana"})), Ok((user, None)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (order, field) in [
            (json!({}), ""),
            (json!({"jti": "a", "user": "b"}), ""),
            (json!({"before": "1970-01-01T00:00:00Z"}), ""),
            (json!({"jti": "a", "before": "1970-01-01T00:00:00Z"}), "before"),
            (json!({"jti": ""}), "jti"),
            (json!({"jti": 7}), "jti"),
            (json!({"user": "a\nb"}), "user"),
            (json!({"subject": "x".repeat(257)}), "subject"),
            (json!({"subject": "s", "before": "yesterday"}), "before"),
            (json!({"jti": "a", "expires": "1970-01-01T00:00:05Z"}), "expires"),
            (json!({"jti": "a", "until": "1970-01-01T00:00:05Z"}), "until"),
        ] {
            assert_eq!(
                told(order.clone()).map_err(|(field, _)| field),
                Err(field.to_owned()),
                "{order}"
            );
        }
    }
}
