//! Calls that come to nothing, and calls under other numbers, as a real Asterisk told of them.

use ami_proto::Message;

use crate::compare::{assert_same, assert_same_but};
use crate::recorded::Recorded;
use crate::stage::Stage;
use crate::{ADD, HASTY};

#[test]
fn who_calls_gives_up_while_it_rings() {
    let mut stage = Stage::like(|settings| settings.ring_ms = 60_000..=60_000);
    assert!(stage.centre.dial("101", "102"));
    stage.until("DialState", 1);
    assert!(stage.centre.hang_up_phone("101"));
    assert_same(&stage.said(), &Recorded::load("no-answer").happened());
}

#[test]
fn a_busy_phone() {
    let mut stage = Stage::new();
    stage.act_all(1, &["SetVar|Variable: PRESENCE_STATE(CustomPresence:102)|Value: dnd,,"]);
    stage.forget();
    assert!(stage.centre.dial("101", "102"));
    stage.until("Hangup", 2);
    let mut recorded = Recorded::load("busy").happened();
    // Other numbers are tried after it there; the states of that haste are told late, or never.
    let is_next = |message: &Message| message.get("Channel") == Some("PJSIP/101-00000002");
    let next = recorded.iter().position(is_next).unwrap();
    recorded.truncate(next);
    let (mut ours, own) = (stage.said(), ["DeviceStateChange", "ExtensionStatus"]);
    for messages in [&mut ours, &mut recorded] {
        messages.retain(|message| message.event().is_none_or(|name| !own.contains(&name)));
    }
    assert_same(&ours, &recorded);
}

#[test]
fn a_call_from_outside_to_a_phone() {
    let mut stage = Stage::new();
    assert!(stage.centre.call_from_outside("38511234567", "Maja O'Brien-Šarić", "102"));
    stage.until("BridgeEnter", 2);
    assert!(stage.centre.hang_up_phone("102"));
    assert_same(&stage.said(), &Recorded::load("trunk-call").happened());
}

#[test]
fn a_call_under_another_number() {
    let mut stage = Stage::new();
    stage.act_all(
        13,
        &["Originate|Channel: PJSIP/101|Context: internal|Exten: 102|Priority: 1|\
           CallerID: \"Call to 102\" <102>|Timeout: 20000|ChannelId: tp-call-1|Async: true"],
    );
    stage.until("BridgeEnter", 2);
    stage.act_all(
        14,
        &[
            "Hangup|Channel: PJSIP/102-00000001|Cause: 16",
            "Hangup|Channel: PJSIP/101-00000000|Cause: 16",
        ],
    );
    assert_same_but(&HASTY, &stage.said(), &Recorded::load("misleading-caller-id").happened());
}

#[test]
fn a_member_does_not_answer() {
    let mut stage = Stage::like(|settings| settings.ring_ms = 600_000..=600_000);
    stage.act(ADD);
    assert!(stage.centre.dial("101", "600"));
    stage.until("AgentRingNoAnswer", 1);
    stage.act_all(14, &["Hangup|Channel: PJSIP/101-00000000|Cause: 16"]);
    assert_same(&stage.said(), &Recorded::load("queue-ring-no-answer").happened());
}
