//! A WebSocket to one node, which may be gone at any moment: every wait has an end.

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::time::Duration;
use telepulse_tests::node::TOKEN;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

/// A node that was stopped takes connections and says nothing.
const CONNECT: Duration = Duration::from_secs(3);

/// A connection that is logged in.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn connect(port: u16) -> Result<Self> {
        let mut request = format!("ws://127.0.0.1:{port}/").into_client_request()?;
        request.headers_mut().insert("authorization", format!("Bearer {TOKEN}").parse()?);
        let connected = timeout(CONNECT, connect_async(request)).await.context("it hangs")?;
        Ok(Self(connected?.0))
    }

    pub(crate) async fn send(&mut self, request: &Value) -> Result<()> {
        let sent = self.0.send(Message::text(request.to_string()));
        Ok(timeout(CONNECT, sent).await.context("it takes nothing")??)
    }

    /// The next reply or event; an error is the end. Dropped while it waits it has taken nothing.
    pub(crate) async fn next(&mut self) -> Result<Value> {
        loop {
            match self.0.next().await.context("the connection is closed")?? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(frame) => bail!("the connection was closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The reply to a request, which must come before any event, within a time.
    pub(crate) async fn ask(&mut self, request: &Value, limit: Duration) -> Result<Value> {
        self.send(request).await?;
        let reply = timeout(limit, self.next()).await;
        let reply = reply.with_context(|| format!("no reply to {request}"))??;
        if reply["ok"] != true {
            bail!("{request} was answered {reply}");
        }
        Ok(reply["result"].clone())
    }
}
