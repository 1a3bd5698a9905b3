//! Requests of plugins to the world outside: resolves names, lets through where they lead, connects,
//! and speaks HTTP/1.1, over TLS where the origin says so. Redirects are the guest's to follow, each a
//! request of its own.

use crate::tls;
use futures_util::{future::BoxFuture, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use plugin_host::{
    Origin, may_be_reached,
    ports::{Body, BodyError, Outgoing, OutgoingError, Timeouts},
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, pki_types::ServerName},
};

/// Whoever is trusted, as this machine has it; `SSL_CERT_FILE` names others. Read with the first
/// request that needs it.
#[derive(Clone, Default)]
pub(super) struct OutgoingPort {
    tls: Arc<OnceLock<Option<Arc<ClientConfig>>>>,
}

impl Outgoing for OutgoingPort {
    fn send(
        &self,
        request: http::Request<Body>,
        origin: Origin,
        timeouts: Timeouts,
    ) -> BoxFuture<'static, Result<http::Response<Body>, OutgoingError>> {
        let port = self.clone();
        Box::pin(async move {
            let socket = timeout(timeouts.connect, port.connect(&origin));
            let socket = socket.await.map_err(|_| OutgoingError::ConnectTimeout)??;
            exchange(socket, request, timeouts).await
        })
    }
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

impl OutgoingPort {
    async fn connect(&self, origin: &Origin) -> Result<Box<dyn Socket>, OutgoingError> {
        let socket = reach(origin, &resolve(origin).await?).await?;
        // Small requests shall not wait for more.
        socket.set_nodelay(true).map_err(OutgoingError::Connect)?;
        if !origin.is_secure {
            return Ok(Box::new(socket));
        }
        let untrusting = || io::Error::other("this machine trusts no certificate authority");
        let config = self.tls().ok_or_else(|| OutgoingError::Tls(untrusting()))?;
        let name = ServerName::try_from(origin.host.clone())
            .map_err(|error| OutgoingError::Tls(io::Error::other(error)))?;
        let socket = TlsConnector::from(config).connect(name, socket).await;
        Ok(Box::new(socket.map_err(OutgoingError::Tls)?))
    }

    fn tls(&self) -> Option<Arc<ClientConfig>> {
        self.tls.get_or_init(trusting).clone()
    }
}

fn trusting() -> Option<Arc<ClientConfig>> {
    let Some(roots) = tls::machine_roots() else {
        tracing::warn!("no certificate authority is trusted: plugins reach no https server");
        return None;
    };
    Some(Arc::new(tls::builder(roots).ok()?.with_no_client_auth()))
}

/// Where the name leads, as far as plugins are let there.
async fn resolve(origin: &Origin) -> Result<Vec<SocketAddr>, OutgoingError> {
    let Origin { host, port, .. } = origin;
    let found: Vec<SocketAddr> = if let Ok(address) = host.parse::<IpAddr>() {
        vec![(address, *port).into()]
    } else {
        let nowhere = |_| OutgoingError::NoSuchHost(host.clone());
        lookup_host((host.as_str(), *port)).await.map_err(nowhere)?.collect()
    };
    let (open, closed): (Vec<SocketAddr>, Vec<SocketAddr>) =
        found.into_iter().partition(|address| may_be_reached(address.ip(), origin));
    match (open.is_empty(), closed.first()) {
        (true, Some(address)) => {
            Err(OutgoingError::Prohibited { host: host.clone(), address: address.ip() })
        }
        (true, None) => Err(OutgoingError::NoSuchHost(host.clone())),
        (false, _) => Ok(open),
    }
}

/// The first of the addresses that takes the connection. Just these: nothing is resolved again.
async fn reach(origin: &Origin, addresses: &[SocketAddr]) -> Result<TcpStream, OutgoingError> {
    let mut last = OutgoingError::NoSuchHost(origin.host.clone());
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(socket) => return Ok(socket),
            Err(error) => last = OutgoingError::Connect(error),
        }
    }
    Err(last)
}

async fn exchange(
    socket: Box<dyn Socket>,
    mut request: http::Request<Body>,
    timeouts: Timeouts,
) -> Result<http::Response<Body>, OutgoingError> {
    let wrong = |error: &dyn std::fmt::Display| OutgoingError::Http(error.to_string());
    // A server is asked for a path; whole URIs are for proxies.
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|error| wrong(&error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(socket)).await.map_err(|error| wrong(&error))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a plugin's request: the connection ended badly");
        }
    });
    let response = timeout(timeouts.first_byte, sender.send_request(request)).await;
    let response = response.map_err(|_| OutgoingError::ResponseTimeout)?;
    let response = response.map_err(|error| wrong(&error))?;
    Ok(response.map(|body| paced(body, timeouts.between_bytes)))
}

/// The body, broken off if nothing of it comes for so long.
fn paced(body: Incoming, patience: Duration) -> Body {
    let frames = stream::unfold(Some(body), move |body| async move {
        let mut body = body?;
        match timeout(patience, body.frame()).await {
            Ok(None) => None,
            Ok(Some(Ok(frame))) => Some((Ok(frame), Some(body))),
            Ok(Some(Err(error))) => Some((Err(BodyError::from(error)), None)),
            Err(_) => Some((Err("the rest of the response took too long".into()), None)),
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Empty;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::{
        TlsAcceptor,
        rustls::{RootCertStore, ServerConfig, crypto::ring},
    };

    const TIMEOUTS: Timeouts = Timeouts {
        connect: Duration::from_secs(5),
        first_byte: Duration::from_millis(200),
        between_bytes: Duration::from_millis(200),
    };

    /// Serves one connection over TLS, sending `answer` in pieces; the port that trusts it, and where
    /// it is.
    async fn server(answer: &'static [&'static str]) -> (OutgoingPort, Origin) {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(own.cert.der().clone()).unwrap();
        let ring = || Arc::new(ring::default_provider());
        let client =
            ClientConfig::builder_with_provider(ring()).with_safe_default_protocol_versions();
        let client = client.unwrap().with_root_certificates(roots).with_no_client_auth();
        let key = own.signing_key.serialize_der().try_into().unwrap();
        let config =
            ServerConfig::builder_with_provider(ring()).with_safe_default_protocol_versions();
        let config = config.unwrap().with_no_client_auth();
        let config = config.with_single_cert(vec![own.cert.der().clone()], key).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(mut socket) = TlsAcceptor::from(Arc::new(config)).accept(socket).await else {
                return;
            };
            let mut request = [0; 1024];
            assert!(socket.read(&mut request).await.unwrap() > 0);
            for piece in answer {
                socket.write_all(piece.as_bytes()).await.unwrap();
                socket.flush().await.unwrap();
            }
            // Kept open: who waits for more waits.
            tokio::time::sleep(Duration::from_secs(10)).await;
        });
        let tls = Arc::new(OnceLock::from(Some(Arc::new(client))));
        (OutgoingPort { tls }, Origin::parse(&origin).unwrap())
    }

    async fn get(port: &OutgoingPort, origin: &Origin) -> Result<String, String> {
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = http::Request::get(format!("{origin}/path")).body(body).unwrap();
        let response = port.send(request, origin.clone(), TIMEOUTS).await;
        let body = response.map_err(|error| error.to_string())?.into_body();
        let bytes = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_trusted_server_is_spoken_to_over_tls_and_no_other() {
        let (port, origin) =
            server(&["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello"]).await;
        assert_eq!(get(&port, &origin).await, Ok("hello".to_owned()));
        let (stranger, _) = server(&[]).await;
        let (_, origin) = server(&["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]).await;
        let refused = get(&stranger, &origin).await.unwrap_err();
        assert!(refused.starts_with("TLS: ") && refused.contains("certificate"), "{refused}");
    }

    #[tokio::test]
    async fn who_falls_silent_is_waited_for_only_so_long() {
        let (port, origin) = server(&[]).await;
        assert_eq!(get(&port, &origin).await, Err("the response took too long".to_owned()));
        let (port, origin) = server(&["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "he"]).await;
        let cut = get(&port, &origin).await.unwrap_err();
        assert_eq!(cut, "the rest of the response took too long");
    }
}
