//! A client of the admin API, for the commands that work on a running TelePulse.

use crate::{
    exchange::{endpoint, exchange},
    tls,
};
use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::Args;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use serde_json::Value;
use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

/// How long an answer may take; compiling a large component takes a while.
const WITHIN: Duration = Duration::from_mins(2);
/// After so long somebody who looks is told what is waited for.
const AT_ONCE: Duration = Duration::from_secs(2);
/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The most bytes of an answer.
const MAX_ANSWER: usize = 16 << 20;

/// Where the admin API is.
#[derive(Args, Clone)]
pub(super) struct Client {
    /// The admin API of the running TelePulse.
    #[arg(
        long,
        env = "TELEPULSE_ADMIN_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8082"
    )]
    admin: Uri,
    /// Its token, where one is configured; better in the environment than on the command line.
    #[arg(long, env = "TELEPULSE_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
    /// Certificates (PEM) of the authorities that may have signed the admin API's; those that this
    /// machine trusts, unless it is given.
    #[arg(long, env = "TELEPULSE_ADMIN_CA", value_name = "FILE")]
    admin_ca: Option<PathBuf>,
    /// Print all that is answered, as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// What a request brings along.
pub(super) enum Content {
    Nothing,
    Json(Value),
    Component(Bytes),
}

impl Client {
    /// Sends a request and gives what is answered; null where the answer is empty. A problem that
    /// is answered is an error with its words.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        content: Content,
    ) -> anyhow::Result<Value> {
        let request = self.request(method, path, content)?;
        let (status, body) = self.answered(request).await?;
        read(status, &body)
    }

    /// The same, with what is answered to a bad request, too: whether it went well, and the answer.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        content: Content,
    ) -> anyhow::Result<(bool, Value)> {
        let request = self.request(method, path, content)?;
        let (status, body) = self.answered(request).await?;
        if status == StatusCode::BAD_REQUEST
            && let Ok(answer) = serde_json::from_slice::<Value>(&body)
            && answer["mistakes"].is_array()
        {
            return Ok((false, answer));
        }
        Ok((true, read(status, &body)?))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        content: Content,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let host = self.admin.authority().context("--admin names no host")?;
        let mut request =
            Request::builder().method(method).uri(path).header(header::HOST, host.as_str());
        if let Some(token) = &self.admin_token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let (kind, bytes) = match content {
            Content::Nothing => return Ok(request.body(Full::default())?),
            Content::Json(value) => ("application/json", value.to_string().into()),
            Content::Component(bytes) => ("application/wasm", bytes),
        };
        Ok(request.header(header::CONTENT_TYPE, kind).body(Full::new(bytes))?)
    }

    /// Sends a request and waits for the answer, not without a word where somebody looks.
    async fn answered(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut answer = pin!(timeout(WITHIN, self.send(request)));
        let answered = if let Ok(answered) = timeout(AT_ONCE, &mut answer).await {
            answered
        } else {
            self.tell_what_is_waited_for();
            answer.await
        };
        answered.with_context(|| format!("{} does not answer", self.admin))?
    }

    fn tell_what_is_waited_for(&self) {
        if io::stderr().is_terminal() {
            eprintln!(
                "waiting for {}: a TelePulse that starts for the first time compiles its plugins \
                 before it answers",
                self.admin
            );
        }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        let is_encrypted = match self.admin.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => bail!("--admin must be a URL like http://127.0.0.1:8082"),
        };
        let (host, port) = endpoint(&self.admin).context("--admin names no host")?;
        let unreachable = || {
            format!("no TelePulse answers at {}: is it running? --admin names another", self.admin)
        };
        let stream = timeout(CONNECT_WITHIN, TcpStream::connect((host, port)))
            .await
            .with_context(unreachable)?
            .with_context(unreachable)?;
        if !is_encrypted {
            return exchange(stream, request, MAX_ANSWER).await.map_err(anyhow::Error::from_boxed);
        }
        let roots = match &self.admin_ca {
            Some(ca) => tls::roots(ca).map_err(anyhow::Error::msg).context("--admin-ca")?,
            None => tls::machine_roots().context("this machine trusts no authority: --admin-ca")?,
        };
        let config = tls::builder(roots).map_err(anyhow::Error::msg)?.with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).context("--admin")?;
        let connector = TlsConnector::from(Arc::new(config));
        let stream = timeout(CONNECT_WITHIN, connector.connect(name, stream))
            .await
            .with_context(unreachable)?
            .with_context(|| {
                format!("{}: is its certificate trusted? See --admin-ca", self.admin)
            })?;
        exchange(stream, request, MAX_ANSWER).await.map_err(anyhow::Error::from_boxed)
    }
}

/// What an answer says.
fn read(status: StatusCode, body: &[u8]) -> anyhow::Result<Value> {
    let value = match body {
        [] => Value::Null,
        body => serde_json::from_slice(body).unwrap_or_default(),
    };
    if status.is_success() {
        return Ok(value);
    }
    match (value["detail"].as_str(), value["field"].as_str()) {
        (Some(detail), Some(field)) => bail!("{field}: {detail}"),
        (Some(detail), None) => bail!("{detail}"),
        _ => bail!("the answer is {status}: is this TelePulse's admin API?"),
    }
}

/// A word as one segment of a path.
pub(super) fn segment(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let escape = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    word.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_in_its_words() {
        let read = |status, body: &str| read(status, body.as_bytes()).map_err(|e| e.to_string());
        let bad = StatusCode::BAD_REQUEST;
        let problem = r#"{"detail":"is missing","field":"host","code":"badRequest"}"#;
        assert_eq!(read(bad, problem), Err("host: is missing".to_owned()));
        assert_eq!(read(bad, r#"{"detail":"no"}"#), Err("no".to_owned()));
        let other = read(bad, "<html>").unwrap_err();
        assert!(other.starts_with("the answer is 400 Bad Request"), "{other}");
        assert_eq!(read(StatusCode::NO_CONTENT, ""), Ok(Value::Null));
        assert_eq!(read(StatusCode::OK, "[]"), Ok(Value::Array(Vec::new())));
    }

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(segment("pbx-1_a"), "pbx-1_a");
        assert_eq!(segment("../x?š"), "%2E%2E%2Fx%3F%C5%A1");
    }
}
