//! What the admin API answers while the platform waits for its bus: that it lives, and is not ready.

use super::{problem::Problem, serve};
use crate::tls::Acceptor;
use axum::{Router, routing::get};
use std::io;
use telepulse_language::Code;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The API of one who waits, on the listener of the one to come.
pub struct Waiting {
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl Waiting {
    /// Begins to answer.
    pub fn begin(listener: &TcpListener, tls: Option<Acceptor>) -> io::Result<Self> {
        let shared = rustix::io::dup(listener)?;
        let shared = TcpListener::from_std(shared.into())?;
        let router = Router::new().route("/healthz", get(super::healthz)).fallback(waits);
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(shared, router, tls, stop.clone()));
        Ok(Self { stop: stop.drop_guard(), task })
    }

    /// Answers no more.
    pub async fn end(self) {
        drop(self.stop);
        // It ends by itself.
        let _ = self.task.await;
    }
}

/// Whoever asks needs no token, so the reason is for the log to tell.
async fn waits() -> Problem {
    Problem::new(Code::ServerUnavailable, "the program waits for its bus, NATS; see its log")
}
