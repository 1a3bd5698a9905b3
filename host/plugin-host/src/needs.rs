//! Which grants a component needs, by what it imports and exports. Pure.

use crate::{bindings::Surface, grants::Grants};

/// A grant that a component needs and does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// The key under `[grants]`.
    pub(crate) grant: &'static str,
    /// What it is for.
    pub(crate) because: &'static str,
}

/// What is missing for a component with these exports and imports (`package:name/interface#function`).
pub(crate) fn missing(surface: Surface, imports: &[String], grants: &Grants) -> Vec<Missing> {
    let imports = |interface: &str, function: &str| {
        imports.iter().any(|import| {
            let Some((from, name)) = import.split_once('#') else { return false };
            let from = from.split_once('@').map_or(from, |(from, _)| from);
            from == interface && (function.is_empty() || function == name)
        })
    };
    // Languages with an interpreter in the component import whole interfaces: one grant of the two
    // will do, and what is not granted is refused when it is called.
    let (publishes, submits) =
        (imports("telepulse:plugin/bus", "publish"), imports("telepulse:plugin/bus", "submit"));
    let has_either = !grants.publish.is_empty() || !grants.request.is_empty();
    let is_whole = publishes && submits && has_either;
    let rules = [
        (surface.subscriber, "subscribe", "it exports a subscriber", grants.subscribe.is_empty()),
        (
            surface.connection_handler,
            "websocket",
            "it exports connection-handler",
            grants.websocket.is_empty(),
        ),
        (
            imports("telepulse:plugin/connections", ""),
            "websocket",
            "it imports connections",
            grants.websocket.is_empty(),
        ),
        (surface.http, "routes", "it answers HTTP requests", grants.routes.is_empty()),
        (publishes && !is_whole, "publish", "it imports bus.publish", grants.publish.is_empty()),
        (submits && !is_whole, "request", "it imports bus.submit", grants.request.is_empty()),
        (
            imports("telepulse:plugin/bus-blocking", ""),
            "request",
            "it imports bus-blocking.request",
            grants.request.is_empty(),
        ),
        (
            imports("wasi:http/outgoing-handler", ""),
            "http",
            "it sends HTTP requests",
            grants.http.is_none(),
        ),
        (
            imports("telepulse:plugin/fetch", ""),
            "http",
            "it imports fetch.submit",
            grants.http.is_none(),
        ),
        (surface.commands, "serve", "it exports command-handler", grants.serve.is_empty()),
        (surface.policy, "policy", "it exports policy", grants.policy.is_none()),
        (imports("telepulse:plugin/kv", ""), "kv", "it imports kv", grants.kv == 0),
    ];
    let mut missing: Vec<Missing> = Vec::new();
    for (needed, grant, because, absent) in rules {
        if needed && absent && missing.iter().all(|other| other.grant != grant) {
            missing.push(Missing { grant, because });
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grants::Pattern;

    #[test]
    fn what_a_component_does_decides_what_it_needs() {
        let surface = Surface { subscriber: true, connection_handler: true, ..Surface::default() };
        let imports = [
            "telepulse:plugin/bus@0.1.0#submit".to_owned(),
            "telepulse:plugin/connections@0.1.0#send".to_owned(),
            "telepulse:plugin/log@0.1.0#write".to_owned(),
        ];
        let names = |grants: &Grants| -> Vec<_> {
            missing(surface, &imports, grants).into_iter().map(|missing| missing.grant).collect()
        };
        assert_eq!(names(&Grants::default()), ["subscribe", "websocket", "request"]);
        let some = vec![Pattern::parse("telepulse.event").unwrap()];
        let grants = Grants { subscribe: some.clone(), request: some, ..Grants::default() };
        assert_eq!(names(&grants), ["websocket"]);
    }

    #[test]
    fn who_imports_the_whole_bus_needs_one_of_its_grants() {
        let whole = ["publish", "submit"].map(|it| format!("telepulse:plugin/bus@0.1.0#{it}"));
        let names = |grants: &Grants| -> Vec<_> {
            let missing = missing(Surface::default(), &whole, grants).into_iter();
            missing.map(|missing| missing.grant).collect()
        };
        assert_eq!(names(&Grants::default()), ["publish", "request"]);
        let some = vec![Pattern::parse("telepulse.event.x").unwrap()];
        assert_eq!(names(&Grants { publish: some.clone(), ..Grants::default() }), [""; 0]);
        assert_eq!(names(&Grants { request: some, ..Grants::default() }), [""; 0]);
    }

    #[test]
    fn a_component_that_does_nothing_needs_nothing() {
        let lifecycle = Surface { lifecycle: true, ..Surface::default() };
        assert_eq!(missing(lifecycle, &[], &Grants::default()), []);
    }
}
