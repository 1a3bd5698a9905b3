//! Questions about the state: what can be asked, which part of it, and the answer's frame.

use crate::{Code, Filter, Refusal, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum QueryKind {
    /// Calls in progress: `Call`.
    Calls,
    /// Calls that are over, the last first, as many as the history keeps: `EndedCall`.
    EndedCalls,
    /// Lines by extension: `Lines`.
    Lines,
    /// Extensions: `User`.
    Users,
    /// Queues with callers and members: `Queue`.
    Queues,
    /// Queue members: `Agent`.
    Agents,
    /// Parked calls: `ParkedCall`.
    Parked,
    /// Conferences: `ConferenceRoom`.
    Conferences,
    /// Asterisk servers: `Server`.
    Servers,
    /// Extensions with a channel to a phone, as ARI tells it; none of servers without ARI: `Device`.
    Devices,
    /// Everything at once: `Snapshot` as the only item. Asked by gateways when a client subscribes.
    Snapshot,
}

/// A question to `telepulse.query`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Query {
    /// What is asked for.
    pub query: QueryKind,
    /// Which of them; all when left out.
    #[serde(default)]
    pub filter: Filter,
    /// Which part of the history. For `endedCalls` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<Page>,
}

/// Which part of the history of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Page {
    /// Calls that ended at this moment or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Calls that ended before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Calls from or to this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The one call of this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Goes on where an earlier answer ended: its `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// At most so many calls, from 1 to 1,000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub limit: Option<u32>,
}

impl Page {
    /// The most that one answer holds.
    pub const MAX: u32 = 1_000;
    /// What an answer holds where nothing else is asked for.
    pub const USUAL: u32 = 100;

    fn check(&self) -> Result<(), Refusal> {
        match self.limit {
            Some(0) => Err(Refusal::field("page.limit", "must be at least 1")),
            Some(limit) if limit > Self::MAX => {
                let message = format!("is {limit}: at most {}; go on with `before`", Self::MAX);
                Err(Refusal::field("page.limit", message))
            }
            _ => Ok(()),
        }
    }
}

const KINDS: &str =
    "calls, endedCalls, lines, users, queues, agents, parked, conferences, servers or devices";

impl Query {
    /// A question about all that `filter` lets through.
    pub fn new(query: QueryKind, filter: Filter) -> Self {
        Self { query, filter, page: None }
    }

    /// Reads the `query`, `filter` and `page` of a request; other fields are refused.
    pub fn from_fields(mut fields: Map<String, Value>) -> Result<Self, Refusal> {
        let kind = fields
            .remove("query")
            .ok_or_else(|| Refusal::field("query", format!("is missing: {KINDS}")))?;
        let query = serde_json::from_value(kind)
            .map_err(|_| Refusal::field("query", format!("must be {KINDS}")))?;
        let filter = match fields.remove("filter") {
            None => Filter::default(),
            Some(filter) => serde_json::from_value(filter)
                .map_err(|error| Refusal::field("filter", error.to_string()))?,
        };
        let page: Option<Page> = match fields.remove("page") {
            None => None,
            Some(page) => Some(
                serde_json::from_value(page)
                    .map_err(|error| Refusal::field("page", error.to_string()))?,
            ),
        };
        if let Some(page) = &page {
            if query != QueryKind::EndedCalls {
                return Err(Refusal::field("page", "is for the query endedCalls only"));
            }
            page.check()?;
        }
        match fields.keys().next() {
            None => Ok(Self { query, filter, page }),
            Some(field) => Err(Refusal {
                code: Code::BadRequest,
                message: "is not a field of a query".to_owned(),
                field: Some(field.clone()),
            }),
        }
    }
}

/// The answer to a query, true as of `seq`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueryResult {
    /// Everything up to this event is in the items.
    pub seq: u64,
    /// The event stream that `seq` counts in.
    pub epoch: String,
    /// The items asked for.
    pub items: Vec<Value>,
    /// Where the next part begins: the `page.before` of the next question. Absent with the last
    /// part, and for all but `endedCalls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// For each server, the number of the last event that its items hold: for gateways, which drop
    /// later-delivered events that the snapshot already has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<(String, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(fields: &Value, expected: Result<Value, &str>) {
        let Value::Object(map) = fields.clone() else { panic!("{fields}") };
        let read = Query::from_fields(map).map(|query| json!(query));
        let read = read.map_err(|refusal| refusal.field.unwrap_or_default());
        assert_eq!(read, expected.map_err(str::to_owned), "{fields}");
    }

    #[test]
    fn a_page_is_of_the_history_only() {
        let page = json!({"limit": 10, "number": "102", "since": "2026-11-20T22:08:00.000Z"});
        let history = json!({"query": "endedCalls", "filter": {}, "page": page});
        check(&history, Ok(history.clone()));
        check(&json!({"query": "calls"}), Ok(json!({"query": "calls", "filter": {}})));
        check(&json!({"query": "calls", "page": {}}), Err("page"));
        check(&json!({"query": "endedCalls", "page": {"limit": 0}}), Err("page.limit"));
        check(&json!({"query": "endedCalls", "page": {"limit": 1001}}), Err("page.limit"));
        check(&json!({"query": "endedCalls", "page": {"size": 1}}), Err("page"));
        check(&json!({"query": "ended"}), Err("query"));
        check(&json!({}), Err("query"));
        check(&json!({"query": "calls", "limit": 1}), Err("limit"));
    }
}
