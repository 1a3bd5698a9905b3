//! WebSocket and HTTP gateways as components: connections outlive instances, requests get one each.

mod support;

use plugin_host::{State, ports::HttpFailure};
use support::{
    Rig,
    guests::{guest, variant},
};

const ECHO: &str = r#"
[grants]
request = ["test.ask"]
websocket = [{ listen = "127.0.0.1:8084", path = "/" }]
"#;

const WEB: &str = r#"
[grants]
request = ["test.ask"]
http = []
routes = [{ listen = "127.0.0.1:8083", path = "/" }]
[limits]
callMs = 200
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_talks_with_its_clients() {
    let rig = Rig::with(&[("echo", &guest("echo"), ECHO)]).await;
    let conn = rig.world.connect("/").await;
    rig.world.hears(conn, &format!("hello {conn}")).await;
    for (told, heard) in [
        ("hi", "1 hi".to_owned()),
        ("ask", format!("answer echo asks for user {conn}")),
        ("timer", "fired".to_owned()),
    ] {
        rig.world.tell(conn, told).await;
        rig.world.hears(conn, &heard).await;
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_outlive_swaps_and_traps() {
    let wasm = guest("echo");
    let rig = Rig::with(&[("echo", &wasm, ECHO)]).await;
    let conn = rig.world.connect("/").await;
    rig.world.hears(conn, &format!("hello {conn}")).await;
    let next = variant(&wasm, 1);
    rig.put("echo.wasm", &next);
    rig.runs("echo", &next).await;
    rig.world.hears(conn, &format!("resumed tag {conn}")).await;
    rig.world.tell(conn, "hi").await;
    rig.world.hears(conn, "2 hi").await;

    // It fails soon after the swap: the build before is back, and the connection with it. Only who said
    // what was lost is sent away: nothing that was accepted is forgotten without a word.
    let unlucky = rig.world.connect("/").await;
    rig.world.hears(unlucky, &format!("hello {unlucky}")).await;
    rig.world.tell(unlucky, "trap").await;
    rig.runs("echo", &wasm).await;
    assert!(!rig.world.is_open(unlucky));
    rig.world.tell(conn, "again").await;
    rig.world.hears(conn, "3 again").await;
    let resumed = format!("resumed tag {conn}");
    assert_eq!(rig.world.heard(conn).iter().filter(|text| **text == resumed).count(), 2);
    let hello = format!("hello {conn}");
    assert_eq!(rig.world.heard(conn).iter().filter(|text| **text == hello).count(), 1);
    assert_eq!(rig.world.held(), (0, 1, 0));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_an_answer_that_is_lost_is_sent_away() {
    let rig = Rig::with(&[("echo", &guest("echo"), ECHO)]).await;
    let (unlucky, other) = (rig.world.connect("/").await, rig.world.connect("/").await);
    for conn in [unlucky, other] {
        rig.world.hears(conn, &format!("hello {conn}")).await;
    }
    rig.world.tell(unlucky, "doom").await;
    rig.world.hears(other, &format!("resumed tag {other}")).await;
    assert!(!rig.world.is_open(unlucky));
    rig.world.tell(other, "ask").await;
    rig.world.hears(other, &format!("answer echo asks for user {other}")).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_one_at_a_time_and_failures_stay_alone() {
    let rig = Rig::with(&[("web", &guest("web"), WEB)]).await;
    assert_eq!(rig.host.show("web").unwrap().state, State::Running);
    let world = &rig.world;
    assert_eq!(world.get("/", "/a?b").await, Ok((200, "you asked for /a?b".to_owned())));
    assert_eq!(world.get("/", "/ask").await, Ok((200, "web asks for tester".to_owned())));
    let (_, outside) = world.get("/", "/out/127.0.0.1:1/").await.unwrap();
    assert!(outside.contains("HttpRequestDenied"), "{outside}");
    for path in ["/trap", "/loop", "/silent"] {
        assert_eq!(world.get("/", path).await, Err(HttpFailure::Failed), "{path}");
    }
    assert_eq!(world.get("/", "/b").await, Ok((200, "you asked for /b".to_owned())));
    let figures = rig.figures("web", |it| it.request_failures == 3).await;
    assert_eq!((figures.requests, figures.restarts), (7, 0));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_paths_of_a_plugin_that_does_not_run_are_announced() {
    let rig = Rig::with(&[("web", b"no component", WEB)]).await;
    assert_eq!(rig.host.show("web").unwrap().state, State::Failed);
    assert_eq!(rig.world.announced(), ["/"]);
    let wasm = guest("web");
    rig.put("web.wasm", &wasm);
    rig.runs("web", &wasm).await;
    assert_eq!(rig.world.announced(), [""; 0], "it answers itself");
    assert_eq!(rig.world.get("/", "/x").await, Ok((200, "you asked for /x".to_owned())));
    // Whoever stopped it does not want it to come.
    rig.host.stop("web").await.unwrap();
    assert_eq!(rig.world.announced(), [""; 0]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_serves_again_and_acts_for_whoever_asks() {
    let rig = Rig::with(&[("web", &guest("web"), WEB)]).await;
    let world = &rig.world;
    // It is free again a moment after its answer is there.
    let again = async { while world.get("/", "/count").await == Ok((200, "0".to_owned())) {} };
    tokio::time::timeout(support::PATIENCE, again).await.expect("the same instance again");
    for name in ["ana", "bob", "ana"] {
        let answer = world.get_as(name, "/", "/ask").await;
        assert_eq!(answer, Ok((200, format!("web asks for {name}"))));
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_open_to_those_with_the_right_and_that_changes_at_once() {
    let right = |right: &str| WEB.replace("path = \"/\" }", &format!("path = \"/\"{right} }}"));
    let closed = right(", right = \"callData\"");
    let rig = Rig::with(&[("web", &guest("web"), &closed)]).await;
    let world = &rig.world;
    assert_eq!(world.get("/", "/x").await, Err(HttpFailure::Forbidden));
    let held = world.held();
    rig.put("web.toml", right("").as_bytes());
    let opened = async {
        while world.get("/", "/x").await == Err(HttpFailure::Forbidden) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(support::PATIENCE, opened).await.expect("an open path");
    assert_eq!(world.get("/", "/x").await, Ok((200, "you asked for /x".to_owned())));
    assert_eq!(world.held(), held, "it is the same path");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_knows_nothing_of_us_can_be_mounted() {
    let grants = "[grants]\nroutes = [{ listen = \"127.0.0.1:8083\", path = \"/tools\" }]\n";
    let rig = Rig::with(&[("plain", &guest("plain"), grants)]).await;
    let answer = rig.world.get("/tools", "/tools/a?b").await;
    assert_eq!(answer, Ok((200, "/tools/a?b, 0 variables, false".to_owned())));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_go_on_through_swaps() {
    let wasm = guest("web");
    let rig = Rig::with(&[("web", &wasm, WEB)]).await;
    let world = rig.world.clone();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let load = tokio::spawn(async move {
        let mut answers = 0;
        while stopped.try_recv().is_err() {
            assert_eq!(world.get("/", "/x").await, Ok((200, "you asked for /x".to_owned())));
            answers += 1;
        }
        answers
    });
    for number in 1..=5 {
        let next = variant(&wasm, number);
        rig.put("web.wasm", &next);
        rig.runs("web", &next).await;
    }
    stop.send(()).unwrap();
    assert!(load.await.unwrap() > 0);
    rig.stop().await;
}
