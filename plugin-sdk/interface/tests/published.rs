//! What is published is what `wit/` says, and takes nothing back that was promised.

use std::{collections::BTreeSet, fs, path::Path};
use telepulse_interface::{PROMISED, Package, breaks, promise, published};

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_files_are_as_the_interface_is() {
    let mut package = Package::read(&root()).unwrap();
    for (name, expected) in published(&mut package).unwrap() {
        let found = fs::read(root().join(&name)).unwrap_or_default();
        assert!(found == expected, "{name} is old: run `cargo run -p telepulse-interface`");
    }
}

#[test]
fn nothing_that_was_promised_is_broken() {
    let text = fs::read_to_string(root().join(PROMISED)).unwrap();
    let promised: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let broken = breaks(&promised, &promise(&Package::read(&root()).unwrap()));
    assert!(broken.is_empty(), "components built before would not run:\n{}", broken.join("\n"));
    assert!(promised.len() > 50, "{}", promised.len());
}
