//! What a link says on the bus: its status, its raw events, and the language's events.

use super::request::Status;
use crate::bus::{Address, Below, Bus};
use ami_proto::Message;
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use telepulse_language::{Event, ServerState, ServerStatus};
use tokio::sync::watch;

/// How many event names get a ready-made address; a PBX knows about 200.
const CACHED_NAMES: usize = 512;

/// The voice of one server on the bus.
pub(super) struct Publisher {
    server: Arc<str>,
    bus: Arc<dyn Bus>,
    status: watch::Sender<Status>,
    /// Which raw events somebody reads, as of the subscriptions last looked at.
    raw: Below,
    subscriptions: watch::Receiver<u64>,
    addresses: FxHashMap<Box<str>, Address>,
    /// Events of the language that are not in the stream yet: many cost little more than one there.
    pending: Vec<Event>,
}

impl Publisher {
    pub(super) fn new(server: &str, bus: Arc<dyn Bus>) -> Self {
        let status = Status {
            state: ServerState::Disconnected,
            reason: None,
            asterisk: None,
            since: super::now(),
        };
        let mut subscriptions = bus.subscriptions_changed();
        // So that it is looked at before the first event.
        subscriptions.mark_changed();
        Self {
            server: server.into(),
            bus,
            status: watch::Sender::new(status),
            raw: Below::none(),
            subscriptions,
            addresses: FxHashMap::default(),
            pending: Vec::new(),
        }
    }

    pub(super) fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    pub(super) fn current(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Which raw events somebody reads.
    pub(super) fn wanted(&self) -> Below {
        match Address::build(&["telepulse", "proxy", "event", &self.server]) {
            Ok(root) => self.bus.wanted_below(&root),
            Err(_) => Below::none(),
        }
    }

    /// The number of the stream's last event; all that was said before is in it.
    pub(super) fn tail(&mut self) -> u64 {
        self.flush();
        self.bus.stream().tail()
    }

    /// Where events go that are to be told; [`Publisher::flush`] tells them.
    pub(super) fn pending(&mut self) -> &mut Vec<Event> {
        &mut self.pending
    }

    /// Appends what is pending to the event stream.
    pub(super) fn flush(&mut self) {
        if !self.pending.is_empty() {
            // The next batch will be about as large.
            let room = Vec::with_capacity(self.pending.len());
            self.bus.append(std::mem::replace(&mut self.pending, room));
        }
    }

    /// Tells a new state, on `telepulse.proxy.status` and as `serverStatus`.
    pub(super) fn state(&mut self, state: ServerState, reason: Option<&str>) {
        let now = super::now();
        let reason = reason.map(str::to_owned);
        let same = |old: &Status| old.state == state && old.reason == reason;
        let changed = self.status.send_if_modified(|old| {
            if same(old) {
                return false;
            }
            *old =
                Status { state, reason: reason.clone(), asterisk: old.asterisk.take(), since: now };
            true
        });
        if !changed {
            return;
        }
        tracing::info!(server = %self.server, state = ?state, reason, "server status");
        self.tell_status();
        self.pending.push(Event {
            server: self.server.to_string(),
            time: now,
            agent: None,
            queue: None,
            details: ServerStatus { state, reason }.into(),
        });
        self.flush();
    }

    /// Remembers Asterisk's version and tells it with the status.
    pub(super) fn asterisk(&mut self, version: String) {
        let changed = self.status.send_if_modified(|status| {
            let new = Some(version);
            let changed = status.asterisk != new;
            status.asterisk = new;
            changed
        });
        if changed {
            self.tell_status();
        }
    }

    fn tell_status(&self) {
        let item = self.status.borrow().item(&self.server);
        if let (Ok(address), Ok(json)) = (
            Address::build(&["telepulse", "proxy", "status", &self.server]),
            serde_json::to_vec(&item),
        ) {
            self.bus.publish(&address, Some(&self.server), json.into());
        }
    }

    /// Publishes a raw message as JSON, if anybody reads its address.
    pub(super) fn raw(&mut self, name: &str, message: &Message) {
        // An error means that the bus is gone, and with it whoever read.
        if self.subscriptions.has_changed().unwrap_or(false) {
            self.subscriptions.mark_unchanged();
            self.raw = self.wanted();
        }
        let is_wanted = match &self.raw {
            Below::All => true,
            Below::Names(names) => !names.is_empty() && names.contains(name),
        };
        if !is_wanted {
            return;
        }
        let Some(address) = self.address(name) else { return };
        let mut json = Vec::with_capacity(message.as_bytes().len() * 2);
        message.write_json(&self.server, &mut json);
        self.bus.publish(&address, Some(&self.server), Bytes::from(json));
    }

    fn address(&mut self, name: &str) -> Option<Address> {
        if let Some(address) = self.addresses.get(name) {
            return Some(address.clone());
        }
        let address = Address::build(&["telepulse", "proxy", "event", &self.server, name]).ok()?;
        // A lying server could invent names without end.
        if self.addresses.len() < CACHED_NAMES {
            self.addresses.insert(name.into(), address.clone());
        }
        Some(address)
    }
}
