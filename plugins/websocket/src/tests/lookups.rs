//! Clients that look numbers up: who hears of them, and what they are asked.

use super::{CLIENT, Scene, wallboard};
use serde_json::{Value, json};
use telepulse_plugin_sdk::{Event, language::Principal};

impl Scene {
    /// What was published since the last look: the last word of the address, and what.
    fn told(&self) -> Vec<(String, Value)> {
        let published = self.host.published().into_iter();
        published
            .map(|it| {
                let word = it.address.rsplit('.').next().unwrap_or_default().to_owned();
                (word, serde_json::from_slice(&it.payload).unwrap_or_default())
            })
            .collect()
    }

    fn hears(&mut self, kind: &str, payload: &Value) {
        let payload = payload.to_string();
        let address = "telepulse.client";
        let event =
            Event { seq: 0, time_ns: 0, address, kind, server: None, payload: payload.as_bytes() };
        self.stage.event(event).unwrap();
    }
}

fn asked() -> Principal {
    Principal { allow: ["lookupAnswer".to_owned()].into(), ..wallboard() }
}

fn subscribe() -> Value {
    json!({"action": "subscribe", "id": "l", "filter": {"events": ["lookup"]}})
}

#[test]
fn who_subscribes_to_lookups_is_told_and_asked() {
    let mut scene = Scene::new();
    scene.stage.leave(CLIENT);
    scene.open(CLIENT, Some(asked()));
    scene.say(&subscribe());
    let client = json!({"client": CLIENT, "user": "wallboard", "extension": "201"});
    assert_eq!(scene.told(), [("joined".to_owned(), client.clone())]);
    // Whoever elects may come later, and so may a new build of the gateway.
    scene.hears("ask", &json!({}));
    assert_eq!(scene.told(), [("joined".to_owned(), client.clone())]);
    scene.stage.swap().unwrap();
    scene.stage.resume();
    assert_eq!(scene.told(), [("joined".to_owned(), client)]);
    let question = json!({"event": "lookup", "lookup": "5f"});
    scene.hears("tell", &json!({"client": CLIENT, "event": question}));
    assert_eq!(scene.host.sent_json(CLIENT), std::slice::from_ref(&question));
    // One that has gone is said to have.
    scene.hears("tell", &json!({"client": 99, "event": question}));
    assert_eq!(scene.told(), [("left".to_owned(), json!({"client": 99}))]);
    scene.say(&json!({"action": "unsubscribe", "subscription": "l"}));
    assert_eq!(scene.told(), [("left".to_owned(), json!({"client": CLIENT}))]);
    scene.say(&subscribe());
    drop(scene.told());
    scene.stage.leave(CLIENT);
    assert_eq!(scene.told(), [("left".to_owned(), json!({"client": CLIENT}))]);
}

#[test]
fn others_are_nobodys_business() {
    let mut scene = Scene::new();
    // Without the right to answer, without an extension, and with another subscription.
    scene.say(&subscribe());
    scene.open(8, Some(Principal { extension: None, ..asked() }));
    scene.stage.text(8, &subscribe().to_string());
    scene.open(9, Some(asked()));
    scene.stage.text(9, &json!({"action": "subscribe"}).to_string());
    assert_eq!(scene.told(), []);
    scene.hears("tell", &json!({"client": 9, "event": {"event": "lookup"}}));
    assert_eq!(scene.told(), [("left".to_owned(), json!({"client": 9}))]);
}
