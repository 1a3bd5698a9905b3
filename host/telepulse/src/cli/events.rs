//! `events`: a live tail over the WebSocket gateway.

mod summary;

use super::output;
use crate::paint::Paint;
use anyhow::{Context as _, bail};
use clap::Args;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, header};
use serde_json::{Value, json};
use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};
use telepulse_language::Filter;
use tokio::time::timeout;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _, protocol::CloseFrame},
};

/// How long connecting and subscribing may take.
const WITHIN: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(super) struct Options {
    /// Which events: a JSON object with lists of events, servers, agents and queues.
    #[arg(long, value_name = "JSON", default_value = "{}", value_parser = filter)]
    filter: Value,
    /// The token of a user; better in the environment than on the command line.
    #[arg(long, env = "TELEPULSE_TOKEN", hide_env_values = true)]
    token: String,
    /// The WebSocket gateway.
    #[arg(long, env = "TELEPULSE_WEBSOCKET_URL", default_value = "ws://127.0.0.1:8084/")]
    url: String,
    /// Print first how everything is now.
    #[arg(long)]
    snapshot: bool,
    /// Print each event whole, as JSON; so it is where the output is no terminal.
    #[arg(long, conflicts_with = "short")]
    json: bool,
    /// Print each event as one short line, wherever it goes.
    #[arg(long)]
    short: bool,
}

/// Reads a filter as the gateway will.
fn filter(text: &str) -> Result<Value, String> {
    let fields = telepulse_language::object(text.as_bytes()).map_err(|error| error.to_string())?;
    let value = Value::Object(fields);
    serde_json::from_value::<Filter>(value.clone()).map_err(|error| error.to_string())?;
    Ok(value)
}

/// Prints events until the gateway ends it.
pub(super) async fn follow(options: Options) -> anyhow::Result<()> {
    let mut request = options.url.as_str().into_client_request().context(options.url.clone())?;
    let token = HeaderValue::from_str(&format!("Bearer {}", options.token))
        .context("the token has characters that no token has")?;
    request.headers_mut().insert(header::AUTHORIZATION, token);
    let unreachable = || {
        format!("no gateway answers at {}: is TelePulse running? --url names another", options.url)
    };
    let connected = timeout(WITHIN, connect_async(request)).await.with_context(unreachable)?;
    let (mut socket, _) = connected.map_err(explain).with_context(unreachable)?;
    let subscribe = json!({
        "action": "subscribe", "id": "events", "filter": options.filter, "snapshot": options.snapshot,
    });
    socket.send(Message::text(subscribe.to_string())).await?;
    let reply = timeout(WITHIN, socket.next()).await.context("the gateway does not answer")?;
    let is_short = options.short || (!options.json && io::stdout().is_terminal());
    let paint = is_short.then(|| Paint::for_output(&io::stdout()));
    let mut next = reply;
    let mut subscribed = false;
    loop {
        match next.context("the gateway closed the connection")?? {
            Message::Text(text) if subscribed => show(&text, paint)?,
            Message::Text(text) => {
                subscribed = true;
                read_reply(&text, options.snapshot)?;
            }
            Message::Close(frame) => bail!("{}", farewell(frame.as_ref())),
            // Pings are answered by the library.
            _ => {}
        }
        next = socket.next().await;
    }
}

/// The reply to the subscription: its snapshot is printed if asked for.
fn read_reply(text: &str, snapshot: bool) -> anyhow::Result<()> {
    let reply: Value = serde_json::from_str(text).context("the gateway's reply is not JSON")?;
    if reply["ok"] != true {
        let message = reply["error"]["message"].as_str().unwrap_or("without a reason");
        bail!("the gateway refuses: {message}");
    }
    if snapshot { print(&reply["result"].to_string()) } else { Ok(()) }
}

/// An event whole, or as one line in these colours.
fn show(text: &str, paint: Option<Paint>) -> anyhow::Result<()> {
    let short =
        paint.and_then(|paint| Some(summary::line(&serde_json::from_str(text).ok()?, paint)));
    let Some(line) = short else { return print(text) };
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn print(line: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", output::inert(line, false))?;
    Ok(out.flush()?)
}

/// Why the gateway closed the connection (contract section 3).
fn farewell(frame: Option<&CloseFrame>) -> String {
    let Some(frame) = frame else { return "the gateway closed the connection".to_owned() };
    match u16::from(frame.code) {
        4401 => "the token is wrong: `telepulse token` makes one for [[auth.user]]".to_owned(),
        4408 => "this terminal reads too slowly: narrow the --filter".to_owned(),
        1012 => "TelePulse stops".to_owned(),
        code => format!("the gateway closed the connection: {code} {}", frame.reason),
    }
}

/// A refused upgrade in words.
fn explain(error: Error) -> anyhow::Error {
    match error {
        Error::Http(response) => anyhow::anyhow!("the answer is {}", response.status()),
        Error::Io(error) => error.into(),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

    #[test]
    fn a_filter_is_checked_before_it_is_sent() {
        assert_eq!(filter("{}"), Ok(json!({})));
        assert!(filter(r#"{"queues":["sales"],"events":[]}"#).is_ok());
        for bad in ["", "[]", "{", r#"{"queue":["sales"]}"#, r#"{"queues":"sales"}"#] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_close_is_told_in_words() {
        let close = |code: u16| CloseFrame { code: CloseCode::from(code), reason: "why".into() };
        assert!(farewell(Some(&close(4401))).contains("token"));
        assert!(farewell(Some(&close(4408))).contains("--filter"));
        assert!(farewell(Some(&close(1008))).ends_with("1008 why"));
    }

    #[test]
    fn a_refusal_ends_it() {
        let refusal = r#"{"id":"events","ok":false,"error":{"code":"x","message":"no"}}"#;
        let error = read_reply(refusal, false).unwrap_err().to_string();
        assert_eq!(error, "the gateway refuses: no");
        assert!(read_reply(r#"{"id":"events","ok":true,"result":{}}"#, false).is_ok());
    }
}
