//! A client's state, which goes from instance to instance: in the connection's tag, and by hand-off
//! where a tag is too small.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use telepulse_plugin_sdk::language::{Code, Filter, Permission, Principal, Refusal};

/// Subscriptions that one client may have.
const MOST_SUBSCRIPTIONS: usize = 64;
/// Requests of one client that may be unanswered.
const MOST_IN_FLIGHT: u32 = 32;
/// Bytes that the id of a subscription may have, as JSON.
const LONGEST_NAME: usize = 128;
/// What the host keeps with a connection, in bytes (`connections.set-tag`).
const LONGEST_TAG: usize = 4096;
/// The tag of a session that does not fit.
const TOO_LONG: &[u8] = b"\"too long\"";

/// One client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Whether somebody has logged in. The host knows it: it is not part of the tag.
    #[serde(skip)]
    pub(crate) logged_in: bool,
    /// And who; told by the host anew, too.
    #[serde(skip)]
    pub(crate) who: Option<Who>,
    /// Requests that are unanswered.
    #[serde(default)]
    in_flight: u32,
    /// Those of them that wait for room on the bus.
    #[serde(default)]
    waiting: u32,
    /// Counts feeds and invented names.
    #[serde(default)]
    counter: u64,
    #[serde(default)]
    pub(crate) subscriptions: Vec<Subscription>,
}

/// Who has logged in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Who {
    pub(crate) user: String,
    pub(crate) extension: Option<String>,
    /// Agents, queues and servers that they may see; none: all.
    pub(crate) agents: Option<BTreeSet<String>>,
    pub(crate) queues: Option<BTreeSet<String>>,
    pub(crate) servers: Option<BTreeSet<String>>,
    /// Commands that they may give, in the words of the configuration.
    pub(crate) allow: BTreeSet<String>,
    /// Whether they may answer when they are asked who calls.
    pub(crate) may_answer: bool,
}

impl Who {
    pub(crate) fn of(principal: &Principal) -> Self {
        Self {
            user: principal.name.clone(),
            extension: principal.extension.clone(),
            agents: principal.agents.clone(),
            queues: principal.queues.clone(),
            servers: principal.servers.clone(),
            allow: principal.allow.clone(),
            may_answer: principal.permission("lookupAnswer") != Permission::No,
        }
    }
}

/// One subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Subscription {
    /// Its id: that of the request, or an invented one.
    pub(crate) name: Value,
    /// The feed that it has now; never one that it had before, so that late answers are recognised.
    pub(crate) feed: u64,
    pub(crate) filter: Filter,
    pub(crate) state: State,
}

/// How far a subscription is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum State {
    /// Events flow.
    Live,
    /// The client waits for the reply to its subscribe, which waits for the snapshot.
    Awaited { id: Value, resync: bool },
    /// The client was too slow; a new snapshot is on its way.
    Refreshing,
}

impl Session {
    /// The session of a client that has just come; with whoever has logged in.
    pub(crate) fn new(who: Option<Who>) -> Self {
        Self { logged_in: who.is_some(), who, ..Self::default() }
    }

    /// The session that a tag holds. `None`: it did not fit into the tag, or requests have not even been sent
    /// and are lost.
    ///
    /// Answers to those that have been sent bring with them all that is needed; how many there are the tag
    /// does not know, because it is older.
    pub(crate) fn from_tag(tag: &[u8]) -> Option<Self> {
        let session: Self = match tag {
            [] => Self::default(),
            tag => serde_json::from_slice(tag).ok()?,
        };
        (session.waiting == 0).then_some(Self { in_flight: 0, ..session })
    }

    /// What the host shall keep for the next instance.
    pub(crate) fn tag(&self) -> Vec<u8> {
        let mut tag = [0; LONGEST_TAG];
        let mut left = &mut tag[..];
        // It ends where the room does: nobody pays for what does not fit.
        match serde_json::to_writer(&mut left, self) {
            Ok(()) => {
                let length = LONGEST_TAG - left.len();
                tag[..length].to_vec()
            }
            Err(_) => TOO_LONG.to_vec(),
        }
    }

    /// Whether there is something that a tag cannot say.
    pub(crate) fn needs_hand_over(&self) -> bool {
        self.in_flight > 0 || self.tag() == TOO_LONG
    }

    /// Takes one of the places for unanswered requests.
    pub(crate) fn take_place(&mut self) -> Result<(), Refusal> {
        if self.in_flight >= MOST_IN_FLIGHT {
            let message = format!("{MOST_IN_FLIGHT} requests are unanswered; wait for a reply");
            return Err(Refusal::new(Code::TooManyRequests, message));
        }
        self.in_flight += 1;
        Ok(())
    }

    /// The same for a request of the gateway's own, which no limit stops.
    pub(crate) fn take_any_place(&mut self) {
        self.in_flight = self.in_flight.saturating_add(1);
    }

    /// Another request waits for room on the bus, or one does not wait any more.
    pub(crate) fn waits(&mut self, more: bool) {
        let change = if more { u32::saturating_add } else { u32::saturating_sub };
        self.waiting = change(self.waiting, 1);
    }

    /// Gives a place back.
    pub(crate) fn give_place(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    pub(crate) fn subscription(&mut self, name: &Value) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|subscription| subscription.name == *name)
    }

    /// Takes a subscription out.
    pub(crate) fn take(&mut self, name: &Value) -> Option<Subscription> {
        let at = self.subscriptions.iter().position(|subscription| subscription.name == *name)?;
        Some(self.subscriptions.remove(at))
    }

    /// The name of a new subscription: the request's id, or an invented one.
    pub(crate) fn name(&mut self, id: &Value) -> Result<Value, Refusal> {
        if id.to_string().len() > LONGEST_NAME {
            let message = format!("names the subscription and is longer than {LONGEST_NAME} bytes");
            return Err(Refusal::field("id", message));
        }
        if self.subscription(id).is_none() && self.subscriptions.len() >= MOST_SUBSCRIPTIONS {
            let message = format!("there are {MOST_SUBSCRIPTIONS} subscriptions; end one first");
            return Err(Refusal::new(Code::TooManyRequests, message));
        }
        if !id.is_null() {
            return Ok(id.clone());
        }
        loop {
            let name = Value::String(format!("subscription-{}", self.next()));
            if self.subscription(&name).is_none() {
                return Ok(name);
            }
        }
    }

    /// A number that no feed of this client has had.
    pub(crate) fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}
