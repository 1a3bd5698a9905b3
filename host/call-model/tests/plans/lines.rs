//! Calls and queues: dial, hang up, transfer, log on and off, pause.

use crate::desk::{ENTROPY, NOW, command, does, live, parse, pbx, plan, refused, shown};
use serde_json::{Value, json};
use telepulse_language::{Principal, Timestamp};

#[test]
fn dial_rings_the_phone_of_the_hint() {
    let dial = json!({"action": "dial", "from": "101", "to": "102", "timeout": 20,
        "callerId": "Ann <101>", "variables": {"CRM": "a,b"}});
    does(
        &dial,
        &["Originate Channel=PJSIP/desk Context=internal Exten=102 Priority=1 Async=true \
         Timeout=20000 CallerID=Ann <101> ChannelId=tp-1795215840000-000000000000feed \
         Variable=CRM=a\\,b"],
    );
    let result = plan(&mut pbx(), &dial).unwrap().result;
    assert_eq!(
        result,
        json!({"actionId": "tp-1795215840000-000000000000feed",
            "call": "pbx1-tp-1795215840000-000000000000feed"})
    );
}

#[test]
fn dial_is_refused_where_it_makes_no_sense() {
    refused(&json!({"action": "dial", "from": "199", "to": "1"}), "notFound", Some("from"), "199");
    refused(
        &json!({"action": "dial", "from": "101", "to": "1", "timeout": 0}),
        "badRequest",
        Some("timeout"),
        "1 to 300",
    );
    refused(
        &json!({"action": "dial", "from": "Local/7@out", "to": "1", "autoAnswer": true}),
        "badRequest",
        Some("autoAnswer"),
        "SIP phones",
    );
}

#[test]
fn a_phone_is_asked_to_answer_by_itself() {
    let dial = json!({"action": "dial", "from": "102", "to": "1", "autoAnswer": true});
    let told = shown(&plan(&mut pbx(), &dial).unwrap());
    assert!(
        told[0].contains("PJSIP_HEADER(add,Call-Info)=<sip:telepulse>;answer-after=0"),
        "{told:?}"
    );
}

#[test]
fn a_raw_channel_needs_its_own_right() {
    let dial = command(&json!({"action": "dial", "from": "Local/7@out", "to": "102"}));
    let mut who = Principal { name: "ann".into(), ..Principal::default() };
    who.allow.insert("dial".to_owned());
    let refusal = pbx().plan(&dial, Some(&who), ENTROPY, NOW).unwrap_err();
    assert_eq!((json!(refusal.code), refusal.field.as_deref()), (json!("forbidden"), Some("from")));
    who.allow.insert("dial:channel".to_owned());
    let plan = pbx().plan(&dial, Some(&who), ENTROPY, NOW).unwrap();
    let action = &plan.actions[0];
    assert_eq!(action.get("Channel"), Some("Local/7@out"));
    assert_eq!(action.get("OtherChannelId"), Some("tp-1795215840000-000000000000feed;2"));
}

#[test]
fn past_max_calls_a_dial_is_a_conflict() {
    let mut pbx = pbx();
    let dial = |from: &str| json!({"action": "dial", "from": from, "to": "102"});
    for (entropy, from) in [(1, "101"), (2, "102")] {
        pbx.plan(&command(&dial(from)), None, entropy, NOW).unwrap();
    }
    let refusal = pbx.plan(&command(&dial("103")), None, 3, NOW).unwrap_err();
    assert_eq!(json!(refusal.code), "conflict", "{refusal}");
    // Dials that came to nothing do not count for ever.
    pbx.plan(&command(&dial("103")), None, 3, Timestamp(NOW.0 + 6_000)).unwrap();
}

#[test]
fn a_dial_that_fails_is_told_to_who_asked() {
    let mut pbx = pbx();
    let who =
        Principal { name: "ann".into(), extension: Some("103".into()), ..Principal::default() };
    let dial = command(&json!({"action": "dial", "from": "102", "to": "1"}));
    let plan = pbx.plan(&dial, Some(&who), ENTROPY, NOW).unwrap();
    let id = plan.result["actionId"].as_str().unwrap().to_owned();
    let response = format!(
        "Event: OriginateResponse\nActionID: x\nResponse: Failure\nReason: 3\nUniqueid: {id}\n"
    );
    let told = live(&mut pbx, &response);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].agent.as_deref(), Some("103"));
    assert_eq!(json!(told[0].details), json!({"actionId": id, "reason": "no answer"}));
    assert_eq!(live(&mut pbx, &response), [], "it is told once");
}

#[test]
fn a_dial_lost_in_an_outage_is_told() {
    let mut pbx = pbx();
    let lost = plan(&mut pbx, &json!({"action": "dial", "from": "103", "to": "1"})).unwrap().result;
    pbx.disconnected(NOW, &mut Vec::new());
    pbx.begin_sync(NOW);
    let mut events = Vec::new();
    pbx.finish_sync(NOW, &mut events);
    let failed = events.iter().find(|event| event.details.kind() == "originateFailed").unwrap();
    assert_eq!(json!(failed.details)["actionId"], lost["actionId"]);
    // A synchronisation to which nothing answered ends everything that was.
    let ended = events.iter().filter(|event| event.details.kind() == "callEnded");
    assert!(ended.clone().count() > 0);
    assert!(ended.clone().all(|event| json!(event.details)["disposition"] == "lost"));
    assert!(pbx.is_empty(), "{:?}", pbx.counts());
}

#[test]
fn hangup_ends_what_was_named() {
    does(
        &json!({"action": "hangup", "agent": "101", "cause": 17}),
        &["Hangup Channel=PJSIP/desk-00000001 Cause=17"],
    );
    does(&json!({"action": "hangup", "channel": "1.2"}), &["Hangup Channel=PJSIP/102-00000002"]);
    does(
        &json!({"action": "hangup", "channel": "PJSIP/102-00000002"}),
        &["Hangup Channel=PJSIP/102-00000002"],
    );
    does(
        &json!({"action": "hangup", "call": "pbx1-1.3"}),
        &["Hangup Channel=PJSIP/trunk-00000003", "Hangup Channel=PJSIP/104-00000004"],
    );
    refused(&json!({"action": "hangup", "agent": "103"}), "conflict", Some("agent"), "no call");
    refused(&json!({"action": "hangup", "agent": "199"}), "notFound", Some("agent"), "199");
    refused(&json!({"action": "hangup", "call": "pbx1-9"}), "notFound", Some("call"), "over");
    refused(&json!({"action": "hangup", "channel": "X/1"}), "notFound", Some("channel"), "no such");
    refused(
        &json!({"action": "hangup", "agent": "101", "cause": 200}),
        "badRequest",
        Some("cause"),
        "127",
    );
}

#[test]
fn of_several_lines_the_active_one_is_meant() {
    let mut pbx = pbx();
    live(
        &mut pbx,
        "Event: Newchannel\nChannel: PJSIP/desk-00000009\nChannelState: 5\nUniqueid: 1.9\nLinkedid: 1.7\n",
    );
    let hangup = json!({"action": "hangup", "agent": "101"});
    assert_eq!(shown(&plan(&mut pbx, &hangup).unwrap()), ["Hangup Channel=PJSIP/desk-00000001"]);
    live(&mut pbx, "Event: Hold\nUniqueid: 1.1\nLinkedid: 1.1\nChannel: PJSIP/desk-00000001\n");
    let refusal = plan(&mut pbx, &hangup).unwrap_err();
    assert_eq!(json!(refusal.code), "conflict");
    assert!(refusal.message.contains("PJSIP/desk-00000001, PJSIP/desk-00000009"), "{refusal}");
}

#[test]
fn transfer_moves_the_other_party() {
    does(
        &json!({"action": "transfer", "agent": "101", "to": "103"}),
        &["BlindTransfer Channel=PJSIP/desk-00000001 Context=internal Exten=103"],
    );
    // Through a Local chain: the trunk's caller is whom 104 talks with.
    does(
        &json!({"action": "transfer", "agent": "104", "to": "103"}),
        &["BlindTransfer Channel=PJSIP/104-00000004 Context=internal Exten=103"],
    );
    does(
        &json!({"action": "transfer", "channel": "1.2", "to": "103"}),
        &["BlindTransfer Channel=PJSIP/desk-00000001 Context=internal Exten=103"],
    );
    does(
        &json!({"action": "transfer", "call": "pbx1-1.3", "to": "103"}),
        &["BlindTransfer Channel=PJSIP/104-00000004 Context=internal Exten=103"],
    );
    refused(
        &json!({"action": "transfer", "agent": "105", "to": "1"}),
        "conflict",
        Some("agent"),
        "talks with nobody",
    );
    refused(
        &json!({"action": "transfer", "channel": "1.8", "to": "1"}),
        "conflict",
        Some("channel"),
        "not answered",
    );
    refused(
        &json!({"action": "transfer", "agent": "103", "to": "1"}),
        "conflict",
        Some("agent"),
        "no call",
    );
}

#[test]
fn queue_membership_is_changed_where_it_differs() {
    does(
        &json!({"action": "queueAdd", "agent": "101", "queue": "sales", "name": "Bob", "penalty": 1}),
        &["QueueAdd Queue=sales Interface=PJSIP/desk MemberName=Bob Penalty=1"],
    );
    does(&json!({"action": "queueAdd", "agent": "104", "queue": "sales"}), &[]);
    does(
        &json!({"action": "queueAdd", "agent": "104", "queue": "sales", "penalty": 5}),
        &["QueuePenalty Interface=PJSIP/104 Penalty=5 Queue=sales"],
    );
    does(
        &json!({"action": "queueRemove", "agent": "104", "queue": "sales"}),
        &["QueueRemove Queue=sales Interface=PJSIP/104"],
    );
    does(&json!({"action": "queuePause", "agent": "104", "reason": "lunch"}), &[]);
    does(
        &json!({"action": "queuePause", "agent": "104", "queue": "sales", "reason": "late"}),
        &["QueuePause Queue=sales Interface=PJSIP/104 Paused=true Reason=late"],
    );
    does(
        &json!({"action": "queueUnpause", "agent": "104"}),
        &["QueuePause Queue=sales Interface=PJSIP/104 Paused=false"],
    );
    refused(
        &json!({"action": "queueAdd", "agent": "101", "queue": "x"}),
        "notFound",
        Some("queue"),
        "no queue",
    );
    refused(
        &json!({"action": "queueAdd", "agent": "199", "queue": "sales"}),
        "notFound",
        Some("agent"),
        "199",
    );
    refused(
        &json!({"action": "queueRemove", "agent": "101", "queue": "sales"}),
        "notFound",
        Some("agent"),
        "no member",
    );
    refused(
        &json!({"action": "queuePause", "agent": "104", "queue": "support"}),
        "notFound",
        Some("agent"),
        "no member",
    );
    refused(
        &json!({"action": "queuePause", "agent": "101"}),
        "notFound",
        Some("agent"),
        "no queue",
    );
}

#[test]
fn asterisks_words_are_understood() {
    let check = |json: Value, words: &str, expected: Option<&str>| {
        let plan = plan(&mut pbx(), &json).unwrap();
        let outcome = plan.check(0, &parse(&format!("Response: Error\nMessage: {words}\n")));
        let code = outcome.as_ref().err().map(|refusal| json!(refusal.code));
        assert_eq!(code, expected.map(|code| json!(code)), "{json} {words}");
        if let Err(refusal) = outcome {
            assert!(refusal.message.contains(words), "{refusal}");
        }
        assert_eq!(plan.check(0, &parse("Response: Success\nMessage: fine\n")), Ok(()));
    };
    let add = json!({"action": "queueAdd", "agent": "101", "queue": "sales"});
    check(add.clone(), "Unable to add interface: Already there", None);
    check(add, "Unable to add interface to queue: No such queue", Some("notFound"));
    let remove = json!({"action": "queueRemove", "agent": "104", "queue": "sales"});
    check(remove, "Unable to remove interface: Not there", Some("notFound"));
    check(json!({"action": "hangup", "agent": "101"}), "No such channel", None);
    check(json!({"action": "hangup", "channel": "1.1"}), "No such channel", Some("notFound"));
    let dial = json!({"action": "dial", "from": "101", "to": "1"});
    check(dial.clone(), "Extension does not exist.", Some("rejectedByServer"));
    // The way out: it is the context that is wrong most often.
    let refused = plan(&mut pbx(), &dial).unwrap();
    let words = parse("Response: Error\nMessage: Extension does not exist.\n");
    let told = refused.check(0, &words).unwrap_err().message;
    assert!(
        told.ends_with("It was looked up in the context \"internal\", the server's `context`.")
    );
}

#[test]
fn who_is_concerned() {
    let pbx = pbx();
    let check = |json: Value, expected: Option<&[&str]>| {
        let concerned = pbx.concerned(&command(&json));
        let concerned: Option<Vec<String>> = concerned.map(|set| set.into_iter().collect());
        let expected = expected.map(|list| list.iter().map(ToString::to_string).collect());
        assert_eq!(concerned, expected, "{json}");
    };
    check(json!({"action": "hangup", "call": "pbx1-1.1"}), Some(&["101", "102"]));
    check(json!({"action": "hangup", "channel": "1.2"}), Some(&["101", "102"]));
    check(json!({"action": "transfer", "agent": "102", "to": "1"}), Some(&["101", "102"]));
    check(json!({"action": "hangup", "agent": "103"}), Some(&["103"]));
    check(json!({"action": "hangup", "agent": "199"}), None);
    check(json!({"action": "hangup", "call": "pbx2-1.1"}), None);
    check(json!({"action": "dial", "from": "101", "to": "1"}), Some(&["101"]));
    check(json!({"action": "dial", "from": "PJSIP/desk", "to": "1"}), Some(&["101"]));
    check(json!({"action": "queueAdd", "agent": "101", "queue": "sales"}), Some(&["101"]));
    check(json!({"action": "queueAdd", "agent": "101", "queue": "x"}), None);
    check(json!({"action": "queuePause", "agent": "199"}), None);
}
