//! How the platform answers: a result, or a typed refusal that says which field and why.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

/// Why something was refused, as a word that programs can match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Code {
    /// Malformed, or a field that is missing, unknown or not allowed.
    BadRequest,
    /// Nobody is logged in, or the token is wrong.
    Unauthorized,
    /// Logged in, but without the right.
    Forbidden,
    /// No such call, extension, queue, server (or none that this user may see).
    NotFound,
    /// It exists, but its state does not allow this, or the name could mean several.
    Conflict,
    /// A policy plugin said no.
    RefusedByPolicy,
    /// Asterisk answered `Response: Error`.
    RejectedByServer,
    /// The Asterisk server is not connected; nothing was sent.
    ServerUnavailable,
    /// No answer within the deadline.
    Timeout,
    /// It was sent and the link died before the answer came.
    UnknownOutcome,
    /// A rate or a number in flight was exceeded.
    TooManyRequests,
    /// A fault of our own.
    Internal,
}

impl Code {
    /// The code as the language has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::BadRequest => "badRequest",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "notFound",
            Self::Conflict => "conflict",
            Self::RefusedByPolicy => "refusedByPolicy",
            Self::RejectedByServer => "rejectedByServer",
            Self::ServerUnavailable => "serverUnavailable",
            Self::Timeout => "timeout",
            Self::UnknownOutcome => "unknownOutcome",
            Self::TooManyRequests => "tooManyRequests",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status that goes with the code (contract section 10, 7).
    pub fn http_status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden | Self::RefusedByPolicy => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooManyRequests => 429,
            Self::Internal => 500,
            Self::RejectedByServer => 502,
            Self::ServerUnavailable => 503,
            Self::Timeout | Self::UnknownOutcome => 504,
        }
    }
}

/// A refusal: the `error` of a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refusal {
    /// What kind of refusal.
    pub code: Code,
    /// For a person: the thing, the place, the way out.
    pub message: String,
    /// The field of the request that is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Refusal {
    /// A refusal that concerns no field in particular.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None }
    }

    /// A `badRequest` about one field.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: Code::BadRequest, message: message.into(), field: Some(field.into()) }
    }

    /// The same refusal, naming `field`.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Refusal {}

/// The answer to one request: `{"id","ok":true,"result"}` or `{"id","ok":false,"error"}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The request's own id: any JSON string or number, null if there was none.
    pub id: Value,
    /// What came of it.
    pub outcome: Result<Value, Refusal>,
}

impl Reply {
    /// The reply as a JSON value.
    pub fn to_value(&self) -> Value {
        match &self.outcome {
            Ok(result) => json!({"id": self.id, "ok": true, "result": result}),
            Err(error) => json!({"id": self.id, "ok": false, "error": error}),
        }
    }

    /// The reply as JSON bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_value().to_string().into_bytes()
    }

    /// Reads a reply back, as a gateway does with what the bus answered.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default)]
            id: Value,
            ok: bool,
            #[serde(default)]
            result: Value,
            error: Option<Refusal>,
        }
        let wire: Wire = serde_json::from_slice(bytes)?;
        let outcome = match (wire.ok, wire.error) {
            (true, _) => Ok(wire.result),
            (false, Some(error)) => Err(error),
            (false, None) => Err(Refusal::new(Code::Internal, "a reply without result or error")),
        };
        Ok(Self { id: wire.id, outcome })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_survives_the_wire() {
        for outcome in [Ok(json!({"call": "x"})), Err(Refusal::field("to", "is empty"))] {
            let reply = Reply { id: json!(7), outcome };
            assert_eq!(Reply::from_slice(&reply.to_bytes()).unwrap(), reply);
        }
    }
}
