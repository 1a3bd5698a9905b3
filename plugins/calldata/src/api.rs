//! What the two systems ask: `/cticache`, its pools, and what is kept in them.

use crate::{
    cache::{self, Entry, Place},
    number,
    pools::Pool,
    settings::{self, Settings},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use std::fmt::Display;
use telepulse_plugin_sdk::{
    config,
    http::{self, Problem, Request, Response},
    language::{Code, Refusal},
    log, metrics,
};

const ROOT: &str = "/cticache";
const JSON: &str = "application/json";
/// When an exhausted pool may have a number again, in seconds: nobody knows, so not at once.
const LATER: u32 = 5;
/// What stands as it is in a path segment: of what a number may have, all but `#`.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'+')
    .remove(b'*')
    .remove(b':');

/// Answers one request.
pub(crate) fn handle(request: &Request) -> Response {
    let answer = match config::kept(settings::read) {
        Ok(settings) => answer(request, &settings),
        Err(why) => Err(Refusal::new(Code::Internal, why).into()),
    };
    answer.unwrap_or_else(|problem| problem.response()).answering(request)
}

/// What a path leads to.
enum Path {
    Pools,
    Pool(String),
    Entry { pool: String, dnis: String, ani: String },
}

fn answer(request: &Request, settings: &Settings) -> Result<Response, Problem> {
    let path = path(request).ok_or_else(Problem::no_such_path)?;
    if let Path::Pool(pool) | Path::Entry { pool, .. } = &path
        && !settings.pools.contains_key(pool)
    {
        let message = format!("there is no pool {pool:?}; GET {ROOT} lists them");
        return Err(Refusal::new(Code::NotFound, message).into());
    }
    if request.query.is_some() {
        return Err(Refusal::field("query", "nothing here takes a query string").into());
    }
    match (&path, request.method.as_str()) {
        (Path::Pools, "GET" | "HEAD") => pools(settings),
        (Path::Pool(pool), "GET" | "HEAD") => shown(pool, settings),
        (Path::Pool(pool), "POST") => store(request, pool, settings),
        (Path::Entry { pool, dnis, ani }, "GET" | "HEAD") => find(pool, Place { dnis, ani }),
        (Path::Entry { pool, dnis, ani }, "DELETE") => take(pool, Place { dnis, ani }, settings),
        (Path::Pools, _) => Err(Problem::no_such_method("GET, HEAD".to_owned())),
        (Path::Pool(_), _) => Err(Problem::no_such_method("GET, HEAD, POST".to_owned())),
        (Path::Entry { .. }, _) => Err(Problem::no_such_method("GET, HEAD, DELETE".to_owned())),
    }
}

/// `/cticache`, `/cticache/{pool}`, `/cticache/{pool}/{dnis}:{ani}`. What cannot be a number is not there.
fn path(request: &Request) -> Option<Path> {
    match &request.segments(ROOT)?[..] {
        [] => Some(Path::Pools),
        [pool] => Some(Path::Pool(pool.clone())),
        [pool, entry] => {
            let (dnis, ani) = entry.split_once(':')?;
            let is_good = number::is_one(dnis) && number::is_one(ani);
            is_good.then(|| Path::Entry {
                pool: pool.clone(),
                dnis: dnis.to_owned(),
                ani: ani.to_owned(),
            })
        }
        _ => None,
    }
}

/// What is to be stored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    /// Any JSON; `null` is a value, none is not.
    #[serde(rename = "value", deserialize_with = "Value::deserialize")]
    _value: Value,
    ani: String,
    dnis: Option<String>,
}

/// The same value as it was written.
#[derive(Deserialize)]
struct Written {
    value: Box<RawValue>,
}

/// What the answer to a `POST` tells.
#[derive(Serialize)]
struct Stored<'a> {
    dnis: &'a str,
    ani: &'a str,
    value: &'a RawValue,
}

/// What the answer to a `GET` or a `DELETE` tells.
#[derive(Serialize)]
struct Found<'a> {
    value: &'a RawValue,
}

fn store(request: &Request, pool: &str, settings: &Settings) -> Result<Response, Problem> {
    let fields = http::fields(request, &[])?;
    let Body { ani, dnis, .. } = telepulse_plugin_sdk::language::read_fields(fields)?;
    number::checked("ani", &ani)?;
    let value = written(request)?;
    check_size(&value, settings.max_bytes)?;
    let entry = Entry { pool: pool.to_owned(), value };
    let dnis = match dnis {
        Some(dnis) => store_at(dnis, &ani, &entry, settings)?,
        None => draw(&ani, &entry, settings)?,
    };
    count("stored", pool);
    let name = utf8_percent_encode(pool, SEGMENT);
    let key = format!("{dnis}:{ani}");
    let location = format!("{ROOT}/{name}/{}", utf8_percent_encode(&key, SEGMENT));
    let body = Stored { dnis: &dnis, ani: &ani, value: &entry.value };
    Ok(Response::json(201, JSON, &body).with_header("location", location))
}

fn written(request: &Request) -> Result<Box<RawValue>, Refusal> {
    let body = request.body.as_deref().unwrap_or_default();
    let Written { value } = serde_json::from_slice(body)
        .map_err(|error| Refusal::new(Code::BadRequest, error.to_string()))?;
    Ok(value)
}

fn check_size(value: &RawValue, most: usize) -> Result<(), Problem> {
    let length = value.get().len();
    if length <= most {
        return Ok(());
    }
    let message = format!("has {length} bytes as JSON; {most} are the most ([settings] maxBytes)");
    Err(Problem { status: 413, ..Refusal::field("value", message).into() })
}

fn store_at(
    dnis: String,
    ani: &str,
    entry: &Entry,
    settings: &Settings,
) -> Result<String, Problem> {
    number::checked("dnis", &dnis)?;
    if cache::put(Place { dnis: &dnis, ani }, entry, settings.ttl()).map_err(unkept)? {
        return Ok(dnis);
    }
    let message = format!("{dnis} holds data for {ani} already; leave dnis out to get another");
    Err(Refusal { field: Some("dnis".to_owned()), ..Refusal::new(Code::Conflict, message) }.into())
}

fn draw(ani: &str, entry: &Entry, settings: &Settings) -> Result<String, Problem> {
    let name = &entry.pool;
    let pool = &settings.pools[name];
    if let Some(dnis) = cache::draw(pool, ani, entry, settings.ttl()).map_err(unkept)? {
        return Ok(dnis);
    }
    count("exhausted", name);
    let message = match pool.count() {
        0 => format!("pool {name} has no numbers: write some into [settings.pools]"),
        all => format!(
            "no number of pool {name} is free for {ani}; {} were looked at: try again later",
            all.min(cache::LOOKS)
        ),
    };
    let refusal = Refusal::new(Code::ServerUnavailable, message);
    Err(Problem { retry_after: Some(LATER), ..refusal.into() })
}

fn find(pool: &str, place: Place<'_>) -> Result<Response, Problem> {
    match cache::get(place).map_err(unknown)?.filter(|entry| entry.pool == pool) {
        Some(entry) => Ok(given(pool, "found", &entry)),
        None => Err(nothing(pool, place)),
    }
}

fn take(pool: &str, place: Place<'_>, settings: &Settings) -> Result<Response, Problem> {
    // What another pool keeps there stays.
    let is_here = cache::get(place).map_err(unknown)?.is_some_and(|entry| entry.pool == pool);
    let taken = if is_here { cache::take(place).map_err(unknown)? } else { None };
    match taken {
        // It was another's, stored in this moment: that one has it back.
        Some(entry) if entry.pool != pool => {
            cache::put(place, &entry, settings.ttl()).map_err(unkept)?;
            Err(nothing(pool, place))
        }
        Some(entry) => Ok(given(pool, "taken", &entry)),
        None => Err(nothing(pool, place)),
    }
}

fn given(pool: &str, how: &str, entry: &Entry) -> Response {
    count(how, pool);
    Response::json(200, JSON, &Found { value: &entry.value })
}

fn nothing(pool: &str, Place { dnis, ani }: Place<'_>) -> Problem {
    count("missed", pool);
    let message = format!("nothing is kept for {dnis} and {ani}, or not any more");
    Refusal::new(Code::NotFound, message).into()
}

fn pools(settings: &Settings) -> Result<Response, Problem> {
    let mut items = Vec::new();
    for (name, pool) in &settings.pools {
        items.push(item(name, pool)?);
    }
    // In a store that others fill as well it may take too long to count: then nobody knows.
    let waiting = cache::waiting().ok();
    Ok(Response::json(200, JSON, &json!({"items": items, "waiting": waiting})))
}

fn shown(name: &str, settings: &Settings) -> Result<Response, Problem> {
    Ok(Response::json(200, JSON, &item(name, &settings.pools[name])?))
}

/// How a pool is used.
fn item(name: &str, pool: &Pool) -> Result<Value, Problem> {
    let drawn = cache::drawn(name).map_err(unknown)?;
    Ok(json!({"pool": name, "numbers": pool.count(), "drawn": drawn}))
}

/// The store did not take it.
fn unkept(why: impl Display) -> Problem {
    log::warn!("not stored: {why}");
    Refusal::new(Code::ServerUnavailable, format!("it could not be stored: {why}")).into()
}

/// The store does not say.
fn unknown(why: impl Display) -> Problem {
    log::warn!("the store: {why}");
    Refusal::new(Code::ServerUnavailable, format!("the store does not answer: {why}")).into()
}

fn count(name: &str, pool: &str) {
    metrics::add(name, 1, &[("pool", pool)]);
}
