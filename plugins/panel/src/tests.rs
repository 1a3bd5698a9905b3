//! Requests in, answers out.

use crate::{answer::handle, assets, settings::Settings};
use serde_json::Value;
use telepulse_plugin_sdk::http::{Request, Response};

fn ask(request: &Request) -> Response {
    handle(request, Ok(Settings::default()))
}

fn get(path: &str) -> Request {
    Request::new("GET", path).with_header("Host", "pbx.example:8083")
}

#[test]
fn the_page_comes_with_what_guards_it() {
    let page = ask(&get("/"));
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    let policy = page.header("content-security-policy").unwrap();
    for wanted in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self' ws://pbx.example:8084 wss://pbx.example:8084",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ] {
        assert!(policy.split("; ").any(|directive| directive == wanted), "{wanted}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[test]
fn every_file_comes_as_it_is_accepted_and_once() {
    for asset in assets::ALL {
        let plain = ask(&get(asset.path));
        assert_eq!((plain.status, &*plain.body), (200, asset.plain), "{}", asset.path);
        assert_eq!(plain.header("content-encoding"), None);
        assert_eq!(plain.header("vary"), Some("accept-encoding"));
        let packed = ask(&get(asset.path).with_header("Accept-Encoding", "gzip, br"));
        let expected = asset.brotli.map(|_| "br").or(asset.gzip.map(|_| "gzip"));
        assert_eq!(packed.header("content-encoding"), expected, "{}", asset.path);
        assert!(packed.body.len() <= asset.plain.len());
        let tag = plain.header("etag").unwrap();
        let again = ask(&get(asset.path).with_header("If-None-Match", tag));
        assert_eq!((again.status, again.body.len()), (304, 0), "{}", asset.path);
        assert!(again.header("content-security-policy").is_some());
        let immutable = plain.header("cache-control").unwrap().contains("immutable");
        assert_eq!(immutable, asset.path.starts_with("/assets/"), "{}", asset.path);
    }
}

#[test]
fn a_head_says_how_long_it_would_be() {
    let head = ask(&Request::new("HEAD", "/"));
    let page = ask(&get("/"));
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(&*page.body.len().to_string()));
}

#[test]
fn the_page_is_told_of_this_place() {
    let told = ask(&get("/panel.json"));
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!((&told["gatewayPort"], &told["serviceLevelSeconds"]), (&8084.into(), &20.into()));
    let wrong = handle(&get("/panel.json"), Err("[settings] colour".to_owned()));
    assert_eq!(wrong.status, 500);
    assert!(String::from_utf8_lossy(&wrong.body).contains("panel.toml: [settings] colour"));
}

#[test]
fn nothing_else_is_there() {
    for path in ["/nowhere", "/assets/", "/../panel.toml", "/index.html/x"] {
        let response = ask(&get(path));
        assert_eq!(response.status, 404, "{path}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        assert!(response.header("content-security-policy").is_some());
    }
    let post = ask(&Request::new("POST", "/"));
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
}
