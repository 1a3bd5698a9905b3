//! Who is let in: foreign pages, tokens, guesses.

use super::*;

#[tokio::test]
async fn foreign_pages_are_turned_away() {
    let world = World::local().await;
    let get = || request("GET", "/servers", None);
    let post = || request("POST", "/servers", Some(pbx1()));
    for (request, expected) in [
        (with(get(), &[("host", "evil.example")]), 403),
        (with(get(), &[("host", "evil.example:8082")]), 403),
        (with(get(), &[("host", "127.0.0.1.evil.example")]), 403),
        (with(get(), &[("host", "10.0.0.1:8082")]), 403),
        (with(get(), &[("host", "")]), 400),
        (with(get(), &[("host", "a b")]), 400),
        (with(get(), &[("host", "localhost:9000")]), 200),
        (with(get(), &[("host", "[::1]:8082")]), 200),
        (with(get(), &[("host", "LOCALHOST")]), 200),
        (with(get(), &[("origin", "http://evil.example")]), 403),
        (with(post(), &[("origin", "http://evil.example")]), 403),
        (with(post(), &[("origin", "null")]), 403),
        (with(post(), &[("origin", "http://127.0.0.1:8083")]), 403),
        (with(post(), &[("sec-fetch-site", "cross-site")]), 403),
        (with(post(), &[("sec-fetch-site", "same-site")]), 403),
        (with(get(), &[("sec-fetch-site", "cross-site")]), 200),
        (
            with(post(), &[("origin", "http://127.0.0.1:8082"), ("sec-fetch-site", "same-origin")]),
            201,
        ),
    ] {
        let what = format!("{:?}", request.headers());
        assert_eq!(world.send(request).await.status, expected, "{what}");
    }
    let mut two = get();
    two.headers_mut().append("host", "127.0.0.1".parse().unwrap());
    assert_eq!(world.send(two).await.status, 400);
    let absolute = request("GET", "http://evil.example/servers", None);
    assert_eq!(world.send(absolute).await.status, 400);
}

#[tokio::test]
async fn a_configured_token_is_asked_for() {
    let world = World::new("0.0.0.0:8082", Some("the-token")).await;
    let get = |path| with(request("GET", path, None), &[("host", "admin.example")]);
    for (headers, expected) in [
        (&[][..], 401),
        (&[("authorization", "Bearer wrong")][..], 401),
        (&[("authorization", "Basic the-token")][..], 401),
        (&[("authorization", "Bearer the-token")][..], 200),
    ] {
        let answer = world.send(with(get("/servers"), headers)).await;
        assert_eq!(answer.status, expected, "{headers:?}");
        if expected == 401 {
            assert_eq!(answer.problem(), (401, "unauthorized", ""));
            assert!(answer.challenge.is_some_and(|challenge| challenge.starts_with("Bearer")));
        }
    }
    assert_eq!(world.send(get("/healthz")).await.status, 200);
    assert_eq!(world.send(get("/readyz")).await.status, 200);
}

#[tokio::test]
async fn admin_tokens_are_not_guessed() {
    let world = World::new("0.0.0.0:8082", Some("the-token")).await;
    let send = async |peer: &str, authorization: Option<&'static str>| {
        let headers: Vec<_> =
            authorization.map(|value| ("authorization", value)).into_iter().collect();
        let mut request = with(request("GET", "/servers", None), &headers);
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        world.send(request).await.status
    };
    for _ in 0..30 {
        assert_eq!(send("192.0.2.7:4000", Some("Bearer wrong")).await, 401);
    }
    assert_eq!(send("192.0.2.7:4001", Some("Bearer wrong")).await, 429);
    assert_eq!(send("192.0.2.7:4001", Some("Bearer the-token")).await, 200);
    assert_eq!(send("192.0.2.7:4001", None).await, 401, "asking without one is no guess");
    assert_eq!(send("192.0.2.8:4000", Some("Bearer wrong")).await, 401);
}

#[tokio::test]
async fn logins_are_taken_back_and_given_back() {
    let world = World::local().await;
    let none = world.call("GET", "/revocations", None).await.body;
    assert_eq!(none, json!({ "items": [], "fresh": false }), "it has not looked yet");
    let made = world.call("POST", "/revocations", Some(json!({ "user": "ana" }))).await;
    assert_eq!((made.status, &made.body["user"]), (201, &json!("ana")));
    let all = world.call("GET", "/revocations", None).await.body;
    assert_eq!(all, json!({ "items": [made.body], "fresh": true }));
    let place = made.location.unwrap();
    for (order, expected) in [
        (json!({ "user": "nobody" }), (404, "notFound", "user")),
        (json!({ "user": "ana", "jti": "a" }), (400, "badRequest", "")),
        (json!({ "jti": "a", "expires": "2001-01-01T00:00:00Z" }), (400, "badRequest", "expires")),
    ] {
        let refused = world.call("POST", "/revocations", Some(order)).await;
        assert_eq!(refused.problem(), expected);
    }
    assert_eq!(world.call("DELETE", &place, None).await.status, 204);
    let gone = world.call("DELETE", &place, None).await;
    assert_eq!(gone.problem(), (404, "notFound", ""));
}
