//! The bus, and the messages that durable subscriptions keep.

use super::Guard;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::{sync::Arc, time::Duration};
use telepulse_language::Principal;

/// A message from the bus, shared by all who get it.
#[derive(Clone, Debug)]
pub struct BusEvent {
    /// Its number in the event stream; 0 outside `telepulse.event`.
    pub seq: u64,
    /// When it was published: nanoseconds since 1970, UTC.
    pub time_ns: u64,
    /// The address that it was published to.
    pub address: Arc<str>,
    /// The last token of the address, unescaped.
    pub kind: Arc<str>,
    /// The Asterisk server that it is about.
    pub server: Option<Arc<str>>,
    /// JSON, as written by the publisher.
    pub payload: Bytes,
}

/// The event bus, as a plugin's host functions and mailbox use it. Grants have been checked before.
pub trait Bus: Send + Sync + 'static {
    /// Publishes for a plugin. Never waits. The error is for the plugin's author.
    fn publish(&self, plugin: &str, address: &str, payload: Bytes) -> Result<(), String>;

    /// Sends a request and waits for the answer, at most `timeout`. With a principal the receiver
    /// checks that principal's rights; without one the plugin acts as itself.
    fn request(&self, request: Request) -> BoxFuture<'static, Result<Bytes, String>>;

    /// Delivers what is published under `addresses` (each takes everything below it, `*` stands for
    /// one token) to `sink`, in order, until the guard is dropped.
    fn subscribe(&self, addresses: &[String], sink: Arc<dyn EventSink>) -> Guard;

    /// The same in place of an earlier subscription: what both cover comes once each, without a gap.
    fn resubscribe(&self, before: Guard, addresses: &[String], sink: Arc<dyn EventSink>) -> Guard;
}

/// One request from a plugin.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which plugin asks.
    pub plugin: Arc<str>,
    /// Whom it asks.
    pub address: String,
    /// What, as JSON.
    pub payload: Bytes,
    /// How long the answer may take.
    pub timeout: Duration,
    /// On whose behalf.
    pub principal: Option<Arc<Principal>>,
    /// The `traceparent` of the HTTP request that it is part of.
    pub trace: Option<Arc<str>>,
}

/// Takes events for one plugin. Called on the publisher's path: must not wait.
pub trait EventSink: Send + Sync + 'static {
    /// Takes one event, or drops and counts by the plugin's `onFull`.
    fn deliver(&self, event: &Arc<BusEvent>);
}

/// Messages of durable subscriptions, numbered from 1 in each plugin, until they are done.
pub trait Journal: Send + Sync + 'static {
    /// What is there of a plugin.
    fn open(&self, plugin: &Arc<str>) -> BoxFuture<'static, Result<Extent, String>>;

    /// Adds a message behind those that are there. Never waits: it is on disk soon after. Answers
    /// whether there is room for it on its way there.
    fn append(&self, plugin: &Arc<str>, number: u64, message: Bytes) -> bool;

    /// Removes a plugin's messages up to a number. Never waits.
    fn forget(&self, plugin: &Arc<str>, up_to: u64);

    /// A plugin's messages after a number, in order, at most so many; with all that was added before.
    fn read(
        &self,
        plugin: &Arc<str>,
        after: u64,
        most: usize,
    ) -> BoxFuture<'static, Result<Vec<(u64, Bytes)>, String>>;
}

/// What a journal holds of one plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The number of the oldest message; 0 if there is none.
    pub first: u64,
    /// The number of the newest message; 0 if there is none.
    pub last: u64,
    /// Of all of them together.
    pub bytes: u64,
}
