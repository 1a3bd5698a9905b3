//! The public keys of the identity provider: fetched at the start, then again and again, so that keys which
//! it rolls over are known and keys which it takes back are not trusted any more.

use super::Jwt;
use crate::tls;
use bytes::Bytes;
use http::{Request, Uri, header, uri::Authority};
use http_body_util::{BodyExt, Collected, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};
use tokio_util::sync::CancellationToken;

/// How often a file is read.
const FILE_EVERY: Duration = Duration::from_secs(5);
/// How often the provider is asked.
const URL_EVERY: Duration = Duration::from_mins(2);
/// How soon again after a failure.
const AGAIN: Duration = Duration::from_secs(10);
/// How long an answer may take.
const WITHIN: Duration = Duration::from_secs(10);
/// The largest set of keys, in bytes.
const LARGEST: usize = 1 << 20;

/// Keeps the keys fresh until stopped. Where they cannot be had those of before stay.
pub(crate) async fn follow(jwt: Arc<Jwt>, stop: CancellationToken) {
    let Some(source) = jwt.source().map(str::to_owned) else { return };
    let is_url = source.starts_with("https://") || source.starts_with("http://");
    let mut before = Bytes::new();
    loop {
        let fetched = if is_url { fetch(&source).await } else { read(&source).await };
        let outcome = fetched.and_then(|keys| {
            if keys != before {
                let count = jwt.replace_keys(&keys)?;
                tracing::info!(source, count, "keys for JSON Web Tokens");
                before = keys;
            }
            Ok(())
        });
        let pause = match (outcome, is_url) {
            (Ok(()), true) => URL_EVERY,
            (Ok(()), false) => FILE_EVERY,
            (Err(error), _) => {
                tracing::error!(source, error, "auth.jwt.keys: those of before stay");
                AGAIN
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
        }
    }
}

async fn read(path: &str) -> Result<Bytes, String> {
    let read = tokio::fs::read(Path::new(path)).await;
    read.map(Bytes::from).map_err(|error| error.to_string())
}

async fn fetch(url: &str) -> Result<Bytes, String> {
    let late = || format!("no answer within {} s", WITHIN.as_secs());
    timeout(WITHIN, get(url)).await.unwrap_or_else(|_| Err(late()))
}

async fn get(url: &str) -> Result<Bytes, String> {
    let uri: Uri = url.parse().map_err(|error| format!("{error}"))?;
    let host = uri.host().ok_or("names no host")?.to_owned();
    let is_encrypted = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let stream = TcpStream::connect((bare.as_str(), port)).await;
    let stream = stream.map_err(|error| format!("{host}:{port}: {error}"))?;
    if !is_encrypted {
        return exchange(stream, &uri).await;
    }
    let roots = tls::machine_roots().ok_or("this machine trusts no certificate authority")?;
    let config = tls::builder(roots)?.with_no_client_auth();
    let name = ServerName::try_from(bare).map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    exchange(stream.map_err(|error| format!("{host}:{port}: TLS: {error}"))?, &uri).await
}

async fn exchange<S>(stream: S, uri: &Uri) -> Result<Bytes, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let wrong = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(wrong)?;
    // It ends with the sender; its errors come out there.
    tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri.authority().map(Authority::as_str).unwrap_or_default();
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(wrong)?;
    if !answer.status().is_success() {
        return Err(format!("answers {}", answer.status()));
    }
    let body = Limited::new(answer.into_body(), LARGEST).collect().await;
    body.map(Collected::to_bytes).map_err(|error| error.to_string())
}
