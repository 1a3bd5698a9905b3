//! What a panel does with calls, as a real Asterisk told of it.

use crate::compare::{assert_same, assert_same_but};
use crate::recorded::Recorded;
use crate::stage::Stage;
use crate::{HASTY, ORIGINATE};

/// 101 and 102 talk.
fn talking() -> Stage {
    let mut stage = Stage::new();
    stage.act(ORIGINATE);
    stage.until("BridgeEnter", 2);
    stage
}

#[test]
fn a_call_is_recorded_and_heard() {
    let mut stage = talking();
    stage.act_all(
        14,
        &[
            "MixMonitor|Channel: PJSIP/101-00000000|File: tp-recording.wav",
            "MixMonitorMute|Channel: PJSIP/101-00000000|Direction: both|State: 1",
            "MixMonitorMute|Channel: PJSIP/101-00000000|Direction: both|State: 0",
            "StopMixMonitor|Channel: PJSIP/101-00000000",
            "Originate|Channel: PJSIP/103|Application: ChanSpy|Data: PJSIP/101-00000000,q|\
             ChannelId: tp-spy-1|Async: true",
        ],
    );
    stage.until("ChanSpyStart", 1);
    stage.act_all(
        19,
        &[
            "Hangup|Channel: PJSIP/102-00000001|Cause: 16",
            "Hangup|Channel: PJSIP/101-00000000|Cause: 16",
            "Hangup|Channel: PJSIP/103-00000002|Cause: 16",
        ],
    );
    assert_same(&stage.said(), &Recorded::load("record-and-spy").happened());
}

#[test]
fn who_listens_goes_or_is_left() {
    let mut stage = talking();
    let spy = |how: &str, id: u32| {
        format!(
            "Originate|Channel: PJSIP/103|Application: ChanSpy|Data: tp-call-1,{how}|Async: true|\
             Timeout: 30000|CallerID: 101|ChannelId: tp-spy-{}",
            u32::to_string(&id)
        )
    };
    stage.act_all(14, &[&spy("qEu", 1)]);
    stage.until("ChanSpyStart", 1);
    stage.act_all(15, &["Hangup|Channel: PJSIP/103-00000002|Cause: 16", &spy("qEuw", 2)]);
    stage.until("ChanSpyStart", 2);
    stage.act_all(17, &["Hangup|Channel: PJSIP/102-00000001|Cause: 16"]);
    stage.until("Hangup", 4);
    assert_same(&stage.said(), &Recorded::load("listen").happened());
}

#[test]
fn a_ringing_call_is_picked_up() {
    let mut stage = Stage::like(|settings| settings.ring_ms = 5_000..=5_000);
    assert!(stage.centre.dial("101", "102"));
    stage.until("DialState", 1);
    stage.act_all(
        13,
        &["Originate|Channel: PJSIP/103|Application: PickupChan|Data: PJSIP/102-00000001|\
           ChannelId: tp-pickup-1|Async: true"],
    );
    stage.until("BridgeEnter", 2);
    stage.act_all(
        14,
        &[
            "Hangup|Channel: PJSIP/101-00000000|Cause: 16",
            "Hangup|Channel: PJSIP/103-00000002|Cause: 16",
        ],
    );
    assert_same(&stage.said(), &Recorded::load("pickup").happened());
}

#[test]
fn everything_that_can_be_asked_of_a_channel() {
    let mut stage = talking();
    let gone = "PJSIP/199-00000099";
    let mut actions = Vec::new();
    for channel in ["PJSIP/102-00000001", gone] {
        for direction in ["in", "out", "all"] {
            for state in ["on", "off"] {
                actions.push(format!(
                    "MuteAudio|Channel: {channel}|Direction: {direction}|State: {state}"
                ));
            }
        }
        for (action, more) in [
            ("PlayDTMF", "Digit: 1"),
            ("SetVar", "Variable: CRM|Value: a,b"),
            ("GetVar", "Variable: CRM"),
            ("GetVar", "Variable: NOBODY_SET_IT"),
            ("StopMixMonitor", "X: y"),
            ("MixMonitorMute", "Direction: both|State: 1"),
            ("MixMonitor", "File: words/one.wav"),
            ("SetVar", "Variable: MIXMONITOR_FILENAME|Value:"),
            ("StopMixMonitor", "X: y"),
            ("SendText", "Message: Lunch?"),
        ] {
            actions.push(format!("{action}|Channel: {channel}|{more}"));
        }
    }
    for action in [
        "SetVar|Variable: TEAM|Value: blue",
        "GetVar|Variable: TEAM",
        "SetVar|Variable: PRESENCE_STATE(CustomPresence:102)|Value: dnd,,",
        "SetVar|Variable: PRESENCE_STATE(CustomPresence:102)|Value: available,,",
        "Park|Channel: PJSIP/199-00000099",
        "Park|Channel: PJSIP/102-00000001|Parkinglot: nowhere",
        "Atxfer|Channel: PJSIP/199-00000099|Context: internal|Exten: 103",
        "Redirect|Channel: PJSIP/199-00000099|Context: internal|Exten: 103|Priority: 1",
        "ConfbridgeMute|Conference: 799|Channel: all",
        "ConfbridgeKick|Conference: 799|Channel: all",
        "ConfbridgeLock|Conference: 799|Channel: all",
        "ConfbridgeList|Conference: 799|Channel: all",
        "MessageSend|To: pjsip:102|From: sip:101@localhost|Body: Lunch?",
        "PresenceState|Provider: CustomPresence:102",
        "ExtensionState|Exten: 102|Context: internal",
        "FlyToTheMoon|X: y",
        "Hangup|Channel: PJSIP/102-00000001|Cause: 16",
        "Hangup|Channel: PJSIP/101-00000000|Cause: 16",
    ] {
        actions.push(action.to_owned());
    }
    stage.act_all(14, &actions.iter().map(String::as_str).collect::<Vec<_>>());
    let (said, recorded) = (stage.said(), Recorded::load("channel-words").happened());
    // The second hang-up is a matter of haste.
    let ours = said.iter().filter(|message| message.action_id() != Some("tp-63"));
    let real = recorded.iter().filter(|message| message.action_id() != Some("tp-63"));
    let (ours, real): (Vec<_>, Vec<_>) = (ours.cloned().collect(), real.cloned().collect());
    assert_same(&ours, &real);
}

#[test]
fn a_parked_caller_is_fetched() {
    let mut stage = Stage::like(|settings| settings.parking_ms = 2_000);
    stage.act(ORIGINATE);
    stage.until("BridgeEnter", 2);
    stage.act_all(
        14,
        &["Park|Channel: PJSIP/102-00000001|TimeoutChannel: PJSIP/101-00000000|Timeout: 10000"],
    );
    stage.pass(2_000);
    assert!(stage.centre.dial("103", "751"));
    stage.until("UnParkedCall", 1);
    let mut real = Recorded::load("park").acted();
    // There the phone parks it again, by keys that are not simulated.
    let rest = real.iter().position(|message| message.event() == Some("Unhold")).unwrap();
    let parked_again = real[rest..].iter().any(|message| message.event() == Some("ParkedCall"));
    assert!(parked_again, "as the recording is known");
    real.truncate(
        real.iter().position(|message| message.event() == Some("UnParkedCall")).unwrap() + 2,
    );
    real.retain(|message| message.event() != Some("Unhold"));
    assert_same(&stage.said(), &real);
}

#[test]
fn whom_nobody_fetches_comes_back_to_who_parked_it() {
    let mut stage = Stage::like(|settings| settings.parking_ms = 2_000);
    assert!(stage.centre.dial("102", "103"));
    stage.until("BridgeEnter", 2);
    stage.act_all(14, &["BlindTransfer|Channel: PJSIP/103-00000001|Context: internal|Exten: 750"]);
    stage.until("ParkedCallTimeOut", 1);
    stage.until("BridgeEnter", 5);
    let real = Recorded::load("park").acted();
    let last = |messages: &[ami_proto::Message], event: &str| {
        let found = messages.iter().rev().find(|message| message.event() == Some(event)).unwrap();
        let fields = found.fields().map(|(key, _)| String::from_utf8_lossy(key).into_owned());
        fields.collect::<Vec<_>>()
    };
    let said = stage.said();
    for event in ["ParkedCall", "BlindTransfer", "ParkedCallTimeOut", "DialBegin"] {
        assert_eq!(last(&said, event), last(&real, event), "{event}");
    }
    let timeout = said.iter().find(|m| m.event() == Some("ParkedCallTimeOut")).unwrap();
    assert_eq!(timeout.get("ParkeeContext"), Some("park-dial"));
    assert_eq!(timeout.get("ParkeeExten"), Some("PJSIP_103"));
    assert_eq!(timeout.get("ParkingTimeout"), Some("0"));
}

#[test]
fn a_parked_caller_gives_up() {
    let mut stage = talking();
    stage.act_all(
        14,
        &["Park|Channel: PJSIP/102-00000001|TimeoutChannel: PJSIP/101-00000000|\
           AnnounceChannel: PJSIP/101-00000000|Timeout: 60000"],
    );
    stage.pass(2_000);
    stage.act_all(
        15,
        &[
            "Hangup|Channel: PJSIP/101-00000000|Cause: 16",
            "Originate|Channel: PJSIP/103|Context: internal|Exten: 759|Priority: 1|\
             CallerID: \"Phone 103\" <103>|Timeout: 20000|ChannelId: tp-call-2|Async: true",
        ],
    );
    stage.pass(1_900);
    stage.act_all(17, &["Hangup|Channel: PJSIP/102-00000001|Cause: 16"]);
    stage.act_all(18, &["Hangup|Channel: PJSIP/103-00000002|Cause: 16"]);
    assert_same(&stage.said(), &Recorded::load("park-and-give-up").happened());
}

#[test]
fn a_conference_is_led() {
    let mut stage = Stage::new();
    for (extension, count) in [("101", 1), ("102", 2), ("103", 3)] {
        assert!(stage.centre.dial(extension, "700"));
        stage.until("ConfbridgeJoin", count);
        if count == 2 {
            assert!(stage.centre.speak_from_phone("101", true));
        }
        if count == 3 {
            assert!(stage.centre.speak_from_phone("102", true));
        }
    }
    stage.act_all(
        25,
        &[
            "ConfbridgeMute|Conference: 700|Channel: PJSIP/102-00000001",
            "ConfbridgeUnmute|Conference: 700|Channel: PJSIP/102-00000001",
            "ConfbridgeLock|Conference: 700",
            "ConfbridgeUnlock|Conference: 700",
            "ConfbridgeKick|Conference: 700|Channel: PJSIP/103-00000002",
            "Hangup|Channel: PJSIP/102-00000001|Cause: 16",
            "Hangup|Channel: PJSIP/101-00000000|Cause: 16",
        ],
    );
    let talks = |message: &ami_proto::Message| message.event() != Some("ConfbridgeTalking");
    let internal = |message: &ami_proto::Message| {
        message.get("Device").is_none_or(|device| !device.starts_with("CBAnn/"))
    };
    let keep = |message: &ami_proto::Message| talks(message) && internal(message);
    let (mut ours, mut real) = (stage.said(), Recorded::load("confbridge").acted());
    assert_eq!(shape(&ours, "ConfbridgeTalking"), shape(&real, "ConfbridgeTalking"));
    ours.retain(keep);
    real.retain(keep);
    assert_same(&ours, &real);
}

fn shape(messages: &[ami_proto::Message], event: &str) -> Vec<String> {
    let found = messages.iter().find(|message| message.event() == Some(event)).unwrap();
    found.fields().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect()
}

#[test]
fn each_puts_the_other_on_hold() {
    let mut stage = Stage::new();
    assert!(stage.centre.dial("101", "102"));
    stage.until("BridgeEnter", 2);
    for (extension, on) in [("101", true), ("101", false), ("102", true), ("102", false)] {
        assert!(stage.centre.hold_from_phone(extension, on));
    }
    stage.act_all(13, &["Hangup|Channel: PJSIP/102-00000001|Cause: 16"]);
    stage.act_all(14, &["Hangup|Channel: PJSIP/101-00000000|Cause: 16"]);
    assert_same(&stage.said(), &Recorded::load("hold").happened());
}

#[test]
fn who_asked_hands_over() {
    let mut stage = talking();
    stage.act_all(14, &["Atxfer|Channel: PJSIP/101-00000000|Context: internal|Exten: 103"]);
    stage.until("BridgeEnter", 6);
    stage.act_all(15, &["Hangup|Channel: PJSIP/101-00000000|Cause: 16"]);
    stage.act_all(16, &["Hangup|Channel: Local/103@internal-00000000;1|Cause: 16"]);
    stage.until("Hangup", 5);
    assert_same_but(&HASTY, &stage.said(), &Recorded::load("attended-transfer").happened());
}

#[test]
fn who_asked_is_back_when_the_third_is_busy_or_goes() {
    let mut stage = Stage::new();
    stage.act_all(1, &["SetVar|Variable: PRESENCE_STATE(CustomPresence:104)|Value: dnd,,"]);
    stage.forget();
    stage.act(ORIGINATE);
    stage.until("BridgeEnter", 2);
    stage.act_all(14, &["Atxfer|Channel: PJSIP/101-00000000|Context: internal|Exten: 104"]);
    stage.until("Unhold", 1);
    stage.act_all(15, &["Atxfer|Channel: PJSIP/101-00000000|Context: internal|Exten: 103"]);
    stage.until("BridgeEnter", 9);
    stage.act_all(16, &["Hangup|Channel: PJSIP/103-00000003|Cause: 16"]);
    stage.until("Unhold", 2);
    stage.act_all(17, &["Hangup|Channel: PJSIP/102-00000001|Cause: 16"]);
    stage.act_all(18, &["Hangup|Channel: PJSIP/101-00000000|Cause: 16"]);
    // Whether 101 is told first that it may talk again, or with whom, is chance.
    let hasty = ["responses", "channel PJSIP/101-00000000"];
    assert_same_but(&hasty, &stage.said(), &Recorded::load("consultation-fails").happened());
}

#[test]
fn people_say_something_of_themselves() {
    let mut stage = Stage::new();
    for state in ["away,coffee,Back soon", "dnd,,", "available,,"] {
        stage.act_all(
            1,
            &[&format!("SetVar|Variable: PRESENCE_STATE(CustomPresence:101)|Value: {state}")],
        );
    }
    stage.act_all(13, &["UserEvent|UserEvent: Survey|Score: 5|Text: très bien: 100 %"]);
    let recorded = Recorded::load("presence-and-user-event").happened();
    // Somebody else said so there.
    assert_same_but(&["responses"], &stage.said(), &recorded);
}
