//! Calls that go on: listening, recording, parking, conferences, single channels.

use crate::desk::{ENTROPY, NOW, command, does, fold, live, pbx, plan, refused, shown};
use call_model::Listing;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use telepulse_language::{Code, Details, Principal};

const DESK: &str = "PJSIP/desk-00000001";

/// Applies events to the PBX, then plans.
fn after(events: &[&str], json: &Value) -> Vec<String> {
    let mut pbx = pbx();
    for event in events {
        live(&mut pbx, event);
    }
    shown(&plan(&mut pbx, json).unwrap())
}

fn refused_after(events: &[&str], json: &Value, code: &str, field: &str, words: &str) {
    let mut pbx = pbx();
    for event in events {
        live(&mut pbx, event);
    }
    let refusal = plan(&mut pbx, json).unwrap_err();
    let told = (json!(refusal.code), refusal.field.as_deref());
    assert_eq!(told, (json!(code), Some(field)), "{json}: {refusal}");
    assert!(refusal.message.contains(words), "{json}: {refusal}");
}

#[test]
fn who_listens_is_rung_and_hears_that_very_channel() {
    let listen =
        |action: &str, target: &str| json!({"action": action, "agent": "103", "target": target});
    let rings = |how: &str, id: &str, shown: &str| {
        format!(
            "Originate Channel=PJSIP/103 Application=ChanSpy Data={id},qEu{how} Async=true Timeout=30000 \
             CallerID={shown} ChannelId=tp-1795215840000-000000000000feed"
        )
    };
    does(&listen("spy", "101"), &[&rings("", "1.1", "101")]);
    does(&listen("whisper", DESK), &[&rings("w", "1.1", "101")]);
    // Of a call, an extension before a trunk.
    does(&listen("barge", "pbx1-1.3"), &[&rings("B", "1.6", "104")]);
    refused(&listen("spy", "103"), "conflict", Some("target"), "");
    refused(&listen("spy", "105"), "conflict", Some("target"), "does not talk yet");
    refused(&listen("spy", "nobody"), "notFound", Some("target"), "");
    let itself = json!({"action": "spy", "agent": "101", "target": "101"});
    refused(&itself, "conflict", Some("agent"), "cannot listen to itself");
    let unknown = json!({"action": "spy", "agent": "999", "target": "101"});
    refused(&unknown, "notFound", Some("agent"), "");
}

#[test]
fn what_rings_is_picked_up_by_another() {
    let pickup =
        |agent: &str, target: &str| json!({"action": "pickup", "agent": agent, "target": target});
    for target in ["105", "PJSIP/105-00000006", "pbx1-1.7"] {
        does(
            &pickup("103", target),
            &[
                "Originate Channel=PJSIP/103 Application=PickupChan Data=PJSIP/105-00000006 Async=true \
               Timeout=30000 ChannelId=tp-1795215840000-000000000000feed",
            ],
        );
    }
    refused(&pickup("103", "101"), "conflict", Some("target"), "nothing rings there");
    refused(&pickup("105", "105"), "conflict", Some("agent"), "ringing itself");
}

#[test]
fn a_recording_is_started_paused_and_stopped_once() {
    let record = |change: &str| json!({"action": "record", "agent": "101", "change": change});
    let start = format!("MixMonitor Channel={DESK} File=pbx1-1.1-1795215840000.wav");
    does(&record("start"), &[&start]);
    let named = json!({"action": "record", "call": "pbx1-1.1", "change": "start", "file": "a.wav"});
    does(&named, &[&format!("MixMonitor Channel={DESK} File=a.wav")]);
    refused(&record("pause"), "conflict", Some("change"), "not recorded");
    does(&record("stop"), &[]);
    let file = json!({"action": "record", "agent": "101", "change": "stop", "file": "a.wav"});
    refused(&file, "badRequest", Some("file"), "`start` only");
    let rings = json!({"action": "record", "agent": "105", "change": "start"});
    refused(&rings, "conflict", Some("agent"), "does not talk yet");

    let runs = "Event: MixMonitorStart\nChannel: PJSIP/desk-00000001\nUniqueid: 1.1\n";
    let pauses = "Event: MixMonitorMute\nChannel: PJSIP/desk-00000001\nUniqueid: 1.1\nDirection: both\nState: 1\n";
    let does_after = |events: &[&str], change: &str, expected: &[&str]| {
        assert_eq!(after(events, &record(change)), expected, "{change}");
    };
    let mute = |state| format!("MixMonitorMute Channel={DESK} Direction=both State={state}");
    does_after(&[runs], "start", &[]);
    does_after(&[runs], "pause", &[&mute(1)]);
    does_after(&[runs], "resume", &[]);
    does_after(&[runs, pauses], "pause", &[]);
    does_after(&[runs, pauses], "resume", &[&mute(0)]);
    let stop = format!("StopMixMonitor Channel={DESK}");
    let forget = format!("SetVar Channel={DESK} Variable=MIXMONITOR_FILENAME Value=");
    does_after(&[runs], "stop", &[&stop, &forget]);
    let other = json!({"action": "record", "agent": "101", "change": "start", "file": "b.wav"});
    refused_after(&[runs], &other, "conflict", "file", "is recorded already");
}

#[test]
fn a_recording_that_only_a_listing_told_of_may_be_paused_and_is_resumed() {
    let mut pbx = pbx();
    pbx.begin_sync(NOW);
    let listed = format!(
        "Event: Status\nChannel: {DESK}\nChannelState: 6\nUniqueid: 1.1\nLinkedid: 1.1\n\
         Variable: MIXMONITOR_FILENAME=a.wav\n"
    );
    fold(&mut pbx, &Listing::Channels, &[listed]);
    let record = |change: &str| json!({"action": "record", "channel": DESK, "change": change});
    let mute = |state| format!("MixMonitorMute Channel={DESK} Direction=both State={state}");
    for (change, expected) in [("resume", mute(0)), ("pause", mute(1)), ("resume", mute(0))] {
        assert_eq!(shown(&plan(&mut pbx, &record(change)).unwrap()), [expected], "{change}");
    }

    // From the first event on it is known.
    let muted = format!("Event: MixMonitorMute\nChannel: {DESK}\nUniqueid: 1.1\nState: 0\n");
    live(&mut pbx, &muted);
    assert_eq!(shown(&plan(&mut pbx, &record("resume")).unwrap()), Vec::<String>::new());
}

#[test]
fn a_recording_has_two_sides_beeps_and_is_announced() {
    let record = |more: Value| {
        let mut json = json!({"action": "record", "agent": "101", "change": "start"});
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json
    };
    let file = "pbx1-1.1-1795215840000";
    let start = format!("MixMonitor Channel={DESK} File={file}");
    does(&record(json!({"mode": "mixed"})), &[&format!("{start}.wav")]);
    let both = json!({"mode": "stereo", "beep": 15});
    does(&record(both), &[&format!("{start}.raw Options=DB(15)")]);
    let announced = "Originate Channel=Local/950@internal/n Application=ChanSpy Data=1.1,qEuB Async=true \
                     Timeout=5000 ChannelId=tp-1795215840000-000000000000feed \
                     OtherChannelId=tp-1795215840000-000000000000feed;2";
    does(&record(json!({"announcement": "950"})), &[&format!("{start}.wav"), announced]);
    let early = json!({"action": "record", "agent": "105", "change": "start", "file": "a.wav", "early": true});
    does(&early, &["MixMonitor Channel=PJSIP/105-00000006 File=a.wav"]);
    for (more, field, words) in [
        (json!({"mode": "stereo", "file": "a.wav"}), "file", "must end in .raw"),
        (json!({"beep": 4}), "beep", "5 to 3600"),
        (json!({"beep": 3601}), "beep", "5 to 3600"),
        (json!({"change": "pause", "early": true}), "early", "`start` only"),
        (json!({"change": "stop", "mode": "mixed"}), "mode", "`start` only"),
        (json!({"change": "resume", "beep": 15}), "beep", "`start` only"),
        (json!({"change": "pause", "announcement": "950"}), "announcement", "`start` only"),
    ] {
        refused(&record(more), "badRequest", Some(field), words);
    }
}

#[test]
fn a_recording_that_is_over_before_asterisk_has_named_its_file_has_the_one_that_was_ordered() {
    let mut pbx = pbx();
    let named = json!({"action": "record", "agent": "101", "change": "start", "file": "a.wav"});
    plan(&mut pbx, &named).unwrap();
    let of = |event: &str, id: &str| format!("Event: {event}\nChannel: {DESK}\nUniqueid: {id}\n");
    assert_eq!(live(&mut pbx, &of("MixMonitorStart", "1.1")).len(), 1, "the line's state");
    let told = live(&mut pbx, &of("MixMonitorStop", "1.1"));
    let files = told.iter().filter_map(|event| match &event.details {
        Details::Recording(recording) => Some(recording.file.as_str()),
        _ => None,
    });
    assert_eq!(files.collect::<Vec<_>>(), ["a.wav", "a.wav"]);
    live(&mut pbx, &of("Hangup", "1.1"));
    let ended = live(&mut pbx, &of("Hangup", "1.2"));
    let files = ended.iter().find_map(|event| match &event.details {
        Details::CallEnded(ended) => Some(ended.recordings.clone()),
        _ => None,
    });
    assert_eq!(files, Some(vec!["a.wav".into()]));
}

#[test]
fn who_may_not_dial_has_nothing_announced() {
    let announced =
        json!({"action": "record", "agent": "101", "change": "start", "announcement": "0900123"});
    let who = |allow: &str| Principal {
        name: "ann".into(),
        allow: BTreeSet::from(["record".to_owned(), allow.to_owned()]),
        ..Principal::default()
    };
    let planned = |who: &Principal| pbx().plan(&command(&announced), Some(who), ENTROPY, NOW);
    for allow in ["dial:own", "hangup"] {
        let refusal = planned(&who(allow)).unwrap_err();
        assert_eq!(
            (refusal.code, refusal.field.as_deref()),
            (Code::Forbidden, Some("announcement"))
        );
    }
    assert_eq!(planned(&who("dial")).unwrap().actions.len(), 2);
}

#[test]
fn what_is_not_to_be_kept_is_in_none_of_a_calls_recordings() {
    let runs = |channel: &str, id: &str| {
        format!("Event: MixMonitorStart\nChannel: {channel}\nUniqueid: {id}\n")
    };
    let (one, two) = (runs(DESK, "1.1"), runs("PJSIP/102-00000002", "1.2"));
    let record = |target: &str, name: &str, change: &str| {
        after(&[&one, &two], &json!({"action": "record", target: name, "change": change}))
    };
    let mute = |channel| format!("MixMonitorMute Channel={channel} Direction=both State=1");
    let all = [mute(DESK), mute("PJSIP/102-00000002")];
    for (target, name) in [("agent", "101"), ("agent", "102"), ("call", "pbx1-1.1")] {
        assert_eq!(record(target, name, "pause"), all, "{target}");
    }
    assert_eq!(record("channel", DESK, "pause"), [mute(DESK)]);
    assert_eq!(record("agent", "102", "stop").len(), 4);
}

#[test]
fn a_variable_is_asked_for_by_channel_or_call() {
    for channel in [DESK, "1.1", "pbx1-1.1"] {
        let get = json!({"action": "getVariable", "channel": channel, "name": "CONSENT"});
        does(&get, &[&format!("GetVar Channel={DESK} Variable=CONSENT")]);
    }
    let get = json!({"action": "getVariable", "channel": "pbx1-9.9", "name": "CONSENT"});
    refused(&get, "notFound", Some("channel"), "");
}

#[test]
fn who_talks_with_an_agent_is_parked() {
    let park = json!({"action": "park", "agent": "101", "announceTo": "101", "timeout": 60, "lot": "default"});
    does(
        &park,
        &["Park Channel=PJSIP/102-00000002 TimeoutChannel=PJSIP/desk-00000001 \
           AnnounceChannel=PJSIP/desk-00000001 Timeout=60000 Parkinglot=default"],
    );
    does(&json!({"action": "park", "channel": DESK}), &["Park Channel=PJSIP/desk-00000001"]);
    let alone = json!({"action": "park", "agent": "103"});
    refused(&alone, "conflict", Some("agent"), "");
    let timeout = json!({"action": "park", "agent": "101", "timeout": 86_401});
    refused(&timeout, "badRequest", Some("timeout"), "86400");
    let stranger = json!({"action": "park", "agent": "101", "announceTo": "104"});
    refused(&stranger, "conflict", Some("announceTo"), "does not talk with");

    let parked = "Event: ParkedCall\nParkeeChannel: PJSIP/desk-00000001\nParkeeUniqueid: 1.1\n\
                  ParkingSpace: 701\nParkinglot: default\nParkingTimeout: 60\nParkingDuration: 0\n";
    let again = json!({"action": "park", "channel": DESK});
    refused_after(&[parked], &again, "conflict", "call", "parked already, at 701");
}

#[test]
fn a_conference_is_ordered_about_where_there_is_one() {
    let start = "Event: ConfbridgeStart\nConference: 700\nBridgeUniqueid: r\n";
    let join = "Event: ConfbridgeJoin\nConference: 700\nBridgeUniqueid: r\nChannel: PJSIP/105-00000006\n\
                Uniqueid: 1.8\nAdmin: No\nMuted: No\n";
    let order = |action: &str, channel: Option<&str>| {
        let mut order = json!({"action": action, "conference": "700"});
        if let Some(channel) = channel {
            order["channel"] = channel.into();
        }
        order
    };
    let does_in = |order: &Value, expected: &[&str]| {
        assert_eq!(after(&[start, join], order), expected, "{order}");
    };
    let member = Some("PJSIP/105-00000006");
    let of_member = "Conference=700 Channel=PJSIP/105-00000006";
    does_in(&order("conferenceKick", member), &[&format!("ConfbridgeKick {of_member}")]);
    does_in(&order("conferenceKick", None), &["ConfbridgeKick Conference=700 Channel=all"]);
    does_in(&order("conferenceMute", member), &[&format!("ConfbridgeMute {of_member}")]);
    does_in(&order("conferenceUnmute", member), &[]);
    does_in(&order("conferenceLock", None), &["ConfbridgeLock Conference=700"]);
    does_in(&order("conferenceUnlock", None), &[]);
    let outside = order("conferenceMute", Some(DESK));
    refused_after(&[start, join], &outside, "conflict", "channel", "is not in conference");
    for action in ["conferenceKick", "conferenceMute", "conferenceLock"] {
        refused(&order(action, None), "notFound", Some("conference"), "");
    }
}

#[test]
fn one_channel_is_given_keys_silence_and_variables() {
    let on = |fields: Value| {
        let mut order = json!({"channel": DESK});
        order.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        order
    };
    let key = |digit| format!("PlayDTMF Channel={DESK} Digit={digit}");
    does(&on(json!({"action": "dtmf", "digits": "1#"})), &[&key('1'), &key('#')]);
    let mute =
        |direction, state| format!("MuteAudio Channel={DESK} Direction={direction} State={state}");
    does(&on(json!({"action": "mute"})), &[&mute("in", "on")]);
    does(&on(json!({"action": "unmute", "hearing": "both"})), &[&mute("all", "off")]);
    does(
        &on(json!({"action": "setVariable", "name": "CRM", "value": "a,b"})),
        &[&format!("SetVar Channel={DESK} Variable=CRM Value=a,b")],
    );
    does(
        &on(json!({"action": "getVariable", "name": "CRM"})),
        &[&format!("GetVar Channel={DESK} Variable=CRM")],
    );
    let gone = json!({"action": "dtmf", "digits": "1", "channel": "PJSIP/desk-00000009"});
    refused(&gone, "notFound", Some("channel"), "");
}
