//! The bus, as plugins use it. Grants have been checked by the plugin host; what is checked here is
//! that a plugin's events are events, and nobody else's.

use crate::{
    bus::{Address, Bus, EVENTS, Headers, Pattern},
    clock::now,
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use plugin_host::ports::{Bus as BusPortTrait, EventSink, Guard, Request};
use serde_json::{Map, Value};
use std::sync::Arc;
use telepulse_language::{Details, Event};

/// Types of the language (contract section 2) that only the core sends, beside those that it sends
/// already, and what the gateway says in an event's clothes.
const RESERVED: &[&str] = &[
    "callHeld",
    "callResumed",
    "callTransferred",
    "conference",
    "lagged",
    "lookup",
    "message",
    "parked",
    "presence",
    "queueCaller",
    "recording",
    "snapshot",
    "unparked",
];

pub(super) struct BusPort {
    bus: Arc<dyn Bus>,
}

impl BusPort {
    pub(super) fn new(bus: Arc<dyn Bus>) -> Self {
        Self { bus }
    }
}

impl BusPortTrait for BusPort {
    fn publish(&self, plugin: &str, address: &str, payload: Bytes) -> Result<(), String> {
        let address = Address::parse(address).map_err(|error| error.to_string())?;
        let below = address.as_str().strip_prefix(EVENTS);
        match below.filter(|below| below.is_empty() || below.starts_with('.')) {
            Some(kind) => {
                let event = event(kind.trim_start_matches('.'), &payload)?;
                self.bus.append(vec![event]);
                tracing::trace!(plugin, %address, "a plugin's event");
            }
            None => self.bus.publish(&address, None, payload),
        }
        Ok(())
    }

    fn request(&self, request: Request) -> BoxFuture<'static, Result<Bytes, String>> {
        let Request { plugin, address, payload, timeout, principal, trace } = request;
        let address = match Address::parse(&address) {
            Ok(address) => address,
            Err(error) => return Box::pin(async move { Err(error.to_string()) }),
        };
        let headers = Headers::within(timeout).from_plugin(plugin).on_behalf_of(principal);
        let headers = headers.traced(trace);
        let answer = self.bus.request(&address, payload, headers);
        Box::pin(async move { answer.await.map_err(|error| error.to_string()) })
    }

    fn subscribe(&self, addresses: &[String], sink: Arc<dyn EventSink>) -> Guard {
        self.bus.subscribe(&patterns(addresses), sink)
    }

    fn resubscribe(&self, before: Guard, addresses: &[String], sink: Arc<dyn EventSink>) -> Guard {
        self.bus.resubscribe(before, &patterns(addresses), sink)
    }
}

fn patterns(addresses: &[String]) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    for address in addresses {
        match Pattern::parse(address) {
            Ok(pattern) => patterns.push(pattern),
            // The plugin host has checked them by the same rule.
            Err(error) => tracing::error!(%error, "a plugin's subscription is left out"),
        }
    }
    patterns
}

/// A plugin's payload as an event: the envelope is the host's.
fn event(kind: &str, payload: &[u8]) -> Result<Event, String> {
    if kind.is_empty() || kind.contains(['.', '%']) {
        return Err(format!("publish to {EVENTS}.<type>; a type is letters, digits, _ and -"));
    }
    let is_for_plugins = Details::BY_PLUGINS.contains(&kind);
    if (Details::KINDS.contains(&kind) && !is_for_plugins) || RESERVED.contains(&kind) {
        return Err(format!("{kind} is the core's own type: choose another name"));
    }
    let mut fields: Map<String, Value> = telepulse_language::object(payload)
        .map_err(|refusal| format!("the payload of {kind}: {}", refusal.message))?;
    let mut scope = |field: &str| match fields.remove(field) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.into())),
        Some(_) => Err(format!("the payload of {kind}: {field} must be a string")),
    };
    let (server, agent, queue) = (scope("server")?, scope("agent")?, scope("queue")?);
    for envelope in ["event", "seq", "time"] {
        fields.remove(envelope);
    }
    let details = Details::from_parts(kind.into(), fields)
        .map_err(|error| format!("the payload of {kind}: {error}"))?;
    Ok(Event { server: server.unwrap_or_default(), time: now(), agent, queue, details })
}
