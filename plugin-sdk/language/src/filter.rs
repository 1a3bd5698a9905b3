//! Which events a subscriber wants.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Lets an event through if each scope field *that the event has* is in the list of that name.
///
/// An absent list lets everything through; an empty one lets nothing with that scope through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Filter {
    /// Event types, like `activeLines`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<BTreeSet<String>>,
    /// Asterisk servers by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers: Option<BTreeSet<String>>,
    /// Agents, which are extensions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<BTreeSet<String>>,
    /// Queues by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queues: Option<BTreeSet<String>>,
}

impl Filter {
    /// Whether an event of this type and scope passes.
    pub fn lets_through(
        &self,
        event: &str,
        server: &str,
        agent: Option<&str>,
        queue: Option<&str>,
    ) -> bool {
        let within = |list: &Option<BTreeSet<String>>, value: Option<&str>| match (list, value) {
            (Some(list), Some(value)) => list.contains(value),
            _ => true,
        };
        within(&self.events, Some(event))
            && within(&self.servers, Some(server))
            && within(&self.agents, agent)
            && within(&self.queues, queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filter: &str, event: (&str, &str, Option<&str>, Option<&str>), expected: bool) {
        let filter: Filter = serde_json::from_str(filter).unwrap();
        assert_eq!(
            filter.lets_through(event.0, event.1, event.2, event.3),
            expected,
            "{filter:?} {event:?}"
        );
    }

    #[test]
    fn each_scope_that_the_event_has_must_be_listed() {
        let lines = ("activeLines", "pbx1", Some("201"), None);
        let member = ("queueMemberStatus", "pbx1", Some("201"), Some("sales"));
        check("{}", lines, true);
        check(r#"{"agents":["201"]}"#, lines, true);
        check(r#"{"agents":["202"]}"#, lines, false);
        check(r#"{"agents":[]}"#, lines, false);
        check(r#"{"queues":[]}"#, lines, true);
        check(r#"{"agents":["201"],"queues":["support"]}"#, member, false);
        check(r#"{"events":["queueMemberStatus"],"servers":["pbx1"]}"#, member, true);
        check(r#"{"servers":["pbx2"]}"#, member, false);
    }

    #[test]
    fn an_unknown_list_is_refused() {
        assert!(serde_json::from_str::<Filter>(r#"{"agent":["201"]}"#).is_err());
    }
}
