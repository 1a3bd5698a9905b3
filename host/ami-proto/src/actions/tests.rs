//! The typed actions' lines, as a server gets them.

use std::fmt::Write as _;

use super::*;
use crate::{Action, AsteriskVersion, EventFilter, Match, Secret};

/// All of them, one below the other.
fn lines(actions: &[Action]) -> String {
    actions.iter().fold(String::new(), |mut text, action| {
        let bytes =
            action.encode("t-1").unwrap_or_else(|error| format!("! {error}\r\n\r\n").into());
        let action = String::from_utf8_lossy(&bytes).replace("ActionID: t-1\r\n", "");
        let _ = writeln!(text, "{}", action.trim_end().replace("\r\n", " | "));
        text
    })
}

fn call() -> Originate {
    Originate {
        channel: "PJSIP/201".to_owned(),
        target: Target::Extension {
            context: "internal".to_owned(),
            exten: "202".to_owned(),
            priority: "1".to_owned(),
        },
        timeout_ms: Some(20_000),
        caller_id: Some("\"Ann\" <201>".to_owned()),
        account: None,
        variables: vec![("__A_1".to_owned(), "x".to_owned())],
        auto_answer: false,
        channel_id: Some("tp-1".to_owned()),
        other_channel_id: Some("tp-2".to_owned()),
    }
}

#[test]
fn calls() {
    let to_application = Originate {
        target: Target::Application { name: "ChanSpy".to_owned(), data: "PJSIP/202,q".to_owned() },
        timeout_ms: None,
        caller_id: None,
        variables: vec![("V".to_owned(), r#"a,b=(c) "d" \[e]"#.to_owned())],
        channel_id: None,
        other_channel_id: None,
        ..call()
    };
    let function = Originate { variables: vec![("SHELL(x)".to_owned(), String::new())], ..call() };
    insta::assert_snapshot!(lines(&[
        originate(&call()),
        originate(&to_application),
        originate(&function),
        originate(&Originate { auto_answer: true, ..call() }),
        originate(&Originate { auto_answer: true, channel: "SIP/201".to_owned(), ..call() }),
        hangup("PJSIP/201-1", Some(16)),
        redirect("PJSIP/201-1", "internal", "203", "1"),
        redirect_both(("A/1", "c1", "e1", "1"), ("A/2", "c2", "e2", "1")),
        blind_transfer("A/1", "internal", "203"),
        atxfer("A/1", "internal", "203"),
        park("A/1", Some("A/2"), None, Some(45_000), Some("default")),
        bridge("A/1", "A/2"),
        play_dtmf("A/1", '#'),
        mute_audio("A/1", "in", true),
        mix_monitor("A/1", "x.wav", Some("b")),
        stop_mix_monitor("A/1"),
        mix_monitor_mute("A/1", "both", false),
        get_var(Some("A/1"), "CDR"),
        get_var(None, "SHELL(id)"),
        set_var(Some("A/1"), "__X", "a,b"),
        confbridge_kick("600", "A/1"),
        confbridge_mute("600", "A/1", false),
        confbridge_lock("600", true),
    ]), @r#"
    Action: Originate | Channel: PJSIP/201 | Context: internal | Exten: 202 | Priority: 1 | Async: true | Timeout: 20000 | CallerID: "Ann" <201> | ChannelId: tp-1 | OtherChannelId: tp-2 | Variable: __A_1=x
    Action: Originate | Channel: PJSIP/201 | Application: ChanSpy | Data: PJSIP/202,q | Async: true | Variable: V=a\,b=\(c\) \"d\" \\\[e\]
    ! "SHELL(x)" is no plain variable name (letters, digits and _, not starting with a digit)
    Action: Originate | Channel: PJSIP/201 | Context: internal | Exten: 202 | Priority: 1 | Async: true | Timeout: 20000 | CallerID: "Ann" <201> | ChannelId: tp-1 | OtherChannelId: tp-2 | Variable: __A_1=x | Variable: PJSIP_HEADER(add,Call-Info)=<sip:telepulse>;answer-after=0 | Variable: PJSIP_HEADER(add,Alert-Info)=<http://telepulse>;info=alert-autoanswer;delay=0
    Action: Originate | Channel: SIP/201 | Context: internal | Exten: 202 | Priority: 1 | Async: true | Timeout: 20000 | CallerID: "Ann" <201> | ChannelId: tp-1 | OtherChannelId: tp-2 | Variable: __A_1=x | Variable: SIPADDHEADER01=Call-Info: <sip:telepulse>;answer-after=0 | Variable: SIPADDHEADER02=Alert-Info: <http://telepulse>;info=alert-autoanswer;delay=0
    Action: Hangup | Channel: PJSIP/201-1 | Cause: 16
    Action: Redirect | Channel: PJSIP/201-1 | Context: internal | Exten: 203 | Priority: 1
    Action: Redirect | Channel: A/1 | Context: c1 | Exten: e1 | Priority: 1 | ExtraChannel: A/2 | ExtraContext: c2 | ExtraExten: e2 | ExtraPriority: 1
    Action: BlindTransfer | Channel: A/1 | Context: internal | Exten: 203
    Action: Atxfer | Channel: A/1 | Context: internal | Exten: 203
    Action: Park | Channel: A/1 | TimeoutChannel: A/2 | Timeout: 45000 | Parkinglot: default
    Action: Bridge | Channel1: A/1 | Channel2: A/2
    Action: PlayDTMF | Channel: A/1 | Digit: #
    Action: MuteAudio | Channel: A/1 | Direction: in | State: on
    Action: MixMonitor | Channel: A/1 | File: x.wav | Options: b
    Action: StopMixMonitor | Channel: A/1
    Action: MixMonitorMute | Channel: A/1 | Direction: both | State: 0
    Action: GetVar | Channel: A/1 | Variable: CDR
    ! "SHELL(id)" is no plain variable name (letters, digits and _, not starting with a digit)
    Action: SetVar | Channel: A/1 | Variable: __X | Value: a,b
    Action: ConfbridgeKick | Conference: 600 | Channel: A/1
    Action: ConfbridgeUnmute | Conference: 600 | Channel: A/1
    Action: ConfbridgeLock | Conference: 600
    "#);
}

#[test]
fn queues_and_listings() {
    let member = QueueMember {
        interface: "PJSIP/201".to_owned(),
        state_interface: Some("PJSIP/201".to_owned()),
        name: Some("Ann".to_owned()),
        penalty: Some(2),
        paused: true,
    };
    insta::assert_snapshot!(lines(&[
        queue_add("sales", &member),
        queue_add("sales", &QueueMember { interface: "A/1".to_owned(), ..QueueMember::default() }),
        queue_remove("sales", "A/1"),
        queue_pause(Some("sales"), "A/1", true, Some("lunch")),
        queue_pause(None, "A/1", false, None),
        queue_penalty(None, "A/1", 3),
        queue_reset(None),
        queue_status_of("sales"),
        bridge_info("b-1"),
        confbridge_list("600"),
    ]), @r#"
    Action: QueueAdd | Queue: sales | Interface: PJSIP/201 | StateInterface: PJSIP/201 | MemberName: Ann | Penalty: 2 | Paused: true
    Action: QueueAdd | Queue: sales | Interface: A/1
    Action: QueueRemove | Queue: sales | Interface: A/1
    Action: QueuePause | Queue: sales | Interface: A/1 | Paused: true | Reason: lunch
    Action: QueuePause | Interface: A/1 | Paused: false
    Action: QueuePenalty | Interface: A/1 | Penalty: 3
    Action: QueueReset
    Action: QueueStatus | Queue: sales
    Action: BridgeInfo | BridgeUniqueid: b-1
    Action: ConfbridgeList | Conference: 600
    "#);
    for list in [
        status(),
        core_show_channels(),
        bridge_list(),
        bridge_info("b"),
        queue_status(),
        queue_summary(),
        extension_state_list(),
        device_state_list(),
        presence_state_list(),
        parked_calls(),
        confbridge_list_rooms(),
        confbridge_list("600"),
        pjsip_show_contacts(),
        pjsip_show_endpoints(),
    ] {
        assert!(list.is_list(), "{}", list.name());
    }
    for single in [ping(), logoff(), core_settings(), events("on"), hangup("A/1", None)] {
        assert!(!single.is_list(), "{}", single.name());
    }
}

#[test]
fn session() {
    let secret = Secret::new("secret");
    insta::assert_snapshot!(lines(&[
        ping(),
        logoff(),
        challenge(),
        login_plain("bob", &secret, "call,system"),
        // md5("123456" + "secret")
        login_md5("bob", &secret, b"123456", "on"),
        events("off"),
        core_settings(),
    ]), @r#"
    Action: Ping
    Action: Logoff
    Action: Challenge | AuthType: MD5
    Action: Login | Username: bob | Secret: secret | Events: call,system
    Action: Login | AuthType: MD5 | Username: bob | Key: 992f3c4e7ec9a0e96173284c816612bd | Events: on
    Action: Events | EventMask: off
    Action: CoreSettings
    "#);
}

#[test]
fn filters_in_both_forms() {
    let header = Match::Header {
        event: "VarSet".to_owned(),
        key: "Variable".to_owned(),
        value: "A.B".to_owned(),
    };
    let filters = [
        EventFilter::include(Match::Name("Newchannel".to_owned())),
        EventFilter::exclude(Match::Name("RTCPSent".to_owned())),
        EventFilter::exclude(header),
    ];
    let forms = |version: &str| {
        let version = AsteriskVersion::parse(version);
        filters.each_ref().map(|filter| filter_add(filter, Some(&version)))
    };
    insta::assert_snapshot!(lines(&forms("22.10.0")), @r#"
    Action: Filter | Operation: Add | MatchCriteria: action(include),name(Newchannel),method(none) | Filter:
    Action: Filter | Operation: Add | MatchCriteria: action(exclude),name(RTCPSent),method(none) | Filter:
    Action: Filter | Operation: Add | MatchCriteria: action(exclude),name(VarSet),header(Variable),method(exact) | Filter: A.B
    "#);
    insta::assert_snapshot!(lines(&forms("18.10.0")), @r#"
    Action: Filter | Operation: Add | Filter: ^Event: Newchannel[[:cntrl:]]
    Action: Filter | Operation: Add | Filter: !^Event: RTCPSent[[:cntrl:]]
    Action: Filter | Operation: Add | Filter: !^Event: VarSet[[:cntrl:]].*[[:cntrl:]]Variable: A\.B[[:cntrl:]]
    "#);
    assert_eq!(filter_add(&filters[0], None), forms("13.0")[0].clone());
}
