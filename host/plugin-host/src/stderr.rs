//! A guest's standard error goes to the log, line by line: panics of guests say there what happened.

use crate::ctx::Identity;
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// What a line may be long, in bytes; longer ones are cut into several.
const LONGEST: usize = 1024;

/// The end of what an instance wrote: it tells more about a trap than the trap.
#[derive(Clone, Default)]
pub(crate) struct LastWords(Arc<Mutex<String>>);

impl LastWords {
    /// Takes them; empty if it said nothing.
    pub(crate) fn take(&self) -> String {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Two lines are kept: Rust says where it panicked, then what for.
    fn add(&self, line: &str) {
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = words.lines().last().unwrap_or_default();
        *words = if last.is_empty() { line.to_owned() } else { format!("{last}\n{line}") };
    }
}

/// The stream of one instance.
pub(crate) struct Lines(Arc<Identity>, LastWords);

impl Lines {
    pub(crate) fn new(identity: Arc<Identity>, words: LastWords) -> Self {
        Self(identity, words)
    }
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        let (identity, words) = (Arc::clone(&self.0), self.1.clone());
        Box::new(Writer { identity, words, line: Vec::new() })
    }
}

struct Writer {
    identity: Arc<Identity>,
    words: LastWords,
    line: Vec<u8>,
}

impl Writer {
    fn write_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        // Escaped, so that a plugin cannot forge lines or paint terminals.
        let text = String::from_utf8_lossy(&line).trim().escape_debug().to_string();
        // An empty line, and Rust's advice on backtraces, say nothing.
        if text.is_empty() || text.starts_with("note: ") {
            return;
        }
        self.words.add(&text);
        if self.identity.may_log().is_some() {
            self.identity.counters.line("warn", &text);
            tracing::warn!(target: "plugin", plugin = %self.identity.name, stderr = text);
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
