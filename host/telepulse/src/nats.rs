//! What everybody who uses NATS shares: `[bus]` says once how it is connected to, for the bus, the store and
//! the records of nodes.

pub(crate) mod bucket;
pub(crate) mod key;

use crate::config::{Nats, NatsLogin};
use async_nats::{ConnectErrorKind, ConnectOptions};
use std::{io, path::PathBuf, time::Duration};

/// How long one attempt may take.
const WITHIN: Duration = Duration::from_secs(5);
/// How often it is asked whether NATS lives: twice without an answer, and it is dead.
const PING: Duration = Duration::from_secs(5);

/// The credentials cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("[bus] credentials {path}: {error}", path = path.display())]
pub struct CredentialsError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

/// Who we are, and whom we trust.
pub(crate) async fn options(settings: &Nats) -> Result<ConnectOptions, CredentialsError> {
    let options = match &settings.login {
        NatsLogin::None => ConnectOptions::new(),
        NatsLogin::Password { user, password } => {
            ConnectOptions::with_user_and_password(user.clone(), password.expose().to_owned())
        }
        NatsLogin::Token(token) => ConnectOptions::with_token(token.expose().to_owned()),
        NatsLogin::File(path) => {
            let read = ConnectOptions::with_credentials_file(path).await;
            read.map_err(|error| CredentialsError { path: path.clone(), error })?
        }
    };
    let must_encrypt = settings.ca.is_some()
        || settings.identity.is_some()
        || settings.servers.iter().any(|server| server.is_encrypted);
    let mut options =
        options.require_tls(must_encrypt).connection_timeout(WITHIN).ping_interval(PING);
    if let Some(ca) = &settings.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let Some((cert, key)) = &settings.identity {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    Ok(options)
}

/// Where it is looked for.
pub(crate) fn places(settings: &Nats) -> Vec<String> {
    settings.servers.iter().map(ToString::to_string).collect()
}

/// Whether it was reached and did not let us in.
pub(crate) fn is_refusal(kind: ConnectErrorKind) -> bool {
    matches!(kind, ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication)
}

/// What the event stream of a platform is called, and its bucket of values: no dot may be in it.
pub(crate) fn name(prefix: Option<&str>) -> String {
    prefix.map_or_else(
        || "TELEPULSE".to_owned(),
        |prefix| format!("TELEPULSE_{}", prefix.replace('.', "_")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_dots() {
        assert_eq!(name(None), "TELEPULSE");
        assert_eq!(name(Some("acme.blue")), "TELEPULSE_acme_blue");
    }
}
