//! Asterisk's ways of telling are not in step: what is told of a channel before the channel itself, and
//! what is never told at all. Found by comparing with its listings in a storm of calls.
#![allow(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

mod model;

use ami_proto::Message;
use call_model::Pbx;
use model::config;
use telepulse_language::{Details, Event, Timestamp};

const NOW: Timestamp = Timestamp(1_795_215_840_000);

fn pbx() -> Pbx {
    let mut pbx = Pbx::new(config());
    pbx.begin_sync(NOW);
    pbx.finish_sync(NOW, &mut Vec::new());
    pbx
}

fn live(pbx: &mut Pbx, at: u64, text: &str) -> Vec<String> {
    let message = Message::parse(text.replace('\n', "\r\n").as_bytes()).unwrap();
    let mut events: Vec<Event> = Vec::new();
    pbx.apply(&message, Timestamp(NOW.0 + at), &mut events);
    events.iter().map(|event| event.details.kind().to_owned()).collect()
}

const NEW: &str =
    "Event: Newchannel\nChannel: PJSIP/101-1\nChannelState: 6\nUniqueid: 1.1\nLinkedid: 1.1\n";
const HANGUP: &str =
    "Event: Hangup\nChannel: PJSIP/101-1\nUniqueid: 1.1\nLinkedid: 1.1\nCause: 16\n";
const PARKED: &str = "Event: ParkedCall\nParkeeChannel: PJSIP/101-1\nParkeeUniqueid: 1.1\nParkinglot: default\nParkingSpace: 701\n";
const JOIN: &str =
    "Event: ConfbridgeJoin\nConference: 700\nChannel: PJSIP/101-1\nUniqueid: 1.1\nLinkedid: 1.1\n";
const WAITS: &str = "Event: QueueCallerJoin\nChannel: PJSIP/101-1\nUniqueid: 1.1\nLinkedid: 1.1\nQueue: sales\nPosition: 1\n";

#[test]
fn an_arrival_told_before_its_channel_counts() {
    let mut pbx = pbx();
    for early in [PARKED, JOIN, WAITS] {
        assert_eq!(live(&mut pbx, 0, early), Vec::<String>::new());
    }
    let told = live(&mut pbx, 3, NEW);
    for kind in ["parked", "conference", "queueCaller", "callStarted"] {
        assert!(told.iter().any(|told| told == kind), "{kind}: {told:?}");
    }
    let counts = pbx.counts();
    assert_eq!((counts.parked, counts.conferences, counts.waiting), (1, 1, 1));
    live(&mut pbx, 9, HANGUP);
    live(&mut pbx, 9, "Event: ConfbridgeEnd\nConference: 700\n");
    assert!(pbx.is_empty(), "{:?}", pbx.counts());
}

#[test]
fn an_echo_of_a_channel_that_is_gone_comes_to_nothing() {
    let mut pbx = pbx();
    live(&mut pbx, 0, PARKED);
    live(&mut pbx, 1, HANGUP);
    live(&mut pbx, 2, NEW);
    assert_eq!(pbx.counts().parked, 0, "it ended before");
    live(&mut pbx, 3, HANGUP);
    live(&mut pbx, 4, PARKED);
    live(&mut pbx, 10_000, JOIN);
    live(&mut pbx, 10_001, NEW);
    assert_eq!((pbx.counts().parked, pbx.counts().conferences), (0, 1), "one was too old");
}

#[test]
fn who_is_in_a_bridge_waits_in_no_queue() {
    let mut pbx = pbx();
    live(&mut pbx, 0, NEW);
    live(&mut pbx, 1, WAITS);
    assert_eq!(pbx.counts().waiting, 1);
    // Parked out of the queue by force: Asterisk has no QueueCallerLeave for it.
    let told = live(
        &mut pbx,
        2,
        "Event: BridgeEnter\nBridgeUniqueid: p\nBridgeType: parking\nChannel: PJSIP/101-1\nUniqueid: 1.1\nLinkedid: 1.1\n",
    );
    assert!(told.contains(&"queueCaller".to_owned()), "{told:?}");
    assert_eq!(pbx.counts().waiting, 0);
}

#[test]
fn an_agent_who_is_done_is_told_of_with_the_call_and_its_files_though_it_is_over() {
    let mut pbx = pbx();
    live(&mut pbx, 0, NEW);
    live(&mut pbx, 1, WAITS);
    live(
        &mut pbx,
        2,
        "Event: MixMonitorStart\nChannel: PJSIP/101-1\nUniqueid: 1.1\nLinkedid: 1.1\n",
    );
    let question = pbx.take_questions().pop().expect("which file it is");
    let answer = "Response: Success\r\nVariable: MIXMONITOR_FILENAME\r\nValue: /a/b.wav\r\n";
    let answer = Message::parse(answer.as_bytes()).unwrap();
    pbx.answered(&question, Some(&answer), Timestamp(NOW.0 + 2), &mut Vec::new());
    live(&mut pbx, 3, HANGUP);
    assert!(pbx.is_empty(), "{:?}", pbx.counts());
    let complete = "Event: AgentComplete\r\nQueue: sales\r\nInterface: PJSIP/102\r\nMemberName: \
                    PJSIP/102\r\nUniqueid: 1.1\r\nLinkedid: 1.1\r\nDestUniqueid: 1.2\r\n";
    let mut events = Vec::new();
    pbx.apply(&Message::parse(complete.as_bytes()).unwrap(), Timestamp(NOW.0 + 4), &mut events);
    let told = events.iter().find_map(|event| match &event.details {
        Details::AgentComplete(details) => Some(details),
        _ => None,
    });
    let told = told.expect("who is done");
    assert_eq!(told.call.as_deref(), Some("pbx1-1.1"));
    assert_eq!((told.recording.as_deref(), told.recordings.len()), (Some("/a/b.wav"), 1));
}
