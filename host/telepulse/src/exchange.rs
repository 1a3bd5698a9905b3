//! One HTTP request over a connection of our own, for what the host itself asks of others.

use bytes::Bytes;
use http::{
    Method, Request, StatusCode, Uri, header, request,
    uri::{Authority, PathAndQuery},
};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::error::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

/// Why a request has no answer that can be used. Worded for the operator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// It was answered, with more than is read.
    #[error("answers {status} with more than {most} bytes")]
    TooLong {
        /// What the answer's head says.
        status: StatusCode,
        /// How much is read.
        most: usize,
    },
    /// It was not answered.
    #[error("{0}")]
    Failed(String),
}

impl From<String> for AskError {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// Host (of an IPv6 address without its brackets) and port of a URL; `None` if it names no host.
pub(crate) fn endpoint(url: &Uri) -> Option<(&str, u16)> {
    let host = url.host()?.trim_start_matches('[').trim_end_matches(']');
    let standard = if url.scheme_str() == Some("https") { 443 } else { 80 };
    Some((host, url.port_u16().unwrap_or(standard)))
}

/// The beginning of a request for what `url` names.
pub(crate) fn request(method: Method, url: &Uri) -> request::Builder {
    let path = url.path_and_query().map_or("/", PathAndQuery::as_str);
    let host = url.authority().map(Authority::as_str).unwrap_or_default();
    Request::builder().method(method).uri(path).header(header::HOST, host)
}

/// Connects to where `url` is, encrypted with `tls` if there is one, sends a request and reads the answer,
/// whose body may have `most` bytes.
pub(crate) async fn ask(
    url: &Uri,
    tls: Option<&TlsConnector>,
    request: Request<Full<Bytes>>,
    most: usize,
) -> Result<(StatusCode, Bytes), AskError> {
    let (host, port) = endpoint(url).ok_or_else(|| "names no host".to_owned())?;
    let stream = TcpStream::connect((host, port)).await;
    let stream = stream.map_err(|error| format!("{host}:{port}: {error}"))?;
    let answer = match tls {
        Some(tls) => {
            let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
            let stream = tls.connect(name, stream).await;
            let stream = stream.map_err(|error| format!("{host}:{port}: TLS: {error}"))?;
            exchange(stream, request, most).await
        }
        None => exchange(stream, request, most).await,
    };
    answer.map_err(|error| match error.downcast::<AskError>() {
        Ok(error) => *error,
        Err(error) => AskError::Failed(error.to_string()),
    })
}

/// Sends a request over `stream` and reads the answer, whose body may have `most` bytes.
pub(crate) async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    most: usize,
) -> Result<(StatusCode, Bytes), Box<dyn Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the sender; its errors come out there.
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    match Limited::new(body, most).collect().await {
        Ok(body) => Ok((head.status, body.to_bytes())),
        // What is said about a failure is not needed to know of it.
        Err(_) if !head.status.is_success() => Ok((head.status, Bytes::new())),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(AskError::TooLong { status: head.status, most }.into())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_an_endpoint() {
        let check = |url: &str, expected| {
            assert_eq!(endpoint(&url.parse().unwrap()), expected, "{url}");
        };
        check("http://pbx.example/keys", Some(("pbx.example", 80)));
        check("https://pbx.example", Some(("pbx.example", 443)));
        check("https://[::1]:8082/", Some(("::1", 8082)));
        check("/keys", None);
    }
}
