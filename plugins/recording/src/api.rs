//! `/v1/recordings`: what there is, found and heard.

use crate::{
    audio,
    entry::Entry,
    index,
    search::Search,
    settings::{self, Settings},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::{fmt::Display, io};
use telepulse_plugin_sdk::{
    config,
    http::{Problem, Request, Response},
    language::{Code, Permission, Principal, Refusal},
    log,
};

const ROOT: &str = "/v1/recordings";
const JSON: &str = "application/json";
/// The right that it takes.
const RIGHT: &str = "recordings";
/// How many entries are looked at for one answer; then it says where to go on.
const LOOKS: usize = 2_000;
/// How many are looked at at a time.
const AT_A_TIME: u32 = 200;

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
    All,
    One(String),
    Audio(String),
}

/// `/v1/recordings`, `/v1/recordings/{call}`, `/v1/recordings/{call}/audio`.
fn path(request: &Request) -> Option<Path> {
    let is_id = |id: &str| id.len() <= 128 && !id.contains(char::is_control);
    match &request.segments(ROOT)?[..] {
        [] => Some(Path::All),
        [id] if is_id(id) => Some(Path::One(id.clone())),
        [id, audio] if is_id(id) && audio == "audio" => Some(Path::Audio(id.clone())),
        _ => None,
    }
}

fn answer(request: &Request, settings: &Settings) -> Result<Response, Problem> {
    let who = request.principal();
    // The route asks for the right as well; a grant without it must not open the door.
    if who.is_anonymous() {
        return Err(Refusal::new(Code::Unauthorized, "log in first").into());
    }
    if who.permission(RIGHT) != Permission::Any {
        let message = format!("{} may not hear recordings: `{RIGHT}` in `allow`", who.name);
        return Err(Refusal::new(Code::Forbidden, message).into());
    }
    let path = path(request).ok_or_else(Problem::no_such_path)?;
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return Err(Problem::no_such_method("GET, HEAD".to_owned()));
    }
    match path {
        Path::All => list(request, settings, &who),
        Path::One(id) => {
            if request.query.is_some() {
                return Err(Refusal::field("query", "a recording takes no query string").into());
            }
            let entry = find(&id, &who)?;
            Ok(Response::json(200, JSON, &shown(&entry, settings)))
        }
        Path::Audio(id) => audio(request, settings, &find(&id, &who)?),
    }
}

fn list(request: &Request, settings: &Settings, who: &Principal) -> Result<Response, Problem> {
    let search = Search::read(request.query.as_deref())?;
    let mut after = search.after.clone().or_else(|| search.until.map(index::before));
    let mut items = Vec::new();
    let (mut looked, mut next) = (0, None);
    'pages: loop {
        let places = index::places(after.as_deref(), AT_A_TIME).map_err(unknown)?;
        let is_last = places.len() < AT_A_TIME as usize;
        for place in places {
            let is_before = index::since(&place) < search.since;
            if is_before && search.since.is_some() {
                break 'pages;
            }
            if items.len() == search.limit || looked == LOOKS {
                next = after;
                break 'pages;
            }
            looked += 1;
            // It may be over since it was listed.
            if let Some(entry) = index::at(&place).map_err(unknown)?
                && entry.is_visible_to(who)
                && search.wants(&entry)
            {
                items.push(shown(&entry, settings));
            }
            after = Some(place);
        }
        if is_last {
            break;
        }
    }
    let mut body = json!({"items": items});
    if let Some(next) = next {
        body["next"] = json!(next);
    }
    Ok(Response::json(200, JSON, &body))
}

/// Somebody's recording; what they may not see is not there.
fn find(id: &str, who: &Principal) -> Result<Entry, Problem> {
    let found = index::get(id).map_err(unknown)?.filter(|entry| entry.is_visible_to(who));
    found.ok_or_else(|| {
        let message = "there is no such recording, or not any more";
        Refusal::new(Code::NotFound, message).into()
    })
}

/// An entry with links to what can be heard.
fn shown(entry: &Entry, settings: &Settings) -> Value {
    let mut shown = json!(entry);
    let id = utf8_percent_encode(&entry.id, NON_ALPHANUMERIC);
    for (place, file) in entry.files.iter().enumerate() {
        if audio::path(settings, &entry.server, &file.file).is_ok() {
            shown["files"][place]["audio"] = json!(format!("{ROOT}/{id}/audio?file={place}"));
        }
    }
    shown
}

fn audio(request: &Request, settings: &Settings, entry: &Entry) -> Result<Response, Problem> {
    let place = place(request.query.as_deref())?;
    let file = entry.files.get(place).ok_or_else(|| {
        let message = format!("there are {}, the first is 0", entry.files.len());
        Problem::from(Refusal { field: Some("file".to_owned()), ..not_there(message) })
    })?;
    let path = audio::path(settings, &entry.server, &file.file).map_err(not_there)?;
    audio::answer(request, path, file).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            return not_there("the file is not there, or not any more").into();
        }
        log::warn!(call = entry.id; "{}: {error}", file.file);
        not_there("the file cannot be opened: is its folder granted (files)?").into()
    })
}

/// Which of several files: `file=1`; the first when nothing is said.
fn place(query: Option<&str>) -> Result<usize, Refusal> {
    let mut place = None;
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if name != "file" {
            return Err(Refusal::field(name, "is unknown; there is file"));
        }
        let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
        match value.parse::<usize>() {
            Ok(number) if is_number && place.is_none() => place = Some(number),
            _ => return Err(Refusal::field("file", "must be one number, from 0")),
        }
    }
    Ok(place.unwrap_or_default())
}

fn not_there(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::NotFound, why)
}

/// The store does not say.
fn unknown(why: impl Display) -> Problem {
    log::warn!("the store: {why}");
    Refusal::new(Code::ServerUnavailable, format!("the store does not answer: {why}")).into()
}
