//! Query strings: `?servers=pbx1,pbx2&agents=201`, the lists of a filter; and which part of the
//! history of calls: `?ended=true&number=030123&limit=20`.

use form_urlencoded::Serializer;
use std::{borrow::Cow, collections::BTreeSet};
use telepulse_plugin_sdk::language::{Filter, Page, Refusal};

type Parameter<'q> = (Cow<'q, str>, Cow<'q, str>);

/// Reads a filter. Refused: unknown parameters, and one that comes twice.
pub(crate) fn filter(query: Option<&str>) -> Result<Filter, Refusal> {
    let mut filter = Filter::default();
    for (name, value) in parameters(query)? {
        if !narrows(&mut filter, &name, &value) {
            let message = "is not a parameter here; known: servers, agents, queues";
            return Err(Refusal::field(name, message));
        }
    }
    Ok(filter)
}

/// Reads a filter, and which ended calls are wanted: `None` asks for those that go on.
pub(crate) fn calls(query: Option<&str>) -> Result<(Filter, Option<Page>), Refusal> {
    let (mut filter, mut page, mut is_ended) = (Filter::default(), Page::default(), false);
    let mut of_history = None;
    for (name, value) in parameters(query)? {
        match (&*name, &*value) {
            ("ended", "true") => is_ended = true,
            ("ended", "false") => {}
            ("ended", _) => return Err(Refusal::field(name, "must be true or false")),
            _ if narrows(&mut filter, &name, &value) => {}
            _ if part(&mut page, &name, &value)? => of_history = Some(name),
            _ => {
                let message = "is not a parameter here; known: ended, servers, agents, queues, \
                               and with ended=true since, until, number, limit, before";
                return Err(Refusal::field(name, message));
            }
        }
    }
    match of_history {
        Some(name) if !is_ended => {
            Err(Refusal::field(name, "is for ended calls only: add ended=true"))
        }
        _ => Ok((filter, is_ended.then_some(page))),
    }
}

/// The same question for the part that begins at `before`.
pub(crate) fn next(query: Option<&str>, before: &str) -> String {
    let asked = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let mut next = Serializer::new(String::new());
    next.extend_pairs(asked.filter(|(name, _)| name != "before"));
    next.append_pair("before", before);
    next.finish()
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
        "limit" => {
            let limit = value.parse().ok().filter(|limit| (1..=Page::MAX).contains(limit));
            let message = format!("must be a number from 1 to {}", Page::MAX);
            page.limit = Some(limit.ok_or_else(|| Refusal::field(name, message))?);
        }
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
