//! The book has every page under `docs/`, once, and the packages take it along.

use std::collections::BTreeSet;
use std::fs;

use super::pages;
use crate::tools;

#[test]
fn the_book_has_every_page() {
    let summary = fs::read_to_string(tools::root().join("docs/SUMMARY.md")).unwrap();
    let mut listed = BTreeSet::new();
    for link in summary.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(listed.insert(link.to_owned()), "{link} is in the book twice");
    }
    for (path, _) in pages() {
        if let Ok(page) = path.strip_prefix("docs") {
            let page = page.to_string_lossy();
            let is_in = page == "SUMMARY.md" || listed.contains(page.as_ref());
            assert!(is_in, "docs/{page} is not in docs/SUMMARY.md");
        }
    }
}

#[test]
fn every_event_of_ami_that_is_read_is_in_the_page_about_it() {
    let model = fs::read_to_string(tools::root().join("host/call-model/src/pbx.rs")).unwrap();
    let (_, list) = model.split_once("pub const EVENTS: &[&str] = &[").unwrap();
    let (list, _) = list.split_once("];").unwrap();
    let page = fs::read_to_string(tools::root().join("docs/from-ami.md")).unwrap();
    let (_, page) = page.split_once("## Events").unwrap();
    let read: BTreeSet<_> = list.split('"').skip(1).step_by(2).collect();
    let left = page.lines().filter_map(|row| row.strip_prefix("| ")?.split(" | ").next());
    let told: BTreeSet<_> = left.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert_eq!(told, read, "left: docs/from-ami.md, right: what the model reads");
}
