//! Who asks: a user as the host authenticated it, and what that user may do and see.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A user with rights (contract section 8). Set by the host, never by a plugin or a client.
///
/// An absent list of `agents`, `queues` or `servers` means all of them; an empty one means none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    /// The user's name, as in `[[auth.user]]`.
    pub name: String,
    /// The extension that is the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Agents that the user may see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<BTreeSet<String>>,
    /// Queues that the user may see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queues: Option<BTreeSet<String>>,
    /// Servers that the user may see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers: Option<BTreeSet<String>>,
    /// Commands that the user may give: `*`, a command's name, or `name:own`.
    #[serde(default)]
    pub allow: BTreeSet<String>,
}

/// How far a right reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// On anything the user may see.
    Any,
    /// Only where the user's own extension takes part.
    Own,
    /// Not at all.
    No,
}

impl Principal {
    /// Somebody who has not logged in: sees nothing, may do nothing.
    pub fn anonymous() -> Self {
        let none = Some(BTreeSet::new());
        Self { agents: none.clone(), queues: none.clone(), servers: none, ..Self::default() }
    }

    /// Whether nobody has logged in.
    pub fn is_anonymous(&self) -> bool {
        self.name.is_empty()
    }

    /// How far `action` is allowed.
    pub fn permission(&self, action: &str) -> Permission {
        if self.allow.contains("*") || self.allow.contains(action) {
            Permission::Any
        } else if self.allow.contains(&format!("{action}:own")) || self.allow.contains("*:own") {
            Permission::Own
        } else {
            Permission::No
        }
    }

    /// Whether an event or item of this scope may be shown. Fails closed: a user who is limited in
    /// a dimension sees nothing that lacks that field (contract section 10, 3).
    pub fn may_see(&self, server: Option<&str>, agent: Option<&str>, queue: Option<&str>) -> bool {
        let within = |list: &Option<BTreeSet<String>>, value: Option<&str>| match list {
            None => true,
            Some(list) => value.is_some_and(|value| list.contains(value)),
        };
        within(&self.servers, server) && within(&self.agents, agent) && within(&self.queues, queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_right_reaches_as_far_as_it_says() {
        let user = Principal { allow: set(&["dial", "hangup:own"]), ..Principal::default() };
        assert_eq!(user.permission("dial"), Permission::Any);
        assert_eq!(user.permission("hangup"), Permission::Own);
        assert_eq!(user.permission("spy"), Permission::No);
    }

    #[test]
    fn nobody_sees_or_does_anything() {
        let nobody = Principal::anonymous();
        assert!(nobody.is_anonymous());
        assert_eq!(nobody.permission("dial"), Permission::No);
        assert!(!nobody.may_see(Some("pbx1"), Some("201"), Some("sales")));
    }

    #[test]
    fn a_limited_user_sees_nothing_without_that_field() {
        let user = Principal { agents: Some(set(&["201"])), ..Principal::default() };
        assert!(user.may_see(Some("pbx1"), Some("201"), Some("sales")));
        assert!(!user.may_see(Some("pbx1"), Some("202"), None));
        assert!(!user.may_see(Some("pbx1"), None, None));
    }
}
