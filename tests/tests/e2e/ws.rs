//! A WebSocket client as an integrator would write it.

use crate::{platform::SOON, published};
use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::{collections::VecDeque, time::Duration};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, protocol::CloseFrame},
};

/// One connection, with the events that came while something else was waited for.
pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    events: VecDeque<Value>,
    last_id: u64,
}

/// What a client may get next.
pub(crate) enum Incoming {
    Json(Value),
    Closed(Option<CloseFrame>),
}

impl Client {
    /// Connects without logging in.
    pub(crate) async fn anonymous(port: u16) -> Result<Self> {
        let (socket, _) = connect_async(format!("ws://127.0.0.1:{port}/")).await?;
        Ok(Self { socket, events: VecDeque::new(), last_id: 0 })
    }

    /// Connects with a bearer token.
    pub(crate) async fn connect(port: u16, token: &str) -> Result<Self> {
        let mut request = format!("ws://127.0.0.1:{port}/").into_client_request()?;
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
        let (socket, _) = connect_async(request).await?;
        Ok(Self { socket, events: VecDeque::new(), last_id: 0 })
    }

    /// Sends text as it is.
    pub(crate) async fn send_text(&mut self, text: &str) -> Result<()> {
        Ok(self.socket.send(Message::text(text)).await?)
    }

    /// The next JSON object, or the end.
    pub(crate) async fn incoming(&mut self, limit: Duration) -> Result<Incoming> {
        let deadline = Instant::now() + limit;
        loop {
            // Pings of the server are no answer.
            let next = timeout_at(deadline, self.socket.next()).await;
            let next = next.context("nothing came in time")?;
            match next {
                None => return Ok(Incoming::Closed(None)),
                Some(Ok(Message::Text(text))) => {
                    let json: Value = serde_json::from_str(&text)?;
                    published::check(&json)?;
                    return Ok(Incoming::Json(json));
                }
                Some(Ok(Message::Close(frame))) => return Ok(Incoming::Closed(frame)),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// Sends a request and waits for its reply; events in between are kept.
    pub(crate) async fn request(&mut self, mut request: Value) -> Result<Value> {
        self.last_id += 1;
        let id = json!(format!("r{}", self.last_id));
        request["id"] = id.clone();
        self.send_text(&request.to_string()).await?;
        loop {
            match self.incoming(SOON).await.with_context(|| format!("reply to {request}"))? {
                Incoming::Json(reply) if reply.get("ok").is_some() && reply["id"] == id => {
                    return Ok(reply);
                }
                Incoming::Json(event) if event.get("event").is_some() => {
                    self.events.push_back(event);
                }
                Incoming::Json(other) => bail!("neither event nor the reply: {other}"),
                Incoming::Closed(frame) => bail!("closed: {frame:?}"),
            }
        }
    }

    /// The result of a request that must succeed.
    pub(crate) async fn ok(&mut self, request: Value) -> Result<Value> {
        let reply = self.request(request.clone()).await?;
        if reply["ok"] != true {
            bail!("{request} was refused: {reply}");
        }
        if request["action"] == "query" {
            published::check_items(&request["query"], &reply["result"])?;
        }
        Ok(reply["result"].clone())
    }

    /// The error of a request that must be refused.
    pub(crate) async fn refused(&mut self, request: Value) -> Result<Value> {
        let reply = self.request(request.clone()).await?;
        if reply["ok"] != false {
            bail!("{request} was not refused: {reply}");
        }
        Ok(reply["error"].clone())
    }

    /// Waits for an event; those before it are dropped.
    pub(crate) async fn event(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(&Value) -> bool,
    ) -> Result<Value> {
        let mut seen = Vec::new();
        let waiting = async {
            loop {
                let event = self.next_event().await?;
                if wanted(&event) {
                    return Ok(event);
                }
                seen.push(event.to_string());
            }
        };
        match timeout(SOON, waiting).await {
            Ok(event) => event,
            Err(_) => bail!("waited in vain for {what}; came:\n{}", seen.join("\n")),
        }
    }

    /// The next event.
    pub(crate) async fn next_event(&mut self) -> Result<Value> {
        if let Some(event) = self.events.pop_front() {
            return Ok(event);
        }
        match self.incoming(SOON).await? {
            Incoming::Json(event) if event.get("event").is_some() => Ok(event),
            Incoming::Json(other) => bail!("a reply that nobody waits for: {other}"),
            Incoming::Closed(frame) => bail!("closed: {frame:?}"),
        }
    }

    /// Waits until an extension has exactly the lines that are described by state and number.
    pub(crate) async fn lines(&mut self, agent: &str, expected: &[(&str, &str)]) -> Result<Value> {
        let what = format!("activeLines of {agent} to be {expected:?}");
        self.event(&what, |event| {
            event["event"] == "activeLines" && event["agent"] == agent && matches(event, expected)
        })
        .await
    }
}

fn matches(event: &Value, expected: &[(&str, &str)]) -> bool {
    let Some(lines) = event["lines"].as_array() else { return false };
    lines.len() == expected.len()
        && expected.iter().all(|(state, number)| {
            lines.iter().any(|line| line["state"] == *state && line["number"] == *number)
        })
}
