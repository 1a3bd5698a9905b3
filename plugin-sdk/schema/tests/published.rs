//! What is published is what the types say, takes nothing back that was promised, and has an example of
//! every word.

use serde_json::{Value, json};
use std::path::Path;
use telepulse_language::{
    Command, CommandEnvelope, Details, LookupAnswer, Note, PopupClose, Request, SERVED, Stamped,
    read_fields,
};
use telepulse_schema::{EXAMPLES, PROMISED, breaks, document, published};

fn file(name: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).ok()
}

fn example(name: &str) -> Option<String> {
    file(&format!("{EXAMPLES}/{name}.json"))
}

#[test]
fn the_files_are_as_the_types_are() {
    for (name, expected) in published(example) {
        let is_same = file(name).is_some_and(|found| found == expected);
        assert!(is_same, "{name} is old: run `cargo run -p telepulse-schema`");
    }
}

#[test]
fn nothing_that_was_promised_is_broken() {
    let promised: Value = serde_json::from_str(&file(PROMISED).unwrap()).unwrap();
    let broken = breaks(&promised, &document());
    assert!(broken.is_empty(), "who uses the language would fail:\n{}", broken.join("\n"));
}

#[test]
fn every_word_has_an_example_that_the_types_read() {
    for kind in Details::KINDS {
        let text = example(&format!("event-{kind}")).unwrap_or_else(|| panic!("none of {kind}"));
        let event: Stamped = serde_json::from_str(&text).unwrap();
        assert_eq!(event.event.details.kind(), *kind);
        assert!(!matches!(event.event.details, Details::Other(_)), "{kind}");
    }
    for action in Command::ACTIONS {
        let text =
            example(&format!("command-{action}")).unwrap_or_else(|| panic!("none of {action}"));
        let told: Value = serde_json::from_str(&text).unwrap();
        let fields = told["command"].as_object().unwrap().clone();
        let command = CommandEnvelope::from_request(Request::new(fields).unwrap()).unwrap();
        assert_eq!(command.command.action(), *action);
        assert!(told["result"].is_object(), "{action}");
    }
    for action in SERVED {
        let text =
            example(&format!("command-{action}")).unwrap_or_else(|| panic!("none of {action}"));
        let told: Value = serde_json::from_str(&text).unwrap();
        let mut fields = told["command"].as_object().unwrap().clone();
        assert_eq!(fields.remove("action"), Some(json!(action)));
        let read = match *action {
            "note" => read_fields::<Note>(fields).map(drop),
            "popupClose" => read_fields::<PopupClose>(fields).map(drop),
            "lookupAnswer" => read_fields::<LookupAnswer>(fields).map(drop),
            other => panic!("{other} has no type"),
        };
        assert_eq!(read, Ok(()), "{action}");
    }
}

/// The schema's regular expressions and the types' own checks are two ways to say the same.
#[test]
fn the_schema_takes_what_the_types_take() {
    let samples = [
        "102",
        "*8",
        "a.b-c_d#",
        "PJSIP/201-0000002a",
        "Local/1@storm-00000001;2",
        "two words",
        "Željko",
        "X",
        "__X9_y",
        "___X",
        "1X",
        "_",
        "SHELL(ls)",
        "0*#AB",
        "calls/one.wav",
        "/etc/passwd",
        "../up",
        "a//b",
        ".hidden",
        "",
        "/.*/",
        "a,b",
        "a&b",
        "102\r\nAction: Command",
        "10\u{0}2",
        "\u{85}",
        "${X}",
        "$[1]",
        "$",
        "{x}",
    ];
    let fields = [
        ("to", json!({"action": "dial", "from": "101"})),
        ("from", json!({"action": "dial", "to": "101"})),
        ("callerId", json!({"action": "dial", "from": "101", "to": "102"})),
        ("server", json!({"action": "dial", "from": "101", "to": "102"})),
        ("call", json!({"action": "hangup"})),
        ("channel", json!({"action": "hangup"})),
        ("file", json!({"action": "record", "agent": "101", "change": "start"})),
        ("queue", json!({"action": "queueAdd", "agent": "101"})),
        ("digits", json!({"action": "dtmf", "channel": "PJSIP/1"})),
        ("name", json!({"action": "setVariable", "channel": "PJSIP/1", "value": "v"})),
    ];
    let schema = jsonschema::validator_for(&document()).unwrap();
    for (field, command) in fields {
        for sample in samples {
            let mut command = command.clone();
            command[field] = sample.into();
            let taken = CommandEnvelope::from_json(command.to_string().as_bytes());
            assert_eq!(schema.is_valid(&command), taken.is_ok(), "{command}: {taken:?}");
        }
    }
}
