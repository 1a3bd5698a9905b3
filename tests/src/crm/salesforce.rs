//! Salesforce's REST API, version 60: OAuth by client credentials, parameterized search of contacts, tasks.
//!
//! From <https://developer.salesforce.com/docs/atlas.en-us.262.0.chatterapi.meta/chatterapi/quickstart_connecting.htm>
//! (the token),
//! <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_search_parameterized_get.htm>,
//! <https://developer.salesforce.com/docs/platform/api-rest/guide/dome-search.md> (the answer of a search),
//! <https://developer.salesforce.com/docs/platform/api-rest/guide/dome-sobject-create.html>,
//! <https://developer.salesforce.com/docs/atlas.en-us.248.0.api.meta/api/sforce_api_objects_task.htm> and
//! <https://developer.salesforce.com/docs/atlas.en-us.264.0.api_rest.meta/api_rest/errorcodes.htm>.

use super::{
    CLIENT_ID, CLIENT_SECRET,
    exchange::{Refusal, form, has_form, missing, object, unknown},
    number,
    shared::{Contact, Logged, Shared},
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

/// What can be asked for of a contact.
const FIELDS: [&str; 9] = [
    "Account.Name",
    "Email",
    "FirstName",
    "Id",
    "LastName",
    "MobilePhone",
    "Name",
    "Phone",
    "Title",
];
const PARAMETERS: [&str; 5] = ["Contact.fields", "Contact.limit", "in", "q", "sobject"];
const SCOPES: [&str; 5] = ["ALL", "NAME", "EMAIL", "PHONE", "SIDEBAR"];
/// To be escaped in a search string.
const RESERVED: &str = "?&|!{}[]()^~*:\\\"'+-";
const TASK: [&str; 12] = [
    "ActivityDate",
    "CallDisposition",
    "CallDurationInSeconds",
    "CallObject",
    "CallType",
    "Description",
    "OwnerId",
    "Priority",
    "Status",
    "Subject",
    "TaskSubtype",
    "WhoId",
];

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/services/data/v60.0/parameterizedSearch/", get(search))
        .route("/services/data/v60.0/parameterizedSearch", get(search))
        .route("/services/data/v60.0/sobjects/Task", post(create_task))
        .route("/services/data/v60.0/sobjects/Task/", post(create_task))
}

pub(super) fn token_route() -> Router<Arc<Shared>> {
    Router::new().route("/services/oauth2/token", post(token))
}

pub(super) fn complete(id: &str, number: &str, mut fields: Value) -> Value {
    fields["Id"] = json!(id);
    let name = ["FirstName", "LastName"].map(|key| fields[key].as_str().unwrap_or_default());
    let name = name.join(" ");
    fields["Name"] = json!(name.trim());
    if fields.get("Phone").is_none() {
        fields["Phone"] = json!(number);
    }
    fields
}

pub(super) fn failure(status: StatusCode, message: &str) -> Refusal {
    let code = match status {
        StatusCode::UNAUTHORIZED => "INVALID_SESSION_ID",
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => "REQUEST_LIMIT_EXCEEDED",
        StatusCode::NOT_FOUND => "NOT_FOUND",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "UNSUPPORTED_MEDIA_TYPE",
        StatusCode::SERVICE_UNAVAILABLE => "SERVER_UNAVAILABLE",
        StatusCode::BAD_REQUEST => "INVALID_INPUT",
        _ => "UNKNOWN_EXCEPTION",
    };
    error(status, code, message)
}

pub(super) fn stranger() -> Refusal {
    failure(StatusCode::UNAUTHORIZED, "Session expired or invalid")
}

fn error(status: StatusCode, code: &str, message: &str) -> Refusal {
    Refusal::new(status, json!([{"message": message, "errorCode": code}]))
}

fn invalid(code: &str, message: &str) -> Refusal {
    error(StatusCode::BAD_REQUEST, code, message)
}

/// Its refusals have the shape of OAuth and not that of the API.
async fn token(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let form = form(None, &body);
    let given = |name: &str| form.get(name).map(String::as_str);
    let refused = |error: &str, why: &str| {
        let body = json!({"error": error, "error_description": why});
        Err(Refusal::new(StatusCode::BAD_REQUEST, body))
    };
    if given("grant_type") != Some("client_credentials") {
        return refused("unsupported_grant_type", "grant type not supported");
    }
    if given("client_id") != Some(CLIENT_ID) {
        return refused("invalid_client_id", "client identifier invalid");
    }
    if given("client_secret") != Some(CLIENT_SECRET) {
        return refused("invalid_client", "invalid client credentials");
    }
    Ok(Json(json!({
        "access_token": shared.issue(), "token_format": "opaque", "instance_url": shared.url,
        "id": format!("{}/id/00D000000000001/005000000000001", shared.url),
        "token_type": "Bearer", "issued_at": "1767225600000", "signature": "of nobody",
    })))
}

async fn search(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Refusal> {
    if let Some(name) = query.keys().find(|name| !PARAMETERS.contains(&name.as_str())) {
        return Err(invalid("INVALID_INPUT", &format!("unknown or not simulated: {name}")));
    }
    if query.get("sobject").map(String::as_str) != Some("Contact") {
        let message = "sObject type is not supported; only Contact is simulated";
        return Err(invalid("INVALID_TYPE", message));
    }
    if query.get("in").is_some_and(|scope| !SCOPES.contains(&scope.as_str())) {
        return Err(invalid("INVALID_INPUT", "in is ALL, NAME, EMAIL, PHONE or SIDEBAR"));
    }
    let terms = terms(query.get("q").map(String::as_str).unwrap_or_default())?;
    let fields = fields(query.get("Contact.fields").map(String::as_str))?;
    let limit = query.get("Contact.limit").map_or(Ok(2_000), |limit| limit.parse());
    let limit: usize = limit.map_err(|_| invalid("INVALID_INPUT", "the limit is no number"))?;
    let meant = |contact: &Contact| terms.iter().any(|term| number::means(term, &contact.number));
    let found = shared.look_up(terms.clone(), meant);
    let found = found.iter().take(limit).map(|contact| record(contact, &fields));
    Ok(Json(json!({"searchRecords": found.collect::<Vec<_>>()})))
}

/// The terms of a search string, of which one must be found.
fn terms(search: &str) -> Result<Vec<String>, Refusal> {
    if let Some(reserved) = search.chars().find(|character| RESERVED.contains(*character)) {
        let message = format!("{reserved} is to be escaped in a search string");
        return Err(invalid("MALFORMED_SEARCH", &message));
    }
    let terms: Vec<String> = search.split(" OR ").map(str::to_owned).collect();
    if terms.iter().any(|term| term.chars().count() < 2) {
        let message = "search term must be longer than one character";
        return Err(invalid("MALFORMED_SEARCH", message));
    }
    Ok(terms)
}

fn fields(asked: Option<&str>) -> Result<Vec<&str>, Refusal> {
    let fields: Vec<&str> = asked.map_or_else(|| vec!["Id"], |asked| asked.split(',').collect());
    match fields.iter().find(|field| !FIELDS.contains(field)) {
        Some(field) => {
            let message = format!("No such column '{field}' on entity 'Contact'.");
            Err(invalid("INVALID_FIELD", &message))
        }
        None => Ok(fields),
    }
}

/// A contact as it is found: what it is, and the fields that were asked for, those of its account one level down.
fn record(contact: &Contact, fields: &[&str]) -> Value {
    let url = format!("/services/data/v60.0/sobjects/Contact/{}", contact.id);
    let mut record = json!({"attributes": {"type": "Contact", "url": url}});
    for field in fields {
        match field.split_once('.') {
            None => record[*field] = contact.fields[*field].clone(),
            Some((parent, _)) if contact.fields[parent].is_null() => record[parent] = Value::Null,
            Some((parent, field)) => {
                let value = contact.fields[parent][field].clone();
                record[parent] = json!({"attributes": {"type": parent}, field: value});
            }
        }
    }
    record
}

async fn create_task(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let task = object(&headers, &body).map_err(|(status, wrong)| match status {
        StatusCode::BAD_REQUEST => invalid("JSON_PARSER_ERROR", &wrong),
        _ => failure(status, &wrong),
    })?;
    check_task(&shared, &task)?;
    let is_call = task.get("TaskSubtype").and_then(Value::as_str) == Some("Call");
    let what = if is_call { Logged::Call } else { Logged::Note };
    let nth = shared.log(what, Value::Object(task));
    let created = json!({"id": format!("00T{nth:015}"), "success": true, "errors": []});
    Ok((StatusCode::CREATED, Json(created)))
}

fn check_task(shared: &Shared, task: &Map<String, Value>) -> Result<(), Refusal> {
    if let [first, ..] = unknown(task, &TASK)[..] {
        let message = format!("No such column '{first}' on sobject of type Task");
        return Err(invalid("INVALID_FIELD", &message));
    }
    if let [first, ..] = missing(task, &["Status", "Subject"])[..] {
        let message = format!("Required fields are missing: [{first}]");
        return Err(invalid("REQUIRED_FIELD_MISSING", &message));
    }
    one_of(task, "TaskSubtype", &["Call", "Cadence", "Email", "LinkedIn", "ListEmail", "Task"])?;
    one_of(task, "CallType", &["Inbound", "Internal", "Outbound"])?;
    one_of(task, "Priority", &["High", "Low", "Normal"])?;
    if task.get("CallDurationInSeconds").is_some_and(|seconds| !seconds.is_u64()) {
        return Err(invalid("JSON_PARSER_ERROR", "Cannot deserialize instance of int"));
    }
    let date = task.get("ActivityDate").map(|date| date.as_str().unwrap_or_default());
    if date.is_some_and(|date| !has_form(date, "0000-00-00")) {
        return Err(invalid("JSON_PARSER_ERROR", "Cannot deserialize instance of date"));
    }
    match task.get("WhoId") {
        Some(id) if !id.as_str().is_some_and(|id| shared.has_contact(id)) => {
            let message = format!("Name ID: id value of incorrect type: {id}");
            Err(invalid("MALFORMED_ID", &message))
        }
        _ => Ok(()),
    }
}

fn one_of(task: &Map<String, Value>, field: &str, known: &[&str]) -> Result<(), Refusal> {
    match task.get(field) {
        Some(value) if !value.as_str().is_some_and(|value| known.contains(&value)) => {
            let message = format!("{field}: bad value for restricted picklist field: {value}");
            Err(invalid("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", &message))
        }
        _ => Ok(()),
    }
}
