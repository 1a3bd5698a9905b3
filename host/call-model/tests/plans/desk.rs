//! A PBX in a known state, and what a command comes down to on it.

use crate::model::config;
use ami_proto::Message;
use call_model::{Listing, Pbx, PbxConfig, Plan};
use serde_json::{Value, json};
use telepulse_language::{Command, CommandEnvelope, Event, Refusal, Timestamp};

pub(crate) const NOW: Timestamp = Timestamp(1_795_215_840_000);
pub(crate) const ENTROPY: u64 = 0xfeed;

/// Extensions 101 to 105 by hints (101's phone is another's name), a trunk, a queue with 104
/// (paused) in it. 101 talks with 102, 103 with nobody, a trunk's caller talks with 104 through a
/// `Local/` channel, and 105 rings.
pub(crate) fn pbx() -> Pbx {
    let mut pbx = Pbx::new(PbxConfig { max_calls: Some(5), ..config() });
    pbx.begin_sync(NOW);
    let hint = |exten: &str, device: &str| {
        format!(
            "Event: ExtensionStatus\nExten: {exten}\nContext: internal\nHint: {device}\nStatus: 0\n"
        )
    };
    let hints = [
        hint("101", "PJSIP/desk"),
        hint("102", "PJSIP/102"),
        hint("103", "PJSIP/103"),
        hint("104", "PJSIP/104"),
        hint("105", "PJSIP/105"),
    ];
    fold(&mut pbx, &Listing::Hints, &hints);
    let queues = [
        "Event: QueueParams\nQueue: sales\n",
        "Event: QueueMember\nQueue: sales\nName: Ann\nLocation: PJSIP/104\nPenalty: 2\nStatus: 1\nPaused: 1\nPausedReason: lunch\n",
        "Event: QueueParams\nQueue: support\n",
    ];
    fold(&mut pbx, &Listing::Queues, &queues.map(str::to_owned));
    pbx.finish_sync(NOW, &mut Vec::new());

    for (name, id, linked, state) in [
        ("PJSIP/desk-00000001", "1.1", "1.1", 6),
        ("PJSIP/102-00000002", "1.2", "1.1", 6),
        ("PJSIP/trunk-00000003", "1.3", "1.3", 6),
        ("Local/104@x-00000000;1", "1.4", "1.3", 6),
        ("Local/104@x-00000000;2", "1.5", "1.3", 6),
        ("PJSIP/104-00000004", "1.6", "1.3", 6),
        ("PJSIP/trunk-00000005", "1.7", "1.7", 4),
        ("PJSIP/105-00000006", "1.8", "1.7", 5),
    ] {
        live(
            &mut pbx,
            &format!(
                "Event: Newchannel\nChannel: {name}\nChannelState: {state}\nUniqueid: {id}\nLinkedid: {linked}\n"
            ),
        );
    }
    for (bridge, id) in
        [("a", "1.1"), ("a", "1.2"), ("b", "1.3"), ("b", "1.4"), ("c", "1.5"), ("c", "1.6")]
    {
        live(
            &mut pbx,
            &format!(
                "Event: BridgeEnter\nBridgeUniqueid: {bridge}\nBridgeType: basic\nUniqueid: {id}\n"
            ),
        );
    }
    pbx
}

pub(crate) fn parse(text: &str) -> Message {
    Message::parse(text.replace('\n', "\r\n").as_bytes()).unwrap()
}

pub(crate) fn live(pbx: &mut Pbx, text: &str) -> Vec<Event> {
    let mut events = Vec::new();
    pbx.apply(&parse(text), NOW, &mut events);
    events
}

pub(crate) fn fold(pbx: &mut Pbx, listing: &Listing, items: &[String]) {
    let items: Vec<Message> = items.iter().map(|item| parse(item)).collect();
    pbx.fold(listing, &parse("Response: Success\n"), &items, NOW, &mut Vec::new());
}

pub(crate) fn command(json: &Value) -> Command {
    CommandEnvelope::from_json(json.to_string().as_bytes()).unwrap().command
}

pub(crate) fn plan(pbx: &mut Pbx, json: &Value) -> Result<Plan, Refusal> {
    pbx.plan(&command(json), None, ENTROPY, NOW)
}

/// Actions as `Name Key=value …`.
pub(crate) fn shown(plan: &Plan) -> Vec<String> {
    let show = |action: &ami_proto::Action| {
        let headers: Vec<String> =
            action.headers().map(|(key, value)| format!("{key}={value}")).collect();
        format!("{} {}", action.name(), headers.join(" "))
    };
    plan.actions.iter().map(show).collect()
}

pub(crate) fn does(json: &Value, expected: &[&str]) {
    let plan = plan(&mut pbx(), json).unwrap();
    assert_eq!(shown(&plan), expected, "{json}");
}

pub(crate) fn refused(json: &Value, code: &str, field: Option<&str>, words: &str) {
    let refusal = plan(&mut pbx(), json).unwrap_err();
    assert_eq!(
        (json!(refusal.code), refusal.field.as_deref()),
        (json!(code), field),
        "{json}: {refusal}"
    );
    assert!(refusal.message.contains(words), "{json}: {refusal}");
}
