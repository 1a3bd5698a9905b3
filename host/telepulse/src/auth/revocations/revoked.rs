//! What was revoked, and whether a token or a user is among it: time passed in, nothing touched.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use telepulse_language::Timestamp;

/// Whose logins are good no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// One JSON Web Token.
    Token {
        /// Its claim `jti`.
        jti: String,
    },
    /// All JSON Web Tokens of a subject that were issued before a moment.
    Subject {
        /// Their claim `sub`, or the user's name in them.
        subject: String,
        /// Those whose claim `iat` is earlier, or that have none.
        before: Timestamp,
    },
    /// The token and the password of a user of the configuration.
    User {
        /// The user's name.
        user: String,
    },
}

/// One revocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// What it is called.
    pub id: String,
    /// What is revoked.
    #[serde(flatten)]
    pub target: Target,
    /// When it was made.
    pub created: Timestamp,
    /// From when on nobody needs it: what is revoked has run out by itself. `None`: it stays until removed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<Timestamp>,
}

impl Revocation {
    /// Whether nobody needs it any more.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// What of a JSON Web Token tells whether it is revoked. Kept as long as its connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::auth) struct Marks {
    jti: Option<String>,
    sub: Option<String>,
    issued: Option<Timestamp>,
}

impl Marks {
    pub(in crate::auth) fn of(claims: &Map<String, Value>) -> Self {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "milliseconds since 1970, from a claim in seconds"
        )]
        let issued = |seconds: f64| Timestamp((seconds * 1000.0).max(0.0) as u64);
        let issued = claims.get("iat").and_then(Value::as_f64).map(issued);
        Self { jti: text("jti"), sub: text("sub"), issued }
    }
}

/// All that is revoked, as it is looked for.
#[derive(Debug, Default)]
pub(in crate::auth) struct Revoked {
    /// What is in the store, what is over by this node's clock included: it may not be by another's.
    pub(super) known: Vec<Revocation>,
    /// What is in force.
    pub(super) list: Vec<Revocation>,
    tokens: HashSet<String>,
    /// Before when, by subject.
    subjects: HashMap<String, Timestamp>,
    users: HashSet<String>,
}

impl Revoked {
    pub(in crate::auth) fn new(known: Vec<Revocation>, now: Timestamp) -> Self {
        let list: Vec<Revocation> =
            known.iter().filter(|revocation| !revocation.is_over(now)).cloned().collect();
        let (mut tokens, mut users) = (HashSet::new(), HashSet::new());
        let mut subjects = HashMap::<String, Timestamp>::new();
        for revocation in &list {
            match revocation.target.clone() {
                Target::Token { jti } => drop(tokens.insert(jti)),
                Target::User { user } => drop(users.insert(user)),
                Target::Subject { subject, before } => {
                    let latest = subjects.entry(subject).or_insert(before);
                    *latest = before.max(*latest);
                }
            }
        }
        Self { known, list, tokens, subjects, users }
    }

    /// Whether a JSON Web Token that names this user is good no more.
    pub(in crate::auth) fn has_token(&self, marks: &Marks, name: &str) -> bool {
        let is_named = marks.jti.as_ref().is_some_and(|jti| self.tokens.contains(jti));
        let is_before = |subject: &str| {
            let before = self.subjects.get(subject);
            before.is_some_and(|before| marks.issued.is_none_or(|issued| issued < *before))
        };
        is_named || is_before(name) || marks.sub.as_deref().is_some_and(is_before)
    }

    /// Whether a user of the configuration is let in no more.
    pub(in crate::auth) fn has_user(&self, name: &str) -> bool {
        self.users.contains(name)
    }

    /// Whether any user of the configuration is.
    pub(in crate::auth) fn has_users(&self) -> bool {
        !self.users.is_empty()
    }

    /// Whether others are in force by now: time passed, or the clock was set.
    pub(super) fn is_stale(&self, now: Timestamp) -> bool {
        let in_force = self.known.iter().filter(|revocation| !revocation.is_over(now));
        !in_force.eq(&self.list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn revoked(targets: &[Target]) -> Revoked {
        let revocation = |target: &Target| Revocation {
            id: "1".to_owned(),
            target: target.clone(),
            created: Timestamp(0),
            expires: None,
        };
        Revoked::new(targets.iter().map(revocation).collect(), Timestamp(0))
    }

    fn marks(claims: &Value) -> Marks {
        Marks::of(claims.as_object().unwrap())
    }

    fn subject(subject: &str, before: u64) -> Target {
        Target::Subject { subject: subject.to_owned(), before: Timestamp(before) }
    }

    #[test]
    fn a_token_is_revoked_by_its_id_alone() {
        let revoked = revoked(&[Target::Token { jti: "a".to_owned() }]);
        assert!(revoked.has_token(&marks(&json!({"jti": "a", "iat": 5})), "ana"));
        for other in [json!({"jti": "b"}), json!({"sub": "a"}), json!({"jti": 1}), json!({})] {
            assert!(!revoked.has_token(&marks(&other), "a"), "{other}");
        }
        assert!(!revoked.has_user("a") && !revoked.has_users());
    }

    #[test]
    fn a_subjects_tokens_are_revoked_up_to_the_latest_moment() {
        let revoked =
            revoked(&[subject("ana", 7_000), subject("ana", 9_500), subject("ana", 8_000)]);
        for (claims, name, expected) in [
            (json!({"sub": "ana", "iat": 9}), "", true),
            (json!({"sub": "ana", "iat": 9.4}), "", true),
            (json!({"sub": "ana", "iat": 9.5}), "", false),
            (json!({"sub": "ana", "iat": 10}), "", false),
            (json!({"sub": "x", "iat": 9}), "ana", true),
            (json!({"iat": 9}), "ana", true),
            // Who does not say when it was issued may have been issued at any time.
            (json!({"sub": "ana"}), "", true),
            (json!({"sub": "ana", "iat": "soon"}), "", true),
            (json!({"sub": "ivan", "iat": 1}), "ivan", false),
        ] {
            assert_eq!(revoked.has_token(&marks(&claims), name), expected, "{claims}");
        }
    }

    #[test]
    fn a_user_is_no_subject() {
        let users = revoked(&[Target::User { user: "ana".to_owned() }]);
        assert!(users.has_user("ana") && users.has_users() && !users.has_user("ivan"));
        assert!(!users.has_token(&marks(&json!({"sub": "ana"})), "ana"));
        assert!(!revoked(&[subject("ana", 1)]).has_user("ana"));
    }

    #[test]
    fn what_has_run_out_is_left_out() {
        let text = r#"[{"id":"1","jti":"a","created":"1970-01-01T00:00:00Z","expires":"1970-01-01T00:00:05Z"},
            {"id":"2","subject":"s","before":"1970-01-01T00:00:03.5Z","created":"1970-01-01T00:00:00Z"},
            {"id":"3","user":"u","created":"1970-01-01T00:00:00Z"}]"#;
        let list: Vec<Revocation> = serde_json::from_str(text).unwrap();
        let ids = |now| {
            let revoked = Revoked::new(list.clone(), Timestamp(now));
            revoked.list.iter().map(|it| it.id.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!((ids(4_999).as_str(), ids(5_000).as_str()), ("1 2 3", "2 3"));
        assert!(Revoked::new(list.clone(), Timestamp(0)).is_stale(Timestamp(5_000)));
        assert_eq!(list[1].target, subject("s", 3_500));
        let again = serde_json::to_string(&list).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Revocation>>(&again).unwrap(), list);
    }
}
