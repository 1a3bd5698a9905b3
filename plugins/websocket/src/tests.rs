//! Clients on the fake host: what they say, and what they and the bus get to see.

mod login;
mod lookups;
mod requests;
mod subscriptions;
mod swap;

use crate::gateway::Gateway;
use serde_json::{Value, json};
use std::rc::Rc;
use telepulse_plugin_sdk::{
    OpenInfo,
    language::Principal,
    testing::{FakeHost, Stage, Submitted},
};

/// The client of most tests.
const CLIENT: u64 = 7;

/// A gateway with one client that has brought a good token.
struct Scene {
    host: Rc<FakeHost>,
    stage: Stage<Gateway>,
}

impl Scene {
    fn new() -> Self {
        let host = FakeHost::install();
        host.stream("e1", 100, 200);
        host.know("good", wallboard());
        let stage = host.start().unwrap();
        let mut scene = Self { host, stage };
        scene.open(CLIENT, Some(wallboard()));
        scene
    }

    fn open(&mut self, conn: u64, principal: Option<Principal>) {
        self.stage.open(OpenInfo { conn, principal, ..OpenInfo::default() });
    }

    /// The client says something; what it gets at once.
    fn say(&mut self, message: &Value) -> Vec<Value> {
        self.stage.text(CLIENT, &message.to_string());
        self.host.sent_json(CLIENT)
    }

    /// The one reply to a message.
    fn reply(&mut self, message: &Value) -> Value {
        let replies = self.say(message);
        assert_eq!(replies.len(), 1, "{message} got {replies:?}");
        replies.into_iter().next().unwrap_or_default()
    }

    /// The client says something that goes over the bus, and only there.
    fn submits(&mut self, message: &Value) -> Submitted {
        assert_eq!(self.say(message), Vec::<Value>::new());
        self.only_submitted()
    }

    fn only_submitted(&self) -> Submitted {
        let mut submitted = self.host.submitted();
        assert_eq!(submitted.len(), 1, "{submitted:?}");
        submitted.remove(0)
    }

    /// The bus answers; what the client gets.
    fn answer(&mut self, request: &Submitted, answer: &Value) -> Vec<Value> {
        self.stage.answer(request, Ok(answer.to_string().into_bytes()));
        self.host.sent_json(CLIENT)
    }

    /// The only feed that the client has.
    fn feed(&self) -> telepulse_plugin_sdk::testing::Feed {
        let feeds = self.host.feeds(CLIENT);
        assert_eq!(feeds.len(), 1, "{feeds:?}");
        feeds.into_values().next().unwrap()
    }

    fn close_code(&self) -> Option<u16> {
        self.host.closed(CLIENT).map(|reason| reason.code)
    }
}

fn wallboard() -> Principal {
    Principal {
        name: "wallboard".into(),
        extension: Some("201".into()),
        allow: ["dial".to_owned(), "hangup:own".to_owned()].into(),
        ..Principal::default()
    }
}

/// What the core answers to a snapshot query.
fn snapshot() -> Value {
    json!({"id": null, "ok": true, "result": {
        "seq": 200, "epoch": "e1",
        "items": [{"lines": [], "calls": [{"call": "c1"}]}],
        "parts": [["pbx1", 207], ["pbx2", 203]],
    }})
}

fn refusal(code: &str) -> Value {
    json!({"id": null, "ok": false, "error": {"code": code, "message": "because"}})
}
