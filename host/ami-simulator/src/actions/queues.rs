//! Actions about the members of queues.

use super::{Answer, Asked};
use crate::centre::Centre;
use crate::queue::Member;

/// `Status` of a member whose device does not exist.
const INVALID: u8 = 4;

impl Centre {
    pub(super) fn action_queue_add(&mut self, asked: &Asked) -> Answer {
        let (queue, interface) = match member_asked(asked) {
            Ok(both) => both,
            Err(answer) => return answer,
        };
        let (now_s, paused) = (self.now_s(), asked.is_true("Paused"));
        let status = self.devices.get(interface).map_or(INVALID, |d| d.told.of_member());
        let Some(found) = self.queue_mut(queue) else {
            return asked.error("Unable to add interface to queue: No such queue");
        };
        if found.member(interface).is_some() {
            return asked.error("Unable to add interface: Already there");
        }
        found.members.push(Member {
            name: asked.get("MemberName").unwrap_or(interface).to_owned(),
            interface: interface.to_owned(),
            penalty: asked.get("Penalty").and_then(|p| p.parse().ok()).unwrap_or(0),
            calls_taken: 0,
            last_call: 0,
            last_pause: if paused { now_s } else { 0 },
            login: now_s,
            in_call: false,
            paused,
            reason: asked.get("Reason").filter(|_| paused).unwrap_or_default().to_owned(),
            status,
        });
        self.tell_pause(queue, interface, paused);
        self.tell_member("QueueMemberAdded", queue, interface);
        self.member_changed(queue);
        asked.success("Added interface to queue")
    }

    pub(super) fn action_queue_remove(&mut self, asked: &Asked) -> Answer {
        let (queue, interface) = match member_asked(asked) {
            Ok(both) => both,
            Err(answer) => return answer,
        };
        if self.queue_mut(queue).is_none() {
            return asked.error("Unable to remove interface from queue: No such queue");
        }
        if self.queue_mut(queue).and_then(|found| found.member_mut(interface)).is_none() {
            return asked.error("Unable to remove interface: Not there");
        }
        self.tell_member("QueueMemberRemoved", queue, interface);
        if let Some(found) = self.queue_mut(queue) {
            found.members.retain(|member| member.interface != interface);
        }
        self.member_changed(queue);
        asked.success("Removed interface from queue")
    }

    pub(super) fn action_queue_pause(&mut self, asked: &Asked) -> Answer {
        let Some(interface) = asked.get("Interface") else {
            return asked.error("Need 'Interface' parameter.");
        };
        if asked.get("Paused").is_none() {
            return asked.error("Need 'Paused' parameter.");
        }
        let paused = asked.is_true("Paused");
        let reason = asked.get("Reason").unwrap_or_default();
        if !self.pause(asked.get("Queue"), interface, paused, reason) {
            return asked.error("Interface not found");
        }
        let done = if paused { "paused" } else { "unpaused" };
        asked.success(&format!("Interface {done} successfully"))
    }

    pub(super) fn action_queue_penalty(&mut self, asked: &Asked) -> Answer {
        let Some(interface) = asked.get("Interface") else {
            return asked.error("Need 'Interface' parameter.");
        };
        let Some(penalty) = asked.get("Penalty").and_then(|penalty| penalty.parse().ok()) else {
            return asked.error("Need 'Penalty' parameter.");
        };
        let queues = self.queues_of(asked.get("Queue"), interface);
        for queue in &queues {
            if let Some(member) = self.queue_mut(queue).and_then(|q| q.member_mut(interface)) {
                member.penalty = penalty;
            }
            self.tell_member("QueueMemberPenalty", queue, interface);
        }
        if queues.is_empty() {
            asked.error("Invalid interface, queuename or penalty")
        } else {
            asked.success("Interface penalty set successfully")
        }
    }

    /// Pauses a member in one queue or in all, or ends its pause. False if it is in none.
    pub(crate) fn pause(
        &mut self,
        queue: Option<&str>,
        interface: &str,
        paused: bool,
        reason: &str,
    ) -> bool {
        let now_s = self.now_s();
        let queues = self.queues_of(queue, interface);
        for queue in &queues {
            let found = self.queue_mut(queue);
            let Some(member) = found.and_then(|found| found.member_mut(interface)) else {
                continue;
            };
            let changed = member.paused != paused;
            member.paused = paused;
            reason.clone_into(&mut member.reason);
            if paused {
                member.last_pause = now_s;
            }
            if changed {
                self.tell_pause(queue, interface, paused);
            }
            self.member_changed(queue);
            self.tell_member("QueueMemberPause", queue, interface);
        }
        !queues.is_empty()
    }

    fn queues_of(&self, only: Option<&str>, interface: &str) -> Vec<String> {
        let queues = self.queues.iter().filter(|queue| queue.member(interface).is_some());
        let names = queues.map(|queue| queue.name.clone());
        names.filter(|name| only.is_none_or(|only| only == name)).collect()
    }

    fn tell_pause(&mut self, queue: &str, interface: &str, paused: bool) {
        let state = if paused { "INUSE" } else { "NOT_INUSE" };
        self.tell_device(&format!("Queue:{queue}_pause_{interface}"), state);
    }
}

fn member_asked<'a>(asked: &Asked<'a>) -> Result<(&'a str, &'a str), Answer> {
    let queue = asked.get("Queue").ok_or_else(|| asked.error("'Queue' not specified."))?;
    let interface =
        asked.get("Interface").ok_or_else(|| asked.error("'Interface' not specified."))?;
    Ok((queue, interface))
}
