//! The simulator against recordings of a real Asterisk 22: the same things done, the same said.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod calls;
mod compare;
mod listings;
mod panel;
mod recorded;
mod stage;

use compare::{assert_same, assert_same_but};
use recorded::Recorded;
use stage::Stage;

const ORIGINATE: &str = "Action: Originate\r\nActionID: tp-13\r\nChannel: PJSIP/101\r\n\
    Context: internal\r\nExten: 102\r\nPriority: 1\r\nCallerID: \"Phone 101\" <101>\r\n\
    Timeout: 20000\r\nChannelId: tp-call-1\r\nAsync: true\r\n\r\n";
const ADD: &str = "Action: QueueAdd\r\nActionID: tp-13\r\nQueue: support\r\n\
    Interface: PJSIP/102\r\nMemberName: Agent 102\r\nPenalty: 1\r\n\r\n";
/// The recorder hung up both ends at once; whether the second was still there is chance.
const HASTY: [&str; 1] = ["responses"];

#[test]
fn a_call_between_extensions() {
    let mut stage = Stage::new();
    stage.act(ORIGINATE);
    stage.until("BridgeEnter", 2);
    stage.act(
        "Action: Hangup\r\nActionID: tp-14\r\nChannel: PJSIP/101-00000000\r\nCause: 16\r\n\r\n",
    );
    assert_same(&stage.said(), &Recorded::load("ext-call").happened());
}

#[test]
fn a_call_dialled_on_a_phone() {
    let mut stage = Stage::new();
    assert!(stage.centre.dial("101", "102"));
    stage.until("BridgeEnter", 2);
    assert!(stage.centre.hang_up_phone("101"));
    assert_same(&stage.said(), &Recorded::load("sip-call").happened());
}

#[test]
fn a_call_through_a_queue() {
    let mut stage = Stage::new();
    assert!(stage.centre.dial("101", "600"));
    stage.until("MusicOnHoldStart", 1);
    stage.act(ADD);
    stage.until("BridgeEnter", 2);
    assert!(stage.centre.hang_up_phone("102"));
    assert_same(&stage.said(), &Recorded::load("queue-call").happened());
}

#[test]
fn a_caller_from_outside_hangs_up_after_the_queue() {
    let mut stage = Stage::new();
    stage.act(ADD);
    assert!(stage.centre.call_from_outside("38591222333", "Ana Horvat", "600"));
    stage.until("BridgeEnter", 2);
    assert!(stage.centre.hang_up_trunk());
    stage.act(
        "Action: QueueRemove\r\nActionID: tp-14\r\nQueue: support\r\nInterface: PJSIP/102\r\n\r\n",
    );
    // The recorder removed the member before the queue heard that its phone was free again.
    let hasty = ["members support", "device Queue:support_avail"];
    let recorded = Recorded::load("queue-caller-hangs-up").happened();
    assert_same_but(&hasty, &stage.said(), &recorded);
}

#[test]
fn callers_who_give_up() {
    let mut stage = Stage::new();
    for from in ["101", "103"] {
        assert!(stage.centre.dial(from, "600"));
    }
    for from in ["101", "103"] {
        assert!(stage.centre.hang_up_phone(from));
    }
    assert_same(&stage.said(), &Recorded::load("queue-abandon").happened());
}

#[test]
fn pauses() {
    let mut stage = Stage::new();
    stage.act(ADD);
    for (id, action) in (14..).zip([
        "QueueAdd\r\nQueue: sales\r\nInterface: PJSIP/102\r\nPaused: true",
        "QueuePause\r\nQueue: support\r\nInterface: PJSIP/102\r\nPaused: true\r\n\
         Reason: Lunch: back at one",
        "QueuePause\r\nQueue: support\r\nInterface: PJSIP/102\r\nPaused: false",
        "QueuePause\r\nInterface: PJSIP/102\r\nPaused: true\r\nReason: Meeting",
        "QueuePause\r\nInterface: PJSIP/102\r\nPaused: false",
        "QueuePenalty\r\nQueue: support\r\nInterface: PJSIP/102\r\nPenalty: 3",
        "QueueAdd\r\nQueue: support\r\nInterface: PJSIP/102",
        "QueuePause\r\nQueue: support\r\nInterface: PJSIP/103\r\nPaused: true",
        "QueueRemove\r\nQueue: support\r\nInterface: PJSIP/102",
        "QueueRemove\r\nQueue: support\r\nInterface: PJSIP/102",
    ]) {
        stage.act(&format!("Action: {action}\r\nActionID: tp-{}\r\n\r\n", u32::to_string(&id)));
    }
    assert_same(&stage.said(), &Recorded::load("queue-pause").happened());
}

#[test]
fn a_redirected_call() {
    let mut stage = Stage::new();
    stage.act(ORIGINATE);
    stage.until("BridgeEnter", 2);
    stage.act(
        "Action: Redirect\r\nActionID: tp-14\r\nChannel: PJSIP/102-00000001\r\n\
         Context: internal\r\nExten: 103\r\nPriority: 1\r\n\r\n",
    );
    stage.until("BridgeEnter", 4);
    stage.hang_up_both("102-00000001", "103-00000002");
    assert_same_but(&HASTY, &stage.said(), &Recorded::load("redirect").happened());
}

#[test]
fn a_blind_transfer() {
    let mut stage = Stage::new();
    stage.act(ORIGINATE);
    stage.until("BridgeEnter", 2);
    stage.act(
        "Action: BlindTransfer\r\nActionID: tp-14\r\nChannel: PJSIP/101-00000000\r\n\
         Context: internal\r\nExten: 103\r\n\r\n",
    );
    stage.until("BridgeEnter", 4);
    stage.hang_up_both("102-00000001", "103-00000002");
    assert_same_but(&HASTY, &stage.said(), &Recorded::load("blind-transfer").happened());
}

#[test]
fn an_agent_who_transfers_the_caller() {
    let mut stage = Stage::new();
    stage.act(ADD);
    assert!(stage.centre.dial("101", "600"));
    stage.until("BridgeEnter", 2);
    stage.act(
        "Action: BlindTransfer\r\nActionID: tp-14\r\nChannel: PJSIP/102-00000001\r\n\
         Context: internal\r\nExten: 103\r\n\r\n",
    );
    stage.until("BridgeEnter", 4);
    stage.hang_up_both("101-00000000", "103-00000002");
    assert_same_but(&HASTY, &stage.said(), &Recorded::load("queue-transfer").happened());
}
