//! `wasi:http/incoming-handler`: a request into plain values, and the answer out. In components only.

use super::{BodyError, FilePart, Request, Response};
use crate::{HttpHandler, log};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
};
use wasip2::{
    http::types::{
        Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse,
        ResponseOutparam,
    },
    io::streams::StreamError,
};

/// As much of a body as the host takes in one call (`blocking-write-and-flush`).
const AT_ONCE: usize = 4096;

/// Answers one request with `H`.
pub fn serve<H: HttpHandler>(incoming: &IncomingRequest, out: ResponseOutparam) {
    let request = read(incoming, H::MAX_BODY);
    let is_head = request.method == "HEAD";
    if let Err(why) = send(&H::handle(request), is_head, out) {
        log::warn!("an HTTP answer was not sent: {why}");
    }
}

fn read(incoming: &IncomingRequest, most: usize) -> Request {
    let method = match incoming.method() {
        Method::Get => "GET".to_owned(),
        Method::Head => "HEAD".to_owned(),
        Method::Post => "POST".to_owned(),
        Method::Put => "PUT".to_owned(),
        Method::Delete => "DELETE".to_owned(),
        Method::Connect => "CONNECT".to_owned(),
        Method::Options => "OPTIONS".to_owned(),
        Method::Trace => "TRACE".to_owned(),
        Method::Patch => "PATCH".to_owned(),
        Method::Other(method) => method,
    };
    let target = incoming.path_with_query().unwrap_or_else(|| "/".to_owned());
    let headers = incoming.headers().entries().into_iter();
    let mut headers: Vec<(String, String)> = headers
        .map(|(name, value)| {
            (name.to_ascii_lowercase(), String::from_utf8_lossy(&value).into_owned())
        })
        .collect();
    // `wasi:http` keeps it apart from the headers.
    if let Some(authority) = incoming.authority()
        && !headers.iter().any(|(name, _)| name == "host")
    {
        headers.push(("host".to_owned(), authority));
    }
    let request = Request { headers, ..Request::new(&method, &target) };
    let body = if is_bare(&request) { Ok(Vec::new()) } else { body(incoming, most) };
    Request { body, ..request }
}

/// Whether there is no body to ask the host for. One of unknown length (`Transfer-Encoding` does not get here)
/// means nothing to `GET` and `HEAD`.
fn is_bare(request: &Request) -> bool {
    match request.header("content-length") {
        Some(length) => length == "0",
        None => matches!(request.method.as_str(), "GET" | "HEAD"),
    }
}

fn body(incoming: &IncomingRequest, most: usize) -> Result<Vec<u8>, BodyError> {
    let broken = |why: &str| BodyError::Broken(why.to_owned());
    let body: IncomingBody = incoming.consume().map_err(|()| broken("it was read before"))?;
    let stream = body.stream().map_err(|()| broken("it has no stream"))?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(most as u64) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(BodyError::Broken(error.to_debug_string()));
            }
        }
        if bytes.len() > most {
            return Err(BodyError::TooLong(most));
        }
    }
}

fn send(response: &Response, is_head: bool, out: ResponseOutparam) -> Result<(), String> {
    // Before anything is said: what cannot be opened has another answer.
    let file = response.file.as_ref().map(open).transpose();
    let gone = Response::empty(404);
    let (response, file) = match file {
        Ok(file) => (response, file),
        Err(why) => {
            log::warn!("a file that was to be sent cannot be opened: {why}");
            (&gone, None)
        }
    };
    let outgoing = OutgoingResponse::new(fields(response)?);
    let status = response.status;
    outgoing.set_status_code(status).map_err(|()| format!("{status} is no status"))?;
    let body = outgoing.body().map_err(|()| "it has no body".to_owned())?;
    ResponseOutparam::set(out, Ok(outgoing));
    if is_head {
        // It may say how long the body would be, and has none.
        return Ok(());
    }
    // An answer without a body still has to say that it is at its end.
    if !response.body.is_empty() || file.is_some() {
        let mut stream = body.write().map_err(|()| "its body has no stream".to_owned())?;
        if file.is_none() && response.body.len() <= AT_ONCE {
            let sent = stream.blocking_write_and_flush(&response.body);
            sent.map_err(|error| format!("{error:?}"))?;
        } else {
            stream.write_all(&response.body).map_err(|error| error.to_string())?;
            if let Some(mut file) = file {
                io::copy(&mut file, &mut stream).map_err(|error| error.to_string())?;
            }
            stream.flush().map_err(|error| error.to_string())?;
        }
    }
    OutgoingBody::finish(body, None).map_err(|error| format!("{error:?}"))
}

/// All headers at once: each call into the host costs more than what it says.
fn fields(response: &Response) -> Result<Fields, String> {
    let written = response.headers.iter();
    let mut all: Vec<(String, Vec<u8>)> =
        written.map(|(name, value)| (name.clone(), value.as_bytes().to_vec())).collect();
    if !response.body.is_empty() && response.header("content-length").is_none() {
        // Known beforehand, it spares the client the chunks.
        all.push(("content-length".to_owned(), response.body.len().to_string().into_bytes()));
    }
    Fields::from_list(&all).map_err(|error| {
        let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
        format!("one of the headers {}: {error:?}", names.join(", "))
    })
}

fn open(part: &FilePart) -> io::Result<io::Take<File>> {
    let mut file = File::open(&part.path)?;
    file.seek(SeekFrom::Start(part.from))?;
    Ok(file.take(part.length))
}
