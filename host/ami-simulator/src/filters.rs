//! The filters of a session, as `Filter` sets them: regular expressions over an event as text.

use regex_lite::Regex;

use crate::actions::Asked;

/// A session without filters gets every event of its mask; one with including filters only what one
/// of these matches; what an excluding one matches is left out in any case.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    include: Vec<Regex>,
    exclude: Vec<Regex>,
}

impl Filters {
    /// Adds a filter. What is not simulated is refused, so that nobody counts on it.
    pub(crate) fn add(&mut self, asked: &Asked<'_>) -> Result<(), &'static str> {
        if !asked.get("Operation").is_some_and(|operation| operation.eq_ignore_ascii_case("Add")) {
            return Err("Unknown operation");
        }
        let filter = asked.get("Filter").unwrap_or_default();
        let (pattern, excludes) = match asked.get("MatchCriteria") {
            None => match filter.strip_prefix('!') {
                Some(pattern) => (pattern.to_owned(), true),
                None => (filter.to_owned(), false),
            },
            Some(criteria) => read(criteria, filter).ok_or("These criteria are not simulated")?,
        };
        if pattern.is_empty() {
            return Err("Filter not added");
        }
        let regex = Regex::new(&pattern).map_err(|_| "Filter not added")?;
        let list = if excludes { &mut self.exclude } else { &mut self.include };
        list.push(regex);
        Ok(())
    }

    /// Does an event of this text pass?
    pub(crate) fn pass(&self, text: &str) -> bool {
        let any = |list: &[Regex]| list.iter().any(|regex| regex.is_match(text));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

/// Pattern, and whether it excludes: of `action(A),method(regex)` and `action(A),name(N),method(none)`.
fn read(criteria: &str, filter: &str) -> Option<(String, bool)> {
    let excludes = match criteria.split(',').next()? {
        "action(include)" => false,
        "action(exclude)" => true,
        _ => return None,
    };
    let rest = criteria.split_once(',')?.1;
    if rest == "method(regex)" {
        return Some((filter.to_owned(), excludes));
    }
    let name = rest.strip_prefix("name(")?.strip_suffix("),method(none)")?;
    Some((format!("^Event: {}[[:cntrl:]]", regex_lite::escape(name)), excludes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ami_proto::{AsteriskVersion, EventFilter, Match, Message, actions};

    /// Which of these events pass the filters, in the newer form and in the old.
    fn check(filters: &[EventFilter], events: &[&str], expected: &[&str]) {
        for version in [Some(AsteriskVersion::parse("22.10.0")), None] {
            let mut session = Filters::default();
            for filter in filters {
                let action = actions::filter_add(filter, version.as_ref()).encode("1").unwrap();
                let action = Message::parse(&action).unwrap();
                session.add(&Asked::new(&action)).unwrap();
            }
            let text =
                |name: &&&str| session.pass(&format!("Event: {name}\r\nPrivilege: x\r\n\r\n"));
            let passed: Vec<&str> = events.iter().filter(text).copied().collect();
            assert_eq!(passed, expected, "{filters:?} in version {version:?}");
        }
    }

    #[test]
    fn the_filters_that_we_send_do_what_they_say() {
        let events = ["Hangup", "HangupRequest", "AOC-D", "Newchannel"];
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        check(&[], &events, &events);
        let some = EventFilter::include_names(names(&["Hangup", "AOC-D"]));
        check(&some, &events, &["Hangup", "AOC-D"]);
        check(&EventFilter::exclude_names(names(&["Hangup"])), &events, &events[1..]);
        let one = [EventFilter::include(Match::Name("Newchannel".to_owned()))];
        check(&one, &events, &["Newchannel"]);
        check(&[some, vec![EventFilter::include(Match::Anything)]].concat(), &events, &events);
    }

    #[test]
    fn what_is_not_simulated_is_refused() {
        let check = |text: &str, expected: &str| {
            let action = Message::parse(text.as_bytes()).unwrap();
            assert_eq!(Filters::default().add(&Asked::new(&action)), Err(expected), "{text}");
        };
        check("Action: Filter\r\nOperation: Remove\r\n", "Unknown operation");
        check("Action: Filter\r\nOperation: Add\r\n", "Filter not added");
        check("Action: Filter\r\nOperation: Add\r\nFilter: (\r\n", "Filter not added");
        check(
            "Action: Filter\r\nOperation: Add\r\nMatchCriteria: action(include),header(X),method(exact)\r\nFilter: y\r\n",
            "These criteria are not simulated",
        );
    }
}
