//! Bodies: JSON objects, read strictly.

use super::{Problem, Request};
use serde_json::{Map, Value};
use telepulse_language::{Code, Refusal, object};

/// The body as a JSON object; an empty one if there is no body. Refused: too long (413), not
/// declared as JSON (415), not a JSON object, or one of the fields that the path gives already.
pub fn fields(request: &Request, in_path: &[&str]) -> Result<Map<String, Value>, Problem> {
    let bytes = request.body.as_ref().map_err(|error| {
        let refusal = Refusal::new(Code::BadRequest, error.to_string());
        Problem { status: 413, ..refusal.into() }
    })?;
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    if !is_json(request.header("content-type")) {
        let message = "the body must be JSON: send Content-Type: application/json";
        let refusal = Refusal::new(Code::BadRequest, message);
        return Err(Problem { status: 415, ..refusal.into() });
    }
    let fields = object(bytes)?;
    match in_path.iter().find(|name| fields.contains_key(**name)) {
        None => Ok(fields),
        Some(name) => Err(Refusal::field(*name, "is given by the path already").into()),
    }
}

/// `application/json`, or a type built on it, like `application/problem+json`.
fn is_json(content_type: Option<&str>) -> bool {
    let Some(content_type) = content_type else { return false };
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
        || media_type.to_ascii_lowercase().ends_with("+json")
}
