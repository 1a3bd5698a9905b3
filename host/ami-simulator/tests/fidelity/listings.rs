//! Lists: the same items with the same fields as a real Asterisk's.

use std::collections::BTreeMap;

use ami_proto::Message;

use crate::recorded::{Recorded, messages};
use crate::stage::Stage;

/// The names of the fields of each kind of item and of each answer, as they first come.
fn shapes<'a>(said: impl IntoIterator<Item = &'a Message>) -> BTreeMap<String, Vec<String>> {
    let mut shapes = BTreeMap::new();
    for message in said {
        let kind = match (message.event(), message.get("Message")) {
            (Some(event), _) => event.to_owned(),
            (None, Some(text)) => text.to_owned(),
            (None, None) => continue,
        };
        let keys = message.fields().map(|(key, _)| String::from_utf8_lossy(key).into_owned());
        shapes.entry(kind).or_insert_with(|| keys.collect());
    }
    shapes
}

#[test]
fn lists_have_the_items_and_fields_of_real_ones() {
    let mut stage = Stage::new();
    stage.act(crate::ADD);
    assert!(stage.centre.dial("103", "102"));
    stage.until("BridgeEnter", 2);
    assert!(stage.centre.dial("101", "600"));
    assert!(stage.centre.dial("105", "700") && stage.centre.dial("106", "750"));
    let mut lists = String::new();
    let bridges = stage.act("Action: BridgeList\r\nActionID: x\r\n\r\n");
    let of_two = |message: &&Message| message.get("BridgeNumChannels") == Some("2");
    let bridge = messages(bridges.as_bytes())
        .iter()
        .find(of_two)
        .unwrap()
        .get("BridgeUniqueid")
        .unwrap()
        .to_owned();
    lists.push_str(&bridges);
    lists += &stage
        .act(&format!("Action: BridgeInfo\r\nActionID: x\r\nBridgeUniqueid: {bridge}\r\n\r\n"));
    for name in [
        "Status",
        "CoreShowChannels",
        "QueueStatus",
        "ExtensionStateList",
        "DeviceStateList",
        "PresenceStateList",
        "PJSIPShowContacts",
        "ParkedCalls",
        "ConfbridgeListRooms",
        "ConfbridgeList\r\nConference: 700",
    ] {
        lists += &stage.act(&format!("Action: {name}\r\nActionID: x\r\n\r\n"));
    }
    let real = Recorded::load("login-live");
    let asked = |message: &&Message| message.action_id().is_some();
    let real = shapes(real.all().iter().filter(asked));
    let ours = shapes(&messages(lists.as_bytes()));
    for (kind, fields) in &ours {
        assert_eq!(Some(fields), real.get(kind), "{kind}: simulated left, recorded right");
    }
    for item in [
        "Status",
        "CoreShowChannel",
        "BridgeListItem",
        "BridgeInfoChannel",
        "QueueEntry",
        "ParkedCall",
        "ConfbridgeListRooms",
        "ConfbridgeList",
    ] {
        assert!(ours.contains_key(item), "no {item} to compare");
    }
}

#[test]
fn empty_lists_are_told_as_real_ones_are() {
    let mut stage = Stage::new();
    let real = Recorded::load("login");
    let real = shapes(real.all());
    for (action, answer) in [
        ("Status", "StatusComplete"),
        ("ParkedCalls", "ParkedCallsComplete"),
        ("ConfbridgeListRooms", "No active conferences."),
        ("PJSIPShowContacts", "No Contacts found"),
    ] {
        let said = stage.act(&format!("Action: {action}\r\nActionID: x\r\n\r\n"));
        let ours = shapes(&messages(said.as_bytes()));
        assert_eq!(ours.get(answer), real.get(answer), "{action}: simulated left, recorded right");
    }
}
