//! `[grants]`, or what a component asks for: what a plugin may do.

use super::{
    Node, Reader,
    values::{bytes, is_word},
};
use crate::grants::{Grants, Origin, Pattern};
use std::ops::RangeInclusive;
use toml::de::{DeTable, DeValue};

/// Grants of the contract that a later version will know.
const NOT_YET: [&str; 1] = ["connections"];

/// What `durable = true` keeps.
const DURABLE: u64 = 64 << 20;
/// What a plugin's values may take.
const SPACES: RangeInclusive<u64> = 1 << 10..=1 << 40;

impl Reader<'_> {
    pub(super) fn grants(&mut self, table: &DeTable<'_>) -> Grants {
        let mut grants = Grants::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match name {
                "subscribe" => grants.subscribe = self.patterns("subscribe", value),
                "publish" => grants.publish = self.patterns("publish", value),
                "request" => grants.request = self.patterns("request", value),
                "websocket" => grants.websocket = self.mounts("websocket", value),
                "routes" => grants.routes = self.mounts("routes", value),
                "kv" => match value.get_ref().as_str().and_then(|text| bytes(text, SPACES)) {
                    Some(size) => grants.kv = size,
                    None => self.mistake(
                        value.span(),
                        &self.key("kv"),
                        "must be a size from \"1 KiB\" to \"1024 GiB\", like \"1 MiB\"",
                    ),
                },
                "http" => grants.http = Some(self.origins(value)),
                "policy" => grants.policy = self.policy(value),
                "durable" => grants.durable = self.durable(value),
                "serve" => grants.serve = self.actions(value),
                "files" => grants.files = Some(self.folders(value)),
                later if NOT_YET.contains(&later) => {
                    let message = "this build cannot grant it yet: remove the line";
                    self.mistake(key.span(), &self.key(later), message);
                }
                other => self.mistake(
                    key.span(),
                    &self.key(other),
                    "unknown; there are subscribe, publish, request, websocket, routes, http, kv, policy, \
                     serve, durable and files",
                ),
            }
        }
        for pattern in grants.subscribe.iter().filter(|pattern| !pattern.may_subscribe()) {
            let message = format!("{:?} is write only: put it under request", pattern.as_str());
            let at = table.iter().find(|(key, _)| key.get_ref() == "subscribe");
            self.mistake(
                at.map(|(key, _)| key.span()).unwrap_or_default(),
                &self.key("subscribe"),
                message,
            );
        }
        grants
    }

    /// How a grant is called in what is read.
    pub(super) fn key(&self, grant: &str) -> String {
        format!("{}.{grant}", self.rights)
    }

    fn patterns(&mut self, key: &str, value: &Node<'_>) -> Vec<Pattern> {
        let key = &self.key(key);
        let mut patterns = Vec::new();
        for (text, at) in self.strings(key, value) {
            match Pattern::parse(text) {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => self.mistake(at, key, error.to_string()),
            }
        }
        patterns
    }

    fn origins(&mut self, value: &Node<'_>) -> Vec<Origin> {
        let mut origins = Vec::new();
        for (text, at) in self.strings(&self.key("http"), value) {
            match Origin::parse(text) {
                Some(origin) => origins.push(origin),
                None => self.mistake(
                    at,
                    &self.key("http"),
                    "must be an origin, like \"https://api.crm.example\", without a path",
                ),
            }
        }
        origins
    }

    /// Actions of commands that the core does not know.
    fn actions(&mut self, value: &Node<'_>) -> Vec<String> {
        let key = &self.key("serve");
        let mut actions = Vec::new();
        for (text, at) in self.strings(key, value) {
            if telepulse_language::Command::ACTIONS.contains(&text) {
                self.mistake(at, key, format!("{text} is the core's: another name is needed"));
            } else if is_word(text) {
                actions.push(text.to_owned());
            } else {
                self.mistake(at, key, "must be the action of a command, like \"note\"");
            }
        }
        actions
    }

    /// `true`, or a size.
    fn durable(&mut self, value: &Node<'_>) -> u64 {
        match value.get_ref() {
            DeValue::Boolean(true) => return DURABLE,
            DeValue::Boolean(false) => return 0,
            DeValue::String(text) => {
                if let Some(size) = bytes(text, SPACES) {
                    return size;
                }
            }
            _ => {}
        }
        let message = "must be true, or a size from \"1 KiB\" to \"1024 GiB\", like \"16 MiB\"";
        self.mistake(value.span(), &self.key("durable"), message);
        0
    }
}
