//! `telepulse:plugin/bus-blocking`: requests that wait for their answer.

use super::generated::telepulse::plugin::bus_blocking::Host;
use crate::{
    ctx::{Ctx, LONGEST_REQUEST},
    ports::Request,
};
use bytes::Bytes;
use std::time::Duration;

impl Host for Ctx {
    async fn request(
        &mut self,
        address: String,
        payload: Vec<u8>,
        timeout_ms: u32,
    ) -> Result<Vec<u8>, String> {
        self.rights.grants.may_request(&address).map_err(|it| self.identity.denied(&it))?;
        self.check_size(&payload)?;
        let request = Request {
            plugin: self.identity.name.as_str().into(),
            address,
            payload: Bytes::from(payload),
            timeout: Duration::from_millis(timeout_ms.into()).min(LONGEST_REQUEST),
            principal: self.principal.clone(),
            trace: self.trace.clone(),
        };
        self.identity.request(request).await.map(Vec::from)
    }
}
