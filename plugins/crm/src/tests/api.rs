//! `/v1/crm`.

use super::{NUMBER, Scene, WRITTEN, host, maja};
use crate::crm::Crm;
use serde_json::{Value, json};
use telepulse_plugin_sdk::{
    HttpHandler,
    http::{BodyError, Request, Response},
};

fn post(path: &str, body: &Value) -> Request {
    Request::new("POST", path)
        .with_header("content-type", "application/json")
        .with_body(body.to_string())
}

fn put_book(text: &str) -> Request {
    Request::new("PUT", "/v1/crm/book").with_header("content-type", "text/csv").with_body(text)
}

fn handle(request: Request) -> Response {
    <Crm as HttpHandler>::handle(request)
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

#[test]
fn a_changed_record_is_pushed_to_those_who_talk() {
    let mut scene = Scene::new();
    scene.talks("101", "c1");
    drop(scene.told());
    let push = json!({"number": WRITTEN, "info": maja()});
    let response = handle(post("/v1/crm/contacts", &push));
    assert_eq!((response.status, body(&response)["number"].clone()), (200, json!(NUMBER)));
    let (_, changed) = scene.told().into_iter().find(|(kind, _)| kind == "changed").unwrap();
    scene.changed(&changed);
    assert_eq!(scene.infos(), [("101".to_owned(), maja(), false)]);
    scene.host.fetches();
    // And to whoever is called later.
    scene.rings("102", "c2");
    assert_eq!((scene.host.fetches().len(), scene.infos().len()), (0, 1));
    let forget =
        |number: &str| handle(Request::new("DELETE", &format!("/v1/crm/contacts/{number}")));
    assert_eq!(forget("%2B38514812345").status, 204);
    assert_eq!(forget("%2B38514812345").status, 404);
}

#[test]
fn the_address_book_is_replaced_whole() {
    let host = host();
    host.set("lookup", "book");
    let mut scene = Scene::on(host);
    scene.rings("101", "c1");
    assert_eq!(scene.infos(), [("101".to_owned(), Value::Null, false)]);
    let response = handle(put_book("name,number\nMaja,01 4812 345\n"));
    assert_eq!(body(&response), json!({"contacts": 1}));
    let (_, changed) = scene.told().into_iter().find(|(kind, _)| kind == "changed").unwrap();
    scene.changed(&changed);
    scene.rings("101", "c2");
    assert_eq!(scene.infos(), [("101".to_owned(), json!({"name": "Maja"}), false)]);
    assert_eq!(handle(put_book("name\nMaja\n")).status, 400);
    assert_eq!(body(&handle(Request::new("GET", "/v1/crm/book"))), json!({"contacts": 1}));
}

#[test]
fn it_says_how_it_is() {
    let _scene = Scene::new();
    let state =
        json!({"lookup": "http", "source": "custom", "logs": true, "waiting": 0, "aside": 0});
    assert_eq!(body(&handle(Request::new("GET", "/v1/crm"))), state);
    assert_eq!(body(&handle(Request::new("GET", "/v1/crm/aside"))), json!({"items": []}));
}

#[test]
fn mistakes_are_named() {
    let scene = Scene::new();
    let contacts = "/v1/crm/contacts";
    let bare = |method: &str, path: &str| Request::new(method, path);
    let table = [
        (post(contacts, &json!({"number": "101", "info": 1})), 400, "number"),
        (post(contacts, &json!({"number": "", "info": 1})), 400, "number"),
        (post(contacts, &json!({"number": "hello", "info": 1})), 400, "number"),
        (post(contacts, &json!({"number": "1234567\r\n8", "info": 1})), 400, "number"),
        (post(contacts, &json!({"number": 7, "info": 1})), 400, "number"),
        (post(contacts, &json!({"number": WRITTEN})), 400, "info"),
        (post(contacts, &json!({"info": 1})), 400, "number"),
        (post(contacts, &json!({"number": WRITTEN, "info": 1, "ttl": 3})), 400, "ttl"),
        (post(contacts, &json!({"number": WRITTEN, "info": "x".repeat(60_001)})), 413, "info"),
        (post(contacts, &json!([])), 400, ""),
        (post(contacts, &json!(7)), 400, ""),
        (post(contacts, &json!({})).with_body("{"), 400, ""),
        (post(contacts, &json!({})).with_body(b"\xff".to_vec()), 400, ""),
        (bare("POST", contacts).with_body("{}"), 415, ""),
        (bare("GET", contacts), 405, ""),
        (bare("DELETE", contacts), 405, ""),
        (bare("DELETE", "/v1/crm/contacts/101"), 400, "number"),
        (bare("DELETE", "/v1/crm/contacts/%2B38599999999"), 404, ""),
        (bare("GET", "/v1/crm/contacts/%2B38599999999"), 405, ""),
        (bare("DELETE", "/v1/crm/contacts/%ff"), 404, ""),
        (bare("DELETE", "/v1/crm/contacts/"), 404, ""),
        (bare("PUT", "/v1/crm/book").with_body("number\n1234567\n"), 415, ""),
        (put_book(""), 400, ""),
        (put_book("name,phone\nx,1\n"), 400, ""),
        (put_book("name,number\nx\n"), 400, ""),
        (put_book("name,number\nx,none\n"), 400, ""),
        (put_book("").with_body(b"number\n\xff\n".to_vec()), 400, ""),
        (Request { body: Err(BodyError::TooLong(1_000_000)), ..put_book("") }, 413, ""),
        (bare("POST", "/v1/crm/book"), 405, ""),
        (bare("POST", "/v1/crm"), 405, ""),
        (bare("POST", "/v1/crm/aside"), 405, ""),
        (bare("POST", "/v1/crm/aside/c1/00000001/again"), 404, ""),
        (bare("DELETE", "/v1/crm/aside/c1/00000001"), 404, ""),
        (bare("GET", "/v1/crm/aside/c1/00000001"), 405, ""),
        (bare("DELETE", "/v1/crm/aside/..%2f/1"), 404, ""),
        (bare("GET", "/v1/crm?x=1"), 400, "query"),
        (bare("GET", "/v1/crm/elsewhere"), 404, ""),
        (bare("GET", "/v1/crmx"), 404, ""),
        (bare("GET", "/elsewhere"), 404, ""),
    ];
    for (request, status, field) in table {
        let told = format!("{} {} {:?}", request.method, request.path, request.body);
        let response = handle(request);
        let problem = body(&response);
        assert_eq!(response.status, status, "{told}: {problem}");
        assert_eq!(problem["field"].as_str().unwrap_or_default(), field, "{told}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
    assert!(scene.told().is_empty(), "nothing came of it");
    scene.host.refuse(Some("Redis is away"));
    for request in [bare("GET", "/v1/crm"), put_book("number\n1234567\n")] {
        let response = handle(request);
        assert_eq!(response.status, 503);
        assert!(body(&response)["detail"].as_str().unwrap().contains("Redis is away"));
    }
}
