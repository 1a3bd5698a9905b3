//! Sends to the event bus. Every address needs a grant; who lacks it gets an error that names it.

use crate::host::with;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;
use telepulse_language::{Code, Command, CommandEnvelope, Query, QueryResult, Refusal, Reply};

/// Where commands go.
pub const COMMAND: &str = "telepulse.command";
/// Where queries go.
pub const QUERY: &str = "telepulse.query";

/// Publishes to an address that a `publish` grant covers. Under `telepulse.event.<type>` the payload
/// is a JSON object with the event's fields; the host adds the envelope and the number.
pub fn publish(address: &str, payload: &[u8]) -> Result<(), String> {
    with(|host| host.publish(address, payload))
}

/// Publishes `value` as JSON.
pub fn publish_json<T: Serialize>(address: &str, value: &T) -> Result<(), String> {
    let payload = serde_json::to_vec(value).map_err(|error| format!("{address}: {error}"))?;
    publish(address, &payload)
}

/// A request whose answer comes later, to [`crate::Replies::answered`].
#[derive(Clone, Copy, Debug)]
pub struct Submit<'a> {
    /// Where to; a `request` grant must cover it.
    pub address: &'a str,
    /// What.
    pub payload: &'a [u8],
    /// How long to wait; at most 30 s.
    pub timeout: Duration,
    /// One of the plugin's connections, whose principal is attached by the host; without one the
    /// plugin acts under its own grants.
    pub on_behalf_of: Option<u64>,
    /// Comes back with the answer. All that is needed to handle it: the instance may have been
    /// swapped by then.
    pub context: &'a [u8],
}

/// Sends a request and returns at once with its number.
pub fn submit(submit: Submit<'_>) -> Result<u64, String> {
    let Submit { address, payload, timeout, on_behalf_of, context } = submit;
    with(|host| host.submit(address, payload, millis(timeout), on_behalf_of, context))
}

/// Sends a request and waits for the answer: for plugins with one purpose, and for HTTP handlers,
/// where the host attaches the principal of the HTTP request.
pub fn request(address: &str, payload: &[u8], timeout: Duration) -> Result<Vec<u8>, String> {
    with(|host| host.request(address, payload, millis(timeout)))
}

/// Gives a command and waits for what came of it.
pub fn command(command: Command, timeout: Duration) -> Result<Value, Refusal> {
    let envelope = CommandEnvelope { id: Value::Null, server: None, command };
    ask(COMMAND, &envelope.to_value(), timeout)
}

/// Asks a query and waits for its items.
pub fn query(query: &Query, timeout: Duration) -> Result<QueryResult, Refusal> {
    serde_json::from_value(ask(QUERY, query, timeout)?)
        .map_err(|error| Refusal::new(Code::Internal, format!("the answer to a query: {error}")))
}

/// Sends JSON to an address that answers with a reply of the language, and takes the reply apart.
pub fn ask<T: Serialize>(address: &str, payload: &T, timeout: Duration) -> Result<Value, Refusal> {
    let payload = serde_json::to_vec(payload)
        .map_err(|error| Refusal::new(Code::Internal, format!("{address}: {error}")))?;
    read(address, request(address, &payload, timeout))
}

/// Takes an answer apart that is a reply of the language, as [`submit`]ted requests get it.
pub fn reply(answer: Result<Vec<u8>, String>) -> Result<Value, Refusal> {
    read("an answer", answer)
}

/// Names what it reads where that is no reply.
fn read(what: &str, answer: Result<Vec<u8>, String>) -> Result<Value, Refusal> {
    let reply = Reply::from_slice(&answer.map_err(unanswered)?);
    reply.map_err(|error| Refusal::new(Code::Internal, format!("{what}: {error}")))?.outcome
}

/// The refusal for a request that nobody answered: what came of it is not known.
pub fn unanswered(why: String) -> Refusal {
    Refusal::new(Code::Timeout, why)
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;
    use serde_json::json;
    use telepulse_language::{Hangup, QueryKind, Target};

    const SOON: Duration = Duration::from_secs(1);

    fn hangup() -> Command {
        let target = Target::Call("c1".parse().unwrap());
        Command::Hangup(Hangup { target, cause: None })
    }

    #[test]
    fn a_command_answers_its_result_or_the_refusal() {
        let host = FakeHost::install();
        assert_eq!(command(hangup(), SOON).unwrap_err().code, Code::Timeout);
        host.serve(COMMAND, |payload| {
            assert_eq!(payload, br#"{"action":"hangup","call":"c1"}"#);
            Ok(br#"{"id":null,"ok":true,"result":{"a":1}}"#.to_vec())
        });
        assert_eq!(command(hangup(), SOON), Ok(json!({"a": 1})));
        let refusal = Refusal::new(Code::Forbidden, "no");
        let reply = Reply { id: Value::Null, outcome: Err(refusal.clone()) }.to_bytes();
        host.serve(COMMAND, move |_| Ok(reply.clone()));
        assert_eq!(command(hangup(), SOON), Err(refusal));
        host.serve(COMMAND, |_| Ok(b"?".to_vec()));
        let unreadable = command(hangup(), SOON).unwrap_err();
        assert_eq!(unreadable.code, Code::Internal);
        assert!(unreadable.message.contains(COMMAND), "{unreadable:?}");
    }

    #[test]
    fn a_query_answers_items() {
        let host = FakeHost::install();
        host.serve(QUERY, |_| {
            Ok(br#"{"id":null,"ok":true,"result":{"seq":3,"epoch":"e","items":[{"x":1}]}}"#
                .to_vec())
        });
        let asked = Query::new(QueryKind::Calls, telepulse_language::Filter::default());
        let result = query(&asked, SOON).unwrap();
        assert_eq!((result.seq, result.items), (3, vec![json!({"x": 1})]));
    }
}
