//! A request by `http-handler`: read by the host, handed to a guest in one call, and answered by the host, which
//! sends files itself.

use super::{
    DEADLINE, Serving, Slot,
    answer::{Answer, Sound},
    bodies::Read,
    file::NotSent,
    trace,
};
use crate::{
    ctx::Rights,
    failure::Fault,
    instance::{Budget, Start},
    ports::{Body, HttpFailure},
};
use http::{HeaderValue, Method, StatusCode, request::Parts};
use http_body_util::{BodyExt, Full};
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// A request as a guest is handed it.
pub(crate) struct Asked {
    head: Parts,
    body: Read,
}

impl Asked {
    fn new(mut head: Parts, body: Read) -> Self {
        let is_text = |value: &HeaderValue| str::from_utf8(value.as_bytes()).is_ok();
        for value in head.headers.values_mut().filter(|value| !is_text(value)) {
            // Guests are handed text: what is none is left out of it.
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            *value = text.try_into().unwrap_or(const { HeaderValue::from_static("") });
        }
        Self { head, body }
    }

    pub(crate) fn method(&self) -> &str {
        self.head.method.as_str()
    }

    pub(crate) fn target(&self) -> &str {
        self.head.uri.path_and_query().map_or("/", |target| target.as_str())
    }

    /// Names, in lower case, and values.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.head.headers.iter();
        headers.map(|(name, value)| {
            (name.as_str(), str::from_utf8(value.as_bytes()).unwrap_or_default())
        })
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body.bytes
    }
}

/// Answers a request.
pub(super) async fn answer(
    slot: &Slot,
    serving: Arc<Serving>,
    request: http::Request<Body>,
    start: Start,
) -> Result<http::Response<Body>, HttpFailure> {
    let (head, body) = request.into_parts();
    let body = slot.bodies.read(body).await.map_err(HttpFailure::Body)?;
    let asked = Asked::new(head, body);
    let place = slot.place().await?;
    let rights = Arc::clone(&start.rights);
    let failures = slot.failures();
    // On the guests' threads, and to its end, whether or not the client waits for it.
    let ran = slot.shared.guests.spawn(async move {
        let ran = run(&serving, start, &asked).await;
        drop(place);
        ran.inspect_err(|fault| failures.count(fault)).ok()
    });
    let sound = ran.await.ok().flatten().ok_or(HttpFailure::Failed)?;
    send(slot, sound, rights).await
}

async fn run(serving: &Arc<Serving>, start: Start, asked: &Asked) -> Result<Sound, Fault> {
    let budget = Budget { cpu: start.rights.limits.request, wall: DEADLINE };
    let (mut instance, times) = serving.instance(start).await?;
    instance.be_traced(trace(&asked.head.headers));
    let (instance, answer) = instance.request(asked, budget).await?;
    let sound = answer
        .check(asked.head.method == Method::HEAD)
        .map_err(|why| Fault::Trapped { call: Answer::CALL, why: why.to_string() })?;
    serving.keep(instance, times);
    Ok(sound)
}

/// The answer with its content, on the way to the client.
async fn send(
    slot: &Slot,
    sound: Sound,
    rights: Arc<Rights>,
) -> Result<http::Response<Body>, HttpFailure> {
    let Sound { status, headers, body, file, is_head } = sound;
    let opened = match file {
        None => None,
        Some(part) => {
            let folders = move || part.open(rights.grants.files.as_deref().unwrap_or_default());
            let opened = spawn_blocking(folders).await.map_err(|_| HttpFailure::Failed)?;
            match opened {
                Ok(opened) => Some(opened),
                Err(why) => return not_sent(slot, &why),
            }
        }
    };
    let content = match opened {
        Some(opened) if !is_head => opened.stream(body).boxed_unsync(),
        _ => Full::new(body).map_err(|never| match never {}).boxed_unsync(),
    };
    let mut response = http::Response::new(content);
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    Ok(response)
}

/// What is not there, or not any more, is not found; what is less than was said of it cannot be answered.
fn not_sent(slot: &Slot, why: &NotSent) -> Result<http::Response<Body>, HttpFailure> {
    slot.identity.complain(&why.to_string());
    match why {
        NotSent::Closed { .. } => {
            let mut response = http::Response::new(Body::default());
            *response.status_mut() = StatusCode::NOT_FOUND;
            Ok(response)
        }
        NotSent::TooShort { .. } => Err(HttpFailure::Failed),
    }
}
