//! Requests on their way through the bus: bounded, in order, and independent of the instance that
//! sent them.

use crate::reply;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::VecDeque, time::Duration};
use telepulse_plugin_sdk::{
    bus::{self, Submit},
    language::{Code, Refusal},
};

/// Requests of all clients together that may be on the bus. The host refuses more than 1,024.
const MOST_IN_FLIGHT: usize = 1000;
/// Requests that may wait until there is room on the bus; more are refused.
const MOST_WAITING: usize = 16_384;
/// How long a command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a query may take.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// A request for a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Errand {
    pub(crate) kind: Kind,
    /// JSON.
    pub(crate) payload: String,
    pub(crate) purpose: Purpose,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Command,
    Query,
}

/// What an answer is for: all that is needed to handle it, as it comes back with the answer and may
/// meet another instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Purpose {
    pub(crate) conn: u64,
    /// It had to wait for room on the bus.
    #[serde(default)]
    pub(crate) waited: bool,
    pub(crate) then: Then,
}

/// What happens with an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Then {
    /// It is the reply to the request with this id.
    Reply { id: Value },
    /// It is the snapshot for a subscription, if that still has this feed.
    Snapshot { name: Value, feed: u64, seq: u64, epoch: String },
}

/// The requests of all clients.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Desk {
    in_flight: usize,
    waiting: VecDeque<Errand>,
}

/// What became of a request.
pub(crate) enum Sent {
    /// It is on the bus.
    Now,
    /// It waits for room.
    Later,
    /// It can be neither.
    Failed(Failed),
}

/// A request that did not get onto the bus, and why.
pub(crate) struct Failed(pub(crate) Purpose, pub(crate) Refusal);

impl Desk {
    /// Sends a request, now or as soon as there is room.
    pub(crate) fn send(&mut self, errand: Errand) -> Sent {
        if self.in_flight < MOST_IN_FLIGHT && self.waiting.is_empty() {
            return self.submit(errand).map_or(Sent::Now, Sent::Failed);
        }
        if self.waiting.len() >= MOST_WAITING {
            let refusal = Refusal::new(Code::TooManyRequests, "too many requests of all clients");
            return Sent::Failed(Failed(errand.purpose, refusal));
        }
        self.waiting.push_back(errand);
        Sent::Later
    }

    /// An answer has come: what it was for.
    pub(crate) fn answered(&mut self, context: &[u8]) -> Result<Purpose, String> {
        self.in_flight = self.in_flight.saturating_sub(1);
        reply::own(context)
    }

    /// Sends what has been waiting, as far as there is room. To be called after each answer.
    pub(crate) fn go_on(&mut self) -> Vec<Failed> {
        let mut failed = Vec::new();
        while self.in_flight < MOST_IN_FLIGHT {
            let Some(mut errand) = self.waiting.pop_front() else { break };
            errand.purpose.waited = true;
            failed.extend(self.submit(errand));
        }
        failed
    }

    /// Forgets what waits for a client that has gone.
    pub(crate) fn forget(&mut self, conn: u64) {
        self.waiting.retain(|errand| errand.purpose.conn != conn);
    }

    fn submit(&mut self, errand: Errand) -> Option<Failed> {
        let Errand { kind, payload, purpose } = errand;
        let (address, timeout) = match kind {
            Kind::Command => (bus::COMMAND, COMMAND_TIMEOUT),
            Kind::Query => (bus::QUERY, QUERY_TIMEOUT),
        };
        let submitted =
            serde_json::to_vec(&purpose).map_err(|error| error.to_string()).and_then(|context| {
                bus::submit(Submit {
                    address,
                    payload: payload.as_bytes(),
                    timeout,
                    on_behalf_of: Some(purpose.conn),
                    context: &context,
                })
            });
        match submitted {
            Ok(_) => {
                self.in_flight += 1;
                None
            }
            Err(why) => {
                let refusal = Refusal::new(Code::Internal, format!("it could not be sent: {why}"));
                Some(Failed(purpose, refusal))
            }
        }
    }
}
