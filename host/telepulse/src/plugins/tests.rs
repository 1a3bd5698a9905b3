//! What plugins may publish, and what their requests carry.

use super::*;
use crate::bus::{Address, LocalBus};
use bytes::Bytes;
use plugin_host::ports::{Bus as _, BusEvent, EventSink, Request};
use serde_json::{Value, json};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use telepulse_language::Principal;

#[derive(Default)]
struct Seen(Mutex<Vec<Arc<BusEvent>>>);

impl EventSink for Seen {
    fn deliver(&self, event: &Arc<BusEvent>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(event));
    }
}

fn publish(address: &str, payload: &str) -> Result<Option<(u64, Value)>, String> {
    let bus = LocalBus::new("e".into(), 10);
    let port = bus::BusPort::new(bus);
    let seen = Arc::new(Seen::default());
    let all = ["telepulse".to_owned(), "telepulse.event.paint".to_owned(), "acme".to_owned()];
    let _guard = port.subscribe(&all, seen.clone());
    port.publish("painter", address, Bytes::copy_from_slice(payload.as_bytes()))?;
    let seen = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(seen.len() <= 1, "once, however many patterns match");
    Ok(seen.first().map(|event| (event.seq, serde_json::from_slice(&event.payload).unwrap())))
}

#[test]
fn a_plugins_event_gets_the_hosts_envelope() {
    let payload =
        r#"{"event":"fake","seq":99,"time":"fake","server":"pbx1","agent":"201","colour":"red"}"#;
    let (seq, mut event) = publish("telepulse.event.paint", payload).unwrap().unwrap();
    assert_eq!(seq, 1);
    let time = event.as_object_mut().unwrap().remove("time").unwrap();
    assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    let expected =
        json!({"event": "paint", "server": "pbx1", "seq": 1, "agent": "201", "colour": "red"});
    assert_eq!(event, expected);
}

#[test]
fn what_is_no_event_of_a_plugin_is_refused() {
    let check = |address: &str, payload: &str, expected: &str| {
        let error = publish(address, payload).unwrap_err();
        assert!(error.contains(expected), "{address} {payload}: {error}");
    };
    check("telepulse.event.activeLines", "{}", "the core's own");
    check("telepulse.event.parked", "{}", "the core's own");
    check("telepulse.event.lagged", "{}", "the core's own");
    check("telepulse.event", "{}", "telepulse.event.<type>");
    check("telepulse.event.paint.red", "{}", "telepulse.event.<type>");
    check("telepulse.event.p%61int", "{}", "telepulse.event.<type>");
    check("telepulse.event.paint", "[]", "object");
    check("telepulse.event.paint", "{", "JSON");
    check("telepulse.event.paint", r#"{"a":1,"a":2}"#, "paint");
    check("telepulse.event.paint", r#"{"agent":201}"#, "agent must be a string");
    check("telepulse..paint", "{}", "no address");
}

#[test]
fn elsewhere_a_payload_is_the_plugins_own() {
    assert_eq!(publish("acme.colours", "[1]"), Ok(Some((0, json!([1])))));
    assert_eq!(publish("elsewhere", "[1]"), Ok(None));
}

#[tokio::test]
async fn a_request_carries_who_asks_and_for_whom() {
    let bus = LocalBus::new("e".into(), 10);
    let port = bus::BusPort::new(bus.clone());
    let mut served = bus.serve(&Address::parse("telepulse.query").unwrap(), 10).unwrap();
    let ana = Arc::new(Principal { name: "ana".into(), ..Principal::default() });
    let request = Request {
        plugin: "rest".into(),
        address: "telepulse.query".into(),
        payload: Bytes::from_static(b"{}"),
        timeout: Duration::from_secs(5),
        principal: Some(ana.clone()),
        trace: Some("00-…".into()),
    };
    let answer = port.request(request.clone());
    let incoming = served.recv().await.unwrap();
    assert_eq!(incoming.headers.principal, Some(ana));
    assert_eq!(incoming.headers.plugin.as_deref(), Some("rest"));
    incoming.reply.send(Bytes::from_static(b"!")).unwrap();
    assert_eq!(answer.await, Ok(Bytes::from_static(b"!")));

    let nowhere = Request { address: "nowhere".into(), ..request.clone() };
    assert_eq!(port.request(nowhere).await, Err("nobody serves nowhere".to_owned()));
    let bad = Request { address: "a b".into(), ..request };
    assert!(port.request(bad).await.unwrap_err().contains("no address"));
}
