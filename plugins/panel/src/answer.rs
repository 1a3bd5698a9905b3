//! Which answer a request gets: a file of the page, what the page is told of this place, or neither.

use crate::{
    assets::{self, Asset},
    headers,
    settings::Settings,
};
use telepulse_plugin_sdk::{
    http::{Problem, Request, Response},
    language::{Code, Refusal},
    log,
};

/// What each path knows.
const METHODS: &str = "GET, HEAD";
/// Where the page asks for its settings.
const SETTINGS: &str = "/panel.json";

/// Answers a request.
pub(crate) fn handle(request: &Request, settings: Result<Settings, String>) -> Response {
    let policy = headers::policy(settings.as_ref().ok(), request.header("host"));
    let response = answer(request, settings).unwrap_or_else(|problem| problem.response());
    headers::guarded(response.answering(request), &policy)
}

fn answer(request: &Request, settings: Result<Settings, String>) -> Result<Response, Problem> {
    let asset = assets::find(&request.path);
    if asset.is_none() && request.path != SETTINGS {
        return Err(Problem::no_such_path());
    }
    if request.method != "GET" && request.method != "HEAD" {
        return Err(Problem::no_such_method(METHODS.to_owned()));
    }
    match asset {
        Some(asset) => Ok(file(request, asset)),
        None => told(settings),
    }
}

fn file(request: &Request, asset: &'static Asset) -> Response {
    let cache =
        if asset.is_for_ever() { "public, max-age=31536000, immutable" } else { "no-cache" };
    let response = if knows(request, asset.tag) {
        Response::empty(304)
    } else {
        let accepted = request.header("accept-encoding").unwrap_or_default();
        let (bytes, encoding) = asset.encoded(accepted);
        let response = Response { body: bytes.to_vec(), ..Response::empty(200) }
            .with_header("content-type", asset.media_type());
        match encoding {
            Some(encoding) => response.with_header("content-encoding", encoding),
            None => response,
        }
    };
    // One tag for all encodings: a weak one.
    response
        .with_header("etag", format!("W/{}", asset.tag))
        .with_header("cache-control", cache)
        .with_header("vary", "accept-encoding")
}

/// Whether the browser has this very content already.
fn knows(request: &Request, tag: &str) -> bool {
    let known = request.header("if-none-match").unwrap_or_default();
    let mut known = known.split(',').map(|known| known.trim().trim_start_matches("W/"));
    known.any(|known| known == "*" || known == tag)
}

fn told(settings: Result<Settings, String>) -> Result<Response, Problem> {
    let settings = settings.map_err(|why| {
        log::warn!("{why}");
        Problem::from(Refusal::new(Code::Internal, format!("panel.toml: {why}")))
    })?;
    Ok(Response::json(200, "application/json", &settings).with_header("cache-control", "no-cache"))
}
