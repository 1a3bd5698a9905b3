//! `telepulse:plugin/config`: `[settings]` as JSON and resolved `[secrets]`.

use super::generated::telepulse::plugin::config::Host;
use crate::ctx::Ctx;
use serde_json::Value;

impl Host for Ctx {
    fn get(&mut self, key: String) -> Option<String> {
        self.rights.settings.get(&key).map(Value::to_string)
    }

    fn all(&mut self) -> String {
        Value::Object(self.rights.settings.clone()).to_string()
    }

    fn secret(&mut self, name: String) -> Option<String> {
        self.rights.secrets.get(&name).cloned()
    }
}
