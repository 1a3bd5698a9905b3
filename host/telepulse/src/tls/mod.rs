//! TLS: the certificate that our listeners show, and whom we trust where we connect.

mod client;
mod server;

pub(crate) use client::{builder, certificates_of, machine_roots, roots};
pub use server::Acceptor;
