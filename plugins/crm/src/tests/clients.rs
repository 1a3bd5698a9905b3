//! One of the clients of those who ring is asked.

use super::{Scene, host, maja};
use serde_json::{Value, json};
use std::time::Duration;
use telepulse_plugin_sdk::language::{Code, Principal};

impl Scene {
    fn asking_clients(preferred: &[&str]) -> Self {
        let host = host();
        host.set("lookup", "client");
        host.set("clients", preferred.to_vec());
        Self::on(host)
    }

    fn joins(&mut self, client: u64, user: &str, extension: &str) {
        let joined = json!({"client": client, "user": user, "extension": extension});
        self.event("joined", &joined).unwrap();
    }

    /// Who was asked since the last look: the client, and the question.
    fn asked(&self) -> Vec<(u64, Value)> {
        let told = self.told().into_iter().filter(|(kind, _)| kind == "tell");
        told.map(|(_, it)| (it["client"].as_u64().unwrap(), it["event"].clone())).collect()
    }

    fn answers(&mut self, user: &str, question: &Value) -> Result<Value, Code> {
        let who =
            Principal { name: user.into(), allow: ["*".into()].into(), ..Principal::default() };
        let answer =
            json!({"action": "lookupAnswer", "lookup": question["lookup"], "info": maja()});
        self.stage.serve(&answer, Some(&who)).map_err(|refusal| refusal.code)
    }
}

#[test]
fn one_is_asked_and_all_who_ring_hear_the_answer() {
    let mut scene = Scene::asking_clients(&["crm"]);
    scene.joins(1, "ann", "101");
    scene.joins(2, "crm", "102");
    scene.joins(3, "eve", "105");
    scene.lines("101", &[("c1", "ringing", super::WRITTEN)]);
    // 102, whose client is preferred, may ring in a moment.
    assert_eq!(scene.asked(), []);
    scene.stage.advance(Duration::from_millis(200));
    let asked = scene.asked();
    assert_eq!((asked.len(), asked[0].0), (1, 1));
    let question = &asked[0].1;
    assert_eq!(
        (&question["event"], &question["number"]),
        (&json!("lookup"), &json!(super::NUMBER))
    );
    scene.rings("102", "c1");
    assert_eq!(scene.asked(), [], "one at a time");
    assert_eq!(scene.answers("eve", question), Err(Code::NotFound), "she was not asked");
    assert_eq!(scene.answers("ann", question), Ok(json!({})));
    let told: Vec<_> = scene.infos().into_iter().map(|(agent, info, _)| (agent, info)).collect();
    assert_eq!(told, [("101".to_owned(), maja()), ("102".to_owned(), maja())]);
    assert_eq!(scene.answers("ann", question), Err(Code::NotFound), "it is known by now");
}

#[test]
fn who_is_preferred_is_asked_first_and_who_is_silent_or_leaves_is_followed_by_another() {
    let mut scene = Scene::asking_clients(&["crm"]);
    for (client, user) in [(1, "ann"), (2, "crm"), (3, "bob")] {
        scene.joins(client, user, "101");
    }
    scene.rings("101", "c1");
    let first = scene.asked();
    assert_eq!(first[0].0, 2);
    // It says nothing; and the next one leaves at the worst moment.
    scene.stage.advance(Duration::from_secs(4));
    let second = scene.asked();
    assert_eq!(second.len(), 1);
    let left = second[0].0;
    assert!(left == 1 || left == 3);
    scene.event("left", &json!({"client": left})).unwrap();
    let third = scene.asked();
    assert_eq!((third.len(), third[0].0), (1, 4 - left));
    assert_eq!(scene.answers("crm", &first[0].1), Err(Code::NotFound), "too late");
    let user = if third[0].0 == 1 { "ann" } else { "bob" };
    assert_eq!(scene.answers(user, &third[0].1), Ok(json!({})));
    assert_eq!(scene.infos().len(), 1);
    assert_eq!(scene.host.counted("queries", &[]), 3);
}

#[test]
fn phones_that_ring_a_moment_later_count() {
    let mut scene = Scene::asking_clients(&["crm"]);
    scene.joins(1, "ann", "101");
    scene.joins(2, "crm", "102");
    scene.lines("101", &[("c1", "ringing", super::WRITTEN)]);
    scene.stage.advance(Duration::from_millis(50));
    assert_eq!(scene.asked(), []);
    scene.rings("102", "c1");
    let asked = scene.asked();
    assert_eq!((asked.len(), asked[0].0), (1, 2));
    scene.stage.advance(Duration::from_secs(1));
    assert_eq!(scene.asked(), [], "one at a time");
    assert_eq!(scene.answers("crm", &asked[0].1), Ok(json!({})));
}

#[test]
fn whoever_comes_later_is_asked() {
    let mut scene = Scene::asking_clients(&[]);
    scene.rings("101", "c1");
    assert_eq!(scene.asked(), []);
    scene.joins(1, "ann", "102");
    assert_eq!(scene.asked(), [], "102 does not ring");
    scene.rings("102", "c1");
    assert_eq!(scene.asked().len(), 1);
    // The call is over: nobody has to know.
    scene.ends("c1", "101");
    scene.stage.advance(Duration::from_secs(10));
    assert_eq!(scene.asked(), []);
}

#[test]
fn a_new_build_knows_who_was_asked() {
    let mut scene = Scene::asking_clients(&[]);
    scene.joins(1, "ann", "101");
    scene.rings("101", "c1");
    let asked = scene.asked();
    scene.stage.swap().unwrap();
    drop(scene.told());
    assert_eq!(scene.answers("ann", &asked[0].1), Ok(json!({})));
    assert_eq!(scene.infos().len(), 1);
}

#[test]
fn who_does_not_see_a_server_is_not_asked_about_its_calls() {
    let mut scene = Scene::asking_clients(&[]);
    let joined = json!({"client": 1, "user": "ann", "extension": "101", "servers": ["pbx2"]});
    scene.event("joined", &joined).unwrap();
    scene.rings("101", "c1");
    assert_eq!(scene.asked(), []);
}
