//! Every `telepulse …` that a page of the documentation shows can be typed. Tests only.

use super::Cli;
use clap::{Parser as _, error::ErrorKind};
use std::{
    fs,
    path::{Path, PathBuf},
};

// Whoever takes pages apart does it in one way; `cargo xtask` looks after its own commands.
#[path = "../../../../xtask/src/docs/shell.rs"]
mod shell;

/// The pages that people read, and those that go with a new plugin.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let in_folder = |dir: PathBuf| {
        let entries = fs::read_dir(&dir).unwrap();
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension() == Some("md".as_ref()))
    };
    let mut pages: Vec<_> = in_folder(root.join("docs")).chain(in_folder(root.clone())).collect();
    let templates = fs::read_dir(root.join("plugin-sdk/templates")).unwrap();
    for language in templates.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        pages.extend(in_folder(language));
    }
    pages
}

#[test]
fn commands_that_pages_show_can_be_typed() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for path in pages() {
        for words in shell::commands(&fs::read_to_string(&path).unwrap()) {
            if Path::new(&words[0]).file_name() != Some("telepulse".as_ref()) {
                continue;
            }
            seen += 1;
            match Cli::try_parse_from(&words).map_err(|error| error.kind()) {
                Ok(_) | Err(ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {}
                Err(kind) => wrong.push(format!("{}: {}: {kind}", path.display(), words.join(" "))),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(seen > 20, "the pages show {seen} commands: are they still found?");
}
