//! The way to ARI: TCP and TLS, the WebSocket on which events come, and requests beside it.

use crate::{
    config::{Server, ServerAri},
    exchange::exchange,
    proxy::{Said, encrypt, tcp},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{self, client::IntoClientRequest as _, protocol::WebSocketConfig},
};

/// How long opening the connection may take, TLS and the handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long Asterisk may take for a listing.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest event, in bytes: as large as a message on the bus may be.
const LARGEST_EVENT: usize = 1 << 20;
/// The largest listing, in bytes: some 80,000 channels.
const LARGEST_LISTING: usize = 64 << 20;

/// A TCP connection, encrypted or not.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<W: AsyncRead + AsyncWrite + Send + Unpin> Wire for W {}

/// The connection on which events come.
pub(super) type Socket = WebSocketStream<Box<dyn Wire>>;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Failed {
    /// It is not taken: another try would not be, either.
    Rejected(String),
    /// It is not there, or not yet.
    Away(String),
}

/// Connects as the one application that gets everything. The error names the place, and the way out
/// where there is one.
pub(super) async fn events(server: &Server, ari: &ServerAri) -> Result<Socket, Failed> {
    let scheme = if ari.url.is_encrypted { "wss" } else { "ws" };
    let (place, path) = (ari.url.authority(), &ari.url.path);
    let uri = format!("{scheme}://{place}{path}/events?app={}&subscribeAll=true", ari.app);
    let opening = async {
        let wire = wire(server, ari).await.map_err(Failed::Away)?;
        let unfit = |error| Failed::Away(format!("{place}: {error}"));
        let mut request = uri.into_client_request().map_err(unfit)?;
        request.headers_mut().insert(header::AUTHORIZATION, authorization(ari));
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST_EVENT))
            .max_frame_size(Some(LARGEST_EVENT));
        match client_async_with_config(request, wire, Some(config)).await {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::Error::Http(answer)) => Err(refused(ari, answer.status())),
            Err(error) => Err(unfit(error)),
        }
    };
    let late = || {
        Failed::Away(format!(
            "{place} did not answer within 5 s; if it stays so, Asterisk's ARI hangs, of which \
             docs/ari.md tells the way out"
        ))
    };
    timeout(CONNECT_TIMEOUT, opening).await.unwrap_or_else(|_| Err(late()))
}

/// Fetches the listing of all channels.
pub(super) async fn channels(server: &Server, ari: &ServerAri) -> Result<Bytes, String> {
    let place = ari.url.authority();
    let asking = async {
        let wire = wire(server, ari).await?;
        let request = Request::get(format!("{}/channels", ari.url.path))
            .header(header::HOST, &place)
            .header(header::AUTHORIZATION, authorization(ari))
            .header(header::ACCEPT, "application/json")
            .body(Full::default())
            .map_err(|error| error.to_string())?;
        let answer = exchange(wire, request, LARGEST_LISTING).await;
        match answer.map_err(|error| format!("{place}: listing channels: {error}"))? {
            (status, listing) if status.is_success() => Ok(listing),
            (status, _) => Err(format!("{place}: listing channels: Asterisk answers {status}")),
        }
    };
    let late = || Err(format!("{place}: listing channels took more than 10 s"));
    timeout(ANSWER_TIMEOUT, asking).await.unwrap_or_else(|_| late())
}

async fn wire(server: &Server, ari: &ServerAri) -> Result<Box<dyn Wire>, String> {
    let place = ari.url.authority();
    let named = |error: String| format!("{place}: {error}");
    let stream =
        tcp(&ari.url.host, ari.url.port).await.map_err(|error| named(error.to_string()))?;
    let Some(tls) = server.ari_tls() else { return Ok(Box::new(stream)) };
    let said = Said { ca: "ari.ca", listens: "tlsbindaddr in http.conf" };
    Ok(Box::new(encrypt(stream, &tls, &ari.url.host, &said).await.map_err(named)?))
}

/// In a header: what is in a URL ends up in logs.
pub(crate) fn authorization(ari: &ServerAri) -> HeaderValue {
    let login = BASE64_STANDARD.encode(format!("{}:{}", ari.username, ari.password.expose()));
    // Base64 has nothing that a header may not hold.
    let mut value = HeaderValue::try_from(format!("Basic {login}"))
        .unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

fn refused(ari: &ServerAri, status: StatusCode) -> Failed {
    let place = ari.url.authority();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failed::Rejected(format!(
            "{place}: ARI refuses the user {:?} ({status}): is it in ari.conf with this password?",
            ari.username
        )),
        // So it is for a moment, too, while Asterisk starts.
        StatusCode::NOT_FOUND => Failed::Away(format!(
            "{place}: there is no ARI below {} ({status}): look at `enabled` in ari.conf, at \
             `prefix` in http.conf, and whether the module res_ari_events is loaded",
            ari.url.path
        )),
        _ => Failed::Away(format!("{place}: Asterisk answers {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn ari() -> ServerAri {
        ServerAri {
            url: "http://127.0.0.1:8088/ari".parse().unwrap(),
            username: "telepulse".to_owned(),
            password: Secret::new("open sesame"),
            app: "telepulse".to_owned(),
            ca: None,
        }
    }

    #[test]
    fn who_logs_in_is_in_a_header_that_no_log_shows() {
        let value = authorization(&ari());
        assert_eq!(value, "Basic dGVsZXB1bHNlOm9wZW4gc2VzYW1l");
        assert_eq!(format!("{value:?}"), "Sensitive");
        assert!(!format!("{:?}", ari()).contains("sesame"));
    }

    #[test]
    fn only_a_refused_login_is_not_soon_tried_again() {
        let check = |status: StatusCode, is_rejected: bool, words: &str| {
            let (rejected, reason) = match refused(&ari(), status) {
                Failed::Rejected(reason) => (true, reason),
                Failed::Away(reason) => (false, reason),
            };
            assert_eq!(rejected, is_rejected, "{reason}");
            assert!(reason.contains(words) && !reason.contains("sesame"), "{reason}");
        };
        check(StatusCode::UNAUTHORIZED, true, "with this password?");
        check(StatusCode::FORBIDDEN, true, "ari.conf");
        check(StatusCode::NOT_FOUND, false, "no ARI below /ari");
        check(StatusCode::SERVICE_UNAVAILABLE, false, "503");
    }
}
