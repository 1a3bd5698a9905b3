//! Opens the connection to a server step by step, so that the step that fails can be named.

use crate::{
    config::{Server, ServerTls},
    doctor::{
        facts::{Reach, TlsTrouble},
        validity,
    },
    proxy::{TlsFailure, handshake},
};
use std::{io, net::IpAddr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::rustls::{self, CertificateError};

/// How long each step may take.
const STEP: Duration = Duration::from_secs(5);
/// How long a port that says nothing is given to answer HTTP.
const HTTP_STEP: Duration = Duration::from_secs(2);

/// A connection, encrypted or not.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<W: AsyncRead + AsyncWrite + Send + Unpin> Wire for W {}

/// What came of opening a connection.
pub(super) struct Way {
    pub(super) stream: Result<Box<dyn Wire>, Reach>,
    pub(super) our_address: Option<IpAddr>,
    pub(super) certificate_ends: Option<i64>,
}

/// Opens the connection to the manager.
pub(super) async fn open(server: &Server) -> Way {
    to(&server.host, server.port, server.tls.as_ref()).await
}

/// Opens a connection.
pub(super) async fn to(host: &str, port: u16, tls: Option<&ServerTls>) -> Way {
    let mut way = Way { stream: Err(Reach::Silent), our_address: None, certificate_ends: None };
    let stream = match tcp(host, port).await {
        Ok(stream) => stream,
        Err(reach) => {
            way.stream = Err(reach);
            return way;
        }
    };
    way.our_address = stream.local_addr().ok().map(|address| address.ip());
    let Some(tls) = tls else {
        way.stream = Ok(Box::new(stream));
        return way;
    };
    match timeout(STEP, handshake(stream, tls, host)).await {
        Ok(Ok(stream)) => {
            let certificates = stream.get_ref().1.peer_certificates();
            way.certificate_ends =
                certificates.and_then(|chain| validity::end(chain.first()?.as_ref()));
            way.stream = Ok(Box::new(stream));
        }
        Ok(Err(failure)) => way.stream = Err(Reach::Tls(trouble(failure))),
        // A manager without TLS waits for the end of our first line.
        Err(_) => way.stream = Err(Reach::Tls(TlsTrouble::NotSpoken)),
    }
    way
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, Reach> {
    let unreachable = Reach::Unreachable;
    let addresses = timeout(STEP, lookup_host((host, port))).await;
    let addresses: Vec<_> = match addresses {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return Err(Reach::NoSuchHost(error.to_string())),
        Err(_) => return Err(Reach::NoSuchHost("nothing answered within 5 s".to_owned())),
    };
    match timeout(STEP, TcpStream::connect(&addresses[..])).await {
        Ok(Ok(stream)) => {
            // Questions are short.
            stream.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
            Ok(stream)
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err(Reach::Refused),
        Ok(Err(error)) => Err(unreachable(error.to_string())),
        Err(_) => Err(unreachable("nothing within 5 s".to_owned())),
    }
}

/// Why TLS failed.
fn trouble(failure: TlsFailure) -> TlsTrouble {
    let error = match failure {
        TlsFailure::Settings(why) => return TlsTrouble::Settings(why),
        TlsFailure::Handshake(error) => error,
    };
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => match why {
            // Another authority of the same name has another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                TlsTrouble::UnknownIssuer
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsTrouble::WrongName
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                TlsTrouble::Expired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                TlsTrouble::NotYetValid
            }
            other => TlsTrouble::Other(format!("its certificate: {other}")),
        },
        Some(rustls::Error::InvalidMessage(_)) => TlsTrouble::NotSpoken,
        // The authority's own certificate, shown as the server's: it signed itself.
        _ if error.to_string().contains("CaUsedAsEndEntity") => TlsTrouble::UnknownIssuer,
        _ => TlsTrouble::Other(error.to_string()),
    }
}

/// Who says nothing may speak HTTP: then its first line.
pub(super) async fn http_line(host: &str, port: u16) -> Option<String> {
    let mut stream = tcp(host, port).await.ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.ok()?;
    let mut bytes = [0; 128];
    let read = timeout(HTTP_STEP, stream.read(&mut bytes)).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&bytes[..read]);
    let line = text.lines().next()?.to_owned();
    line.starts_with("HTTP/").then_some(line)
}
