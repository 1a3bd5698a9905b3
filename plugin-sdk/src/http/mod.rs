//! HTTP requests and responses as plain values.

mod body;
mod download;
mod problem;
mod range;

pub use body::fields;
pub use download::Download;
pub use problem::Problem;

use percent_encoding::percent_decode_str;
use serde::Serialize;
use std::path::PathBuf;
use telepulse_language::Principal;
use thiserror::Error;

/// The most bytes of a request's body that are taken, where the handler does not say more.
pub const MAX_BODY: usize = 64 * 1024;

/// A request, its body read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The path, as sent: `%XX` is not undone.
    pub path: String,
    /// What came after `?`.
    pub query: Option<String>,
    /// Headers, names in lower case. `Authorization` is not among them: the host has verified it.
    pub headers: Vec<(String, String)>,
    /// The body, empty if there was none.
    pub body: Result<Vec<u8>, BodyError>,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            headers: Vec::new(),
            body: Ok(Vec::new()),
        }
    }

    /// One as the host hands it over, for who takes bodies of at most so many bytes.
    #[cfg(any(target_family = "wasm", test))]
    pub(crate) fn arrived(
        method: String,
        target: String,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
        most: usize,
    ) -> Self {
        let mut path = target;
        let query = path.find('?').map(|at| {
            let query = path.split_off(at + 1);
            path.truncate(at);
            query
        });
        let body = if body.len() > most { Err(BodyError::TooLong(most)) } else { Ok(body) };
        Self { method, path, query, headers, body }
    }

    /// The same request with one header more.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// The same request with a body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Ok(body.into());
        self
    }

    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The segments of the path below `root`, decoded: none for the root itself. `None` where the path is
    /// not below it, or a segment is empty or no text.
    pub fn segments(&self, root: &str) -> Option<Vec<String>> {
        let below = self.path.strip_prefix(root)?;
        if below.is_empty() {
            return Some(Vec::new());
        }
        let decoded = below.strip_prefix('/')?.split('/').map(|segment| {
            let text = percent_decode_str(segment).decode_utf8().ok()?;
            (!text.is_empty()).then(|| text.into_owned())
        });
        decoded.collect()
    }

    /// Who asks and what they may see, as the host authenticated them; nobody where it did not say.
    pub fn principal(&self) -> Principal {
        let told = self.header("telepulse-principal");
        let read = |json: &str| serde_json::from_str(json).ok();
        told.and_then(read).unwrap_or_else(Principal::anonymous)
    }
}

/// Why there is no body. One that broke off, or came too slowly, does not get here: the host has told the client.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BodyError {
    /// It has more bytes than the handler takes, which are so many.
    #[error("the body has more than {0} bytes")]
    TooLong(usize),
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers; `content-length` comes by itself.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What follows the body: the host reads it while it sends it, and so it may be of any size.
    pub file: Option<FilePart>,
}

/// A part of a file below a folder that the plugin is granted (`files`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePart {
    /// Which file.
    pub path: PathBuf,
    /// Where the part begins.
    pub from: u64,
    /// How many bytes it has.
    pub length: u64,
}

impl Response {
    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), file: None }
    }

    /// An answer with JSON of this media type.
    pub fn json<T: Serialize>(status: u16, media_type: &str, value: &T) -> Self {
        // Only a map whose keys are no strings cannot be written: a mistake in a plugin's type.
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self { body, ..Self::empty(status) }.with_header("content-type", media_type)
    }

    /// The same answer with one header more.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The same as an answer to this request: one for `HEAD` tells how long its body would be, and has none.
    #[must_use]
    pub fn answering(mut self, request: &Request) -> Self {
        if request.method != "HEAD" {
            return self;
        }
        let body = std::mem::take(&mut self.body).len() as u64;
        let length = body + self.file.take().map_or(0, |file| file.length);
        if length == 0 || self.header("content-length").is_some() {
            return self;
        }
        self.with_header("content-length", length.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_is_taken_apart() {
        for (target, path, query) in [
            ("/", "/", None),
            ("/a/b%20c", "/a/b%20c", None),
            ("/a?b=c", "/a", Some("b=c")),
            ("/a?", "/a", Some("")),
            ("/a?b?c", "/a", Some("b?c")),
        ] {
            let (method, target) = ("PUT".to_owned(), target.to_owned());
            let request = Request::arrived(method, target.clone(), Vec::new(), b"hello".into(), 5);
            let expected = Request::new("PUT", &target).with_body("hello");
            assert_eq!(request, expected, "{target}");
            assert_eq!((&*request.path, request.query.as_deref()), (path, query));
        }
    }

    #[test]
    fn a_body_that_is_too_long_is_told() {
        let arrived = |most| {
            Request::arrived("PUT".into(), "/".into(), Vec::new(), b"hello".into(), most).body
        };
        assert_eq!(arrived(5), Ok(b"hello".to_vec()));
        assert_eq!(arrived(4), Err(BodyError::TooLong(4)));
    }
}
