//! The audit log's entry of an order under way.

use crate::{
    audit::{Audit, Entry},
    bus::Headers,
    clock::now,
};
use serde_json::{Map, Value, json};
use telepulse_language::{Code, Refusal};

/// Written when it ends, and also when it is broken off: then nobody knows what came of it.
pub(super) struct Note {
    audit: Audit,
    entry: Option<Entry>,
}

impl Note {
    pub(super) fn begin(
        audit: &Audit,
        headers: &Headers,
        action: String,
        about: Map<String, Value>,
    ) -> Self {
        let entry = Entry {
            time: now(),
            user: headers.principal.as_ref().map(|who| who.name.clone()),
            plugin: headers.plugin.clone(),
            peer: None,
            action,
            server: None,
            about,
            outcome: json!(Code::UnknownOutcome),
            message: Some("broken off at its deadline".to_owned()),
        };
        Self { audit: audit.clone(), entry: Some(entry) }
    }

    /// The server that it is for.
    pub(super) fn server(&mut self, id: &str) {
        if let Some(entry) = &mut self.entry {
            entry.server = Some(id.to_owned());
        }
    }

    /// What came of it.
    pub(super) fn end<T>(mut self, result: &Result<T, Refusal>) {
        if let Some(entry) = &mut self.entry {
            (entry.outcome, entry.message) = match result {
                Ok(_) => ("done".into(), None),
                Err(refusal) => (json!(refusal.code), Some(refusal.message.clone())),
            };
        }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        if let Some(mut entry) = self.entry.take() {
            entry.time = now();
            self.audit.record(entry);
        }
    }
}
