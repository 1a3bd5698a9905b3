//! Clients that only listen: server-sent events, as a browser's `EventSource` takes them.

use crate::platform::{Platform, SOON, TOKEN};
use anyhow::{Context, Result, ensure};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

/// One message of a stream.
#[derive(Debug, Default)]
struct Told {
    id: String,
    kind: String,
    data: Value,
}

struct Listener {
    response: Response,
    text: String,
}

impl Listener {
    async fn open(platform: &Platform, query: &str, last: Option<&str>) -> Result<Self> {
        let mut request = Client::new()
            .get(platform.rest(&format!("/v1/events{query}")))
            .bearer_auth(TOKEN)
            .header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await?;
        ensure!(response.status() == StatusCode::OK, "{}", response.text().await?);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(Self { response, text: String::new() })
    }

    /// The next message; comments are passed over. None at the end.
    async fn next(&mut self) -> Result<Option<Told>> {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let mut told = Told::default();
                for line in message.lines() {
                    match line.split_once(": ") {
                        Some(("id", id)) => told.id = id.into(),
                        Some(("event", kind)) => told.kind = kind.into(),
                        Some(("data", data)) => told.data = serde_json::from_str(data)?,
                        _ => {}
                    }
                }
                self.text = rest.into();
                if told.data != Value::Null {
                    return Ok(Some(told));
                }
                continue;
            }
            let chunk = timeout(SOON, self.response.chunk()).await.context("in time")??;
            let Some(chunk) = chunk else { return Ok(None) };
            self.text += std::str::from_utf8(&chunk)?;
        }
    }

    async fn told(&mut self) -> Result<Told> {
        self.next().await?.context("the stream goes on")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_get_their_events_and_go_on_where_they_were() -> Result<()> {
    let platform = Platform::builder().start().await?;
    let mut listener = Listener::open(&platform, "?events=paint&agents=201", None).await?;
    let reply = listener.told().await?;
    assert_eq!((&reply.data["ok"], reply.id.as_str()), (&json!(true), ""));
    let mut last = String::new();
    for colour in 0..500 {
        platform.paint("202", colour);
        let seq = platform.paint("201", colour);
        if colour % 100 > 0 {
            continue;
        }
        // Each hundredth is waited for, so that the others come in batches.
        loop {
            let told = listener.told().await?;
            assert_eq!(
                (&told.data["event"], &told.data["agent"]),
                (&json!("paint"), &json!("201"))
            );
            last.clone_from(&told.id);
            if told.data["seq"] == seq {
                assert_eq!(told.data["colour"], colour);
                assert!(told.id.ends_with(&format!(":{seq}")), "{told:?}");
                break;
            }
        }
    }
    drop(listener);

    // What comes while nobody listens, and a gateway that is swapped: all of it, once, in order.
    let missed: Vec<u64> = (500..510).map(|colour| platform.paint("201", colour)).collect();
    let mut listener = Listener::open(&platform, "?events=paint&agents=201", Some(&last)).await?;
    let reply = listener.told().await?;
    assert_eq!(reply.data.pointer("/result/resync"), None, "{reply:?}");
    let mut seqs = Vec::new();
    while seqs.last() != missed.last() {
        seqs.push(listener.told().await?.data["seq"].as_u64().context("a number")?);
    }
    assert!(seqs.is_sorted_by(|a, b| a < b) && seqs.ends_with(&missed), "{seqs:?}");
    platform.app.plugins().reload("websocket").await?;
    let after = platform.paint("201", 510);
    assert_eq!(
        listener.told().await?.data["seq"],
        after,
        "the stream outlives the gateway's build"
    );

    // A place that is not known: a snapshot, and it is said so.
    let mut stranger = Listener::open(&platform, "", Some("another:1")).await?;
    let reply = stranger.told().await?;
    assert_eq!(reply.data["result"]["resync"], true);
    assert!(reply.data["result"]["snapshot"].is_object(), "{reply:?}");
    // What cannot be: told, and closed.
    let mut wrong = Listener::open(&platform, "?colour=red", None).await?;
    assert_eq!(wrong.told().await?.data["error"]["field"], "colour");
    let end = wrong.told().await?;
    assert_eq!((end.kind.as_str(), &end.data["code"]), ("close", &json!(1008)));
    assert!(wrong.next().await?.is_none());

    let url = platform.rest("/v1/events");
    let ask = |token: Option<&'static str>| {
        let request = Client::new().get(&url).header("accept", "text/event-stream");
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    };
    assert_eq!(ask(None).send().await?.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(ask(Some("wrong")).send().await?.status(), StatusCode::UNAUTHORIZED);
    let foreign = ask(Some(TOKEN)).header("origin", "https://evil.example").send().await?;
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    platform.stop().await;
    let end = listener.told().await?;
    assert_eq!((end.kind.as_str(), &end.data["code"]), ("close", &json!(1012)));
    Ok(())
}
