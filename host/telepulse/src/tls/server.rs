//! The certificate that our listeners show. It is read again when its files change: who connects from
//! then on sees the new one, connections that stand are not touched.

use super::certificates_of;
use crate::config::{ListenTls, tls::private_key};
use arc_swap::ArcSwap;
use std::{
    fmt, fs, io,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    net::TcpStream,
    time::{interval, timeout},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
    server::TlsStream,
};
use tokio_util::sync::CancellationToken;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Takes TLS connections. Cheap to clone.
#[derive(Clone)]
pub struct Acceptor {
    inner: TlsAcceptor,
    shown: Arc<Shown>,
    files: ListenTls,
}

/// The certificate of now.
struct Shown(ArcSwap<CertifiedKey>);

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Acceptor {
    /// Reads the files. The error names the file.
    pub fn load(files: ListenTls) -> Result<Self, String> {
        let shown = Arc::new(Shown(ArcSwap::from_pointee(certified(&files)?)));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS: {error}"))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<_>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { inner: TlsAcceptor::from(Arc::new(config)), shown, files })
    }

    /// Does the handshake, which may take as long as `within`.
    pub(crate) async fn accept(
        &self,
        socket: TcpStream,
        within: Duration,
    ) -> io::Result<TlsStream<TcpStream>> {
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no handshake in time");
        timeout(within, self.inner.accept(socket)).await.map_err(late)?
    }

    /// Looks at the files until stopped. Where they cannot be used the certificate before stays.
    pub(crate) async fn watch(self, stop: CancellationToken) {
        let mut look = interval(LOOK);
        let mut seen = self.marks();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = look.tick() => {}
            }
            let now = self.marks();
            if now == seen {
                continue;
            }
            seen = now;
            match certified(&self.files) {
                Ok(certified) => {
                    self.shown.0.store(Arc::new(certified));
                    tracing::info!(cert = %self.files.cert.display(), "another certificate is shown");
                }
                Err(error) => {
                    tracing::error!(error, "the certificate is the one of before; its files");
                }
            }
        }
    }

    fn marks(&self) -> [Option<(SystemTime, u64)>; 2] {
        let mark = |path: &Path| {
            let about = fs::metadata(path).ok()?;
            Some((about.modified().ok()?, about.len()))
        };
        [mark(&self.files.cert), mark(&self.files.key)]
    }
}

fn certified(files: &ListenTls) -> Result<CertifiedKey, String> {
    let ListenTls { cert, key } = files;
    let chain = certificates_of(cert).map_err(|error| format!("tls.cert: {error}"))?;
    let pem = fs::read(key);
    let pem = pem.map_err(|error| format!("tls.key: cannot read {}: {error}", key.display()))?;
    let wrong = |error: String| format!("tls.key: {}: {error}", key.display());
    let key_of_it = private_key(&pem).map_err(wrong)?;
    CertifiedKey::from_der(chain, key_of_it, &ring::default_provider())
        .map_err(|error| wrong(format!("does not go with {}: {error}", cert.display())))
}
