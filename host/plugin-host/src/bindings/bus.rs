//! `telepulse:plugin/bus`: publishing, and requests whose answers come later.

use super::generated::telepulse::plugin::bus::Host;
use crate::{
    ctx::{Ctx, LONGEST_REQUEST},
    effects::{Submit, Task},
    ports::Request,
};
use bytes::Bytes;
use std::time::Duration;

/// What one message may be long, in bytes: it may wait in many mailboxes.
const LARGEST: usize = 1 << 20;

impl Host for Ctx {
    fn publish(&mut self, address: String, payload: Vec<u8>) -> Result<(), String> {
        self.rights.grants.may_publish(&address).map_err(|it| self.identity.denied(&it))?;
        self.check_size(&payload)?;
        let plugin = self.identity.name.as_str();
        self.identity.ports.bus.publish(plugin, &address, Bytes::from(payload))
    }

    fn submit(
        &mut self,
        address: String,
        payload: Vec<u8>,
        timeout_ms: u32,
        on_behalf_of: Option<u64>,
        context: Vec<u8>,
    ) -> Result<u64, String> {
        self.rights.grants.may_request(&address).map_err(|it| self.identity.denied(&it))?;
        self.check_size(&payload)?;
        let name = self.identity.name.as_str();
        let principal = match on_behalf_of {
            None => None,
            Some(conn) => {
                Some(self.identity.ports.connections.principal(name, conn).ok_or_else(|| {
                    format!("connection {conn} is gone, or nobody has logged in on it")
                })?)
            }
        };
        let (id, place) = self.identity.next_request()?;
        let request = Request {
            plugin: name.into(),
            address,
            payload: Bytes::from(payload),
            timeout: Duration::from_millis(timeout_ms.into()).min(LONGEST_REQUEST),
            principal,
            trace: None,
        };
        let task = Task::Ask(request);
        self.effects.submits.push(Submit { id, context, task, conn: on_behalf_of, place });
        Ok(id)
    }
}

impl Ctx {
    /// Whether a message is small enough.
    pub(super) fn check_size(&self, payload: &[u8]) -> Result<(), String> {
        if payload.len() <= LARGEST {
            return Ok(());
        }
        let length = payload.len();
        Err(self.identity.denied(&format!("the payload has {length} bytes; 1 MiB are the most")))
    }
}
