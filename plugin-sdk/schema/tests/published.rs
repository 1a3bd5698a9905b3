//! What is published is what the types say, takes nothing back that was promised, and has an example of
//! every word.

use serde_json::Value;
use std::path::Path;
use telepulse_language::{Command, CommandEnvelope, Details, Request, Stamped};
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
}
