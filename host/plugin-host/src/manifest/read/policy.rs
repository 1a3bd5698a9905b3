//! `policy`: commands that a plugin decides on.

use super::{Node, Reader};
use crate::grants::{OnFailure, PolicyGrant};

impl Reader<'_> {
    /// `{ commands = ["dial"], order = 10, onFailure = "closed" }`
    pub(super) fn policy(&mut self, value: &Node<'_>) -> Option<PolicyGrant> {
        let example = "write { commands = [\"dial\"], order = 10, onFailure = \"closed\" }";
        let Some(table) = value.get_ref().as_table() else {
            self.mistake(value.span(), &self.key("policy"), format!("must be a table: {example}"));
            return None;
        };
        let mut policy =
            PolicyGrant { commands: Vec::new(), order: 0, on_failure: OnFailure::default() };
        for (name, value) in table {
            let key = self.key(&format!("policy.{}", name.get_ref()));
            match name.get_ref().as_ref() {
                "commands" => {
                    let found = self.strings(&key, value);
                    policy.commands = found.into_iter().map(|(text, _)| text.to_owned()).collect();
                }
                "order" => match self.number(&key, value, 0, 1_000_000) {
                    Some(order) => policy.order = i64::try_from(order).unwrap_or(i64::MAX),
                    None => return None,
                },
                "onFailure" => match value.get_ref().as_str() {
                    Some("closed") => policy.on_failure = OnFailure::Closed,
                    Some("open") => policy.on_failure = OnFailure::Open,
                    _ => self.mistake(value.span(), &key, "must be \"closed\" or \"open\""),
                },
                _ => {
                    let message = "unknown; there are commands, order and onFailure";
                    self.mistake(name.span(), &key, message);
                }
            }
        }
        if policy.commands.is_empty() {
            let message = format!("names no commands: {example}");
            self.mistake(value.span(), &self.key("policy.commands"), message);
        }
        Some(policy)
    }
}
