//! What `wit/` says, as Rust: generated types, which never leave this folder, and both directions of calls.
//!
//! [`guest`] calls what a component exports; every other file is one capability that the host offers.

mod bus;
mod bus_blocking;
mod clock;
mod config;
mod connections;
mod convert;
mod fetch;
mod guest;
mod http;
mod http_handler;
mod kv;
mod log;
mod metrics;

pub(crate) use guest::{Exports, Guest, Handled, StartReason, Surface};
pub(crate) use http::{Incoming, answer};

use crate::ctx::Ctx;
use wasmtime::component::{HasSelf, Linker};

/// The world with every import and export there is.
mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "telepulse:plugin/everything",
        imports: {
            "telepulse:plugin/bus-blocking": async,
            "telepulse:plugin/kv": async,
            "telepulse:plugin/clock.random": trappable,
        },
        exports: { default: async },
    });
}

/// Everything that a component may import: our own interfaces, and WASI 0.2 with nothing behind it.
pub(crate) fn add_to_linker(linker: &mut Linker<Ctx>) -> wasmtime::Result<()> {
    generated::Everything::add_to_linker::<_, HasSelf<Ctx>>(linker, |ctx| ctx)?;
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}
