//! `[limits]`: how much a plugin may use.

use super::{Reader, values::bytes};
use crate::{
    manifest::{Limits, OnFull},
    shards,
};
use std::{ops::RangeInclusive, time::Duration};
use toml::de::DeTable;

/// What a guest's memory may be.
const MEMORIES: RangeInclusive<u64> = 1 << 20..=4 << 30;

impl Reader<'_> {
    pub(super) fn limits(&mut self, table: &DeTable<'_>) -> Limits {
        let mut limits = Limits::default();
        for (key, value) in table {
            let name = format!("limits.{}", key.get_ref());
            match key.get_ref().as_ref() {
                "memory" => match value.get_ref().as_str().and_then(memory) {
                    Some(size) => limits.memory = size,
                    None => self.mistake(
                        value.span(),
                        &name,
                        "must be a size from \"1 MiB\" to \"4 GiB\", like \"64 MiB\"",
                    ),
                },
                "callMs" => {
                    if let Some(ms) = self.number(&name, value, 1, 30_000) {
                        limits.call = Duration::from_millis(ms);
                        limits.request = limits.call;
                    }
                }
                "mailbox" => {
                    if let Some(length) = self.number(&name, value, 1, 1_000_000) {
                        limits.mailbox = usize::try_from(length).unwrap_or(usize::MAX);
                    }
                }
                "onFull" => match value.get_ref().as_str() {
                    Some("dropOldest") => limits.on_full = OnFull::DropOldest,
                    Some("wait") => limits.on_full = OnFull::Wait,
                    Some("disconnect") => limits.on_full = OnFull::Disconnect,
                    _ => self.mistake(
                        value.span(),
                        &name,
                        "must be \"dropOldest\", \"wait\" or \"disconnect\"",
                    ),
                },
                "shards" => {
                    if let Some(shards) = self.number(&name, value, 1, shards::MOST) {
                        limits.shards = usize::try_from(shards).unwrap_or(1);
                    }
                }
                _ => self.mistake(
                    key.span(),
                    &name,
                    "unknown; there are memory, callMs, mailbox, onFull and shards",
                ),
            }
        }
        limits
    }
}

fn memory(text: &str) -> Option<usize> {
    usize::try_from(bytes(text, MEMORIES)?).ok()
}
