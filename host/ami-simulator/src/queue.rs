//! Queues, their members and their callers, and how events show them.

use crate::channel::ChannelId;
use crate::wire::Text;

/// A queue as it is now.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) name: String,
    pub(crate) extension: String,
    pub(crate) members: Vec<Member>,
    pub(crate) callers: Vec<Caller>,
    pub(crate) completed: u32,
    pub(crate) abandoned: u32,
    /// Of those that were served, how many within the service level.
    pub(crate) served_in_time: u32,
    /// Within how many seconds a caller should be served.
    pub(crate) service_level_s: u64,
    /// Seconds, as Asterisk's own moving averages.
    pub(crate) hold_s: u64,
    pub(crate) talk_s: u64,
    /// Who is next in turn.
    pub(crate) turn: usize,
    /// The state of `Queue:<name>_avail` that was told last.
    pub(crate) available: bool,
}

/// Somebody who waits.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) channel: ChannelId,
    pub(crate) joined_ms: u64,
    /// The position that it came in at.
    pub(crate) original: usize,
}

/// A member of a queue.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) interface: String,
    pub(crate) penalty: u32,
    pub(crate) calls_taken: u32,
    /// Unix time in seconds; 0: never.
    pub(crate) last_call: u64,
    pub(crate) last_pause: u64,
    pub(crate) login: u64,
    pub(crate) in_call: bool,
    pub(crate) paused: bool,
    pub(crate) reason: String,
    /// Asterisk's number for the device's state.
    pub(crate) status: u8,
}

impl Member {
    /// Free, and not paused.
    pub(crate) fn is_available(&self) -> bool {
        self.status == 1 && !self.paused
    }

    /// As in the events of members.
    pub(crate) fn show(&self, queue: &str, text: Text) -> Text {
        let text = text
            .field("Queue", queue)
            .field("MemberName", &self.name)
            .field("Interface", &self.interface);
        self.details(text).field("Ringinuse", 0).field("Wrapuptime", 0)
    }

    /// As in a listing, where some names differ.
    pub(crate) fn list(&self, queue: &str, text: Text) -> Text {
        let text =
            text.field("Queue", queue).field("Name", &self.name).field("Location", &self.interface);
        self.details(text).field("Wrapuptime", 0)
    }

    fn details(&self, text: Text) -> Text {
        text.field("StateInterface", &self.interface)
            .field("Membership", "dynamic")
            .field("Penalty", self.penalty)
            .field("CallsTaken", self.calls_taken)
            .field("LastCall", self.last_call)
            .field("LastPause", self.last_pause)
            .field("LoginTime", self.login)
            .field("InCall", u8::from(self.in_call))
            .field("Status", self.status)
            .field("Paused", u8::from(self.paused))
            .field("PausedReason", &self.reason)
    }
}

impl Queue {
    /// A queue that nobody waits in.
    pub(crate) fn new(name: &str, extension: &str) -> Self {
        Self {
            name: name.to_owned(),
            extension: extension.to_owned(),
            members: Vec::new(),
            callers: Vec::new(),
            completed: 0,
            abandoned: 0,
            served_in_time: 0,
            service_level_s: 0,
            hold_s: 0,
            talk_s: 0,
            turn: 0,
            available: false,
        }
    }

    pub(crate) fn member(&self, interface: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.interface == interface)
    }

    pub(crate) fn member_mut(&mut self, interface: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.interface == interface)
    }

    /// Of 100 callers that were served, how many in time; then the same of all who came.
    pub(crate) fn service_levels(&self) -> (f64, f64) {
        let percent = |of: u32| {
            if of == 0 { 0.0 } else { f64::from(self.served_in_time) * 100.0 / f64::from(of) }
        };
        (percent(self.completed), percent(self.completed + self.abandoned))
    }

    /// Takes the member whose turn it is: free, of the lowest penalty, one after the other.
    pub(crate) fn take_turn(&mut self) -> Option<Member> {
        let free = || self.members.iter().enumerate().filter(|(_, member)| member.is_available());
        let penalty = free().map(|(_, member)| member.penalty).min()?;
        let mut equals = free().filter(|(_, member)| member.penalty == penalty);
        let first = equals.clone().next();
        let (index, member) = equals.find(|(index, _)| *index >= self.turn).or(first)?;
        let member = member.clone();
        self.turn = index + 1;
        Some(member)
    }
}
