//! The history of calls: what `callEnded` told is found again, by REST and over WebSocket.

use crate::{
    platform::{Platform, TOKEN},
    rest,
    ws::Client,
};
use anyhow::{Context, Result};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    phones::Phone,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_found_after_its_end() -> Result<()> {
    let name = "history::a_call_is_found_after_its_end";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let _caller = Phone::answering(pbx.phone_port("101")?, Duration::from_millis(100)).await?;
    let _callee = Phone::answering(pbx.phone_port("102")?, Duration::from_millis(100)).await?;
    let platform = Platform::builder().server("pbx1", &pbx).start().await?;
    platform.connected("pbx1").await?;
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    client.ok(json!({"action": "subscribe"})).await?;

    let dial = json!({"from": "101", "to": "102"});
    let dialled = rest::call(&platform, Method::POST, "/v1/calls", Some(dial)).await?;
    let location = dialled.location.context("where the call is")?;
    client.lines("102", &[("up", "101")]).await?;
    let live = rest::call(&platform, Method::GET, &location, None).await?;
    assert_eq!(live.body["state"], "up", "{}", live.body);
    let gone = rest::call(&platform, Method::DELETE, &location, None).await?;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    let told = client.event("the call's end", |event| event["event"] == "callEnded").await?;

    let kept = rest::call(&platform, Method::GET, &location, None).await?;
    assert_eq!(kept.status, StatusCode::OK, "{}", kept.body);
    assert_eq!(kept.body["agents"], json!(["101", "102"]), "{}", kept.body);
    assert_eq!(kept.body["ended"], told["time"]);
    let envelope = ["event", "seq", "time", "agent"];
    for (field, value) in told.as_object().context("an object")? {
        if !envelope.contains(&field.as_str()) {
            assert_eq!(kept.body[field], *value, "{field} of {}", kept.body);
        }
    }
    let list = async |query: &str| -> Result<Value> {
        let path = format!("/v1/calls?ended=true{query}");
        Ok(rest::call(&platform, Method::GET, &path, None).await?.body["items"].take())
    };
    let all = json!([kept.body]);
    assert_eq!(list("").await?, all);
    assert_eq!(list("&agents=102&number=102").await?, all);
    assert_eq!(list("&agents=103").await?, json!([]));
    assert_eq!(
        list(&format!("&until={}", told["time"].as_str().unwrap_or_default())).await?,
        json!([])
    );
    let query = json!({"action": "query", "query": "endedCalls", "page": {"limit": 1}});
    assert_eq!(client.ok(query).await?["items"], all);
    platform.stop().await;
    Ok(())
}
