//! `[settings]` of `panel.toml`: what the page is told of this place.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use telepulse_plugin_sdk::config;

/// What an operator can say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Where the gateway is, where it is not on the page's own host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gateway: Option<Gateway>,
    /// Its port on the page's own host.
    pub(crate) gateway_port: u16,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<Language>,
    service_level_seconds: u32,
    service_level_target: u8,
    /// Extensions, and ranges of them, under a name.
    groups: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Language {
    En,
    Es,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gateway: None,
            gateway_port: 8084,
            title: "TelePulse".to_owned(),
            language: None,
            service_level_seconds: 20,
            service_level_target: 80,
            groups: BTreeMap::new(),
        }
    }
}

/// The address of a gateway: `ws://` or `wss://`, a name, a port, a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Gateway {
    whole: String,
    /// Where its path begins.
    end: usize,
}

impl Gateway {
    /// Without its path, as a policy names it.
    pub(crate) fn as_source(&self) -> &str {
        &self.whole[..self.end]
    }
}

impl TryFrom<String> for Gateway {
    type Error = String;

    fn try_from(whole: String) -> Result<Self, String> {
        let wrong = || format!("{whole:?} is not an address like \"wss://pbx.example:8084/\"");
        let rest = whole.strip_prefix("wss://").or_else(|| whole.strip_prefix("ws://"));
        let rest = rest.ok_or_else(wrong)?;
        let host = rest.split('/').next().unwrap_or_default();
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
        let is_path = |byte: u8| byte.is_ascii_alphanumeric() || b"/.-_~%".contains(&byte);
        let path = &rest[host.len()..];
        if host.is_empty() || !host.bytes().all(is_good) || !path.bytes().all(is_path) {
            return Err(wrong());
        }
        let end = whole.len() - path.len();
        Ok(Self { whole, end })
    }
}

impl From<Gateway> for String {
    fn from(gateway: Gateway) -> Self {
        gateway.whole
    }
}

/// Reads them.
pub(crate) fn read() -> Result<Settings, String> {
    let settings: Settings = config::settings()?;
    settings.check()?;
    Ok(settings)
}

impl Settings {
    /// What an operator must not write.
    fn check(&self) -> Result<(), String> {
        if self.service_level_target > 100 {
            return Err("[settings] serviceLevelTarget: is per cent, 0 to 100".to_owned());
        }
        for (name, members) in &self.groups {
            if let Some(wrong) = members.iter().find(|member| !is_member(member)) {
                return Err(format!(
                    "[settings.groups] {name:?}: {wrong:?} is neither an extension nor a range like \"101-120\""
                ));
            }
        }
        Ok(())
    }
}

/// An extension, or two numbers of them with a dash between.
fn is_member(member: &str) -> bool {
    let is_number = |text: &str| {
        (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    match member.split_once('-') {
        Some((first, last)) => is_number(first) && is_number(last),
        None => !member.is_empty() && member.bytes().all(|byte| byte.is_ascii_graphic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(settings: &Value, wrong: Option<&str>) {
        let read = serde_json::from_value::<Settings>(settings.clone());
        let read = read.map_err(|error| error.to_string());
        let outcome = read.and_then(|settings| settings.check());
        match (outcome, wrong) {
            (Ok(()), None) => {}
            (Err(why), Some(wrong)) => assert!(why.contains(wrong), "{why}"),
            (outcome, _) => panic!("{settings}: {outcome:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        check(&json!({}), None);
        check(&json!({"gateway": "wss://pbx.example:8084/ws", "language": "es"}), None);
        check(&json!({"groups": {"Desk": ["101", "110-119", "reception"]}}), None);
        check(&json!({"groups": {"Desk": ["11O-119"]}}), Some("\"11O-119\""));
        check(&json!({"serviceLevelTarget": 101}), Some("serviceLevelTarget"));
        check(&json!({"gateway": "https://pbx.example"}), Some("wss://"));
        check(&json!({"gateway": "wss://a b"}), Some("wss://"));
        check(&json!({"gateway": "wss://a/;script-src"}), Some("wss://"));
        check(&json!({"colour": "red"}), Some("colour"));
    }
}
