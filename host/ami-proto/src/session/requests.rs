//! Who asked what: actions that wait, actions in flight, and whose answer a message is.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use memchr::memmem::Finder;

use super::config::SessionConfig;
use super::output::{Outcome, Problem, RequestId};
use super::reading::{completes_list, is_goodbye, is_never_an_item, starts_list};
use crate::message::Message;

/// Who wants the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The session's owner.
    Submitted,
    /// The session: the text to prove the secret with.
    Challenge,
    /// The session: the login.
    Login,
    /// The session: Asterisk's version.
    Version,
    /// The session: the filter with this index.
    Filter(usize),
    /// The session: a sign of life.
    Ping,
    /// The session: goodbye.
    Logoff,
}

/// An action that is over.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) id: RequestId,
    pub(super) purpose: Purpose,
    pub(super) outcome: Outcome,
    /// What is wrong with the answer all the same.
    pub(super) problem: Option<Problem>,
}

/// What a message turned out to be.
#[derive(Debug)]
pub(super) enum Fate {
    /// It completes an action.
    Finishes(Finished),
    /// It is part of an answer that goes on.
    Kept,
    /// An event that is nobody's answer.
    Live(Message),
    /// A response or a list's item that nobody waits for.
    Unclaimed(Message),
}

/// An action that is ready to be sent and may not yet be.
struct Waiting {
    id: RequestId,
    bytes: Bytes,
    deadline_ms: u64,
}

/// An action that was sent.
struct InFlight {
    id: RequestId,
    purpose: Purpose,
    sent_ms: u64,
    deadline_ms: u64,
    /// It is known to be a list: by its name, or by its response.
    list: bool,
    response: Option<Message>,
    items: Vec<Message>,
    items_bytes: usize,
    /// The event that completes the list has come.
    complete: bool,
    too_long: bool,
}

/// The actions of one session.
pub(super) struct Requests {
    prefix: String,
    own_prefix: Finder<'static>,
    last_number: u64,
    in_flight: BTreeMap<u64, InFlight>,
    /// How many in flight are the owner's.
    submitted: usize,
    waiting: VecDeque<Waiting>,
    /// Actions given up on whose response may still come.
    owed: usize,
    max_in_flight: usize,
    max_list_items: usize,
    max_list_bytes: usize,
    /// Bytes of the items that are held, of all lists in flight.
    held_bytes: usize,
    /// How long the latest response took.
    pub(super) latency_ms: Option<u64>,
}

impl Requests {
    pub(super) fn new(config: &SessionConfig) -> Self {
        Self {
            prefix: config.action_prefix.clone(),
            own_prefix: Finder::new(&config.action_prefix).into_owned(),
            last_number: 0,
            in_flight: BTreeMap::new(),
            submitted: 0,
            waiting: VecDeque::new(),
            owed: 0,
            max_in_flight: config.max_in_flight.max(1),
            max_list_items: config.max_list_items,
            max_list_bytes: config.max_list_bytes,
            held_bytes: 0,
            latency_ms: None,
        }
    }

    /// A number for a new action.
    pub(super) fn new_id(&mut self, list: bool) -> RequestId {
        self.last_number += 1;
        RequestId { number: self.last_number, list }
    }

    /// The `ActionID` of an action: `<prefix>-<number>`, with an `l` behind if it is a list.
    pub(super) fn action_id(&self, id: RequestId) -> String {
        let mark = if id.list { "l" } else { "" };
        format!("{}-{}{mark}", self.prefix, id.number)
    }

    /// The other way round; `None` for what this session has not written just so.
    fn own_id(&self, action_id: &[u8]) -> Option<RequestId> {
        let rest = action_id.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b"-")?;
        let (digits, list) = match rest.strip_suffix(b"l") {
            Some(digits) => (digits, true),
            None => (rest, false),
        };
        if !digits.first().is_some_and(|digit| (b'1'..=b'9').contains(digit)) {
            return None;
        }
        let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
        (number <= self.last_number).then_some(RequestId { number, list })
    }

    pub(super) fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn in_flight_count(&self) -> usize {
        self.submitted
    }

    pub(super) fn wait(&mut self, id: RequestId, bytes: Bytes, deadline_ms: u64) {
        self.waiting.push_back(Waiting { id, bytes, deadline_ms });
    }

    /// The next waiting action that may be sent now; it counts as sent.
    pub(super) fn take_sendable(&mut self, now_ms: u64) -> Option<(RequestId, Bytes)> {
        if self.submitted >= self.max_in_flight {
            return None;
        }
        let Waiting { id, bytes, deadline_ms } = self.waiting.pop_front()?;
        self.sent(id, Purpose::Submitted, now_ms, deadline_ms);
        Some((id, bytes))
    }

    /// Notes an action as sent.
    pub(super) fn sent(&mut self, id: RequestId, purpose: Purpose, now_ms: u64, deadline_ms: u64) {
        self.submitted += usize::from(purpose == Purpose::Submitted);
        let in_flight = InFlight {
            id,
            purpose,
            sent_ms: now_ms,
            deadline_ms,
            list: id.list,
            response: None,
            items: Vec::new(),
            items_bytes: 0,
            complete: false,
            too_long: false,
        };
        self.in_flight.insert(id.number, in_flight);
    }

    /// When the next action runs out of time.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        let in_flight = self.in_flight.values().map(|action| action.deadline_ms);
        in_flight.chain(self.waiting.iter().map(|action| action.deadline_ms)).min()
    }

    /// Ends the actions that ran out of time, in their order.
    pub(super) fn expire(&mut self, now_ms: u64) -> Vec<Finished> {
        let late = self.in_flight.values().filter(|action| action.deadline_ms <= now_ms);
        let late: Vec<u64> = late.map(|action| action.id.number).collect();
        let mut finished: Vec<_> =
            late.into_iter().filter_map(|number| self.give_up(number, Outcome::TimedOut)).collect();
        self.waiting.retain(|action| {
            let in_time = action.deadline_ms > now_ms;
            if !in_time {
                finished.push(not_sent(action.id));
            }
            in_time
        });
        finished
    }

    /// Ends every action that waits.
    pub(super) fn drop_waiting(&mut self) -> Vec<Finished> {
        self.waiting.drain(..).map(|action| not_sent(action.id)).collect()
    }

    /// Ends every action, in order: those for which `left` is false were never sent.
    pub(super) fn fail_all(&mut self, left: impl Fn(RequestId) -> bool) -> Vec<Finished> {
        let in_flight = std::mem::take(&mut self.in_flight);
        (self.submitted, self.held_bytes) = (0, 0);
        let mut finished: Vec<_> = in_flight
            .into_values()
            .map(|InFlight { id, purpose, .. }| {
                let outcome = if left(id) { Outcome::Unknown } else { Outcome::NotSent };
                Finished { id, purpose, outcome, problem: None }
            })
            .collect();
        finished.append(&mut self.drop_waiting());
        finished
    }

    /// Ends the action whose answer, by its `ActionID`, could not be read.
    pub(super) fn unreadable(&mut self, action_id: &str) -> Option<Finished> {
        let id = self.own_id(action_id.as_bytes())?;
        named(&mut self.in_flight, id)?;
        self.give_up(id.number, Outcome::Unknown)
    }

    /// Finds out whose response this is.
    pub(super) fn response(&mut self, message: Message, now_ms: u64) -> Fate {
        let id = match message.get_bytes("ActionID") {
            Some(action_id) => self.own_id(action_id),
            None if is_goodbye(&message) => self.asked_to_leave(),
            None => self.only_unanswered(),
        };
        let Some(id) = id else { return Fate::Unclaimed(message) };
        let Some(action) = named(&mut self.in_flight, id) else {
            self.owed = self.owed.saturating_sub(1);
            return Fate::Unclaimed(message);
        };
        let refused = message.is_error();
        if action.response.is_some() && !refused {
            return Fate::Unclaimed(message);
        }
        self.latency_ms = Some(now_ms.saturating_sub(action.sent_ms));
        action.list |= starts_list(&message);
        action.response = Some(message.detached());
        // An error ends a list too, even one that had started.
        if action.list && !action.complete && !refused {
            Fate::Kept
        } else {
            self.finish(id.number)
        }
    }

    /// Finds out whether an event is an item of a list in flight.
    pub(super) fn event(&mut self, message: Message) -> Fate {
        // Nearly all are live, and do not have what our ids begin with anywhere.
        if self.own_prefix.find(message.as_bytes()).is_none() {
            return Fate::Live(message);
        }
        let id = message.get_bytes("ActionID").and_then(|action_id| self.own_id(action_id));
        let Some(id) = id else { return Fate::Live(message) };
        let Some(action) = named(&mut self.in_flight, id).filter(|action| action.list) else {
            // Live events carry ActionIDs too (OriginateResponse), but never a list's.
            return if id.list { Fate::Unclaimed(message) } else { Fate::Live(message) };
        };
        if is_never_an_item(&message) {
            return Fate::Live(message);
        }
        action.complete |= completes_list(&message);
        let bytes = message.as_bytes().len();
        action.too_long |= action.items.len() >= self.max_list_items
            || self.held_bytes + bytes > self.max_list_bytes;
        if action.too_long {
            action.items = Vec::new();
            self.held_bytes -= std::mem::take(&mut action.items_bytes);
        } else {
            // An item of few bytes must not keep a whole read buffer.
            action.items.push(message.detached());
            action.items_bytes += bytes;
            self.held_bytes += bytes;
        }
        if action.complete && action.response.is_some() {
            self.finish(id.number)
        } else {
            Fate::Kept
        }
    }

    /// The one action that waits for a response, if it is the only one that can be meant by a
    /// response that names none.
    fn only_unanswered(&self) -> Option<RequestId> {
        let mut open = self.in_flight.values().filter(|action| action.response.is_none());
        let only = open.next()?;
        (self.owed == 0 && open.next().is_none()).then_some(only.id)
    }

    /// The goodbye that was said; a server's own answers nothing.
    fn asked_to_leave(&self) -> Option<RequestId> {
        let mut open = self.in_flight.values();
        open.find(|action| action.purpose == Purpose::Logoff).map(|action| action.id)
    }

    fn finish(&mut self, number: u64) -> Fate {
        let Some(action) = self.remove(number) else { return Fate::Kept };
        let problem = self.miscount(&action);
        let outcome = match action.response {
            Some(_) if action.too_long => Outcome::ListTooLong,
            Some(response) => Outcome::Response { response, items: action.items },
            None => Outcome::Unknown,
        };
        Fate::Finishes(Finished { id: action.id, purpose: action.purpose, outcome, problem })
    }

    /// What is wrong with a list that has another number of items than it says.
    fn miscount(&self, action: &InFlight) -> Option<Problem> {
        let (last, items) = action.items.split_last()?;
        let said = last.get_lossy("ListItems").filter(|_| completes_list(last))?;
        let action_id = self.action_id(action.id);
        let is_right = said.trim().parse() == Ok(items.len());
        (!is_right).then(|| Problem::ListCount {
            action_id,
            said: said.into_owned(),
            came: items.len(),
        })
    }

    fn give_up(&mut self, number: u64, outcome: Outcome) -> Option<Finished> {
        let InFlight { id, purpose, response, .. } = self.remove(number)?;
        self.owed += usize::from(response.is_none() && outcome == Outcome::TimedOut);
        Some(Finished { id, purpose, outcome, problem: None })
    }

    fn remove(&mut self, number: u64) -> Option<InFlight> {
        let action = self.in_flight.remove(&number)?;
        self.submitted -= usize::from(action.purpose == Purpose::Submitted);
        self.held_bytes -= action.items_bytes;
        Some(action)
    }
}

/// The action in flight with this id, and no other that shares its number.
fn named(in_flight: &mut BTreeMap<u64, InFlight>, id: RequestId) -> Option<&mut InFlight> {
    in_flight.get_mut(&id.number).filter(|action| action.id == id)
}

fn not_sent(id: RequestId) -> Finished {
    Finished { id, purpose: Purpose::Submitted, outcome: Outcome::NotSent, problem: None }
}
