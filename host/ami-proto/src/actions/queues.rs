//! Actions about queues and their members.

use crate::action::Action;

/// What of a new queue member may be set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueMember {
    /// What is called, such as `PJSIP/201` or `Local/201@agents`.
    pub interface: String,
    /// The device whose state counts, where it is not the interface itself.
    pub state_interface: Option<String>,
    /// The name that events show.
    pub name: Option<String>,
    /// Members with a lower penalty are called first.
    pub penalty: Option<u32>,
    /// Whether it starts out paused.
    pub paused: bool,
}

/// Adds a member to a queue.
pub fn queue_add(queue: &str, member: &QueueMember) -> Action {
    Action::new("QueueAdd")
        .header("Queue", queue)
        .header("Interface", &member.interface)
        .optional("StateInterface", member.state_interface.as_ref())
        .optional("MemberName", member.name.as_ref())
        .optional("Penalty", member.penalty.map(|penalty| penalty.to_string()))
        .optional("Paused", member.paused.then_some("true"))
}

/// Takes a member out of a queue; only one that was added while running can be.
pub fn queue_remove(queue: &str, interface: &str) -> Action {
    Action::new("QueueRemove").header("Queue", queue).header("Interface", interface)
}

/// Pauses a member or lets it work again, in one queue or in all (`None`); the reason goes with
/// the events.
pub fn queue_pause(
    queue: Option<&str>,
    interface: &str,
    paused: bool,
    reason: Option<&str>,
) -> Action {
    Action::new("QueuePause")
        .optional("Queue", queue)
        .header("Interface", interface)
        .header("Paused", if paused { "true" } else { "false" })
        .optional("Reason", reason)
}

/// Changes a member's penalty, in one queue or in all (`None`).
pub fn queue_penalty(queue: Option<&str>, interface: &str, penalty: u32) -> Action {
    Action::new("QueuePenalty")
        .header("Interface", interface)
        .header("Penalty", penalty.to_string())
        .optional("Queue", queue)
}

/// Sets a queue's statistics (or all queues', `None`) back to nothing.
pub fn queue_reset(queue: Option<&str>) -> Action {
    Action::new("QueueReset").optional("Queue", queue)
}

/// Lists queues (`QueueParams`), their members (`QueueMember`) and callers (`QueueEntry`).
pub fn queue_status() -> Action {
    Action::new("QueueStatus")
}

/// The same for one queue.
pub fn queue_status_of(queue: &str) -> Action {
    queue_status().header("Queue", queue)
}

/// Lists a line of figures per queue (`QueueSummary`).
pub fn queue_summary() -> Action {
    Action::new("QueueSummary")
}
