//! HubSpot's CRM API, version 3: contact search, calls and notes.
//!
//! From <https://developers.hubspot.com/docs/api/crm/search>, <https://developers.hubspot.com/docs/api/crm/calls>,
//! <https://developers.hubspot.com/docs/api-reference/crm-notes-v3/guide> and
//! <https://developers.hubspot.com/docs/api-reference/error-handling>. The pages show properties as strings; numbers
//! are taken as well, as JSON readers for maps of strings do.

mod search;

use super::{
    exchange::{Refusal, Stranger, has_form, missing, object, unknown},
    shared::{Logged, Shared},
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::{Map, Value, json};
use std::sync::Arc;

type Answer = Result<(StatusCode, Json<Value>), Refusal>;

const CALL: [&str; 12] = [
    "hs_call_body",
    "hs_call_callee_object_id",
    "hs_call_callee_object_type",
    "hs_call_direction",
    "hs_call_disposition",
    "hs_call_duration",
    "hs_call_from_number",
    "hs_call_recording_url",
    "hs_call_status",
    "hs_call_title",
    "hs_call_to_number",
    "hs_timestamp",
];
const STATUSES: [&str; 10] = [
    "BUSY",
    "CALLING_CRM_USER",
    "CANCELED",
    "COMPLETED",
    "CONNECTING",
    "FAILED",
    "IN_PROGRESS",
    "NO_ANSWER",
    "QUEUED",
    "RINGING",
];
const NOTE: [&str; 4] = ["hs_attachment_ids", "hs_note_body", "hs_timestamp", "hubspot_owner_id"];
/// The types of association that HubSpot defines.
const CALL_TO_CONTACT: u64 = 194;
const NOTE_TO_CONTACT: u64 = 202;
/// Nobody looks at when a record was made.
const CREATED: &str = "2026-01-01T00:00:00.000Z";
const CORRELATION: &str = "5f8a1c1e-0000-4000-8000-000000000000";

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/crm/v3/objects/contacts/search", post(search::search))
        .route("/crm/v3/objects/calls", post(log_call))
        .route("/crm/v3/objects/notes", post(log_note))
}

pub(super) fn complete(id: &str, number: &str, mut fields: Value) -> Value {
    fields["hs_object_id"] = json!(id);
    fields["createdate"] = json!(CREATED);
    fields["lastmodifieddate"] = json!(CREATED);
    if fields.get("phone").is_none() && fields.get("mobilephone").is_none() {
        fields["phone"] = json!(number);
    }
    fields
}

pub(super) fn failure(status: StatusCode, message: &str) -> Refusal {
    if status == StatusCode::TOO_MANY_REQUESTS {
        let body = json!({
            "status": "error", "message": "You have reached your secondly limit.",
            "errorType": "RATE_LIMIT", "policyName": "SECONDLY", "correlationId": CORRELATION,
        });
        return Refusal::new(status, body);
    }
    let category = match status {
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE => "VALIDATION_ERROR",
        StatusCode::NOT_FOUND => "OBJECT_NOT_FOUND",
        StatusCode::FORBIDDEN => "MISSING_SCOPES",
        StatusCode::UNAUTHORIZED => "INVALID_AUTHENTICATION",
        _ => "API_ERROR",
    };
    categorized(status, category, message)
}

pub(super) fn stranger(why: Stranger) -> Refusal {
    let (category, message) = match why {
        Stranger::Expired => (
            "EXPIRED_AUTHENTICATION",
            "The OAuth token used to make this call expired 1 day(s) ago.",
        ),
        Stranger::WithoutToken | Stranger::Unknown => {
            ("INVALID_AUTHENTICATION", "Authentication credentials not found.")
        }
    };
    categorized(StatusCode::UNAUTHORIZED, category, message)
}

fn categorized(status: StatusCode, category: &str, message: &str) -> Refusal {
    let body = json!({
        "status": "error", "message": message, "correlationId": CORRELATION, "category": category,
    });
    Refusal::new(status, body)
}

fn invalid(message: &str) -> Refusal {
    failure(StatusCode::BAD_REQUEST, message)
}

async fn log_call(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Answer {
    let request = read(&headers, &body)?;
    let properties = properties(&request, &CALL, "CALL")?;
    one_of(properties, "hs_call_direction", &["INBOUND", "OUTBOUND"])?;
    one_of(properties, "hs_call_status", &STATUSES)?;
    let duration = properties.get("hs_call_duration");
    if duration.is_some_and(|duration| whole_number(duration).is_none()) {
        return Err(bad_property("hs_call_duration", "INVALID_LONG", "was not a valid long."));
    }
    check_associations(&shared, &request, CALL_TO_CONTACT)?;
    Ok(created(&shared, Logged::Call, request))
}

async fn log_note(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Answer {
    let request = read(&headers, &body)?;
    properties(&request, &NOTE, "NOTE")?;
    check_associations(&shared, &request, NOTE_TO_CONTACT)?;
    Ok(created(&shared, Logged::Note, request))
}

fn read(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>, Refusal> {
    object(headers, body).map_err(|(status, wrong)| {
        failure(status, &format!("Invalid input JSON on line 1, column 1: {wrong}"))
    })
}

fn properties<'a>(
    request: &'a Map<String, Value>,
    known: &[&str],
    object: &str,
) -> Result<&'a Map<String, Value>, Refusal> {
    if let [first, ..] = unknown(request, &["associations", "properties"])[..] {
        return Err(invalid(&format!("Invalid input JSON: unrecognized field \"{first}\"")));
    }
    let properties = request.get("properties").and_then(Value::as_object);
    let properties = properties.ok_or_else(|| invalid("properties is missing, or no object"))?;
    if let [first, ..] = unknown(properties, known)[..] {
        return Err(bad_property(first, "PROPERTY_DOESNT_EXIST", "does not exist"));
    }
    let scalar = |value: &Value| value.is_string() || value.is_number();
    if let Some((name, _)) = properties.iter().find(|(_, value)| !scalar(value)) {
        return Err(invalid(&format!("Invalid input JSON: {name} is no text")));
    }
    if !missing(properties, &["hs_timestamp"]).is_empty() {
        let message = format!("Error creating {object}. Some required properties were not set.");
        return Err(invalid(&message));
    }
    if !is_time(&properties["hs_timestamp"]) {
        return Err(bad_property("hs_timestamp", "INVALID_DATE", "was not a valid timestamp."));
    }
    Ok(properties)
}

/// "You can use either a Unix timestamp in milliseconds or UTC format."
fn is_time(value: &Value) -> bool {
    let utc = ["0000-00-00T00:00:00Z", "0000-00-00T00:00:00.000Z"];
    let text = value.as_str().unwrap_or_default();
    whole_number(value).is_some() || utc.iter().any(|form| has_form(text, form))
}

fn whole_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn one_of(properties: &Map<String, Value>, name: &str, known: &[&str]) -> Result<(), Refusal> {
    match properties.get(name) {
        Some(value) if !value.as_str().is_some_and(|value| known.contains(&value)) => {
            Err(bad_property(name, "INVALID_OPTION", "was not one of the allowed options"))
        }
        _ => Ok(()),
    }
}

fn bad_property(name: &str, error: &str, wrong: &str) -> Refusal {
    let message = format!("Property \"{name}\" {wrong}");
    let detail =
        json!([{"isValid": false, "message": message, "error": error, "name": name}]).to_string();
    invalid(&format!("Property values were not valid: {detail}"))
}

fn check_associations(
    shared: &Shared,
    request: &Map<String, Value>,
    type_id: u64,
) -> Result<(), Refusal> {
    let Some(associations) = request.get("associations") else { return Ok(()) };
    let associations = associations.as_array().ok_or_else(|| invalid("associations is no list"))?;
    for association in associations {
        let id = association["to"]["id"].as_str().unwrap_or_default();
        if !shared.has_contact(id) {
            return Err(invalid(&format!("CONTACT={id} is not valid")));
        }
        let types = association["types"].as_array().map(Vec::as_slice).unwrap_or_default();
        let wanted =
            json!({"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id});
        if !types.contains(&wanted) {
            return Err(invalid(&format!("No association type of HubSpot's is {types:?}")));
        }
    }
    Ok(())
}

fn created(
    shared: &Shared,
    what: Logged,
    request: Map<String, Value>,
) -> (StatusCode, Json<Value>) {
    let properties = request["properties"].clone();
    let nth = shared.log(what, Value::Object(request));
    let body = json!({
        "id": format!("{}", 700_000 + nth), "properties": properties,
        "createdAt": CREATED, "updatedAt": CREATED, "archived": false,
    });
    (StatusCode::CREATED, Json(body))
}
