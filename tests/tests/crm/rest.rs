//! The REST API for CRMs of one's own, as `docs/crm-presets.md` describes it.

use crate::{
    calls::NUMBER,
    wire::{self, Answer},
};
use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};
use telepulse_tests::crm::{Crm, Kind, TOKEN};

async fn send(crm: &Crm, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
    wire::send(crm, method, path, Some(&format!("Bearer {TOKEN}")), body).await
}

#[tokio::test]
async fn contacts_are_found_by_their_number() -> Result<()> {
    let crm = Crm::start(Kind::Rest).await?;
    let id = crm.contact(NUMBER, json!({"name": "Ana"}));
    let found = send(&crm, Method::GET, "/contacts?phone=%2B38511234567", None).await?;
    let item = json!({"id": id, "name": "Ana", "phone": NUMBER});
    assert_eq!((found.status, found.body), (200, json!({"items": [item]})));
    let unknown = send(&crm, Method::GET, "/contacts?phone=%2B1", None).await?;
    assert_eq!((unknown.status, unknown.body), (200, json!({"items": []})));
    assert_eq!(send(&crm, Method::GET, "/contacts?name=Ana", None).await?.status, 400);
    assert_eq!(send(&crm, Method::GET, "/elsewhere", None).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn calls_are_kept_in_their_order_and_wrong_ones_refused() -> Result<()> {
    let crm = Crm::start(Kind::Rest).await?;
    let call = json!({"call": "a", "direction": "in", "started": "2026-11-22T00:30:00Z"});
    let answer = send(&crm, Method::POST, "/calls", Some(&call)).await?;
    assert_eq!((answer.status, answer.body), (201, json!({"id": "call-1"})));
    for (field, wrong) in [
        ("direction", json!("sideways")),
        ("started", json!("yesterday")),
        ("seconds", json!("many")),
        ("contact", json!("c-9")),
        ("colour", json!("red")),
        ("call", Value::Null),
    ] {
        let mut bad = call.clone();
        bad[field] = wrong;
        let answer = send(&crm, Method::POST, "/calls", Some(&bad)).await?;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.body["error"].as_str().is_some_and(|error| error.contains(field)));
    }
    assert_eq!(crm.logged(), [call]);
    Ok(())
}

#[tokio::test]
async fn strangers_and_other_bodies_are_refused() -> Result<()> {
    let crm = Crm::start(Kind::Rest).await?;
    for authorization in [None, Some("Bearer wrong"), Some("Basic Zm9vOmJhcg==")] {
        let answer = wire::send(&crm, Method::GET, "/contacts", authorization, None).await?;
        assert_eq!(answer.status, 401);
    }
    assert_eq!(send(&crm, Method::POST, "/calls", None).await?.status, 415);
    assert_eq!(send(&crm, Method::POST, "/calls", Some(&json!([1]))).await?.status, 400);
    Ok(())
}
