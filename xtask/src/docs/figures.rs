//! The figures for Prometheus: what `docs/observe.md` lists is what the host tells, and the dashboard
//! asks for nothing else.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::tools;

/// Where the host's figures are told: each name is there as a literal.
const SOURCE: &str = "host/telepulse/src/admin/metrics.rs";
const PAGE: &str = "docs/observe.md";
const DASHBOARD: &str = "config/grafana/telepulse.json";

fn read(place: &str) -> String {
    fs::read_to_string(tools::root().join(place)).unwrap()
}

/// All words of a text that begin so.
fn words(text: &str, beginning: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with(beginning) && word.len() > beginning.len())
        .map(str::to_owned)
        .collect()
}

/// The names that the host tells.
fn told() -> BTreeSet<String> {
    let text = read(SOURCE);
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    // A name in quotes, not a crate.
    let quoted = code.split('"').skip(1).step_by(2).map(str::to_owned);
    let told: BTreeSet<_> = quoted.filter(|it| words(it, "telepulse_").contains(it)).collect();
    assert!(told.len() > 25, "only {} figures are found: has the code moved?", told.len());
    told
}

/// The names in the first column of the page's tables.
fn listed(beginning: &str) -> BTreeSet<String> {
    let page = read(PAGE);
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.filter_map(|row| row.split('`').nth(1))
        .map(|cell| cell.split('{').next().unwrap_or_default().to_owned())
        .filter(|name| name.starts_with(beginning))
        .collect()
}

#[test]
fn the_page_lists_what_the_host_tells() {
    assert_eq!(listed("telepulse_"), told(), "left: {PAGE}, right: the code");
}

#[test]
fn the_dashboard_asks_for_what_is_listed() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let known: BTreeSet<String> =
        listed("telepulse_").union(&listed("process_")).cloned().collect();
    let panels = dashboard["panels"].as_array().unwrap();
    let (mut asked, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is another's");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap();
            let names = &words(query, "telepulse_") | &words(query, "process_");
            assert!(!names.is_empty(), "{title}: {query} asks for nothing of ours");
            asked.extend(names);
        }
    }
    let unknown: Vec<_> = asked.difference(&known).collect();
    assert!(unknown.is_empty(), "{DASHBOARD} asks for {unknown:?}, which nobody tells");
    assert!(asked.len() > 15, "{asked:?}");
}
