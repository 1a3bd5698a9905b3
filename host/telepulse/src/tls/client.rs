//! Whom we trust where we connect.

use crate::config::tls::certificates;
use std::{path::Path, sync::Arc};
use tokio_rustls::rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, client::WantsClientCert, crypto::ring,
    pki_types::CertificateDer,
};

/// The beginning of a configuration that trusts these.
pub(crate) fn builder(
    roots: RootCertStore,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?;
    Ok(builder.with_root_certificates(roots))
}

/// The authorities that this machine trusts (`SSL_CERT_FILE` names others); `None` if there are none.
pub(crate) fn machine_roots() -> Option<RootCertStore> {
    trusting(rustls_native_certs::load_native_certs().certs)
}

/// The authorities in a PEM file.
pub(crate) fn roots(ca: &Path) -> Result<RootCertStore, String> {
    let path = ca.display();
    trusting(certificates_of(ca)?)
        .ok_or_else(|| format!("{path}: holds no certificate that can be used"))
}

/// The certificates in a PEM file.
pub(crate) fn certificates_of(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = std::fs::read(path);
    let pem = pem.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    certificates(&pem).map_err(|error| format!("{}: {error}", path.display()))
}

fn trusting(certificates: Vec<CertificateDer<'static>>) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    (added > 0).then_some(roots)
}
