//! What is published is what the types say, and takes nothing back that was promised.

use serde_json::Value;
use std::path::Path;

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_files_are_as_the_types_are() {
    let types = telepulse_schema::typescript(&telepulse_schema::document());
    for (name, expected) in [
        (telepulse_schema::SCHEMA, telepulse_schema::pretty()),
        (telepulse_schema::TYPESCRIPT, types),
    ] {
        assert!(file(name) == expected, "{name} is old: run `cargo run -p telepulse-schema`");
    }
}

#[test]
fn nothing_that_was_promised_is_broken() {
    let promised: Value = serde_json::from_str(&file(telepulse_schema::PROMISED)).unwrap();
    let broken = telepulse_schema::breaks(&promised, &telepulse_schema::document());
    assert!(broken.is_empty(), "who uses the language would fail:\n{}", broken.join("\n"));
}
