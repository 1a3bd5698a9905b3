//! Calls, their recordings, and who asks for them, against a fake host.

mod http;
mod pauses;
mod policies;
mod wrong;

use crate::Recording;
use serde_json::{Value, json};
use std::{rc::Rc, time::Duration};
use telepulse_plugin_sdk::{
    Event,
    testing::{FakeHost, Stage, Submitted},
};

/// A contact centre with a fake host: calls come, and what is ordered is seen.
struct Desk {
    host: Rc<FakeHost>,
    stage: Stage<Recording>,
}

impl Desk {
    /// With these rules.
    fn new(rules: &Value) -> Self {
        Self::with(&[("rules", rules.clone())])
    }

    fn with(settings: &[(&str, Value)]) -> Self {
        let host = FakeHost::install();
        // Friday, 20 November 2026, 22:08 UTC.
        host.pass(Duration::from_mins(29_920_208));
        for (key, value) in settings {
            host.set(key, value.clone());
        }
        let stage = host.start().unwrap();
        Self { host, stage }
    }

    fn event(&mut self, kind: &str, fields: &Value) {
        let mut payload = fields.clone();
        payload["server"] = json!("pbx1");
        payload["time"] = json!(telepulse_plugin_sdk::clock::now());
        let payload = payload.to_string();
        let event = Event {
            seq: 1,
            time_ns: 0,
            address: "telepulse.event",
            kind,
            server: Some("pbx1"),
            payload: payload.as_bytes(),
        };
        self.stage.event(event).unwrap();
    }

    /// A call comes to a number, and rings at an agent of a queue.
    fn rings(&mut self, call: &str, agent: &str, queue: &str) {
        let begins = json!({"call": call, "from": "+4930123", "to": "600"});
        self.event("callStarted", &begins);
        let rings = json!({
            "call": call, "from": "+4930123", "to": agent, "agent": agent, "queue": queue, "direction": "in",
        });
        self.event("callStarted", &rings);
    }

    fn answers(&mut self, call: &str, agent: &str, queue: &str) {
        let answers = json!({
            "call": call, "from": "+4930123", "to": agent, "agent": agent, "queue": queue, "wait": 1,
        });
        self.event("callAnswered", &answers);
    }

    /// Something happens to a recording.
    fn recording(&mut self, call: &str, change: &str, file: &str, by: Option<&str>) {
        let mut told = happens(call, "PJSIP/trunk-1", change, file);
        if let Some(by) = by {
            told["by"] = json!(by);
        }
        self.event("recording", &told);
    }

    /// Something happens to a recording on this channel.
    fn recording_on(&mut self, call: &str, channel: &str, change: &str, file: &str) {
        self.event("recording", &happens(call, channel, change, file));
    }

    fn ends(&mut self, call: &str, files: &[&str]) {
        self.ends_for(call, "201", files);
    }

    /// A call ends, as it is told for one of its agents.
    fn ends_for(&mut self, call: &str, agent: &str, files: &[&str]) {
        let now = telepulse_plugin_sdk::clock::now();
        let end = json!({
            "call": call, "from": "+4930123", "to": "201", "agent": agent, "queue": "sales", "started": now,
            "duration": 60, "talkTime": 50, "disposition": "answered", "cause": 16, "causeText": "",
            "recordings": files,
        });
        self.event("callEnded", &end);
    }

    /// What was ordered since the last look.
    fn ordered(&self) -> Vec<Submitted> {
        self.host.submitted()
    }

    /// The one command that was given since the last look.
    fn command(&self) -> (Submitted, Value) {
        let mut all = self.ordered();
        assert_eq!(all.len(), 1, "{all:?}");
        let submitted = all.remove(0);
        let command = submitted.json();
        (submitted, command)
    }

    fn does(&mut self, order: &Submitted, result: &Value) {
        let reply = json!({"id": null, "ok": true, "result": result}).to_string();
        self.stage.answer(order, Ok(reply.into_bytes()));
    }

    fn refuses(&mut self, order: &Submitted, code: &str, field: Option<&str>) {
        let mut error = json!({"code": code, "message": "no"});
        if let Some(field) = field {
            error["field"] = json!(field);
        }
        let reply = json!({"id": null, "ok": false, "error": error}).to_string();
        self.stage.answer(order, Ok(reply.into_bytes()));
    }

    fn refuses_with(&mut self, order: &Submitted, code: &str, field: &str, message: &str) {
        let error = json!({"code": code, "message": message, "field": field});
        let reply = json!({"id": null, "ok": false, "error": error}).to_string();
        self.stage.answer(order, Ok(reply.into_bytes()));
    }

    /// What was published since the last look.
    fn told(&self) -> Vec<Value> {
        let published = self.host.published().into_iter();
        published.map(|it| serde_json::from_slice(&it.payload).unwrap()).collect()
    }

    /// A call is recorded by a rule, and its recording runs; answers the file.
    fn records(&mut self, call: &str) -> String {
        self.rings(call, "201", "sales");
        self.answers(call, "201", "sales");
        let (order, command) = self.command();
        let file = command["file"].as_str().unwrap().to_owned();
        self.does(&order, &json!({"file": file}));
        let named = format!("/spool/{file}");
        self.recording(call, "started", &named, None);
        named
    }

    fn advance(&mut self, ms: u64) {
        self.stage.advance(Duration::from_millis(ms));
    }
}

fn happens(call: &str, channel: &str, change: &str, file: &str) -> Value {
    json!({"call": call, "channel": channel, "change": change, "file": file, "agent": "201"})
}

/// What is listed of a call.
fn listed(call: &str) -> Value {
    let entry = crate::index::get(call).unwrap().unwrap_or_else(|| panic!("nothing of {call}"));
    json!(entry)
}
