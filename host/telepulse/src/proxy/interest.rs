//! What a server is asked to send: the events that the model reads, those that plugins subscribed to,
//! and no others. Pure: from what is wanted to masks and filters.

use crate::bus::Below;
use ami_proto::{EventFilter, Match, event_class};
use call_model::Pbx;
use std::collections::BTreeSet;

/// The classes of events that the model reads. Left out are those that a caller or a dialplan can
/// forge (`user`, `dialplan`: their bodies come unescaped) and those that nobody reads.
const MODEL_CLASSES: [&str; 3] = ["system", "call", "agent"];

/// Classes whose events hold what callers and dialplans write, with its line breaks.
const FORGEABLE: [&str; 2] = ["dialplan", "user"];

/// Events that the link itself reads.
const LINK_EVENTS: [&str; 2] = ["FullyBooted", "Shutdown"];

/// Events that a link is to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interest {
    /// `None`: every class there is.
    classes: Option<BTreeSet<&'static str>>,
    /// `None`: every event.
    names: Option<BTreeSet<String>>,
    exclude: BTreeSet<String>,
}

impl Interest {
    /// What the model needs, what subscribers want on top, and what the operator does not want.
    pub(crate) fn of(subscribed: Below, exclude: &BTreeSet<String>) -> Self {
        let exclude = exclude.clone();
        let Below::Names(mut names) = subscribed else {
            return Self { classes: None, names: None, exclude };
        };
        // Not an event, but where answers are published.
        names.remove("Response");
        names.retain(|name| !exclude.contains(name));
        let classes = names.iter().map(|name| event_class(name)).chain(MODEL_CLASSES).collect();
        names.extend(Pbx::EVENTS.iter().chain(&LINK_EVENTS).map(ToString::to_string));
        Self { classes: Some(classes), names: Some(names), exclude }
    }

    /// Whether a caller or a dialplan could slip a forged event into what comes.
    pub(super) fn is_forgeable(&self) -> bool {
        let is_unescaped = |class: &&str| FORGEABLE.contains(class);
        self.classes.as_ref().is_none_or(|classes| classes.iter().any(is_unescaped))
    }

    /// The `EventMask`.
    pub(super) fn mask(&self) -> String {
        let Some(classes) = &self.classes else { return "on".to_owned() };
        classes.iter().copied().collect::<Vec<_>>().join(",")
    }

    /// Filters for a session that has none yet.
    pub(super) fn filters(&self) -> Vec<EventFilter> {
        let mut filters = self.names.clone().map_or(vec![], EventFilter::include_names);
        filters.extend(EventFilter::exclude_names(self.exclude.clone()));
        filters
    }

    /// What a session that has this needs on top to have `wanted` too. Filters can only be added, so
    /// what is no longer wanted keeps coming until the next login.
    pub(super) fn missing(&self, wanted: &Self) -> Vec<EventFilter> {
        match (&self.names, &wanted.names) {
            (None, _) => Vec::new(),
            (Some(_), None) => vec![EventFilter::include(Match::Anything)],
            (Some(have), Some(wanted)) => {
                EventFilter::include_names(wanted.difference(have).cloned())
            }
        }
    }

    /// Both.
    pub(super) fn or(&self, other: &Self) -> Self {
        fn both<T: Clone + Ord>(
            one: Option<&BTreeSet<T>>,
            other: Option<&BTreeSet<T>>,
        ) -> Option<BTreeSet<T>> {
            Some(one? | other?)
        }
        Self {
            classes: both(self.classes.as_ref(), other.classes.as_ref()),
            names: both(self.names.as_ref(), other.names.as_ref()),
            exclude: self.exclude.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn interest(subscribed: Option<&[&str]>, exclude: &[&str]) -> Interest {
        let subscribed = subscribed.map_or(Below::All, |wanted| Below::Names(names(wanted)));
        Interest::of(subscribed, &names(exclude))
    }

    #[test]
    fn the_mask_has_the_classes_that_are_wanted() {
        assert_eq!(interest(Some(&[]), &[]).mask(), "agent,call,system");
        assert_eq!(interest(Some(&["Newchannel", "Response"]), &[]).mask(), "agent,call,system");
        assert_eq!(
            interest(Some(&["VarSet", "Cdr"]), &[]).mask(),
            "agent,call,cdr,dialplan,system"
        );
        assert_eq!(interest(Some(&["VarSet"]), &["VarSet"]).mask(), "agent,call,system");
        assert_eq!(interest(None, &[]).mask(), "on");
    }

    #[test]
    fn what_is_not_escaped_can_be_forged() {
        assert!(!interest(Some(&["Newchannel", "Cdr"]), &[]).is_forgeable());
        assert!(interest(Some(&["VarSet"]), &[]).is_forgeable());
        assert!(interest(Some(&["UserEvent"]), &[]).is_forgeable());
        assert!(interest(None, &[]).is_forgeable());
    }

    #[test]
    fn filters_let_in_what_is_wanted_and_no_more() {
        let needed = &names(Pbx::EVENTS) | &names(&LINK_EVENTS);
        let include = |names| EventFilter::include(Match::Names(names));
        let exclude = |names| EventFilter::exclude(Match::Names(names));
        assert_eq!(interest(Some(&[]), &[]).filters(), [include(needed.clone())]);
        let with_varset = &needed | &names(&["VarSet"]);
        assert_eq!(
            interest(Some(&["VarSet"]), &["Wink"]).filters(),
            [include(with_varset), exclude(names(&["Wink"]))]
        );
        assert_eq!(interest(None, &["Wink"]).filters(), [exclude(names(&["Wink"]))]);
    }

    #[test]
    fn a_session_is_widened_by_what_it_lacks() {
        let bare = interest(Some(&[]), &[]);
        let varset = interest(Some(&["VarSet"]), &[]);
        let all = interest(None, &[]);
        let include = |subject| vec![EventFilter::include(subject)];
        assert_eq!(bare.missing(&bare), []);
        assert_eq!(bare.missing(&varset), include(Match::Names(names(&["VarSet"]))));
        assert_eq!(bare.missing(&all), include(Match::Anything));
        assert_eq!(varset.missing(&bare), [], "filters cannot be taken back");
        assert_eq!(all.missing(&varset), []);
        assert_eq!(bare.or(&varset).mask(), varset.mask());
        assert_eq!(varset.or(&all), all);
    }
}
