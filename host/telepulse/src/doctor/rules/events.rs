//! Events: those that are wanted must come, others should not.

use super::{list, user_place};
use crate::doctor::{facts::ServerFacts, finding::Finding};
use call_model::Pbx;

/// How many names are told.
const NAMES: usize = 5;

pub(super) fn filter(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let Some(why) = &facts.answers.filter_refused else { return Vec::new() };
    let what = format!(
        "the event filter is not taken ({why}): every event of the classes system, call and agent \
         comes, wanted or not"
    );
    let finding = Finding::error("filter-refused", user_place(facts), what);
    let write = "write = system,call,agent,user,originate,reporting";
    vec![finding.manager(&facts.settings.username, [write])]
}

pub(super) fn needless(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let (needless, ms) = (&facts.answers.needless, facts.answers.listened_ms.max(1));
    if needless.is_empty() {
        return Vec::new();
    }
    let (count, bytes) =
        needless.values().fold((0, 0), |(c, b), (count, bytes)| (c + count, b + bytes));
    let mut names: Vec<(&String, u64)> =
        needless.iter().map(|(name, (_, bytes))| (name, *bytes)).collect();
    names.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let told = list(names.iter().take(NAMES).map(|(name, _)| name));
    let what = format!(
        "events come that nobody wants: {count} in {:.1} s, {} bytes a second; most are {told}",
        Seconds(ms),
        bytes * 1000 / ms
    );
    let lines = names.iter().take(NAMES).map(|(name, _)| format!("eventfilter = !Event: {name}"));
    let finding = Finding::warning("needless-events", user_place(facts), what);
    vec![finding.manager(&facts.settings.username, lines)]
}

/// Milliseconds, shown as seconds.
struct Seconds(u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0 / 1000, self.0 % 1000 / 100)
    }
}

/// Filters of the user in manager.conf that keep wanted events away.
pub(super) fn hidden_by_user(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let Some(user) = &facts.manager.user else { return Vec::new() };
    let rules: Vec<Rule> = user.lines().filter_map(|(key, value)| rule(key, value)).collect();
    let includes = rules.iter().any(|rule| rule.is_include);
    let is_let_in = |name: &str| {
        let passes = |is_include| {
            rules
                .iter()
                .filter(|rule| rule.is_include == is_include)
                .any(|rule| rule.is_about(name))
        };
        (!includes || passes(true)) && !passes(false)
    };
    let hidden: Vec<&str> = Pbx::EVENTS.iter().copied().filter(|name| !is_let_in(name)).collect();
    if hidden.is_empty() {
        return Vec::new();
    }
    let more = hidden.len().saturating_sub(NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let what = format!(
        "eventfilter keeps events away that are needed: {}{more}; calls would be shown wrong",
        list(hidden.iter().take(NAMES))
    );
    let finding = Finding::error("events-hidden", user_place(facts), what);
    vec![
        finding
            .cure("remove the lines `eventfilter` of this user: TelePulse sets a filter by itself"),
    ]
}

/// One line `eventfilter`.
struct Rule {
    is_include: bool,
    test: Test,
}

enum Test {
    Name(String),
    Pattern(Option<regex_lite::Regex>),
}

impl Rule {
    /// Whether it takes an event of this name, whatever else is in it.
    fn is_about(&self, name: &str) -> bool {
        match &self.test {
            Test::Name(wanted) => wanted == name,
            Test::Pattern(pattern) => {
                let text = format!("Event: {name}\r\nPrivilege: call,all\r\n");
                pattern.as_ref().is_some_and(|pattern| pattern.is_match(&text))
            }
        }
    }
}

/// `eventfilter = [!]REGEX`, or `eventfilter(action(exclude),name(X)) = …`.
fn rule(key: &str, value: &str) -> Option<Rule> {
    let key = key.to_ascii_lowercase();
    if key == "eventfilter" {
        let (is_include, pattern) = match value.strip_prefix('!') {
            Some(pattern) => (false, pattern),
            None => (true, value),
        };
        return Some(Rule {
            is_include,
            test: Test::Pattern(regex_lite::Regex::new(pattern).ok()),
        });
    }
    let criteria = key.strip_prefix("eventfilter(")?;
    // A condition on a header as well takes some events of the name only: no verdict.
    if !value.is_empty() || criteria.contains("header(") {
        return None;
    }
    let name = criteria.split("name(").nth(1)?.split(')').next()?;
    let name = Pbx::EVENTS.iter().find(|known| known.eq_ignore_ascii_case(name))?;
    let is_include = !criteria.contains("action(exclude)");
    Some(Rule { is_include, test: Test::Name((*name).to_owned()) })
}

/// Events that are turned off for everybody.
pub(super) fn disabled(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let general = facts.manager.general.as_ref();
    let off = general.and_then(|general| general.get("disabledevents")).unwrap_or_default();
    let off: Vec<&str> = off.split(',').map(str::trim).collect();
    let hidden: Vec<&str> = Pbx::EVENTS
        .iter()
        .copied()
        .filter(|name| off.iter().any(|off| off.eq_ignore_ascii_case(name)))
        .collect();
    if hidden.is_empty() {
        return Vec::new();
    }
    let rest: Vec<&str> = off.into_iter().filter(|off| !hidden.contains(off)).collect();
    let what = format!("disabledevents turns off events that are needed: {}", list(&hidden));
    let finding = Finding::error("events-disabled", "manager.conf, [general]", what);
    vec![finding.manager("general", [format!("disabledevents = {}", rest.join(","))])]
}
