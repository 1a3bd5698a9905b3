//! Servers: added, changed, removed; bodies that are none.

use super::*;

#[tokio::test]
async fn servers_come_change_and_go() {
    let world = World::local().await;
    assert_eq!(world.call("GET", "/servers", None).await.body, json!({ "items": [] }));
    let added = world.call("POST", "/servers", Some(pbx1())).await;
    assert_eq!((added.status, added.location.as_deref()), (201, Some("/servers/pbx1")));
    assert_eq!(added.body, json!({ "id": "pbx1", "host": "h" }));
    let twice = world.call("POST", "/servers", Some(pbx1())).await;
    assert_eq!(twice.problem(), (409, "conflict", ""));
    let mut other = pbx1();
    other["host"] = "h2".into();
    let changed = world.call("PUT", "/servers/pbx1", Some(other.clone())).await;
    assert_eq!((changed.status, &changed.body["host"]), (200, &json!("h2")));
    assert_eq!(world.call("GET", "/servers/pbx1", None).await.body["host"], "h2");
    let renamed = world.call("PUT", "/servers/pbx2", Some(other)).await;
    assert_eq!(renamed.problem(), (400, "badRequest", "id"));
    for order in ["restart", "stop", "start"] {
        let path = format!("/servers/pbx1/{order}");
        assert_eq!(world.call("POST", &path, None).await.status, 202, "{order}");
    }
    let unknown = world.call("POST", "/servers/pbx1/explode", None).await;
    assert_eq!(unknown.problem(), (404, "notFound", ""));
    assert_eq!(world.call("DELETE", "/servers/pbx1", None).await.status, 204);
    for (method, path) in [
        ("GET", "/servers/pbx1"),
        ("DELETE", "/servers/pbx1"),
        ("POST", "/servers/pbx1/restart"),
        ("GET", "/nothing"),
    ] {
        assert_eq!(world.call(method, path, None).await.problem(), (404, "notFound", ""));
    }
    assert_eq!(world.call("PATCH", "/servers", None).await.problem(), (405, "badRequest", ""));
}

#[tokio::test]
async fn bad_servers_are_told_by_field() {
    let world = World::local().await;
    for (field, value) in [
        ("id", json!("../x")),
        ("host", json!("a\nb")),
        ("port", json!(0)),
        ("secret", json!("canary\r\nAction: Logoff")),
        ("colour", json!("red")),
    ] {
        let mut server = pbx1();
        server[field] = value;
        let answer = world.call("POST", "/servers", Some(server)).await;
        assert_eq!(answer.problem(), (400, "badRequest", field));
        assert!(!answer.body.to_string().contains("canary"));
    }
}

#[tokio::test]
async fn bodies_are_json_and_bounded() {
    let world = World::local().await;
    let post = |kind: &'static str, body: Body| {
        let mut request = with(request("POST", "/servers", None), &[("content-type", kind)]);
        *request.body_mut() = body;
        request
    };
    for (request, expected) in [
        (request("POST", "/servers", None), 415),
        (post("text/plain", pbx1().to_string().into()), 415),
        (post("application/x-www-form-urlencoded", Body::empty()), 415),
        (post("application/json", "{".into()), 400),
        (post("application/json", "[]".into()), 400),
        (post("application/json", "{\"id\":\"a\",\"id\":\"b\"}".into()), 400),
        (post("application/json", vec![b' '; 70_000].into()), 413),
        (with(post("application/json", "{}".into()), &[("content-length", "70000")]), 413),
        (post("application/json; charset=utf-8", pbx1().to_string().into()), 201),
        (with(request("POST", "/servers/pbx1/stop", None), &[("content-type", "text/plain")]), 415),
        (with(request("PUT", "/plugins/a", None), &[("content-type", "text/html")]), 415),
    ] {
        let what = format!("{request:?}");
        let answer = world.send(request).await;
        assert_eq!(answer.status, expected, "{what}");
        if expected != 201 {
            assert_eq!(answer.problem().1, "badRequest");
        }
    }
}

#[tokio::test]
async fn without_a_proxy_servers_are_unavailable() {
    let mut world = World::local().await;
    world.api.bus = LocalBus::new("epoch".to_owned(), 16);
    for path in ["/servers", "/readyz"] {
        let answer = world.call("GET", path, None).await;
        assert_eq!(answer.problem(), (503, "serverUnavailable", ""));
    }
}
