//! The REST API for CRMs of one's own: the shape is ours, and described in `docs/crm-presets.md`.

use super::{
    exchange::{Refusal, has_form, missing, object, unknown},
    shared::{Logged, Shared},
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use serde_json::{Map, Value, json};
use std::{collections::HashMap, sync::Arc};

type Answer = Result<(StatusCode, Json<Value>), Refusal>;

const CALL: [&str; 13] = [
    "agent",
    "agentName",
    "call",
    "contact",
    "direction",
    "disposition",
    "from",
    "number",
    "seconds",
    "started",
    "subject",
    "text",
    "to",
];
const NOTE: [&str; 5] = ["agent", "call", "contact", "number", "text"];
const TIMES: [&str; 2] = ["0000-00-00T00:00:00Z", "0000-00-00T00:00:00.000Z"];
/// What is asked to wait comes back after that many seconds.
const RETRY_AFTER: u16 = 1;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/contacts", get(search))
        .route("/calls", post(log_call))
        .route("/notes", post(log_note))
}

pub(super) fn complete(id: &str, number: &str, mut fields: Value) -> Value {
    fields["id"] = json!(id);
    if fields.get("phone").is_none() {
        fields["phone"] = json!(number);
    }
    fields
}

pub(super) fn refusal(status: StatusCode, message: &str) -> Refusal {
    let waits = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let mut refusal = Refusal::new(status, json!({"error": message}));
    refusal.retry_after = waits.then_some(RETRY_AFTER);
    refusal
}

fn bad_request(message: &str) -> Refusal {
    refusal(StatusCode::BAD_REQUEST, message)
}

async fn search(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Refusal> {
    let phone = query.get("phone").filter(|_| query.len() == 1);
    let phone = phone.ok_or_else(|| bad_request("ask by ?phone= and nothing else"))?;
    let found = shared.look_up(vec![phone.clone()], |contact| contact.number == *phone);
    let items: Vec<Value> = found.into_iter().map(|contact| contact.fields).collect();
    Ok(Json(json!({"items": items})))
}

/// A request that is sent again with the same `Idempotency-Key` is answered again and not logged again.
async fn log_call(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Answer {
    let call = read(&headers, &body, &CALL, &["call", "direction", "started"])?;
    check_call(&call)?;
    check_contact(&shared, &call)?;
    let call = Value::Object(call);
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok());
    if let Some((request, answer)) = key.and_then(|key| shared.answered(key)) {
        return if request == call {
            Ok((StatusCode::OK, Json(answer)))
        } else {
            let message = "this Idempotency-Key came with another call";
            Err(refusal(StatusCode::UNPROCESSABLE_ENTITY, message))
        };
    }
    let answer = json!({"id": format!("call-{}", shared.log(Logged::Call, call.clone()))});
    if let Some(key) = key {
        shared.remember(key, call, answer.clone());
    }
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn log_note(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Answer {
    let note = read(&headers, &body, &NOTE, &["call", "text"])?;
    check_contact(&shared, &note)?;
    let nth = shared.log(Logged::Note, Value::Object(note));
    Ok((StatusCode::CREATED, Json(json!({"id": format!("note-{nth}")}))))
}

fn read(
    headers: &HeaderMap,
    body: &Bytes,
    known: &[&str],
    needed: &[&str],
) -> Result<Map<String, Value>, Refusal> {
    let fields = object(headers, body).map_err(|(status, wrong)| refusal(status, &wrong))?;
    if let [first, ..] = unknown(&fields, known)[..] {
        return Err(bad_request(&format!("there is no field {first}")));
    }
    if let [first, ..] = missing(&fields, needed)[..] {
        return Err(bad_request(&format!("{first} is missing")));
    }
    Ok(fields)
}

fn check_call(call: &Map<String, Value>) -> Result<(), Refusal> {
    if !matches!(call["direction"].as_str(), Some("in" | "out")) {
        return Err(bad_request("direction is in or out"));
    }
    let started = call["started"].as_str().unwrap_or_default();
    if !TIMES.iter().any(|form| has_form(started, form)) {
        return Err(bad_request("started is a time in UTC, by RFC 3339"));
    }
    match call.get("seconds") {
        Some(seconds) if !seconds.is_u64() => Err(bad_request("seconds is a whole number")),
        _ => Ok(()),
    }
}

fn check_contact(shared: &Shared, fields: &Map<String, Value>) -> Result<(), Refusal> {
    match fields.get("contact") {
        Some(id) if !id.as_str().is_some_and(|id| shared.has_contact(id)) => {
            Err(bad_request(&format!("there is no contact {id}")))
        }
        _ => Ok(()),
    }
}
