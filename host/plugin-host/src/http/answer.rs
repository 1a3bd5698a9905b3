//! What a guest answered in one call, checked: what would break the connection, or say what is not so, is the
//! plugin's failure. Pure.

use super::file::FilePart;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// Headers that only the host says: what `wasi:http` forbids as well.
static OF_THE_CONNECTION: [HeaderName; 9] = wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS;

/// As the guest said it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) file: Option<FilePart>,
}

/// One that can be sent, but for its file.
#[derive(Debug)]
pub(super) struct Sound {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) file: Option<FilePart>,
    /// Whether the file is looked for only: the client wants to know how it would be answered.
    pub(super) is_head: bool,
}

/// Why it cannot.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsound {
    #[error("it answered with the status {0}, which is none")]
    Status(u16),
    #[error("it answered with the header {0:?}, which is no name")]
    Name(String),
    #[error("it answered with the header {0}, whose value is none")]
    Value(HeaderName),
    #[error("it answered with the header {0}, which is the host's")]
    OfTheConnection(HeaderName),
    #[error("it answered with content-length {said:?}; its answer has {has} bytes")]
    Length { said: HeaderValue, has: u64 },
}

impl Answer {
    /// What gives one, in words for the operator.
    pub(crate) const CALL: &str = "http-handler.handle";

    /// Checks it as an answer to a request, which may have been a `HEAD`.
    pub(super) fn check(self, is_head: bool) -> Result<Sound, Unsound> {
        let Self { status, headers, body, file } = self;
        let status = StatusCode::from_u16(status)
            .ok()
            .filter(|status| !status.is_informational())
            .ok_or(Unsound::Status(status))?;
        let mut headers = read(headers)?;
        let is_bare = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let file = file.filter(|_| !is_bare);
        let body = if is_bare { Vec::new() } else { body };
        let length = file.as_ref().map_or(0, |file| file.length);
        let length = length.saturating_add(body.len() as u64);
        // Who only says how it would be may leave the content out.
        let is_told_apart = length == 0 && (is_head || is_bare);
        check_length(&headers, (!is_told_apart).then_some(length))?;
        if status == StatusCode::NO_CONTENT {
            headers.remove(header::CONTENT_LENGTH);
        } else if length > 0 && (is_head || file.is_some()) {
            // Of any other body the server sees it.
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        let body = if is_head { Bytes::new() } else { body.into() };
        Ok(Sound { status, headers, body, file, is_head })
    }
}

fn read(said: Vec<(String, String)>) -> Result<HeaderMap, Unsound> {
    // Room for what the host adds.
    let mut headers = HeaderMap::with_capacity(said.len() + 1);
    for (name, value) in said {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
            return Err(Unsound::Name(name));
        };
        if OF_THE_CONNECTION.contains(&name) {
            return Err(Unsound::OfTheConnection(name));
        }
        let Ok(value) = HeaderValue::try_from(value) else { return Err(Unsound::Value(name)) };
        headers.append(name, value);
    }
    Ok(headers)
}

/// Whether what is said of the length, if anything is, is a length, and the right one.
fn check_length(headers: &HeaderMap, length: Option<u64>) -> Result<(), Unsound> {
    let said = headers.get_all(header::CONTENT_LENGTH);
    for (index, value) in said.iter().enumerate() {
        let digits = value.to_str().ok().filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
        let read = digits.and_then(|digits| digits.parse().ok());
        let is_right = index == 0 && read.is_some_and(|it: u64| length.is_none_or(|is| is == it));
        if !is_right {
            return Err(Unsound::Length { said: value.clone(), has: length.unwrap_or_default() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Answer {
            status,
            headers: headers.iter().map(text).collect(),
            body: body.as_bytes().to_vec(),
            file: None,
        }
    }

    fn with_file(answer: Answer, length: u64) -> Answer {
        Answer { file: Some(FilePart { path: "/a/b".to_owned(), from: 0, length }), ..answer }
    }

    fn length(sound: &Sound) -> Option<&str> {
        sound.headers.get("content-length").map(|value| value.to_str().unwrap())
    }

    #[test]
    fn what_is_said_is_sent() {
        let said = answer(201, &[("Location", "/x"), ("x-a", "1"), ("x-a", "ü")], "hello");
        let sound = said.check(false).unwrap();
        assert_eq!((sound.status.as_u16(), &*sound.body), (201, &b"hello"[..]));
        assert_eq!(sound.headers["location"], "/x");
        let twice: Vec<_> =
            sound.headers.get_all("x-a").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(twice, [&b"1"[..], "ü".as_bytes()]);
        assert_eq!(length(&sound), None, "the server sees it");
    }

    #[test]
    fn what_breaks_the_connection_is_not() {
        for status in [0, 42, 99, 100, 101, 199, 1000, u16::MAX] {
            assert_eq!(answer(status, &[], "").check(false).unwrap_err(), Unsound::Status(status));
        }
        for name in ["", "a b", "a:", "ä", "a\r\nb"] {
            let refused = answer(200, &[(name, "x")], "").check(false).unwrap_err();
            assert_eq!(refused, Unsound::Name(name.to_owned()));
        }
        for value in ["a\r\nb: c", "a\nb", "\0", "\u{7f}"] {
            let refused = answer(200, &[("x-a", value)], "").check(false).unwrap_err();
            assert_eq!(refused, Unsound::Value(HeaderName::from_static("x-a")), "{value:?}");
        }
        for name in ["Transfer-Encoding", "connection", "keep-alive", "upgrade", "host"] {
            let refused = answer(200, &[(name, "x")], "").check(false).unwrap_err();
            assert!(matches!(refused, Unsound::OfTheConnection(_)), "{name}: {refused}");
        }
    }

    #[test]
    fn a_length_is_the_content_s() {
        let said = |status, length, body, is_head| {
            answer(status, &[("content-length", length)], body).check(is_head)
        };
        assert_eq!(length(&said(200, "5", "hello", false).unwrap()), Some("5"));
        for (wrong, body) in [("4", "hello"), ("5", ""), ("x", "hello"), ("", ""), ("+5", "hello")]
        {
            let refused = said(200, wrong, body, false).unwrap_err();
            assert!(matches!(refused, Unsound::Length { .. }), "{wrong:?} of {body:?}: {refused}");
        }
        let twice = answer(200, &[("content-length", "1"), ("content-length", "1")], "x");
        assert!(twice.check(false).is_err(), "one is enough");
        let whole = with_file(answer(206, &[], "12"), 3).check(false).unwrap();
        assert_eq!((length(&whole), &*whole.body), (Some("5"), &b"12"[..]));
        assert!(with_file(answer(200, &[("content-length", "3")], "12"), 3).check(false).is_err());
        assert!(with_file(answer(200, &[], "12"), u64::MAX).check(false).is_ok(), "no overflow");
    }

    #[test]
    fn a_head_is_told_how_it_would_be() {
        let sound = answer(200, &[("content-length", "123")], "").check(true).unwrap();
        assert_eq!((length(&sound), &*sound.body), (Some("123"), &b""[..]));
        let sound = answer(200, &[], "hello").check(true).unwrap();
        assert_eq!((length(&sound), &*sound.body), (Some("5"), &b""[..]));
        assert_eq!(length(&answer(200, &[], "").check(true).unwrap()), None);
        let sound = with_file(answer(200, &[], ""), 7).check(true).unwrap();
        assert_eq!((length(&sound), sound.is_head, sound.file.is_some()), (Some("7"), true, true));
        assert!(answer(200, &[("content-length", "4")], "hello").check(true).is_err());
    }

    #[test]
    fn some_have_no_content() {
        for status in [204, 304] {
            let sound = with_file(answer(status, &[], "hello"), 5).check(false).unwrap();
            assert_eq!((length(&sound), &*sound.body), (None, &b""[..]), "{status}");
            assert_eq!(sound.file, None);
        }
        assert_eq!(
            length(&answer(304, &[("content-length", "9")], "").check(false).unwrap()),
            Some("9")
        );
        for said in ["0", "5"] {
            let none = answer(204, &[("content-length", said)], "hello").check(false).unwrap();
            assert_eq!(length(&none), None);
        }
    }
}
