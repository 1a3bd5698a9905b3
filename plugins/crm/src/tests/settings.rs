//! What operators write.

use super::host;
use crate::{adapter::Adapter, crm::Crm};
use serde_json::{Map, Value, json};
use telepulse_plugin_sdk::testing::FakeHost;

#[test]
fn an_operators_mistakes_keep_it_from_starting() {
    let request = |key: &str, value: Value| {
        ("request", json!({"lookup": {"method": "GET", "url": "{url}"}, key: value}))
    };
    for ((key, value), why) in [
        (("country", json!("Croatia")), "country"),
        (("internalDigits", json!(99)), "internalDigits: must be 0 to 12"),
        (("timeoutMs", json!(1)), "timeoutMs"),
        (("retries", json!(-1)), "retries"),
        (("ttlSeconds", json!(0)), "ttlSeconds"),
        (("missSeconds", json!(0)), "missSeconds"),
        (("answerSeconds", json!(0)), "answerSeconds"),
        (("lookup", json!("magic")), "lookup"),
        (("adapter", json!("sugar")), "adapter: \"sugar\" is unknown; there are rest, hubspot"),
        (("url", json!("crm.example")), "url: must be where the CRM is"),
        (("colour", json!("red")), "colour"),
        (request("lookup", json!({"method": "GET"})), "url"),
        (
            request("lookup", json!({"method": "GET", "url": "{url}", "info": {"a": "name"}})),
            "JSON pointer",
        ),
        (
            request("lookup", json!({"method": "GET", "url": "{url}/{agent}"})),
            "nobody knows {agent}",
        ),
        (
            request("log", json!({"method": "POST", "url": "{url}", "body": ["{nothing}"]})),
            "{nothing}",
        ),
        (request("auth", json!({"kind": "magic"})), "auth"),
        (
            request("auth", json!({"kind": "bearer", "secret": "absent"})),
            "[secrets] absent: is missing",
        ),
        (request("colour", json!(1)), "colour"),
    ] {
        let host = host();
        host.set(key, value);
        let error = host.start::<Crm>().err().unwrap_or_default();
        assert!(error.contains(why), "{key}: {error:?} lacks {why:?}");
    }
    let bare = FakeHost::install();
    bare.set("lookup", "http");
    assert!(bare.start::<Crm>().err().unwrap().contains("adapter: is missing"));
    let bare = FakeHost::install();
    assert!(bare.start::<Crm>().is_ok(), "an address book needs nothing");
}

#[test]
fn every_preset_is_whole() {
    for name in ["rest", "hubspot", "salesforce", "zoho"] {
        let adapter = Adapter::named(name, &Map::new(), &["url", "clientId", "accountsUrl"]);
        let adapter = adapter.unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(adapter.lookup.is_some() && adapter.log.is_some(), "{name}");
    }
}

#[test]
fn an_operators_words_stand_over_the_presets() {
    let own = json!({"lookup": {"info": {"vip": "/vip"}}});
    let Value::Object(own) = own else { return };
    let adapter = Adapter::named("rest", &own, &["url"]).unwrap();
    let record = json!({"items": [{"id": "7", "vip": true}]});
    let info = adapter.lookup.unwrap().info(&record);
    assert_eq!(info["vip"], true);
}
