//! The public keys of the identity provider: fetched at the start, then again and again, so that keys which
//! it rolls over are known and keys which it takes back are not trusted any more.

use super::Jwt;
use crate::{exchange, tls};
use bytes::Bytes;
use http::{Method, Uri, header};
use http_body_util::Full;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
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
    let url: Uri = url.parse().map_err(|error| format!("{error}"))?;
    let request = exchange::request(Method::GET, &url)
        .header(header::ACCEPT, "application/json")
        .body(Full::default())
        .map_err(|error| error.to_string())?;
    let tls = if url.scheme_str() == Some("https") {
        let roots = tls::machine_roots().ok_or("this machine trusts no certificate authority")?;
        let config = tls::builder(roots)?.with_no_client_auth();
        Some(TlsConnector::from(Arc::new(config)))
    } else {
        None
    };
    match exchange::ask(&url, tls.as_ref(), request, LARGEST).await {
        Ok((status, keys)) if status.is_success() => Ok(keys),
        Ok((status, _)) => Err(format!("answers {status}")),
        Err(error) => Err(error.to_string()),
    }
}
