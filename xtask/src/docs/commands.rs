//! Every `cargo xtask …` that a page shows can be typed. `telepulse …` is the host's own to test.

use clap::Parser as _;
use clap::error::ErrorKind;

use super::{pages, shell};
use crate::Cli;

#[test]
fn tasks_that_pages_show_can_be_typed() {
    let mut seen = 0;
    for (path, page) in pages() {
        for words in shell::commands(&page) {
            if !words.starts_with(&["cargo".to_owned(), "xtask".to_owned()]) {
                continue;
            }
            seen += 1;
            let typed = ["cargo xtask"].into_iter().chain(words[2..].iter().map(String::as_str));
            match Cli::try_parse_from(typed).map_err(|error| error.kind()) {
                Ok(_) | Err(ErrorKind::DisplayHelp) => {}
                Err(kind) => panic!("{}: {}: {kind}", path.display(), words.join(" ")),
            }
        }
    }
    assert!(seen > 3, "the pages show {seen} tasks: are they still found?");
}
