//! Where a server's ARI is, as `[server.ari]` and the admin API describe it.

use super::{Secret, Server, ServerTls, rules};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fmt, path::PathBuf, str::FromStr};
use telepulse_language::Refusal;

/// The Stasis application that we are, by default.
pub(super) const APP: &str = "telepulse";

/// ARI of one server: one client, one Stasis application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerAri {
    /// Where it is.
    pub url: AriUrl,
    /// The user of ari.conf.
    pub username: String,
    /// That user's password.
    pub password: Secret,
    /// The Stasis application; no other client may have the same.
    #[serde(default = "default_app")]
    pub app: String,
    /// Certificates (PEM) of the authorities that may have signed the certificate of an https URL;
    /// `None`: what `[server.tls]` says, else those that this machine trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

/// The address below which ARI's resources are, like `http://127.0.0.1:8088/ari`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AriUrl {
    /// Whether it is `https`.
    pub is_encrypted: bool,
    /// Name or IP address of the machine, without brackets.
    pub host: String,
    /// The port, also where it is the scheme's own.
    pub port: u16,
    /// The path, without a slash at its end; never empty.
    pub path: String,
}

/// Why a text is no address of ARI. It does not repeat the text: a password may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AriUrlError {
    /// Not of this form at all.
    #[error(
        "must be the http or https URL of ARI with its path, like \"http://127.0.0.1:8088/ari\""
    )]
    Malformed,
    /// `user:password@`.
    #[error("holds a user or a password: put them into username and password")]
    Credentials,
}

fn default_app() -> String {
    APP.to_owned()
}

impl FromStr for AriUrl {
    type Err = AriUrlError;

    fn from_str(text: &str) -> Result<Self, AriUrlError> {
        let uri: http::Uri = text.parse().map_err(|_| AriUrlError::Malformed)?;
        let authority = uri.authority().ok_or(AriUrlError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(AriUrlError::Credentials);
        }
        let (is_encrypted, standard) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err(AriUrlError::Malformed),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let path = uri.path().trim_end_matches('/');
        let has_port = authority.as_str().rsplit(']').next().is_some_and(|end| end.contains(':'));
        let port = if has_port { authority.port_u16().unwrap_or(0) } else { standard };
        let has_more = uri.query().is_some() || text.contains('#');
        if rules::host(host).is_err() || path.is_empty() || port == 0 || has_more {
            return Err(AriUrlError::Malformed);
        }
        Ok(Self { is_encrypted, host: host.to_owned(), port, path: path.to_owned() })
    }
}

impl TryFrom<String> for AriUrl {
    type Error = AriUrlError;

    fn try_from(text: String) -> Result<Self, AriUrlError> {
        text.parse()
    }
}

impl From<AriUrl> for String {
    fn from(url: AriUrl) -> Self {
        url.to_string()
    }
}

impl AriUrl {
    /// Host and port, as the header `Host` has them.
    pub fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for AriUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl Server {
    /// How the way to ARI is encrypted: as the link is, with an authority of its own where it has
    /// one. `None`: it is not, or there is no ARI.
    pub(crate) fn ari_tls(&self) -> Option<ServerTls> {
        let ari = self.ari.as_ref().filter(|ari| ari.url.is_encrypted)?;
        let mut tls = self.tls.clone().unwrap_or_default();
        tls.ca = ari.ca.clone().or(tls.ca);
        // Another machine has another name.
        tls.server_name = tls.server_name.filter(|_| ari.url.host == self.host);
        Some(tls)
    }

    /// Whether the two differ in nothing but their ARI.
    pub(crate) fn is_same_but_for_ari(&self, other: &Self) -> bool {
        Self { ari: other.ari.clone(), ..self.clone() } == *other
    }
}

impl ServerAri {
    /// All fields, by their names in JSON and TOML.
    pub const KEYS: [&'static str; 5] = ["url", "username", "password", "app", "ca"];

    /// Whether the JSON of the admin API has the right shape. A refusal names the field; no message
    /// repeats a value.
    pub(super) fn shape(value: &Value) -> Result<(), Refusal> {
        let field = |key: &str| format!("ari.{key}");
        let Some(object) = value.as_object() else {
            let message = "must be an object with url, username and password";
            return Err(Refusal::field("ari", message));
        };
        for needed in ["url", "username", "password"] {
            if !object.contains_key(needed) {
                return Err(Refusal::field(field(needed), "is missing"));
            }
        }
        for (key, value) in object {
            let good = value.as_str().ok_or_else(|| "must be a string".to_owned());
            let good = match key.as_str() {
                "url" => good.and_then(rules::ari_url),
                "username" => good.and_then(rules::user),
                "password" => good.and_then(rules::ami_value),
                "app" => good.and_then(rules::id),
                // There is no file here that it could be relative to.
                "ca" => good.and_then(rules::absolute),
                _ => Err("is unknown".to_owned() + &rules::perhaps(key, &Self::KEYS)),
            };
            good.map_err(|message| Refusal::field(field(key), message))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_written() {
        let check = |text: &str, expected: Result<&str, AriUrlError>| {
            let read = text.parse::<AriUrl>().map(|url| url.to_string());
            assert_eq!(read, expected.map(str::to_owned), "{text}");
        };
        check("http://127.0.0.1:8088/ari", Ok("http://127.0.0.1:8088/ari"));
        check("http://127.0.0.1:8088/ari/", Ok("http://127.0.0.1:8088/ari"));
        check("https://pbx.example/asterisk/ari", Ok("https://pbx.example:443/asterisk/ari"));
        check("http://[::1]:8088/ari", Ok("http://[::1]:8088/ari"));
        check("http://user:pw@127.0.0.1:8088/ari", Err(AriUrlError::Credentials));
        for bad in [
            "",
            "/ari",
            "127.0.0.1:8088/ari",
            "ws://127.0.0.1:8088/ari",
            "http://127.0.0.1:8088",
            "http://127.0.0.1:8088/",
            "http://127.0.0.1:0/ari",
            "http://127.0.0.1:99999/ari",
            "http://127.0.0.1:8088/ari?app=x",
            "http://127.0.0.1:8088/ari#x",
            "http:///ari",
        ] {
            check(bad, Err(AriUrlError::Malformed));
        }
    }
}
