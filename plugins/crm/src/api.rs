//! `/v1/crm`: what other systems and operators ask over HTTP. It runs in instances of its own: what it
//! changes it leaves in the store, and tells the instance that gets events.

use crate::{
    book::{self, NotStored},
    cache,
    crm::{CHANGED, Changed},
    number::Number,
    outbox,
    settings::{self, Settings},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt::Display;
use telepulse_plugin_sdk::{
    bus, config,
    http::{self, BodyError, Problem, Request, Response},
    language::{Code, Refusal, Timestamp, read_fields},
    log,
};

const ROOT: &str = "/v1/crm";
const JSON: &str = "application/json";
const NS_PER_MS: u64 = 1_000_000;
/// Entries that are listed at a time.
const LISTED: usize = 1_000;
/// The longest record, as JSON.
const LARGEST: usize = 60_000;

pub(crate) fn handle(request: &Request) -> Response {
    answer(request).unwrap_or_else(|problem| problem.response()).answering(request)
}

fn answer(request: &Request) -> Result<Response, Problem> {
    let settings = config::kept(settings::read).map_err(|why| Refusal::new(Code::Internal, why))?;
    let segments = request.segments(ROOT).filter(|all| all.iter().all(|it| !it.contains('/')));
    let segments = segments.ok_or_else(Problem::no_such_path)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if request.query.is_some() {
        return Err(Refusal::field("query", "nothing here takes a query string").into());
    }
    match (&segments[..], request.method.as_str()) {
        ([], "GET" | "HEAD") => state(&settings),
        (["contacts"], "POST") => push(request, &settings),
        (["contacts", number], "DELETE") => forget(number, &settings),
        (["book"], "GET" | "HEAD") => shelf(),
        (["book"], "PUT") => replace_book(request),
        (["aside"], "GET" | "HEAD") => asides(),
        (["aside", call, entry, "again"], "POST") => again(&format!("{call}/{entry}")),
        (["aside", call, entry], "DELETE") => discard(&format!("{call}/{entry}")),
        ([] | ["aside"], _) => Err(Problem::no_such_method("GET, HEAD".to_owned())),
        (["contacts"] | ["aside", _, _, "again"], _) => {
            Err(Problem::no_such_method("POST".to_owned()))
        }
        (["contacts", _] | ["aside", _, _], _) => Err(Problem::no_such_method("DELETE".to_owned())),
        (["book"], _) => Err(Problem::no_such_method("GET, HEAD, PUT".to_owned())),
        _ => Err(Problem::no_such_path()),
    }
}

fn state(settings: &Settings) -> Result<Response, Problem> {
    let waiting = outbox::count_entries().map_err(unread)?;
    let aside = outbox::count_asides().map_err(unread)?;
    let body = json!({
        "lookup": settings.source.word(), "source": settings.name,
        "logs": settings.logs, "waiting": waiting, "aside": aside,
    });
    Ok(Response::json(200, JSON, &body))
}

/// `{"number","info"}`: this is known of a number now.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Push {
    number: String,
    #[serde(deserialize_with = "Value::deserialize")]
    info: Value,
}

fn push(request: &Request, settings: &Settings) -> Result<Response, Problem> {
    let Push { number, info } = read_fields(http::fields(request, &[])?)?;
    let number = number_of(&number, settings)?.e164;
    let length = info.to_string().len();
    if length > LARGEST {
        let message = format!("has {length} bytes as JSON; {LARGEST} are the most");
        return Err(Problem { status: 413, ..Refusal::field("info", message).into() });
    }
    cache::set(&number, &info, settings.ttl).map_err(unwritten)?;
    let body = json!({"number": number, "info": info});
    tell(&Changed::Number { number, info });
    Ok(Response::json(200, JSON, &body))
}

fn forget(number: &str, settings: &Settings) -> Result<Response, Problem> {
    let number = number_of(number, settings)?.e164;
    if cache::forget(&number).map_err(unwritten)? {
        return Ok(Response::empty(204));
    }
    Err(Refusal::new(Code::NotFound, format!("nothing is kept of {number}")).into())
}

fn number_of(text: &str, settings: &Settings) -> Result<Number, Problem> {
    settings.plan.read(text).ok_or_else(|| {
        Refusal::field("number", "must be a telephone number, like \"+38514812345\"").into()
    })
}

fn shelf() -> Result<Response, Problem> {
    let contacts = book::load().map_err(unread)?.len();
    Ok(Response::json(200, JSON, &json!({"contacts": contacts})))
}

fn replace_book(request: &Request) -> Result<Response, Problem> {
    let body = request.body.as_ref().map_err(|error| {
        let status = if matches!(error, BodyError::TooLong(_)) { 413 } else { 400 };
        Problem { status, ..Refusal::new(Code::BadRequest, error.to_string()).into() }
    })?;
    let media_type = request.header("content-type").unwrap_or_default();
    if !media_type.split(';').next().is_some_and(|it| it.trim().eq_ignore_ascii_case("text/csv")) {
        let message = "the body must be CSV: send Content-Type: text/csv";
        return Err(Problem { status: 415, ..Refusal::new(Code::BadRequest, message).into() });
    }
    let text = std::str::from_utf8(body)
        .map_err(|_| Refusal::new(Code::BadRequest, "the body must be UTF-8"))?;
    let contacts = book::store(text).map_err(|why| match why {
        NotStored::Unreadable(why) => Refusal::new(Code::BadRequest, why).into(),
        NotStored::Unwritten(why) => unwritten(why),
    })?;
    tell(&Changed::Book {});
    Ok(Response::json(200, JSON, &json!({"contacts": contacts})))
}

fn asides() -> Result<Response, Problem> {
    let asides = outbox::asides(LISTED).map_err(unread)?;
    let items: Vec<Value> = asides
        .into_iter()
        .map(|(id, aside)| {
            json!({"id": id, "why": aside.why, "time": Timestamp(aside.at / NS_PER_MS), "entry": aside.entry})
        })
        .collect();
    Ok(Response::json(200, JSON, &json!({"items": items})))
}

fn again(id: &str) -> Result<Response, Problem> {
    let call = outbox::aside(id).map_err(unwritten)?.ok_or_else(|| not_aside(id))?;
    tell(&Changed::Call(call));
    Ok(Response::empty(202))
}

fn discard(id: &str) -> Result<Response, Problem> {
    if outbox::drop_aside(id).map_err(unwritten)? {
        return Ok(Response::empty(204));
    }
    Err(not_aside(id))
}

fn not_aside(id: &str) -> Problem {
    Refusal::new(Code::NotFound, format!("{id} is not set aside; GET {ROOT}/aside lists what is"))
        .into()
}

/// The instance that gets events learns of it; if it does not, it does with its next start.
fn tell(changed: &Changed) {
    if let Err(why) = bus::publish_json(CHANGED, changed) {
        log::warn!("a change is not told: {why}");
    }
}

fn unread(why: impl Display) -> Problem {
    Refusal::new(Code::ServerUnavailable, format!("the store does not answer: {why}")).into()
}

fn unwritten(why: impl Display) -> Problem {
    Refusal::new(Code::ServerUnavailable, format!("it could not be stored: {why}")).into()
}
