//! What is told: readiness, the description, figures, what becomes of a configuration.

use super::*;

#[tokio::test]
async fn it_is_not_ready_once_it_stops() {
    let world = World::local().await;
    assert_eq!(world.call("GET", "/readyz", None).await.status, 200);
    world.api.stopping.cancel();
    let answer = world.call("GET", "/readyz", None).await;
    assert_eq!(answer.problem(), (503, "serverUnavailable", ""));
    assert_eq!(world.call("GET", "/healthz", None).await.status, 200);
}

#[tokio::test]
async fn the_description_tells_what_there_is() {
    let world = World::local().await;
    let description = world.call("GET", "/openapi.json", None).await;
    assert_eq!(description.kind, "application/json");
    assert_eq!(description.body["openapi"], "3.1.0");
    let paths = description.body["paths"].as_object().unwrap();
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            let path = path.replace("{id}", "pbx1").replace("{name}", "crm");
            let answer = world.call(&method.to_uppercase(), &path, None).await;
            assert_ne!(answer.status, 405, "{method} {path}");
            let detail = answer.body["detail"].as_str().unwrap_or_default();
            assert!(!detail.contains("no such path"), "{method} {path}");
        }
    }
    let fields = &description.body["components"]["schemas"]["Server"]["properties"];
    for key in crate::config::Server::KEYS {
        assert!(fields[key].is_object(), "{key}");
    }
}

#[tokio::test]
async fn figures_are_told_for_prometheus() {
    let world = World::local().await;
    let added = json!({"id": "pbx1", "host": "10.0.0.1", "username": "u", "secret": "s"});
    assert_eq!(world.call("POST", "/servers", Some(added)).await.status, 201);
    let router = router(world.api.clone());
    let response = router.oneshot(request("GET", "/metrics", None)).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    for line in [
        "telepulse_plugin_state{plugin=\"crm\",state=\"failed\"} 1",
        "telepulse_plugin_state{plugin=\"crm\",state=\"running\"} 0",
        "telepulse_server_events_total{server=\"pbx1\"} 0",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}: {text}");
    }
}

#[tokio::test]
async fn a_configuration_is_tried_and_refused() {
    let world = World::new("127.0.0.1:8082", None).await;
    let reload = async |body: &str| {
        let request = Request::post("/configuration/reload")
            .header("host", "127.0.0.1:8082")
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap();
        let response = router(world.api.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice::<Value>(&bytes).unwrap())
    };
    let (status, answer) = reload("{\"dryRun\":true}").await;
    assert_eq!((status, &answer["applied"]), (StatusCode::OK, &json!(false)));
    assert_eq!(answer["changes"][0]["key"], "log.level");
    let (status, answer) = reload("{}").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer["mistakes"],
        json!([{ "where": "x.toml:3", "what": "log.level: must be …" }])
    );
    assert_eq!(reload("{\"dry\":1}").await.1["field"], "dry");
}
