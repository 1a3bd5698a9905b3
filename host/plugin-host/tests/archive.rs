//! Components that were built against a released version of the interface run on this host: they are in
//! `tests/archive`, and never built again.

mod support;

use plugin_host::{State, ports::Verdict};
use std::{fs, path::Path};
use support::{Rig, world::World};

fn archived(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/archive/0.1.0");
    fs::read(folder.join(format!("{name}.wasm"))).expect("it is in the archive")
}

/// A host with the component alone, which runs.
async fn running(name: &str, grants: &str) -> Rig {
    let toml = format!("[grants]\n{grants}\n");
    let rig = Rig::with(&[(name, &archived(name), &toml)]).await;
    let status = rig.host.show(name).expect("it is there");
    assert_eq!((status.state, status.error), (State::Running, None), "{name}");
    rig
}

const BUS: &str = "subscribe = [\"test.in\"]\npublish = [\"test.out\", \"test.log\"]";

#[tokio::test(flavor = "multi_thread")]
async fn framed_events_and_handoff() {
    let rig = running("counter", BUS).await;
    rig.world.emit("x");
    rig.world.says("one", |said| World::said_to(said, "test.out") == ["1 1"]).await;
    rig.host.reload("counter").await.unwrap();
    rig.world.emit("x");
    rig.world.says("two", |said| World::said_to(said, "test.out") == ["1 1", "2 2"]).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records() {
    let rig = running("records", BUS).await;
    rig.world.emit("x");
    rig.figures("records", |it| it.handled == 1).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values() {
    let rig = running("keeper", &format!("{BUS}\nkv = \"1 KiB\"")).await;
    rig.world.emit("set a 1");
    rig.world.emit("get a");
    rig.world.says("it", |said| World::said_to(said, "test.out") == ["set", "1"]).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies() {
    let rig = running("warden", "policy = { commands = [\"dial\"] }").await;
    let decided = rig.world.decides("{\"action\":\"dial\",\"to\":\"666\"}").await;
    assert_eq!(decided, Some(Ok(Verdict::Refuse("ann does not call 666".to_owned()))));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections() {
    let grants = "request = [\"test.ask\"]\n\
                  websocket = [{ listen = \"127.0.0.1:8084\", path = \"/\" }]";
    let rig = running("echo", grants).await;
    let conn = rig.world.connect("/").await;
    rig.world.hears(conn, &format!("hello {conn}")).await;
    rig.world.tell(conn, "ask").await;
    rig.world.hears(conn, &format!("answer echo asks for user {conn}")).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http() {
    let grants = "request = [\"test.ask\"]\nhttp = []\n\
                  routes = [{ listen = \"127.0.0.1:8083\", path = \"/\" }]";
    let rig = running("web", grants).await;
    let answer = rig.world.get("/", "/ask").await;
    assert_eq!(answer, Ok((200, "web asks for tester".to_owned())));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_in_one_call() {
    let grants = "request = [\"test.ask\"]\n\
                  routes = [{ listen = \"127.0.0.1:8083\", path = \"/\" }]";
    let rig = running("page", grants).await;
    let answer = rig.world.get("/", "/ask").await;
    assert_eq!(answer, Ok((200, "page asks for tester".to_owned())));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_languages() {
    for name in ["pop-c", "pop-javascript"] {
        let grants = "subscribe = [\"test.in\", \"telepulse.event.phoneNumber\"]\n\
                      publish = [\"telepulse.event.screenPop\"]\n\
                      [settings]\nlink = \"https://crm.example/{number}\"";
        let rig = running(name, grants).await;
        rig.world
            .emit(r#"{"event":"phoneNumber","server":"pbx1","agent":"201","number":"+49 30 1"}"#);
        let expected = r#"{"server":"pbx1","agent":"201","number":"+49 30 1","link":"https://crm.example/49301"}"#;
        let popped = |said: &support::world::Said| {
            World::said_to(said, "telepulse.event.screenPop") == [expected]
        };
        rig.world.says(name, popped).await;
        rig.stop().await;
    }
}
