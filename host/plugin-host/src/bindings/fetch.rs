//! `telepulse:plugin/fetch`: HTTP requests whose answers come later.

use super::generated::telepulse::plugin::fetch::{Host, Request};
use crate::{
    ctx::{Ctx, LONGEST_REQUEST},
    effects::{Submit, Task},
    outgoing::Fetch,
};
use std::time::Duration;

impl Host for Ctx {
    fn submit(
        &mut self,
        request: Request,
        timeout_ms: u32,
        context: Vec<u8>,
    ) -> Result<u64, String> {
        self.check_size(&request.body)?;
        let Request { method, url, headers, body } = request;
        let mut builder = http::Request::builder().method(method.as_str()).uri(url);
        for pair in headers {
            builder = builder.header(pair.key, pair.value);
        }
        let request = builder.body(body.into()).map_err(|error| error.to_string())?;
        let origin = self.rights.grants.may_fetch(request.uri());
        let origin = origin.map_err(|it| self.identity.denied(&it))?.clone();
        let (id, place) = self.identity.next_request()?;
        let timeout = Duration::from_millis(timeout_ms.into()).min(LONGEST_REQUEST);
        let task = Task::Fetch(Box::new(Fetch { request, origin, timeout }));
        self.effects.submits.push(Submit { id, context, task, conn: None, place });
        Ok(id)
    }
}
