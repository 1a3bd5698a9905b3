//! What the gateway says to a client: replies and snapshots, as frames.

use crate::session::Who;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use std::collections::BTreeSet;
use telepulse_plugin_sdk::{
    Frame,
    language::{Code, Refusal},
};

#[derive(Serialize)]
struct Reply<'a, R, E> {
    id: &'a Value,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<R>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<E>,
}

/// `{"id","ok":true,"result"}`.
pub(crate) fn done<R: Serialize>(id: &Value, result: R) -> Frame {
    Frame::json(&Reply::<R, ()> { id, ok: true, result: Some(result), error: None })
}

/// `{"id","ok":false,"error"}`.
pub(crate) fn refused(id: &Value, refusal: &Refusal) -> Frame {
    Frame::json(&Reply::<(), &Refusal> { id, ok: false, result: None, error: Some(refusal) })
}

/// The result of a login, and of `whoami`: what the user may do and see. Lists that are left out mean all.
#[derive(Serialize)]
pub(crate) struct LoggedIn<'a> {
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    extension: Option<&'a str>,
    allow: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agents: Option<&'a BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queues: Option<&'a BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    servers: Option<&'a BTreeSet<String>>,
}

impl<'a> LoggedIn<'a> {
    /// What there is to say of who is logged in.
    pub(crate) fn of(who: &'a Who) -> Self {
        Self {
            user: &who.user,
            extension: who.extension.as_deref(),
            allow: &who.allow,
            agents: who.agents.as_ref(),
            queues: who.queues.as_ref(),
            servers: who.servers.as_ref(),
        }
    }
}

/// The result of a subscribe.
#[derive(Serialize)]
pub(crate) struct Subscribed<'a> {
    pub(crate) seq: u64,
    pub(crate) epoch: &'a str,
    /// The name that the subscription was given, where the client gave none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subscription: Option<&'a Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) resync: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) snapshot: Option<&'a RawValue>,
}

/// What a client gets after it was too slow, in place of what it missed.
pub(crate) fn snapshot(subscription: &Value, seq: u64, snapshot: &RawValue) -> Frame {
    #[derive(Serialize)]
    struct Envelope<'a> {
        event: &'static str,
        subscription: &'a Value,
        seq: u64,
        snapshot: &'a RawValue,
    }
    Frame::json(&Envelope { event: "snapshot", subscription, seq, snapshot })
}

/// The bus's reply, taken apart as far as the gateway needs it: what is inside goes to the client as
/// it is, which saves reading and writing large lists.
pub(crate) fn outcome(bytes: &[u8]) -> Result<&RawValue, Refusal> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        ok: bool,
        #[serde(borrow)]
        result: Option<&'a RawValue>,
        error: Option<Refusal>,
    }
    let wire: Wire<'_> = serde_json::from_slice(bytes).map_err(|error| unreadable(&error))?;
    match wire {
        Wire { ok: true, result, .. } => Ok(result.unwrap_or(RawValue::NULL)),
        Wire { error: Some(refusal), .. } => Err(refusal),
        Wire { .. } => Err(Refusal::new(Code::Internal, "a reply without result or error")),
    }
}

/// The answer to a snapshot query.
pub(crate) struct Whole<'a> {
    pub(crate) snapshot: &'a RawValue,
    /// Up to which event each server's part of it goes.
    pub(crate) parts: Vec<(String, u64)>,
}

/// Reads the answer to a snapshot query.
pub(crate) fn whole(bytes: &[u8]) -> Result<Whole<'_>, Refusal> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        items: Vec<&'a RawValue>,
        #[serde(default)]
        parts: Vec<(String, u64)>,
    }
    let result = outcome(bytes)?;
    let Wire { items, parts } =
        serde_json::from_str(result.get()).map_err(|error| unreadable(&error))?;
    match items.first() {
        Some(snapshot) => Ok(Whole { snapshot, parts }),
        None => Err(Refusal::new(Code::Internal, "an answer without a snapshot")),
    }
}

fn unreadable(error: &serde_json::Error) -> Refusal {
    Refusal::new(Code::Internal, format!("an answer that cannot be read: {error}"))
}

/// Reads what the gateway itself has written: contexts, tags and what is handed over.
pub(crate) fn own<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}
