//! Paths: which operation is meant, and what the path names.

use crate::operations::{OPERATIONS, Operation, name};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stands as it is in a path segment: the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What the segments of a path name: field and value.
pub(crate) type Names = Vec<(&'static str, String)>;

/// What a method and a path lead to.
#[derive(Debug)]
pub(crate) enum Found {
    /// This, and what the path names.
    Operation(&'static Operation, Names),
    /// The path is there, the method is not. The methods, as in the header `Allow`.
    OtherMethods(String),
    /// There is no such path.
    Nothing,
}

/// Looks up a request.
pub(crate) fn find(method: &str, path: &str) -> Found {
    let mut methods = Vec::new();
    for operation in OPERATIONS {
        let Some(names) = matches(operation.path, path) else { continue };
        if operation.method == method {
            return Found::Operation(operation, names);
        }
        methods.push(operation.method);
        if operation.is_read() {
            methods.push("HEAD");
        }
    }
    if methods.is_empty() { Found::Nothing } else { Found::OtherMethods(methods.join(", ")) }
}

/// What a path names, if it is one of the template. An empty segment names nothing: `/v1/calls/` is
/// not there.
fn matches(template: &'static str, path: &str) -> Option<Names> {
    let mut segments = path.split('/');
    let mut names = Names::new();
    for expected in template.split('/') {
        let segment = percent_decode_str(segments.next()?).decode_utf8().ok()?;
        match name(expected) {
            Some(name) if !segment.is_empty() => names.push((name, segment.into_owned())),
            None if segment == expected => {}
            _ => return None,
        }
    }
    segments.next().is_none().then_some(names)
}

/// Where a call is.
pub(crate) fn location(call: &str) -> String {
    format!("/v1/calls/{}", utf8_percent_encode(call, SEGMENT))
}
