//! Where traces go, as `[telemetry]` says it.

use super::{Secret, rules};
use http::{HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use std::path::PathBuf;

/// What we are called at the collector, by default.
pub(super) const SERVICE: &str = "telepulse";
/// What of OTLP's paths is for traces.
const TRACES: &str = "/v1/traces";

/// `[telemetry]`: an OpenTelemetry collector that gets the traces of commands.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// Where it takes traces.
    pub otlp: Uri,
    /// Headers that it wants with them.
    pub headers: Vec<(HeaderName, Secret)>,
    /// What we are called there.
    pub service: String,
    /// How many of a hundred traces that begin here are followed.
    pub sample_percent: u32,
    /// Certificates (PEM) of the authorities to trust; `None`: those of this machine.
    pub ca: Option<PathBuf>,
}

/// Reads the collector's address; the path of traces may be left out.
pub(super) fn otlp(text: &str) -> Result<Uri, String> {
    let wanted = "must be the http or https URL of an OpenTelemetry collector, like \
                  \"http://127.0.0.1:4318\"";
    read(text).ok_or_else(|| {
        let has_login = text.contains('@');
        if has_login { "holds a user or a password: put it into headers" } else { wanted }
            .to_owned()
    })
}

fn read(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    rules::host(host).ok()?;
    let has_port = authority.as_str().rsplit(']').next()?.contains(':');
    let good_port = !has_port || authority.port_u16().is_some_and(|port| port > 0);
    let has_more = uri.query().is_some() || text.contains(['#', '@']);
    if !matches!(scheme, "http" | "https") || !good_port || has_more {
        return None;
    }
    let path = uri.path().trim_end_matches('/');
    let path = path.strip_suffix(TRACES).unwrap_or(path);
    format!("{scheme}://{authority}{path}{TRACES}").parse().ok()
}

/// Reads headers as OpenTelemetry writes them, `name=value,name=value` with `%2C` for a comma. No error
/// shows any of it.
pub(super) fn headers(text: &str) -> Result<Vec<(HeaderName, Secret)>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| header(part).ok_or(())).collect::<Result<_, ()>>().map_err(|()| {
        "must be headers like \"api-key=SECRET\", several with commas between them, and %2C for a \
         comma in a value"
            .to_owned()
    })
}

fn header(part: &str) -> Option<(HeaderName, Secret)> {
    let (name, value) = part.split_once('=')?;
    let name = HeaderName::try_from(name.trim()).ok()?;
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    HeaderValue::from_str(&value).ok()?;
    Some((name, Secret::new(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_collector() {
        let check = |text: &str, expected: Option<&str>| {
            let read = otlp(text).map(|uri| uri.to_string());
            assert_eq!(read.ok().as_deref(), expected, "{text}");
        };
        check("http://127.0.0.1:4318", Some("http://127.0.0.1:4318/v1/traces"));
        check("http://c.example:4318/", Some("http://c.example:4318/v1/traces"));
        check("https://c.example/otlp/", Some("https://c.example/otlp/v1/traces"));
        check("https://[::1]:1/v1/traces", Some("https://[::1]:1/v1/traces"));
        for bad in ["", "c:4318", "grpc://c:4317", "http://c:0", "http://c:x", "http://c/?a=b"] {
            check(bad, None);
        }
        assert!(otlp("http://u:hunter2@c").is_err_and(|why| why.contains("headers")));
    }

    #[test]
    fn headers_of_opentelemetry() {
        let read = headers("api-key=a%2Cb, x-org = 7,").unwrap();
        let plain: Vec<_> = read.iter().map(|(name, it)| (name.as_str(), it.expose())).collect();
        assert_eq!(plain, [("api-key", "a,b"), ("x-org", "7")]);
        for bad in ["hunter2", "a b=hunter2", "a=hunter2%0a"] {
            let why = headers(bad).unwrap_err();
            assert!(!why.contains("hunter2"), "{why}");
        }
    }
}
