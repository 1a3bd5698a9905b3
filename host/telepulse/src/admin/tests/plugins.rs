//! Plugins: shown, ordered, installed, gone back to.

use super::*;

#[test]
fn a_failed_gateway_makes_it_unready_and_nothing_else_does() {
    use plugin_host::State;
    let exports = |name: &str| [format!("{name}@0.2.12")];
    let (gateway, other) =
        (exports("wasi:http/incoming-handler"), exports("telepulse:plugin/subscriber"));
    assert!(is_gateway_down(State::Failed, &gateway));
    assert!(is_gateway_down(State::Failed, &exports("telepulse:plugin/http-handler")));
    assert!(is_gateway_down(State::Failed, &exports("telepulse:plugin/connection-handler")));
    assert!(!is_gateway_down(State::Failed, &other));
    for state in [State::Running, State::Waiting, State::Stopped, State::Elsewhere] {
        assert!(!is_gateway_down(state, &gateway), "{state:?}");
    }
}

#[tokio::test]
async fn plugins_are_shown_ordered_and_removed() {
    let world = World::local().await;
    let all = world.call("GET", "/plugins", None).await.body;
    assert_eq!((&all[0]["name"], &all[0]["state"]), (&json!("crm"), &json!("failed")));
    assert_eq!(world.call("GET", "/plugins/crm", None).await.body, all[0]);
    for (order, state) in [("stop", "stopped"), ("start", "failed"), ("reload", "failed")] {
        let answer = world.call("POST", &format!("/plugins/crm/{order}"), None).await;
        assert_eq!((answer.status, &answer.body["state"]), (200, &json!(state)), "{order}");
    }
    let unknown = world.call("POST", "/plugins/crm/explode", None).await;
    assert_eq!(unknown.problem(), (404, "notFound", ""));
    assert_eq!(world.call("DELETE", "/plugins/crm", None).await.status, 204);
    for (method, path) in
        [("GET", "/plugins/crm"), ("DELETE", "/plugins/crm"), ("POST", "/plugins/crm/reload")]
    {
        assert_eq!(world.call(method, path, None).await.problem(), (404, "notFound", ""));
    }
    assert_eq!(world.call("GET", "/plugins", None).await.body, json!([]));
}

#[tokio::test]
async fn what_cannot_be_a_plugin_is_not_installed() {
    let world = World::local().await;
    let put = async |name: &str, body: &'static [u8]| {
        let kind = [("content-type", "application/wasm")];
        let mut request = with(request("PUT", &format!("/plugins/{name}"), None), &kind);
        *request.body_mut() = body.into();
        world.send(request).await
    };
    assert_eq!(put("new", b"no component").await.problem(), (400, "badRequest", ""));
    for name in ["..%2Fx", "CON", "a.b", "%EF%BD%97s", &"x".repeat(64)] {
        let answer = put(name, EMPTY_COMPONENT).await;
        assert_eq!(answer.problem(), (400, "badRequest", "name"), "{name}");
        let answer = world.call("GET", &format!("/plugins/{name}"), None).await;
        assert_eq!(answer.problem(), (400, "badRequest", "name"), "{name}");
    }
    let all = world.call("GET", "/plugins", None).await.body;
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
}

#[tokio::test]
async fn builds_are_listed_and_gone_back_to() {
    let world = World::local().await;
    let history = world.call("GET", "/plugins/crm/history", None).await;
    assert_eq!((history.status, history.body), (200, json!({ "items": [] })));
    let nothing = world.call("POST", "/plugins/crm/rollback", None).await;
    assert_eq!(nothing.problem(), (404, "notFound", ""));
    let unknown = world.call("POST", "/plugins/crm/rollback", Some(json!({"hash": "abc"}))).await;
    assert_eq!(unknown.problem(), (404, "notFound", ""));
    for (body, field) in [(json!({"hash": "../x"}), "hash"), (json!({"build": "abc"}), "build")] {
        let refused = world.call("POST", "/plugins/crm/rollback", Some(body)).await;
        assert_eq!(refused.problem(), (400, "badRequest", field));
    }
    let none = world.call("GET", "/plugins/nobody/history", None).await;
    assert_eq!(none.problem(), (404, "notFound", ""));
}
