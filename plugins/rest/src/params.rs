//! Query strings: `?servers=pbx1,pbx2&agents=201`, the lists of a filter.

use std::collections::BTreeSet;
use telepulse_plugin_sdk::language::{Filter, Refusal};

/// Reads a filter. Refused: unknown parameters, and one that comes twice.
pub(crate) fn filter(query: Option<&str>) -> Result<Filter, Refusal> {
    let mut filter = Filter::default();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let list = match &*name {
            "servers" => &mut filter.servers,
            "agents" => &mut filter.agents,
            "queues" => &mut filter.queues,
            _ => {
                let message = "is not a parameter here; known: servers, agents, queues";
                return Err(Refusal::field(name, message));
            }
        };
        let items: BTreeSet<String> =
            value.split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect();
        if list.replace(items).is_some() {
            return Err(Refusal::field(name, "comes twice; give a list: a,b"));
        }
    }
    Ok(filter)
}

/// Refuses any parameter, where a path takes none.
pub(crate) fn none(query: Option<&str>) -> Result<(), Refusal> {
    match form_urlencoded::parse(query.unwrap_or_default().as_bytes()).next() {
        None => Ok(()),
        Some((name, _)) => Err(Refusal::field(name, "is not a parameter here; there are none")),
    }
}
