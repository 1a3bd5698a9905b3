//! Commands that a plugin carries out (`serve`), and requests to servers outside that it does not wait for (`fetch`).

mod support;

use plugin_host::State;
use support::{Rig, guests::guest, world::World};
use telepulse_language::Code;

fn grants(more: &str) -> String {
    format!(
        "[grants]\npublish = [\"test.out\"]\nserve = [\"file\"]\n{more}\n[limits]\ncallMs = 50\n"
    )
}

const ECHO: &str = "http = [\"http://127.0.0.1:9\"]";

fn file(what: &str) -> String {
    format!("{{\"action\":\"file\",\"what\":\"{what}\"}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_carried_out_and_what_goes_wrong_is_told() {
    let rig = Rig::with(&[("clerk", &guest("clerk"), &grants(ECHO))]).await;
    let does = async |what: &str| rig.world.serves("file", &file(what)).await.unwrap();
    let done = format!("{{\"who\":\"ann\",\"command\":{}}}", file("x"));
    assert_eq!(does("x").await.unwrap(), done);
    let refusal = does("odd").await.unwrap_err();
    assert_eq!((refusal.code, refusal.field.as_deref()), (Code::Conflict, Some("what")));
    // A code that the language does not have is a mistake of the plugin's.
    assert_eq!(does("unheard").await.unwrap_err().code, Code::Internal);
    // Who trapped or was stopped may have done it, or not; the next instance goes on.
    for deadly in ["trap", "loop"] {
        let before = rig.host.show("clerk").unwrap().incarnation;
        assert_eq!(does(deadly).await.unwrap_err().code, Code::UnknownOutcome, "{deadly}");
        rig.until("another instance", |all| all["clerk"].incarnation > before).await;
        assert_eq!(does("x").await.unwrap(), done);
    }
    rig.host.stop("clerk").await.unwrap();
    assert!(rig.world.serves("file", &file("x")).await.is_none(), "nobody serves it any more");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_from_outside_comes_later() {
    let rig = Rig::with(&[("clerk", &guest("clerk"), &grants(ECHO))]).await;
    rig.world.serves("file", &file("fetch")).await.unwrap().unwrap();
    let said = rig.world.says("the answer", |said| !said.is_empty()).await;
    let answer = r#"context: {"status":201,"headers":{"x-twice":"a, b"},"body":"POST hello"}"#;
    assert_eq!(World::said_to(&said, "test.out"), [answer]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_is_refused_with_the_line_that_is_missing() {
    let elsewhere = grants("http = [\"http://127.0.0.1:10\"]");
    let rig = Rig::with(&[("clerk", &guest("clerk"), &elsewhere)]).await;
    let refusal = rig.world.serves("file", &file("fetch")).await.unwrap().unwrap_err();
    assert!(refusal.message.contains("\"http://127.0.0.1:9\" to http"), "{refusal}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_action_is_served_by_one_plugin() {
    let clerk = guest("clerk");
    let rig =
        Rig::with(&[("clerk", &clerk, &grants(ECHO)), ("other", &clerk, &grants(ECHO))]).await;
    let all = [rig.host.show("clerk").unwrap(), rig.host.show("other").unwrap()];
    let running = all.iter().filter(|plugin| plugin.state == State::Running).count();
    assert_eq!(running, 1, "{all:?}");
    let failed = all.iter().find(|plugin| plugin.state != State::Running).unwrap();
    assert!(failed.error.as_ref().unwrap().contains("file is served already"), "{failed:?}");
    rig.stop().await;
}
