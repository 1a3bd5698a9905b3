//! `Idempotency-Key`: a POST that comes again within 24 hours is not carried out again, but answered as
//! before (draft-ietf-httpapi-idempotency-key-header). Each user has keys of their own.
//!
//! The key is noted before the command is given. If the answer is then lost, whether by a crash or by a
//! deadline, the key stays noted: better nothing than a second call.

use crate::api::Outside;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fmt::{Display, Write},
    time::Duration,
};
use telepulse_plugin_sdk::{
    http::{Problem, Request, Response},
    language::{Code, Refusal},
};

/// How long a key is remembered.
const DAY: Duration = Duration::from_hours(24);
/// The longest key, in bytes.
const LONGEST: usize = 255;
/// The user who asks, told by the host.
const USER: &str = "telepulse-user";

/// What is remembered of a request.
#[derive(Serialize, Deserialize)]
struct Noted {
    /// Tells this request from others: a hash.
    request: String,
    /// Its answer; none while it is carried out, and ever after if that never ended.
    answer: Option<Answered>,
}

#[derive(Serialize, Deserialize)]
struct Answered {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Answers a request whose key was seen before as then, and any other by `carry_out`.
pub(crate) fn answer(
    request: &Request,
    outside: &mut dyn Outside,
    carry_out: impl FnOnce(&mut dyn Outside) -> Result<Response, Problem>,
) -> Result<Response, Problem> {
    let Some(key) = request.header("idempotency-key") else { return carry_out(outside) };
    let place = place(request, key)?;
    let request = fingerprint(request);
    let begun = Noted { request, answer: None };
    let noted = to_bytes(&begun)?;
    if !outside.remember(&place, None, &noted, DAY).map_err(no_memory)? {
        let before = outside.remembered(&place).map_err(no_memory)?.unwrap_or_default();
        return again(&begun.request, &before);
    }
    let outcome = carry_out(outside);
    match &outcome {
        Err(problem) if problem.did_nothing() => outside.forget(&place).map_err(no_memory)?,
        outcome => {
            let response = match outcome {
                Ok(response) => response.clone(),
                Err(problem) => problem.response(),
            };
            let answer = Some(Answered {
                status: response.status,
                headers: response.headers,
                body: String::from_utf8_lossy(&response.body).into_owned(),
            });
            let ended = to_bytes(&Noted { answer, ..begun })?;
            // What was done is done, also if the answer cannot be kept: then the key stays as it is.
            let _ = outside.remember(&place, Some(&noted), &ended, DAY);
        }
    }
    outcome
}

/// The answer to a request whose key is noted already.
fn again(request: &str, before: &[u8]) -> Result<Response, Problem> {
    let conflict = |message: &str| -> Problem { Refusal::new(Code::Conflict, message).into() };
    let Ok(noted) = serde_json::from_slice::<Noted>(before) else {
        return Err(conflict("the key has just been given free: send the request again"));
    };
    if noted.request != request {
        let message = "was used for another request within 24 hours: make a new key for each";
        let refusal = Refusal::field("Idempotency-Key", message);
        return Err(Problem { status: 422, ..refusal.into() });
    }
    let Some(Answered { status, headers, body }) = noted.answer else {
        return Err(conflict(
            "the first request with this key is still carried out, or what came of it is not known: \
             look whether it was done before you send it with another key",
        ));
    };
    let response = Response { headers, body: body.into_bytes(), ..Response::empty(status) };
    Ok(response.with_header("idempotency-replayed", "true"))
}

/// Where a key is remembered: each user has their own.
fn place(request: &Request, key: &str) -> Result<String, Problem> {
    let is_good =
        !key.is_empty() && key.len() <= LONGEST && key.bytes().all(|it| it.is_ascii_graphic());
    if !is_good {
        let message = "must be 1 to 255 visible ASCII characters, such as a UUID";
        return Err(Refusal::field("Idempotency-Key", message).into());
    }
    let user = hex(&Sha256::digest(request.header(USER).unwrap_or_default()));
    Ok(format!("{user}/{key}"))
}

fn fingerprint(request: &Request) -> String {
    let mut hash = Sha256::new();
    let query = request.query.as_deref().unwrap_or_default();
    let body = request.body.as_deref().unwrap_or_default();
    for part in [request.method.as_bytes(), request.path.as_bytes(), query.as_bytes(), body] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn to_bytes(noted: &Noted) -> Result<Vec<u8>, Problem> {
    let written = serde_json::to_vec(noted);
    written.map_err(|error| Refusal::new(Code::Internal, error.to_string()).into())
}

fn no_memory(why: impl Display) -> Problem {
    let message = format!("Idempotency-Key cannot be remembered, nothing was done: {why}");
    Refusal::new(Code::ServerUnavailable, message).into()
}
