//! Whether a call is recorded, and what is told of it.

use super::{Desk, listed};
use serde_json::{Value, json};

#[test]
fn a_rule_has_a_call_recorded_when_it_is_answered() {
    let mut desk = Desk::new(&json!([
        {"name": "billing", "queues": ["billing"], "record": false},
        {"name": "sales", "queues": ["sales"], "retentionDays": 30, "beepSeconds": 15, "announcement": "950",
         "file": "{date}/{queue}/{agent}-{number}-{call}.wav"},
    ]));
    desk.rings("c1", "201", "sales");
    assert_eq!(desk.ordered(), []);
    desk.answers("c1", "201", "sales");
    let (order, command) = desk.command();
    let file = "20261120/sales/201-_4930123-c1.wav";
    let expected = json!({
        "action": "record", "server": "pbx1", "call": "c1", "change": "start", "file": file, "mode": "mixed",
        "early": false, "beep": 15, "announcement": "950",
    });
    assert_eq!((order.address.as_str(), command), ("telepulse.command", expected));
    assert_eq!(desk.told(), [] as [Value; 0], "nothing is told before it is so");
    desk.does(&order, &json!({"file": file}));
    let told = json!({
        "server": "pbx1", "agent": "201", "queue": "sales", "call": "c1", "rule": "sales", "decision": "record",
        "reason": "rule", "file": file, "retentionDays": 30,
    });
    assert_eq!(desk.told(), [told]);
    // Decided once, whoever answers later.
    desk.answers("c1", "202", "sales");
    assert_eq!(desk.ordered(), []);
    let named = format!("/spool/{file}");
    desk.recording("c1", "started", &named, None);
    desk.ends("c1", &[&named]);
    let entry = listed("c1");
    let policy = json!({"rule": "sales", "reason": "rule", "retentionDays": 30});
    assert_eq!(
        (&entry["policy"], &entry["did"], &entry["duration"]),
        (&policy, &json!("600"), &json!(60))
    );
    assert_eq!(entry["files"], json!([{"file": named, "mode": "mixed"}]));
    let step = &entry["trail"][0];
    assert_eq!((&step["by"], &step["why"]), (&json!("recording"), &json!("rule sales")));
    assert_eq!(desk.host.counted("decided", &[("decision", "record"), ("rule", "sales")]), 1);
}

#[test]
fn a_rule_may_say_that_a_call_is_not_recorded() {
    let rules =
        json!([{"name": "billing", "queues": ["billing"], "record": false}, {"name": "rest"}]);
    let mut desk = Desk::new(&rules);
    desk.rings("c1", "201", "billing");
    desk.answers("c1", "201", "billing");
    assert_eq!(desk.ordered(), []);
    let told = desk.told();
    assert_eq!(
        (&told[0]["rule"], &told[0]["decision"], told[0].get("file")),
        (&json!("billing"), &json!("dontRecord"), None)
    );
    desk.answers("c1", "202", "sales");
    assert_eq!(desk.ordered(), [], "the first rule that matches decides for good");
    desk.ends("c1", &[]);
    assert_eq!(crate::index::get("c1"), Ok(None));
}

#[test]
fn a_rule_may_begin_when_it_rings() {
    let mut desk = Desk::new(&json!([{"name": "r", "start": "ring", "mode": "stereo"}]));
    desk.rings("c1", "201", "sales");
    let (order, command) = desk.command();
    assert_eq!((&command["early"], &command["mode"]), (&json!(true), &json!("stereo")));
    assert_eq!(command["file"], "20261120/c1-220800.raw");
    desk.does(&order, &json!({}));
    desk.answers("c1", "201", "sales");
    assert_eq!(desk.ordered(), []);
}

#[test]
fn a_refusal_that_may_pass_is_tried_again_and_one_for_good_is_not() {
    let mut desk = Desk::new(&json!([{"name": "r"}]));
    desk.rings("c1", "201", "sales");
    desk.answers("c1", "201", "sales");
    for _ in 0..5 {
        let (order, _) = desk.command();
        desk.refuses(&order, "serverUnavailable", None);
        desk.advance(5_000);
    }
    assert_eq!((desk.ordered(), desk.told()), (vec![], vec![]));
    assert_eq!(desk.host.counted("failed", &[]), 1);

    desk.rings("c2", "202", "sales");
    desk.answers("c2", "202", "sales");
    let (order, _) = desk.command();
    desk.refuses(&order, "conflict", Some("file"));
    desk.advance(60_000);
    assert_eq!((desk.ordered(), desk.host.counted("failed", &[])), (vec![], 2));
}

fn asking(fallback: &str) -> Desk {
    let consent = json!({
        "variable": "CONSENT", "info": "/recording/consent", "is": ["yes"], "deadlineMs": 1_000,
        "fallback": fallback,
    });
    let mut desk = Desk::new(&json!([{"name": "asks", "consent": consent}, {"name": "rest"}]));
    desk.rings("c1", "201", "sales");
    desk.answers("c1", "201", "sales");
    desk
}

#[test]
fn consent_is_asked_for_until_somebody_says() {
    let mut desk = asking("dontRecord");
    let asks =
        json!({"action": "getVariable", "server": "pbx1", "channel": "c1", "name": "CONSENT"});
    for _ in 0..2 {
        let (order, command) = desk.command();
        assert_eq!(command, asks);
        desk.does(&order, &json!({"value": ""}));
        desk.advance(250);
    }
    let (order, _) = desk.command();
    desk.does(&order, &json!({"value": "Yes"}));
    let (order, command) = desk.command();
    assert_eq!(command["action"], "record");
    desk.does(&order, &json!({}));
    assert_eq!(desk.told()[0]["reason"], "consentGiven");
    desk.advance(5_000);
    assert_eq!(desk.ordered(), [], "the deadline means nothing any more");
}

#[test]
fn who_refuses_is_not_recorded_by_a_later_rule_either() {
    let mut desk = asking("record");
    let (order, _) = desk.command();
    desk.does(&order, &json!({"value": "no"}));
    desk.advance(5_000);
    assert_eq!(desk.ordered(), []);
    let told = desk.told();
    assert_eq!(
        (told.len(), &told[0]["reason"], &told[0]["decision"]),
        (1, &json!("consentRefused"), &json!("dontRecord"))
    );
}

#[test]
fn a_deadline_that_passes_leaves_the_fallback() {
    for (fallback, orders) in [("record", 1), ("dontRecord", 0)] {
        let mut desk = asking(fallback);
        let (order, _) = desk.command();
        // It does not answer at all.
        desk.advance(999);
        assert_eq!((desk.ordered(), desk.told()), (vec![], vec![]));
        desk.advance(1);
        let given = desk.ordered();
        assert_eq!(given.len(), orders, "{fallback}");
        for order in &given {
            desk.does(order, &json!({}));
        }
        let told = desk.told();
        assert_eq!(
            (&told[0]["reason"], &told[0]["decision"]),
            (&json!("fallback"), &json!(fallback))
        );
        desk.does(&order, &json!({"value": "yes"}));
        assert_eq!(desk.ordered(), [], "too late");
    }
}

#[test]
fn what_a_crm_knows_counts_before_and_after_it_is_asked() {
    let info = |consent: Value| {
        json!({
            "call": "c1", "number": "1", "info": {"recording": {"consent": consent}}, "source": "crm",
            "cached": false,
        })
    };
    let mut desk = asking("dontRecord");
    desk.ordered();
    desk.event("callerInfo", &info(json!({"nothing": 1})));
    assert_eq!(desk.ordered(), []);
    desk.event("callerInfo", &info(json!("yes")));
    assert_eq!(desk.command().1["action"], "record");

    let consent = json!({"info": "/recording/consent"});
    let mut desk = Desk::new(&json!([{"name": "asks", "consent": consent}]));
    desk.event("callerInfo", &info(json!(true)));
    desk.rings("c1", "201", "sales");
    desk.answers("c1", "201", "sales");
    assert_eq!(desk.command().1["action"], "record");
}

#[test]
fn a_decision_outlives_a_swap_and_a_crash() {
    for crash in [false, true] {
        let mut desk = asking("record");
        desk.ordered();
        if crash {
            desk.stage.crash().unwrap();
        } else {
            desk.stage.swap().unwrap();
        }
        desk.advance(1_000);
        let commands: Vec<Value> = desk.ordered().iter().map(super::Submitted::json).collect();
        assert!(commands.iter().any(|it| it["action"] == "record"), "{crash}: {commands:?}");
    }
}

#[test]
fn of_internal_calls_and_calls_out_the_direction_is_known() {
    let rules = json!([
        {"name": "internal", "directions": ["internal"], "record": false},
        {"name": "out", "directions": ["out"], "numbers": ["0900*"]},
    ]);
    let mut desk = Desk::new(&rules);
    let leg = |call: &str, agent: &str, to: &str, direction: &str| json!({"call": call, "from": "201", "to": to, "agent": agent, "direction": direction});
    desk.event("callStarted", &leg("c1", "201", "202", "out"));
    desk.event("callStarted", &leg("c1", "202", "202", "in"));
    let answered = json!({"call": "c1", "from": "201", "to": "202", "agent": "202", "wait": 1});
    desk.event("callAnswered", &answered);
    assert_eq!(desk.told()[0]["rule"], "internal");
    desk.event("callStarted", &leg("c2", "201", "0900123", "out"));
    let answered = json!({"call": "c2", "from": "201", "to": "0900123", "agent": "201", "wait": 1});
    desk.event("callAnswered", &answered);
    assert_eq!(desk.command().1["call"], "c2");
}

#[test]
fn recordings_move_with_a_call_that_joins_another() {
    let mut desk = Desk::new(&json!([{"name": "r"}]));
    let file = desk.records("c2");
    desk.event("callStarted", &json!({"call": "c1", "from": "1", "to": "202", "agent": "202"}));
    let merged = json!({
        "call": "c2", "from": "+4930123", "to": "201", "agent": "201", "started": "2026-11-20T22:08:00.000Z",
        "duration": 1, "recordings": [file], "mergedInto": "c1",
    });
    desk.host.fill_values(true);
    desk.event("callEnded", &merged);
    assert_eq!(listed("c2")["files"][0]["file"], json!(file), "where there is no room it stays");
    desk.host.fill_values(false);
    desk.event("callEnded", &merged);
    assert_eq!(crate::index::get("c2"), Ok(None));
    assert_eq!(listed("c1")["files"][0]["file"], json!(file));
    desk.answers("c1", "202", "sales");
    assert_eq!(desk.ordered(), [], "it is recorded already");
}

#[test]
fn what_commands_record_is_listed_too() {
    let mut desk = Desk::new(&json!([]));
    desk.rings("c1", "201", "sales");
    desk.answers("c1", "201", "sales");
    desk.recording("c1", "started", "/spool/by-hand.wav", Some("101"));
    let entry = listed("c1");
    assert_eq!((entry.get("policy"), &entry["trail"][0]["by"]), (None, &json!("101")));
    assert_eq!(entry["agents"], json!(["201"]));
    // And what was recorded while nobody looked is in the record of the call.
    desk.ends("c2", &["/spool/unseen.wav"]);
    assert_eq!(listed("c2")["files"], json!([{"file": "/spool/unseen.wav"}]));
}

#[test]
fn of_several_who_are_called_it_is_the_agent_who_answers() {
    let rules = json!([
        {"name": "works council", "agents": ["29*"], "record": false},
        {"name": "rest", "file": "{agent}-{call}.wav"},
    ]);
    let mut desk = Desk::new(&rules);
    for agent in ["290", "202", "201"] {
        desk.rings("c1", agent, "sales");
    }
    desk.answers("c1", "201", "sales");
    let (order, command) = desk.command();
    assert_eq!(command["file"], "201-c1.wav");
    desk.does(&order, &json!({}));
    assert_eq!(
        (&desk.told()[0]["agent"], &listed("c1")["agents"]),
        (&json!("201"), &json!(["201"]))
    );

    // Of a call within the house the caller's side is told first: who is called may still be the one.
    let leg = |agent: &str, direction: &str| json!({"call": "c2", "from": "201", "to": "290", "agent": agent, "direction": direction});
    desk.event("callStarted", &leg("201", "out"));
    desk.event("callStarted", &leg("290", "in"));
    let answered = json!({"call": "c2", "from": "201", "to": "290", "agent": "201", "wait": 1});
    desk.event("callAnswered", &answered);
    assert_eq!((desk.ordered(), &desk.told()[0]["rule"]), (vec![], &json!("works council")));
}

#[test]
fn an_order_is_not_given_twice_while_it_is_not_answered() {
    let mut desk = asking("record");
    let (order, _) = desk.command();
    desk.does(&order, &json!({"value": "yes"}));
    let (order, command) = desk.command();
    // The deadline passes.
    desk.advance(5_000);
    assert_eq!(desk.ordered(), []);
    // Its answer got lost, and it was done.
    desk.refuses(&order, "timeout", None);
    desk.advance(500);
    let (again, same) = desk.command();
    assert_eq!(same, command);
    let file = command["file"].as_str().unwrap();
    desk.refuses_with(
        &again,
        "conflict",
        "file",
        &format!("PJSIP/x is recorded already, into /spool/{file}"),
    );
    let told = desk.told();
    assert_eq!((told.len(), &told[0]["decision"]), (1, &json!("record")));
    assert_eq!(
        (&listed("c1")["policy"]["rule"], desk.host.counted("failed", &[])),
        (&json!("asks"), 0)
    );
}

#[test]
fn an_order_whose_answer_a_crash_has_lost_is_given_again() {
    let mut desk = Desk::new(&json!([{"name": "r"}]));
    desk.rings("c1", "201", "sales");
    desk.answers("c1", "201", "sales");
    let (_, command) = desk.command();
    desk.stage.crash().unwrap();
    desk.advance(5_999);
    assert_eq!(desk.ordered(), [], "the answer may come to this instance");
    desk.advance(1);
    let (again, same) = desk.command();
    assert_eq!(same, command);
    // Asterisk has told meanwhile that it runs, whatever the refusal says.
    let file = format!("/spool/{}", command["file"].as_str().unwrap());
    desk.recording("c1", "started", &file, None);
    desk.refuses(&again, "conflict", Some("file"));
    assert_eq!(
        (&desk.told()[0]["decision"], desk.host.counted("failed", &[])),
        (&json!("record"), 0)
    );
}
