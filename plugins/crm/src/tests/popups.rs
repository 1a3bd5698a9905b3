//! What pops up where.

use super::{NUMBER, Scene, WRITTEN};
use serde_json::{Value, json};
use telepulse_plugin_sdk::language::{Code, Principal};

impl Scene {
    /// Of `popup`: whose, what, why.
    fn popups(&self) -> Vec<(String, String, Option<String>)> {
        let told = self.told().into_iter().filter(|(kind, _)| kind == "popup");
        let text = |value: &Value| value.as_str().map(str::to_owned);
        told.map(|(_, it)| {
            assert_eq!((&it["number"], &it["server"]), (&json!(NUMBER), &json!("pbx1")));
            (text(&it["agent"]).unwrap(), text(&it["state"]).unwrap(), text(&it["reason"]))
        })
        .collect()
    }
}

fn popup(agent: &str, state: &str, reason: Option<&str>) -> (String, String, Option<String>) {
    (agent.to_owned(), state.to_owned(), reason.map(str::to_owned))
}

#[test]
fn it_rings_somebody_answers_and_both_hang_up() {
    let mut scene = Scene::new();
    scene.rings("101", "c1");
    scene.rings("102", "c1");
    assert_eq!(scene.popups(), [popup("101", "ringing", None), popup("102", "ringing", None)]);
    scene.talks("101", "c1");
    scene.lines("102", &[]);
    assert_eq!(
        scene.popups(),
        [popup("101", "up", None), popup("102", "down", Some("answeredElsewhere")),]
    );
    scene.lines("101", &[("c1", "hold", WRITTEN)]);
    assert_eq!(scene.popups(), [], "it is up as it was");
    scene.ends("c1", "101");
    assert_eq!(scene.popups(), [popup("101", "closed", Some("onHook"))]);
    scene.lines("101", &[]);
    assert_eq!(scene.popups(), []);
}

#[test]
fn nobody_answers() {
    let mut scene = Scene::new();
    scene.rings("101", "c1");
    scene.lines("101", &[]);
    assert_eq!(scene.popups()[1..], [popup("101", "down", Some("notAnswered"))]);
}

#[test]
fn who_closes_it_by_hand_sees_no_more_of_the_call() {
    let mut scene = Scene::new();
    scene.rings("101", "c1");
    drop(scene.told());
    let ann = Principal {
        name: "ann".into(),
        extension: Some("101".into()),
        allow: ["popupClose:own".into()].into(),
        ..Principal::default()
    };
    let close = json!({"action": "popupClose", "call": "c1"});
    let other = json!({"action": "popupClose", "call": "c1", "agent": "102"});
    assert_eq!(scene.stage.serve(&other, Some(&ann)).unwrap_err().code, Code::Forbidden);
    assert_eq!(scene.stage.serve(&close, Some(&ann)), Ok(json!({})));
    assert_eq!(scene.popups(), [popup("101", "closed", Some("byHand"))]);
    scene.talks("101", "c1");
    scene.ends("c1", "101");
    assert_eq!(scene.popups(), []);
    let refusal = scene.stage.serve(&close, Some(&ann)).unwrap_err();
    assert_eq!((refusal.code, refusal.field.as_deref()), (Code::NotFound, Some("call")));
}

#[test]
fn who_does_not_see_an_extension_closes_nothing_there() {
    let mut scene = Scene::new();
    scene.rings("101", "c1");
    let blind = Principal {
        name: "bob".into(),
        agents: Some(["105".to_owned()].into()),
        allow: ["*".into()].into(),
        ..Principal::default()
    };
    let close = json!({"action": "popupClose", "call": "c1", "agent": "101"});
    assert_eq!(scene.stage.serve(&close, Some(&blind)).unwrap_err().code, Code::NotFound);
    let nobodys = json!({"action": "popupClose", "call": "c1"});
    assert_eq!(
        scene.stage.serve(&nobodys, Some(&blind)).unwrap_err().field.as_deref(),
        Some("agent")
    );
}

#[test]
fn what_popped_up_before_a_crash_closes_all_the_same() {
    let mut scene = Scene::new();
    scene.rings("101", "c1");
    scene.stage.advance(std::time::Duration::from_hours(500_000));
    scene.stage.crash().unwrap();
    drop(scene.told());
    scene.lines("101", &[]);
    scene.ends("c1", "101");
    assert_eq!(scene.popups(), [popup("101", "closed", Some("onHook"))]);
}
