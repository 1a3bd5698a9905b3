//! `telepulse:plugin/http-handler`: a whole request into a component and its whole answer out, in one call.

use super::Guest;
use crate::{
    ctx::Ctx,
    http::{Answer, Asked, FilePart},
};
use wasmtime::Store;

pub(super) use lent::exports::telepulse::plugin::http_handler;

/// What a client sent is lent to the guest: copied once, from where it was read into the guest's memory.
mod lent {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package telepulse:host-http;
            world http { export telepulse:plugin/http-handler@0.1.0; }
        ",
        world: "telepulse:host-http/http",
        ownership: Borrowing { duplicate_if_necessary: false },
        exports: { default: async },
    });
}

impl Guest {
    pub(crate) async fn request(
        &self,
        store: &mut Store<Ctx>,
        asked: &Asked,
    ) -> wasmtime::Result<Answer> {
        let Some(guest) = &self.http_handler else {
            wasmtime::bail!("it does not export http-handler");
        };
        let headers: Vec<(&str, &str)> = asked.headers().collect();
        let request = http_handler::Request {
            method: asked.method(),
            target: asked.target(),
            headers: &headers,
            body: asked.body(),
        };
        let http_handler::Response { status, headers, body, file } =
            guest.call_handle(store, request).await?;
        let file = file.map(|http_handler::FilePart { path, offset, length }| FilePart {
            path,
            from: offset,
            length,
        });
        Ok(Answer { status, headers, body, file })
    }
}
