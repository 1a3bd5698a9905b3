//! The audit log's entry of an order under way, and its span.

use crate::{
    audit::{Audit, Entry},
    bus::Headers,
    clock::now,
    telemetry::{Span, Trace, key},
};
use serde_json::{Map, Value, json};
use telepulse_language::{Code, Refusal};

/// Written when it ends, and also when it is broken off: then nobody knows what came of it.
pub(super) struct Note {
    audit: Audit,
    entry: Option<Entry>,
    span: Span,
}

impl Note {
    pub(super) fn begin(
        audit: &Audit,
        mut span: Span,
        headers: &Headers,
        action: String,
        about: Map<String, Value>,
    ) -> Self {
        say_who(&mut span, headers, || action.clone());
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
        Self { audit: audit.clone(), entry: Some(entry), span }
    }

    /// Where spans of its parts begin.
    pub(super) fn trace(&self) -> Trace {
        self.span.trace()
    }

    /// The server that it is for.
    pub(super) fn server(&mut self, id: &str) {
        self.span.say(key::SERVER, id.to_owned());
        if let Some(entry) = &mut self.entry {
            entry.server = Some(id.to_owned());
        }
    }

    /// The call that it made.
    pub(super) fn call(&mut self, result: &Value) {
        let call = || result["call"].as_str().map(str::to_owned);
        self.span.say_with(key::CALL, call);
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
            let outcome = entry.outcome.as_str().unwrap_or_default();
            self.span.say_with(key::OUTCOME, || Some(outcome.to_owned()));
            if let Some(why) = &entry.message {
                self.span.fail(|| outcome.to_owned(), why);
            }
            self.audit.record(entry);
        }
    }
}

/// Says in a span who gives an order, in the audit log's words.
pub(super) fn say_who(span: &mut Span, headers: &Headers, action: impl FnOnce() -> String) {
    span.say_with(key::ACTION, || Some(action()));
    span.say_with(key::USER, || headers.principal.as_ref().map(|who| who.name.clone()));
    span.say_with(key::PLUGIN, || headers.plugin.as_deref().map(str::to_owned));
}
