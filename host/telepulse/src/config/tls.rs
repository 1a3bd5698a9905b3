//! How the link to a server is encrypted, as `[server.tls]` and the admin API describe it.

use super::rules;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use telepulse_language::Refusal;
use tokio_rustls::rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

/// TLS for one server. An empty table is enough where a public authority signed its certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerTls {
    /// Certificates (PEM) of the authorities that may have signed the server's; `None`: those that
    /// this machine trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The name that the server's certificate must have; `None`: the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Our own certificate with its chain (PEM), for servers that ask for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    /// The private key of `cert` (PEM); the two come together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

impl ServerTls {
    /// All fields, by their names in JSON and TOML.
    pub const KEYS: [&'static str; 4] = ["ca", "serverName", "cert", "key"];

    /// What is wrong with the whole, with the key where; files are read by `read`.
    pub(super) fn check(
        &self,
        mut read: impl FnMut(&Path) -> std::io::Result<String>,
    ) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        let mut file = |key, path: Option<&PathBuf>, good: fn(&[u8]) -> Result<(), String>| {
            let Some(path) = path else { return };
            let outcome = read(path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))
                .and_then(|text| {
                    good(text.as_bytes()).map_err(|why| format!("{}: {why}", path.display()))
                });
            wrong.extend(outcome.err().map(|message| (key, message)));
        };
        file("ca", self.ca.as_ref(), |pem| certificates(pem).map(drop));
        file("cert", self.cert.as_ref(), |pem| certificates(pem).map(drop));
        file("key", self.key.as_ref(), |pem| private_key(pem).map(drop));
        match (&self.cert, &self.key) {
            (Some(_), None) => wrong.push(("cert", "needs key, its private key".to_owned())),
            (None, Some(_)) => wrong.push(("key", "needs cert, its certificate".to_owned())),
            (Some(cert), Some(key)) if wrong.is_empty() => {
                if let (Ok(chain), Ok(pem)) = (read(cert), read(key))
                    && let Err(why) = pair(chain.as_bytes(), pem.as_bytes())
                {
                    let (key, cert) = (key.display(), cert.display());
                    wrong.push(("key", format!("{key}: does not go with {cert}: {why}")));
                }
            }
            _ => {}
        }
        wrong
    }

    /// Whether the JSON of the admin API has the right shape. A refusal names the field.
    pub(super) fn shape(value: &Value) -> Result<(), Refusal> {
        let field = |key: &str| format!("tls.{key}");
        let Some(object) = value.as_object() else {
            let message = "must be an object with ca, serverName, cert and key, all optional";
            return Err(Refusal::field("tls", message));
        };
        for (key, value) in object {
            if !Self::KEYS.contains(&key.as_str()) {
                let message = "is unknown".to_owned() + &rules::perhaps(key, &Self::KEYS);
                return Err(Refusal::field(field(key), message));
            }
            let Some(text) = value.as_str() else {
                return Err(Refusal::field(field(key), "must be a string"));
            };
            let good = match key.as_str() {
                "serverName" => rules::host(text),
                // There is no file here that it could be relative to.
                _ => rules::absolute(text),
            };
            good.map_err(|message| Refusal::field(field(key), message))?;
        }
        Ok(())
    }
}

/// The certificates of a PEM file, at least one.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err("holds no certificate (-----BEGIN CERTIFICATE-----)".to_owned()),
        Err(error) => Err(format!("is not PEM: {error}")),
    }
}

/// A certificate, with its chain, and its private key: each PEM.
pub(crate) fn pair(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, String> {
    CertifiedKey::from_der(certificates(chain)?, private_key(key)?, &ring::default_provider())
        .map_err(|error| error.to_string())
}

/// The private key of a PEM file.
pub(crate) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|error| format!("holds no private key that can be used: {error}"))
}
