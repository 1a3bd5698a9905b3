//! Who may do what: decided here, whatever a gateway says.

use call_model::{Pbx, Plan};
use std::collections::BTreeSet;
use telepulse_language::{Code, Command, Permission, Principal, Refusal};

/// Whether this principal may give this command at all. `None` is the host itself or a plugin
/// under its own grants.
pub(crate) fn may_give(action: &str, who: Option<&Principal>) -> Result<(), Refusal> {
    let Some(who) = who else { return Ok(()) };
    if who.is_anonymous() {
        return Err(Refusal::new(Code::Unauthorized, "log in first"));
    }
    match who.permission(action) {
        Permission::Any | Permission::Own => Ok(()),
        Permission::No => Err(Refusal::new(
            Code::Forbidden,
            format!("{} may not {action}; the right is given by `allow`", who.name),
        )),
    }
}

/// Plans a command against the model, within what the principal may do and see.
///
/// What a user may not see is answered as if it did not exist, in the same words.
pub(crate) fn plan(
    pbx: &mut Pbx,
    command: &Command,
    who: Option<&Principal>,
) -> Result<Plan, Refusal> {
    if let Some(who) = who {
        let concerned = pbx.concerned(command).unwrap_or_default();
        if !within_sight(&concerned, who) || !acting_within_sight(command, who) {
            return Err(pbx.unknown(command));
        }
        queue_within_sight(command, who)?;
        within_own(command, &concerned, who)?;
    }
    pbx.plan(command, who, rand::random(), crate::clock::now())
}

/// A user limited to some agents reaches only calls in which one of them takes part.
fn within_sight(concerned: &BTreeSet<String>, who: &Principal) -> bool {
    who.agents.as_ref().is_none_or(|visible| !concerned.is_disjoint(visible))
}

/// Nor makes the phone of anybody else do something; their own always may.
fn acting_within_sight(command: &Command, who: &Principal) -> bool {
    match (Pbx::acting(command), &who.agents) {
        (Some(acting), Some(visible)) => {
            visible.contains(acting) || who.extension.as_deref() == Some(acting)
        }
        _ => true,
    }
}

/// A user limited to some queues reaches no others.
fn queue_within_sight(command: &Command, who: &Principal) -> Result<(), Refusal> {
    let queue = match command {
        Command::QueueAdd(fields) => Some(&fields.queue),
        Command::QueueRemove(fields) => Some(&fields.queue),
        Command::QueuePause(fields) => fields.queue.as_ref(),
        Command::QueueUnpause(fields) => fields.queue.as_ref(),
        _ => None,
    };
    match (&who.queues, queue) {
        (Some(visible), Some(queue)) if !visible.contains(queue.as_str()) => {
            Err(Refusal::new(Code::NotFound, "there is no such queue").with_field("queue"))
        }
        _ => Ok(()),
    }
}

fn within_own(
    command: &Command,
    concerned: &BTreeSet<String>,
    who: &Principal,
) -> Result<(), Refusal> {
    let own = who.extension.as_ref().is_some_and(|own| match Pbx::acting(command) {
        Some(acting) => acting == own,
        None => concerned.contains(own),
    });
    match who.permission(command.action()) {
        Permission::Own if !own => Err(Refusal::new(
            Code::Forbidden,
            format!("{} may {} only what is their own", who.name, command.action()),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rights_are_checked_by_name() {
        let agent = Principal {
            name: "ann".into(),
            extension: Some("201".into()),
            allow: set(&["dial:own", "transfer"]),
            ..Principal::default()
        };
        assert!(may_give("transfer", Some(&agent)).is_ok());
        assert!(may_give("dial", Some(&agent)).is_ok());
        assert_eq!(may_give("hangup", Some(&agent)).unwrap_err().code, Code::Forbidden);
        let nobody = Principal::anonymous();
        assert_eq!(may_give("dial", Some(&nobody)).unwrap_err().code, Code::Unauthorized);
        assert!(may_give("dial", None).is_ok());
    }

    #[test]
    fn what_is_hidden_does_not_exist() {
        let user = Principal { agents: Some(set(&["201"])), ..Principal::default() };
        assert!(within_sight(&set(&["201", "202"]), &user));
        assert!(!within_sight(&set(&["202"]), &user));
        assert!(!within_sight(&set(&[]), &user));
    }
}
