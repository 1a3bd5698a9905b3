//! What the documentation says is held against what there is. Tests only.

mod book;
mod commands;
mod figures;
mod links;
mod shell;

use std::fs;
use std::path::{Path, PathBuf};

use crate::tools;

/// Every page of the repository, by its path below the root.
fn pages() -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || name == "target" || name == "node_modules" {
                continue;
            }
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                walk(&path, found);
            } else if path.extension() == Some("md".as_ref()) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(tools::root(), &mut found);
    found.sort();
    assert!(found.len() > 10, "where are the pages?");
    let page = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(tools::root()).unwrap().to_owned(), text)
    };
    found.into_iter().map(page).collect()
}
