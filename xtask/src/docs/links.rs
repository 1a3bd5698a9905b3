//! Every link from a page to a file of ours, and to a heading in one, leads somewhere.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use super::pages;
use crate::tools;

#[test]
fn every_link_leads_somewhere() {
    let pages: HashMap<PathBuf, String> = pages().into_iter().collect();
    let mut broken = Vec::new();
    for (path, text) in &pages {
        for link in links(text) {
            if let Some(why) = mistake(path, &link, &pages) {
                broken.push(format!("{}: {link}: {why}", path.display()));
            }
        }
    }
    broken.sort();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// What is wrong with a link, if anything is.
fn mistake(from: &Path, link: &str, pages: &HashMap<PathBuf, String>) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, a)| (file, Some(a)));
    let to = if file.is_empty() { from.to_owned() } else { beside(from, file) };
    if !tools::root().join(&to).exists() {
        return Some("no such file".to_owned());
    }
    let anchor = anchor?;
    let page = pages.get(&to)?;
    (!anchors(page).contains(anchor)).then(|| "no such heading".to_owned())
}

/// A path as a page names it, below the root.
fn beside(page: &Path, link: &str) -> PathBuf {
    let mut path = page.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path
}

/// The targets of a page's links; code has none.
fn links(page: &str) -> Vec<String> {
    prose(page)
        .flat_map(|line| {
            let ends = |rest: &str| rest.split([')', ' ']).next().map(str::to_owned);
            uncoded(line).split("](").skip(1).filter_map(ends).collect::<Vec<_>>()
        })
        .collect()
}

/// A page's lines outside of blocks of code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut in_block = false;
    page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        !in_block && !is_fence
    })
}

/// A line without what stands in backticks.
fn uncoded(line: &str) -> String {
    let is_open = |(at, text): (usize, &str)| (at % 2 == 0).then(|| text.to_owned());
    line.split('`').enumerate().filter_map(is_open).collect()
}

/// The names of a page's headings, as GitHub and mdBook make them, and those that it gives itself.
fn anchors(page: &str) -> HashSet<String> {
    let (mut anchors, mut seen) = (HashSet::new(), HashMap::<String, u32>::new());
    for line in prose(page) {
        let given = line.split("id=\"").skip(1).filter_map(|rest| rest.split('"').next());
        anchors.extend(given.map(str::to_owned));
        let Some(title) = line.trim_start_matches('#').strip_prefix(' ') else { continue };
        if !line.starts_with('#') {
            continue;
        }
        let name = slug(title);
        let times = seen.entry(name.clone()).or_default();
        anchors.insert(if *times == 0 { name } else { format!("{name}-{times}") });
        *times += 1;
    }
    anchors
}

fn slug(title: &str) -> String {
    let keep = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    };
    title.trim().to_lowercase().chars().filter_map(keep).collect()
}

#[test]
fn headings_get_the_names_that_pages_link_to() {
    let page = "# A `[b]` c: d\n## Twice\n## Twice\n```sh\n# no heading\n```\n<a id=\"own\"></a>\n";
    let names = ["a-b-c-d", "twice", "twice-1", "own"].map(str::to_owned);
    assert_eq!(anchors(page), HashSet::from(names));
    assert_eq!(links("[a](b.md#c) `[no](code)`\n```\n[no](block)\n```\n"), ["b.md#c"]);
}
