//! What an integrator's program does over REST: sends again what got no answer, asks only for what is new,
//! reads the description.

use crate::platform::{Platform, SOON, TOKEN};
use anyhow::Result;
use reqwest::{Client, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use std::time::Duration;
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    phones::Phone,
    wait,
};

const RING: Duration = Duration::from_millis(300);

/// An answer as this test looks at it.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

async fn send(request: reqwest::RequestBuilder) -> Result<Answer> {
    let response = request.bearer_auth(TOKEN).send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.bytes().await?;
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
    Ok(Answer { status, headers, body })
}

async fn dial(platform: &Platform, key: &str, user: &str) -> Result<Answer> {
    let request = Client::new().post(platform.rest("/v1/calls"));
    // Nobody can pretend to be another user.
    let request = request.header("idempotency-key", key).header("telepulse-user", user);
    send(request.json(&json!({"from": "101", "to": "102"}))).await
}

async fn get(platform: &Platform, path: &str, tag: Option<&str>) -> Result<Answer> {
    let mut request = Client::new().get(platform.rest(path));
    if let Some(tag) = tag {
        request = request.header("if-none-match", tag);
    }
    send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_that_is_sent_again_is_one_call() -> Result<()> {
    let Some(installation) = asterisk::require("integrators::a_dial_that_is_sent_again") else {
        return Ok(());
    };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let mut phones = Vec::new();
    for extension in ["101", "102"] {
        phones.push(Phone::answering(pbx.phone_port(extension)?, RING).await?);
    }
    let platform = Platform::builder().server("pbx1", &pbx).start().await?;
    platform.connected("pbx1").await?;

    // Twenty at once, as impatient clients are: one is carried out.
    let sent = (0..20).map(|number| {
        let user = format!("user {number}");
        let platform = &platform;
        async move { dial(platform, "order-1", &user).await }
    });
    let answers = futures_util::future::try_join_all(sent).await?;
    let done: Vec<&Answer> =
        answers.iter().filter(|it| it.status == StatusCode::ACCEPTED).collect();
    assert!(!done.is_empty());
    assert!(answers.iter().all(|it| matches!(it.status.as_u16(), 202 | 409)));
    // The instance that answered is gone, and so is its build.
    platform.app.plugins().reload("rest").await?;
    let again = dial(&platform, "order-1", "").await?;
    assert_eq!((again.status, &again.body), (StatusCode::ACCEPTED, &done[0].body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("location"), done[0].header("location"));
    let calls = get(&platform, "/v1/calls", None).await?;
    assert_eq!(calls.body["items"].as_array().map(Vec::len), Some(1), "{}", calls.body);

    // Who has the list gets it again only once it is another.
    let call = done[0].header("location").expect("where the call is").to_owned();
    let tag = wait::until("the call to be answered and quiet", SOON, async || {
        let first = get(&platform, &call, None).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let tag = first.header("etag").expect("a tag").to_owned();
        let same = get(&platform, &call, Some(&tag)).await?;
        let is_up = first.body["state"] == "up";
        Ok((is_up && same.status == StatusCode::NOT_MODIFIED && same.body.is_null()).then_some(tag))
    })
    .await?;
    let hung_up = send(Client::new().delete(platform.rest(&call))).await?;
    assert_eq!(hung_up.status, StatusCode::NO_CONTENT);
    wait::until("the ended call at its place", SOON, async || {
        let ended = get(&platform, &call, Some(&tag)).await?;
        Ok((ended.status == StatusCode::OK && ended.body["disposition"].is_string()).then_some(()))
    })
    .await?;

    // The description is open to all, and says where the lists are.
    let open = reqwest::get(platform.rest("/v1/openapi.json")).await?;
    assert_eq!(open.status(), StatusCode::OK);
    let description: Value = open.json().await?;
    assert_eq!(description["paths"]["/v1/calls"]["post"]["operationId"], "dial");
    let part = get(&platform, "/v1/extensions?limit=2", None).await?;
    let (first, next) = (part.body["items"].clone(), part.body["next"].clone());
    let rest = format!("/v1/extensions?after={}", next.as_str().expect("more"));
    let all = get(&platform, "/v1/extensions", None).await?;
    let listed = |value: &Value| value.as_array().map_or(0, Vec::len);
    let behind = get(&platform, &rest, None).await?;
    assert_eq!(listed(&first) + listed(&behind.body["items"]), listed(&all.body["items"]));
    platform.stop().await;
    Ok(())
}
