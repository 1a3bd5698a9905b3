//! What others on the bus answer, as anybody could ask them.

use super::{Api, problem::Problem};
use crate::bus::{Address, Headers, RequestError};
use serde_json::Value;
use std::time::Duration;
use telepulse_language::{Code, Reply};

/// Asks in the name of the host itself, and gives the result.
pub(super) async fn ask(
    api: &Api,
    address: &str,
    payload: &Value,
    limit: Duration,
) -> Result<Value, Problem> {
    let internal = |error: String| Problem::new(Code::Internal, format!("{address}: {error}"));
    let to = Address::parse(address).map_err(|error| internal(error.to_string()))?;
    let payload = payload.to_string().into();
    let answer = api.bus.request(&to, payload, Headers::within(limit)).await;
    let answer = answer.map_err(|error| {
        let code = match error {
            RequestError::NobodyServes(_) => Code::ServerUnavailable,
            RequestError::Full(_) => Code::TooManyRequests,
            RequestError::Deadline(_) => Code::Timeout,
            RequestError::TooLarge(..) => Code::BadRequest,
        };
        Problem::new(code, error.to_string())
    })?;
    let reply = Reply::from_slice(&answer)
        .map_err(|error| internal(format!("its answer cannot be read: {error}")))?;
    Ok(reply.outcome?)
}
