//! Zoho's CRM API, version 6: OAuth by a refresh token, contact search by phone, calls and tasks.
//!
//! From <https://zoho.com/accounts/protocol/oauth/web-apps/access-token-expiry.html> (the token),
//! <https://www.zoho.com/crm/developer/docs/api/v8/search-records.html>,
//! <https://www.zoho.com/crm/developer/docs/api/v7/insert-records.html> (the pages of other versions say the same of
//! what is used here) and <https://help.zoho.com/portal/en/community/topic/kaizen-38-calls-api>. What becomes of a
//! field that Zoho does not know is on none of them: here it is refused, so that no typing mistake goes unseen.

use super::{
    CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN,
    exchange::{Refusal, Stranger, form, has_form, missing, object, unknown},
    number,
    shared::{Contact, Logged, Shared},
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Map, Value, json};
use std::{collections::HashMap, sync::Arc};

const CALL: [&str; 11] = [
    "$se_module",
    "Call_Agenda",
    "Call_Duration",
    "Call_Purpose",
    "Call_Result",
    "Call_Start_Time",
    "Call_Type",
    "Description",
    "Outbound_Call_Status",
    "Subject",
    "Who_Id",
];
const TASK: [&str; 6] = ["Description", "Due_Date", "Priority", "Status", "Subject", "Who_Id"];
/// Who made a record, and when: nobody looks at it.
const CREATED: &str = "2026-01-01T00:00:00+00:00";

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/crm/v6/Contacts/search", get(search))
        .route("/crm/v6/Calls", post(insert_call))
        .route("/crm/v6/Tasks", post(insert_task))
}

pub(super) fn token_route() -> Router<Arc<Shared>> {
    Router::new().route("/oauth/v2/token", post(token))
}

pub(super) fn complete(id: &str, number: &str, mut fields: Value) -> Value {
    fields["id"] = json!(id);
    let name = ["First_Name", "Last_Name"].map(|key| fields[key].as_str().unwrap_or_default());
    let name = name.join(" ");
    fields["Full_Name"] = json!(name.trim());
    if fields.get("Phone").is_none() {
        fields["Phone"] = json!(number);
    }
    fields
}

pub(super) fn failure(status: StatusCode, message: &str) -> Refusal {
    let code = match status {
        StatusCode::UNAUTHORIZED => "INVALID_TOKEN",
        StatusCode::FORBIDDEN => "NO_PERMISSION",
        StatusCode::NOT_FOUND => "INVALID_URL_PATTERN",
        StatusCode::TOO_MANY_REQUESTS => "TOO_MANY_REQUESTS",
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE => "INVALID_DATA",
        _ => "INTERNAL_ERROR",
    };
    error(status, code, &json!({}), message)
}

pub(super) fn stranger(why: Stranger) -> Refusal {
    let (code, message) = match why {
        Stranger::WithoutToken => ("AUTHENTICATION_FAILURE", "Authentication failed"),
        Stranger::Expired | Stranger::Unknown => ("INVALID_TOKEN", "invalid oauth token"),
    };
    error(StatusCode::UNAUTHORIZED, code, &json!({}), message)
}

fn error(status: StatusCode, code: &str, details: &Value, message: &str) -> Refusal {
    let body = json!({"code": code, "details": details, "message": message, "status": "error"});
    Refusal::new(status, body)
}

/// The parameters may be in the body or in the query string. A refusal comes with status 200.
async fn token(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Json<Value> {
    let form = form(query.as_deref(), &body);
    let given = |name: &str| form.get(name).map(String::as_str);
    if given("grant_type") != Some("refresh_token") {
        return Json(json!({"error": "unsupported_grant_type"}));
    }
    if given("client_id") != Some(CLIENT_ID) {
        return Json(json!({"error": "invalid_client"}));
    }
    if given("client_secret") != Some(CLIENT_SECRET) {
        return Json(json!({"error": "invalid_client_secret"}));
    }
    if given("refresh_token") != Some(REFRESH_TOKEN) {
        return Json(json!({"error": "invalid_code"}));
    }
    Json(json!({
        "access_token": shared.issue(), "api_domain": shared.url,
        "token_type": "Bearer", "expires_in": 3600,
    }))
}

/// 204 without a body where nothing is found.
async fn search(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Refusal> {
    let Some(phone) = query.get("phone").filter(|_| query.len() == 1) else {
        let details = json!({"param_names": ["criteria", "email", "phone", "word"]});
        let message = "One of the expected parameter is missing (only phone is simulated)";
        let status = StatusCode::BAD_REQUEST;
        return Err(error(status, "REQUIRED_PARAM_MISSING", &details, message));
    };
    let asked = number::digits(phone);
    let meant = |contact: &Contact| number::digits(&contact.number) == asked;
    let found = shared.look_up(vec![phone.clone()], meant);
    if found.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let data: Vec<Value> = found.into_iter().map(|contact| contact.fields).collect();
    let info = json!({"per_page": 200, "count": data.len(), "page": 1, "more_records": false});
    Ok(Json(json!({"data": data, "info": info})).into_response())
}

async fn insert_call(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let call = record(&headers, &body)?;
    check(&shared, &call, &CALL, &["Subject", "Call_Type", "Call_Start_Time"])?;
    check_call(&call)?;
    Ok(inserted(&shared, Logged::Call, call))
}

async fn insert_task(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let task = record(&headers, &body)?;
    check(&shared, &task, &TASK, &["Subject"])?;
    let due = task.get("Due_Date").map(|date| date.as_str().unwrap_or_default());
    if due.is_some_and(|due| !has_form(due, "0000-00-00")) {
        return Err(invalid_data("Due_Date"));
    }
    Ok(inserted(&shared, Logged::Note, task))
}

/// The one record in `data`. Zoho takes up to a hundred; no preset sends more than one.
fn record(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>, Refusal> {
    let mut request = object(headers, body).map_err(|(status, wrong)| failure(status, &wrong))?;
    match request.remove("data") {
        Some(Value::Array(mut records)) if records.len() == 1 && request.is_empty() => {
            match records.remove(0) {
                Value::Object(record) => Ok(record),
                _ => Err(invalid_data("data")),
            }
        }
        _ => Err(invalid_data("data")),
    }
}

fn check(
    shared: &Shared,
    record: &Map<String, Value>,
    known: &[&str],
    needed: &[&str],
) -> Result<(), Refusal> {
    if let [first, ..] = unknown(record, known)[..] {
        return Err(invalid_data(first));
    }
    if let [first, ..] = missing(record, needed)[..] {
        return Err(refused(first, "MANDATORY_NOT_FOUND", "required field not found"));
    }
    match record.get("Who_Id") {
        Some(who) if !who["id"].as_str().is_some_and(|id| shared.has_contact(id)) => {
            Err(invalid_data("Who_Id"))
        }
        _ => Ok(()),
    }
}

fn check_call(call: &Map<String, Value>) -> Result<(), Refusal> {
    let text = |name: &str| call.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = text("Call_Type");
    if !["Inbound", "Missed", "Outbound"].contains(&kind) {
        return Err(invalid_data("Call_Type"));
    }
    if !has_form(text("Call_Start_Time"), "0000-00-00T00:00:00±00:00") {
        return Err(invalid_data("Call_Start_Time"));
    }
    match call.get("Call_Duration") {
        // Nobody talked in a call that was missed.
        None if kind == "Missed" => Ok(()),
        None => Err(refused("Call_Duration", "MANDATORY_NOT_FOUND", "required field not found")),
        Some(duration) => check_duration(duration.as_str().unwrap_or_default()),
    }
}

/// Minutes and seconds, as in the samples: `10:00`.
fn check_duration(duration: &str) -> Result<(), Refusal> {
    let parts = duration.split_once(':');
    let parts = parts.map(|(minutes, seconds)| (minutes.parse::<u32>(), seconds.parse::<u32>()));
    match parts {
        Some((Ok(0), Ok(0))) => {
            Err(refused("Call_Duration", "DEPENDENT_MISMATCH", "Call Duration can not be zero."))
        }
        Some((Ok(_), Ok(seconds))) if seconds < 60 => Ok(()),
        _ => Err(invalid_data("Call_Duration")),
    }
}

fn invalid_data(name: &str) -> Refusal {
    refused(name, "INVALID_DATA", "invalid data")
}

/// What is wrong with a record is said where its id would be.
fn refused(name: &str, code: &str, message: &str) -> Refusal {
    let details = json!({"api_name": name, "json_path": format!("$.data[0].{name}")});
    let mut refusal = error(StatusCode::BAD_REQUEST, code, &details, message);
    refusal.body = json!({"data": [refusal.body]});
    refusal
}

fn inserted(shared: &Shared, what: Logged, record: Map<String, Value>) -> Response {
    let nth = shared.log(what, Value::Object(record));
    let user = json!({"name": "Patricia Boyle", "id": "5725767000000411001"});
    let details = json!({
        "id": format!("5725768{nth:012}"), "Created_Time": CREATED, "Modified_Time": CREATED,
        "Created_By": user, "Modified_By": user,
    });
    let data = json!([{
        "code": "SUCCESS", "details": details, "message": "record added", "status": "success",
    }]);
    (StatusCode::CREATED, Json(json!({"data": data}))).into_response()
}
