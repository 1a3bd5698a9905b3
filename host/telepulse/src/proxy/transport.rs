//! Opens the connection to a server: TCP, and TLS where it is configured.

use crate::{
    config::{Server, ServerTls, tls::private_key},
    tls,
};
use std::{
    io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
};

/// How long opening the connection may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The two halves of a connection.
pub(crate) type Halves = (Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>);

/// Connects to a server. The error names the place, and the way out where there is one.
pub(crate) async fn open(server: &Server) -> Result<Halves, String> {
    let place = format!("{}:{}", server.host, server.port);
    let opening = async {
        let stream = tcp(&server.host, server.port).await;
        let stream = stream.map_err(|error| format!("{place}: {error}"))?;
        match &server.tls {
            None => {
                let (reader, writer) = stream.into_split();
                let halves: Halves = (Box::new(reader), Box::new(writer));
                Ok(halves)
            }
            Some(tls) => {
                let said = Said { ca: "tls.ca", listens: "tlsbindaddr in manager.conf" };
                let stream = encrypt(stream, tls, &server.host, &said).await;
                let stream = stream.map_err(|error| format!("{place}: {error}"))?;
                let (reader, writer) = tokio::io::split(stream);
                let halves: Halves = (Box::new(reader), Box::new(writer));
                Ok(halves)
            }
        }
    };
    let opened = timeout(CONNECT_TIMEOUT, opening).await;
    opened.unwrap_or_else(|_| Err(format!("{place} did not answer within 5 s")))
}

/// Whether a server's settings and the files that they name can be used; nobody is connected to.
pub(super) fn check(server: &Server) -> Result<(), String> {
    if let Some(tls) = &server.tls {
        client(tls)?;
    }
    match server.ari.as_ref().and_then(|ari| ari.ca.as_deref()) {
        Some(ca) => tls::roots(ca).map(drop).map_err(|error| format!("ari.ca: {error}")),
        None => Ok(()),
    }
}

pub(crate) async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    // Commands are short and must not wait for each other.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What the ways out of a failure name.
pub(crate) struct Said {
    /// The setting of our own for the authorities.
    pub ca: &'static str,
    /// Where Asterisk says on which port it encrypts.
    pub listens: &'static str,
}

/// Why a connection was not encrypted.
pub(crate) enum TlsFailure {
    /// Our own settings or files cannot be used.
    Settings(String),
    /// The two sides did not agree.
    Handshake(io::Error),
}

/// Encrypts a connection to `host`, whose certificate is looked at.
pub(crate) async fn encrypt(
    stream: TcpStream,
    tls: &ServerTls,
    host: &str,
    said: &Said,
) -> Result<TlsStream<TcpStream>, String> {
    handshake(stream, tls, host).await.map_err(|failure| match failure {
        TlsFailure::Settings(why) => why,
        TlsFailure::Handshake(error) => tls_failure(tls, said, &error),
    })
}

/// The same, with what went wrong as it is.
pub(crate) async fn handshake(
    stream: TcpStream,
    tls: &ServerTls,
    host: &str,
) -> Result<TlsStream<TcpStream>, TlsFailure> {
    let name = tls.server_name.as_deref().unwrap_or(host);
    let name = ServerName::try_from(name.to_owned())
        .map_err(|error| TlsFailure::Settings(format!("tls.serverName {name:?}: {error}")))?;
    let connector = TlsConnector::from(Arc::new(client(tls).map_err(TlsFailure::Settings)?));
    connector.connect(name, stream).await.map_err(TlsFailure::Handshake)
}

fn tls_failure(tls: &ServerTls, said: &Said, error: &io::Error) -> String {
    let way_out = if error.to_string().contains("certificate") {
        let set = said.ca;
        tls.ca.as_ref().map_or_else(
            || format!("; is its certificate signed by an authority of your own? Set {set}"),
            |ca| format!("; is its certificate signed by one in {}?", ca.display()),
        )
    } else {
        format!("; is this the port of {}?", said.listens)
    };
    format!("TLS: {error}{way_out}")
}

/// Reads the files anew for each connection: certificates are renewed while we run.
fn client(server: &ServerTls) -> Result<ClientConfig, String> {
    let builder = tls::builder(roots(server.ca.as_deref())?)?;
    let (Some(cert), Some(key)) = (&server.cert, &server.key) else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = tls::certificates_of(cert).map_err(|error| format!("tls.cert: {error}"))?;
    let text = std::fs::read(key);
    let wrong = |why: String| format!("tls.key {}: {why}", key.display());
    let text = text.map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let key = private_key(&text).map_err(wrong)?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|error| format!("tls.cert {}: {error}", cert.display()))
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let nobody = || "this machine trusts no certificate authority: set tls.ca".to_owned();
    match ca {
        Some(path) => tls::roots(path).map_err(|error| format!("tls.ca: {error}")),
        None => tls::machine_roots().ok_or_else(nobody),
    }
}

/// A reader that remembers whether it had nothing to read.
pub(super) struct Drained<R> {
    inner: R,
    /// The socket was found empty. To be reset by who reads.
    pub(super) is_drained: bool,
}

impl<R> Drained<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, is_drained: false }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Drained<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.is_drained |= polled.is_pending();
        polled
    }
}
