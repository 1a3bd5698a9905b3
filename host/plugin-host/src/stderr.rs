//! A guest's standard error goes to the log, line by line: panics of guests say there what happened.

use crate::ctx::Identity;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// What a line may be long, in bytes; longer ones are cut into several.
const LONGEST: usize = 1024;

/// The stream of one instance.
pub(crate) struct Lines(Arc<Identity>);

impl Lines {
    pub(crate) fn new(identity: Arc<Identity>) -> Self {
        Self(identity)
    }
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Writer { identity: Arc::clone(&self.0), line: Vec::new() })
    }
}

struct Writer {
    identity: Arc<Identity>,
    line: Vec<u8>,
}

impl Writer {
    fn write_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if self.identity.may_log().is_some() {
            let text = String::from_utf8_lossy(&line);
            tracing::warn!(plugin = %self.identity.name, stderr = %text.escape_debug());
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
            }
            if *byte == b'\n' || self.line.len() == LONGEST {
                self.write_line();
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.write_line();
        }
    }
}
