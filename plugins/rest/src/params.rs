//! Query strings: `?servers=pbx1,pbx2&agents=201`, the lists of a filter; and which part of the
//! history of calls: `?ended=true&number=030123&limit=20`.

use form_urlencoded::Serializer;
use std::{borrow::Cow, collections::BTreeSet};
use telepulse_plugin_sdk::language::{Filter, Page, Refusal};

type Parameter<'q> = (Cow<'q, str>, Cow<'q, str>);

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// At most so many items.
    pub(crate) limit: Option<usize>,
    /// Those behind this place.
    pub(crate) after: Option<String>,
}

/// Reads which items of a list are wanted. Refused: unknown parameters, and one that comes twice.
pub(crate) fn list(query: Option<&str>) -> Result<(Filter, Part), Refusal> {
    let (mut filter, mut part) = (Filter::default(), Part::default());
    for (name, value) in parameters(query)? {
        match &*name {
            "limit" => part.limit = usize::try_from(limit(&name, &value)?).ok(),
            "after" => part.after = Some(value.into_owned()),
            _ if narrows(&mut filter, &name, &value) => {}
            _ => {
                let message =
                    "is not a parameter here; known: servers, agents, queues, limit, after";
                return Err(Refusal::field(name, message));
            }
        }
    }
    Ok((filter, part))
}

/// Reads which servers are meant.
pub(crate) fn servers(query: Option<&str>) -> Result<Filter, Refusal> {
    let mut filter = Filter::default();
    for (name, value) in parameters(query)? {
        if name != "servers" || !narrows(&mut filter, &name, &value) {
            return Err(Refusal::field(name, "is not a parameter here; known: servers"));
        }
    }
    Ok(filter)
}

/// Which calls are wanted.
pub(crate) enum Calls {
    /// Those that go on.
    Live(Filter, Part),
    /// Those that are over.
    Ended(Filter, Page),
}

/// Reads which calls are wanted.
pub(crate) fn calls(query: Option<&str>) -> Result<Calls, Refusal> {
    let is_ended = |(name, value): &Parameter<'_>| name == "ended" && value == "true";
    if !parameters(query)?.iter().any(is_ended) {
        return live_calls(query);
    }
    let (mut filter, mut page) = (Filter::default(), Page::default());
    for (name, value) in parameters(query)? {
        match (&*name, &*value) {
            ("ended", _) => {}
            _ if narrows(&mut filter, &name, &value) => {}
            _ if part(&mut page, &name, &value)? => {}
            _ => {
                let message = "is not a parameter here; known: ended, servers, agents, queues, \
                               since, until, number, limit, before";
                return Err(Refusal::field(name, message));
            }
        }
    }
    Ok(Calls::Ended(filter, page))
}

fn live_calls(query: Option<&str>) -> Result<Calls, Refusal> {
    let (mut filter, mut part) = (Filter::default(), Part::default());
    for (name, value) in parameters(query)? {
        match (&*name, &*value) {
            ("ended", "false") => {}
            ("ended", _) => return Err(Refusal::field(name, "must be true or false")),
            ("limit", _) => part.limit = usize::try_from(limit(&name, &value)?).ok(),
            ("after", _) => part.after = Some(value.into_owned()),
            ("since" | "until" | "number" | "before", _) => {
                return Err(Refusal::field(name, "is for ended calls only: add ended=true"));
            }
            _ if narrows(&mut filter, &name, &value) => {}
            _ => {
                let message = "is not a parameter here; known: ended, servers, agents, queues, \
                               limit, after, and with ended=true since, until, number, before";
                return Err(Refusal::field(name, message));
            }
        }
    }
    Ok(Calls::Live(filter, part))
}

/// The same question for the part that begins at a place.
pub(crate) fn next(query: Option<&str>, parameter: &str, place: &str) -> String {
    let asked = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let mut next = Serializer::new(String::new());
    next.extend_pairs(asked.filter(|(name, _)| name != parameter));
    next.append_pair(parameter, place);
    next.finish()
}

fn limit(name: &str, value: &str) -> Result<u32, Refusal> {
    let limit = value.parse().ok().filter(|limit| (1..=Page::MAX).contains(limit));
    limit.ok_or_else(|| Refusal::field(name, format!("must be a number from 1 to {}", Page::MAX)))
}

fn parameters(query: Option<&str>) -> Result<Vec<Parameter<'_>>, Refusal> {
    let mut seen = BTreeSet::new();
    let mut parameters = Vec::new();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if !seen.insert(name.clone()) {
            return Err(Refusal::field(name, "comes twice; give a list: a,b"));
        }
        parameters.push((name, value));
    }
    Ok(parameters)
}

/// Narrows the filter, if the parameter is one of its lists.
fn narrows(filter: &mut Filter, name: &str, value: &str) -> bool {
    let list = match name {
        "servers" => &mut filter.servers,
        "agents" => &mut filter.agents,
        "queues" => &mut filter.queues,
        _ => return false,
    };
    let items = value.split(',').filter(|item| !item.is_empty()).map(str::to_owned);
    *list = Some(items.collect());
    true
}

/// Whether the parameter says which part of the history is wanted. Its value is read just as the
/// language reads it.
fn part(page: &mut Page, name: &str, value: &str) -> Result<bool, Refusal> {
    let moment = || {
        serde_json::from_value(value.into())
            .map_err(|_| Refusal::field(name, "must be a time, like 2026-11-20T22:08:00Z"))
    };
    match name {
        "since" => page.since = Some(moment()?),
        "until" => page.until = Some(moment()?),
        "number" => page.number = Some(value.to_owned()),
        "before" => page.before = Some(value.to_owned()),
        "limit" => page.limit = Some(limit(name, value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Refuses any parameter, where a path takes none.
pub(crate) fn none(query: Option<&str>) -> Result<(), Refusal> {
    match form_urlencoded::parse(query.unwrap_or_default().as_bytes()).next() {
        None => Ok(()),
        Some((name, _)) => Err(Refusal::field(name, "is not a parameter here; there are none")),
    }
}
