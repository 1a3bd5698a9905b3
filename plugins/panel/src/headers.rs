//! What browsers are told to refuse: everything that the page does not need.

use crate::settings::Settings;
use telepulse_plugin_sdk::http::Response;

/// What the page is allowed to load, and whom it may talk to: its own files, and the gateway.
pub(crate) fn policy(settings: Option<&Settings>, host: Option<&str>) -> String {
    let gateway = settings.map(|settings| gateway(settings, host)).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'{gateway}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// The gateway as sources of `connect-src`, each with a space before it.
fn gateway(settings: &Settings, host: Option<&str>) -> String {
    if let Some(gateway) = &settings.gateway {
        return format!(" {}", gateway.as_source());
    }
    let port = settings.gateway_port;
    match host.and_then(name) {
        Some(name) => format!(" ws://{name}:{port} wss://{name}:{port}"),
        None => String::new(),
    }
}

/// The name in a `Host` header, if it is one: nothing else gets into a policy.
fn name(host: &str) -> Option<&str> {
    let name = match host.strip_prefix('[') {
        Some(rest) => &host[..=rest.find(']')? + 1],
        None => host.split(':').next()?,
    };
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
    (!name.is_empty() && name.bytes().all(is_good)).then_some(name)
}

/// The same answer with what all answers have.
pub(crate) fn guarded(response: Response, policy: &str) -> Response {
    response
        .with_header("content-security-policy", policy)
        .with_header("x-content-type-options", "nosniff")
        .with_header("referrer-policy", "no-referrer")
        .with_header("cross-origin-opener-policy", "same-origin")
        .with_header("cross-origin-resource-policy", "same-origin")
        .with_header("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=()")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_gets_into_the_policy() {
        for (host, expected) in [
            ("pbx.example:8083", Some("pbx.example")),
            ("127.0.0.1", Some("127.0.0.1")),
            ("[::1]:8083", Some("[::1]")),
            ("[::1", None),
            ("a b:1", None),
            ("evil;script-src *", None),
            ("", None),
        ] {
            assert_eq!(name(host), expected, "{host}");
        }
    }

    #[test]
    fn the_gateway_is_where_the_settings_say() {
        let here = policy(Some(&Settings::default()), Some("pbx.example:8083"));
        assert!(here.contains("connect-src 'self' ws://pbx.example:8084 wss://pbx.example:8084;"));
        let settings: Settings =
            serde_json::from_str(r#"{"gateway": "wss://gw.example/x"}"#).unwrap();
        let there = policy(Some(&settings), Some("pbx.example"));
        assert!(there.contains("connect-src 'self' wss://gw.example;"), "{there}");
        assert!(policy(None, Some("pbx.example")).contains("connect-src 'self';"));
    }
}
