//! What the simulators have in common about requests and answers.

use super::{Kind, hubspot, rest, salesforce, shared::Shared, zoho};
use axum::{
    Json,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};
use std::{collections::HashMap, sync::Arc};

/// A request that is not granted, in the API's own shape.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    /// Seconds after which it may be tried again.
    pub(super) retry_after: Option<u16>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body, retry_after: None }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stranger {
    WithoutToken,
    Expired,
    Unknown,
}

/// What differs from API to API wherever all of them do the same.
impl Kind {
    /// What stands before the token in `Authorization`.
    fn scheme(self) -> &'static str {
        match self {
            Self::Rest | Self::HubSpot | Self::Salesforce => "Bearer ",
            Self::Zoho => "Zoho-oauthtoken ",
        }
    }

    /// The answer where nothing is said about the request but that it failed.
    pub(super) fn failure(self, status: StatusCode) -> Refusal {
        let reason = status.canonical_reason().unwrap_or("failed");
        match self {
            Self::Rest => rest::refusal(status, reason),
            Self::HubSpot => hubspot::failure(status, reason),
            Self::Salesforce => salesforce::failure(status, reason),
            Self::Zoho => zoho::failure(status, reason),
        }
    }

    fn stranger(self, why: Stranger) -> Refusal {
        match self {
            Self::Rest => rest::refusal(StatusCode::UNAUTHORIZED, "bring a valid bearer token"),
            Self::HubSpot => hubspot::stranger(why),
            Self::Salesforce => salesforce::stranger(),
            Self::Zoho => zoho::stranger(why),
        }
    }

    /// The id of the contact that was added as the `nth`.
    pub(super) fn contact_id(self, nth: usize) -> String {
        match self {
            Self::Rest => format!("c-{nth}"),
            Self::HubSpot => format!("{}", 100_450 + nth),
            Self::Salesforce => format!("003{nth:015}"),
            Self::Zoho => format!("5725767{nth:012}"),
        }
    }

    /// A contact's fields with those that the CRM itself fills in.
    pub(super) fn complete(self, id: &str, number: &str, fields: Value) -> Value {
        match self {
            Self::Rest => rest::complete(id, number, fields),
            Self::HubSpot => hubspot::complete(id, number, fields),
            Self::Salesforce => salesforce::complete(id, number, fields),
            Self::Zoho => zoho::complete(id, number, fields),
        }
    }
}

/// Lets in who brings a token that is accepted.
pub(super) async fn authorize(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given.and_then(|value| value.strip_prefix(shared.kind.scheme()));
    match shared.admit(token) {
        Ok(()) => next.run(request).await,
        Err(why) => shared.kind.stranger(why).into_response(),
    }
}

pub(super) async fn not_found(State(shared): State<Arc<Shared>>) -> Refusal {
    shared.kind.failure(StatusCode::NOT_FOUND)
}

/// The JSON object that a request brings; otherwise the status and what is wrong.
pub(super) fn object(
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Map<String, Value>, (StatusCode, String)> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/json")) {
        let wrong = format!("Content-Type {kind:?} is not application/json");
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, wrong));
    }
    serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

/// The fields of a form, from the body as from the query string.
pub(super) fn form(query: Option<&str>, body: &Bytes) -> HashMap<String, String> {
    let query = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned();
    query.chain(form_urlencoded::parse(body).into_owned()).collect()
}

/// Whether a text has the form of another: `0` stands for any digit, `±` for a sign, all else for itself.
pub(super) fn has_form(text: &str, form: &str) -> bool {
    let fits = |(have, want): (char, char)| match want {
        '0' => have.is_ascii_digit(),
        '±' => matches!(have, '+' | '-'),
        _ => have == want,
    };
    text.chars().count() == form.chars().count() && text.chars().zip(form.chars()).all(fits)
}

/// The names of the fields that are not among the known ones.
pub(super) fn unknown<'a>(fields: &'a Map<String, Value>, known: &[&str]) -> Vec<&'a str> {
    fields.keys().map(String::as_str).filter(|name| !known.contains(name)).collect()
}

/// The names of the fields that are needed and are missing, or null.
pub(super) fn missing<'a>(fields: &Map<String, Value>, needed: &[&'a str]) -> Vec<&'a str> {
    let is_there = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    needed.iter().copied().filter(|name| !is_there(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_exact() {
        let form = "0000-00-00T00:00:00±00:00";
        assert!(has_form("2026-11-22T00:30:00+01:00", form));
        for text in ["2026-11-22T00:30:00Z", "2026-11-22T00:30:00.000+01:00", "", "2026-11-22"] {
            assert!(!has_form(text, form), "{text}");
        }
    }

    #[test]
    fn a_form_is_read_from_the_query_and_from_the_body() {
        let fields = form(Some("a=1%202"), &Bytes::from_static(b"b=x%26y&c="));
        assert_eq!(fields["a"], "1 2");
        assert_eq!(fields["b"], "x&y");
        assert_eq!(fields["c"], "");
    }
}
