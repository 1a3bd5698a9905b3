//! `telepulse:plugin/log`: lines under the plugin's name, as many a second as the host takes.

use super::generated::telepulse::plugin::{
    log::{Host, Level},
    types::Pair,
};
use crate::ctx::Ctx;
use std::fmt::Write;

/// What is kept of a message and of each field, in bytes.
const LONGEST: usize = 2048;

impl Host for Ctx {
    fn write(&mut self, level: Level, message: String, fields: Vec<Pair>) {
        let Some(dropped) = self.identity.may_log() else { return };
        let plugin = &self.identity.name;
        if dropped > 0 {
            tracing::warn!(target: "plugin", %plugin, dropped, "log lines past the rate");
        }
        // Control characters are escaped, so that a plugin cannot forge lines or paint terminals.
        let mut text = cut(&message).escape_debug().to_string();
        for Pair { key, value } in fields.iter().take(32) {
            // Writing to a string cannot fail.
            let _ = write!(text, " {}={:?}", cut(key).escape_debug(), cut(value));
        }
        self.identity.counters.line(name(level), &text);
        match level {
            Level::Trace => tracing::trace!(target: "plugin", %plugin, "{text}"),
            Level::Debug => tracing::debug!(target: "plugin", %plugin, "{text}"),
            Level::Info => tracing::info!(target: "plugin", %plugin, "{text}"),
            Level::Warn => tracing::warn!(target: "plugin", %plugin, "{text}"),
            Level::Error => tracing::error!(target: "plugin", %plugin, "{text}"),
        }
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}
