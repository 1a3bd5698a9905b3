//! What is refused from a request's head alone: foreign web pages and tokens in the address. Pure.

use http::{HeaderMap, Uri, header};
use plugin_host::ports::OpenInfo;

/// The subprotocol of the gateway (contract section 3).
pub(super) const PROTOCOL: &str = "telepulse.v1";
/// Offered beside it, with a token behind.
const BEARER: &str = "bearer.";

/// Whether the query string has a token. It would end up in logs and histories: it is refused, good
/// or bad.
pub(super) fn has_token(uri: &Uri) -> bool {
    uri.query().unwrap_or_default().split(['&', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
        matches!(&*name, "token" | "access_token" | "accesstoken" | "bearer" | "authorization")
    })
}

/// Whether a web page's origin may connect. Programs send none and may.
pub(super) fn origin_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let known = |origin: &[u8]| {
        allowed.iter().any(|allowed| allowed.as_bytes().eq_ignore_ascii_case(origin))
    };
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) => origin != "null" && known(origin.as_bytes()),
        (Some(_), Some(_)) => false,
    }
}

/// The subprotocols that a client offers, in order.
fn offered(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Whether the gateway's subprotocol is offered, which then must be accepted.
pub(super) fn offers_protocol(headers: &HeaderMap) -> bool {
    offered(headers).any(|protocol| protocol == PROTOCOL)
}

/// The token among the subprotocols, the only place where a web page can put one.
pub(super) fn offered_token(headers: &HeaderMap) -> Option<&str> {
    offered(headers).find_map(|protocol| protocol.strip_prefix(BEARER))
}

/// What a plugin is told about a new client: nothing that could log anybody in.
pub(super) fn open_info(uri: &Uri, headers: &HeaderMap, peer: String) -> OpenInfo {
    let secret = |name: &header::HeaderName| {
        [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE].contains(name)
            || *name == header::SEC_WEBSOCKET_KEY
            || *name == header::SEC_WEBSOCKET_PROTOCOL
    };
    let protocols = offered(headers).filter(|protocol| !protocol.starts_with(BEARER));
    let protocols = protocols.collect::<Vec<_>>().join(", ");
    let mut shown: Vec<_> = headers
        .iter()
        .filter(|(name, _)| !secret(name))
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect();
    if !protocols.is_empty() {
        shown.push((header::SEC_WEBSOCKET_PROTOCOL.as_str().to_owned(), protocols));
    }
    OpenInfo {
        conn: 0,
        peer,
        path: super::routes::trimmed(uri.path()).to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers: shown,
        principal: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| {
                (header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
            })
            .collect()
    }

    #[test]
    fn tokens_in_the_address_are_seen() {
        let check = |uri: &str, expected: bool| {
            assert_eq!(has_token(&uri.parse().unwrap()), expected, "{uri}");
        };
        check("/", false);
        check("/?events=token", false);
        check("/?token=x", true);
        check("/?a=1&Access_Token=x", true);
        check("/?token", true);
        check("/?tokens=x", false);
    }

    #[test]
    fn only_listed_pages_connect() {
        let allowed = ["https://panel.example".to_owned(), "null".to_owned()];
        let check = |origins: &[&str], expected: bool| {
            let list: Vec<_> = origins.iter().map(|origin| ("origin", *origin)).collect();
            let mut map = HeaderMap::new();
            for (name, value) in list {
                map.append(name, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(origin_allowed(&map, &allowed), expected, "{origins:?}");
        };
        check(&[], true);
        check(&["https://panel.example"], true);
        check(&["HTTPS://Panel.example"], true);
        check(&["http://panel.example"], false);
        check(&["https://panel.example.evil.example"], false);
        check(&["https://panel.example:8443"], false);
        check(&["null"], false);
        check(&[""], false);
        check(&["https://panel.example", "https://evil.example"], false);
    }

    #[test]
    fn a_token_comes_with_the_subprotocol_and_goes_no_further() {
        let map = headers(&[
            ("sec-websocket-protocol", "telepulse.v1, bearer.s3cret"),
            ("authorization", "Bearer s3cret"),
            ("cookie", "s3cret"),
            ("user-agent", "test"),
        ]);
        assert!(offers_protocol(&map));
        assert_eq!(offered_token(&map), Some("s3cret"));
        let info = open_info(&"/live/?a=1".parse().unwrap(), &map, "192.0.2.7:1".into());
        assert_eq!((&*info.path, &*info.query), ("/live", "a=1"));
        assert!(!format!("{info:?}").contains("s3cret"));
        let expected = [("user-agent", "test"), ("sec-websocket-protocol", "telepulse.v1")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(info.headers, expected);
        assert_eq!(offered_token(&headers(&[])), None);
        assert!(!offers_protocol(&headers(&[("sec-websocket-protocol", "telepulse.v2")])));
    }
}
