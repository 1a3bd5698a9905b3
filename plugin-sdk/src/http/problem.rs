//! Refusals as HTTP answers: RFC 9457, `application/problem+json`.

use super::Response;
use serde::Serialize;
use telepulse_language::{Code, Refusal};

/// A refusal with its status. Most follow from the code; some only HTTP knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// Code, words, and the field that is wrong.
    pub refusal: Refusal,
    /// The methods that the path knows, where another was used.
    pub allow: Option<String>,
    /// Seconds after which it may be tried again, where that is known.
    pub retry_after: Option<u32>,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self { status: refusal.code.http_status(), refusal, allow: None, retry_after: None }
    }
}

impl Problem {
    /// Nothing is at that path.
    pub fn no_such_path() -> Self {
        Refusal::new(Code::NotFound, "there is nothing at this path").into()
    }

    /// The path does not know the method.
    pub fn no_such_method(allow: String) -> Self {
        let message = format!("the path does not know this method; it knows {allow}");
        let refusal = Refusal::new(Code::BadRequest, message);
        Self { status: 405, allow: Some(allow), ..refusal.into() }
    }

    /// Whether it was refused for this reason.
    pub fn is(&self, code: Code) -> bool {
        self.refusal.code == code
    }

    /// Whether it is certain that nothing was done: the request may come again.
    pub fn did_nothing(&self) -> bool {
        !matches!(self.refusal.code, Code::Timeout | Code::UnknownOutcome | Code::Internal)
    }

    /// The answer.
    pub fn response(&self) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(rename = "type")]
            kind: &'static str,
            title: &'static str,
            status: u16,
            detail: &'a str,
            code: Code,
            #[serde(skip_serializing_if = "Option::is_none")]
            field: Option<&'a str>,
        }
        let Refusal { code, message, field } = &self.refusal;
        let body = Body {
            kind: "about:blank",
            title: title(self.status),
            status: self.status,
            detail: message,
            code: *code,
            field: field.as_deref(),
        };
        let mut response = Response::json(self.status, "application/problem+json", &body);
        if let Some(allow) = &self.allow {
            response = response.with_header("allow", allow);
        }
        if let Some(seconds) = self.retry_after.or((self.status == 429).then_some(1)) {
            response = response.with_header("retry-after", seconds.to_string());
        }
        if self.status == 401 {
            response = response
                .with_header("www-authenticate", r#"Bearer realm="telepulse""#)
                .with_header("www-authenticate", r#"Basic realm="telepulse", charset="UTF-8""#);
        }
        response
    }
}

/// The status in words, as RFC 9110 has them: the title of a problem without a type of its own.
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Internal Server Error",
    }
}
