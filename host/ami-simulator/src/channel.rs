//! Channels and bridges, and how events show them.

use std::collections::BTreeMap;

use crate::wire::{Text, escaped};

/// Never used again, unlike a name.
pub(crate) type ChannelId = u64;
/// The same for bridges.
pub(crate) type BridgeId = u64;

/// Number and name of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Party {
    pub(crate) number: String,
    pub(crate) name: String,
}

impl Party {
    pub(crate) fn new(number: impl Into<String>, name: impl Into<String>) -> Self {
        Self { number: number.into(), name: name.into() }
    }

    /// Nobody that is known.
    pub(crate) fn unknown() -> Self {
        Self::new(UNKNOWN, UNKNOWN)
    }
}

/// How events show what is not known.
pub(crate) const UNKNOWN: &str = "<unknown>";

/// Asterisk's numbers for the states that occur here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Down = 0,
    Ring = 4,
    Ringing = 5,
    Up = 6,
}

impl State {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Down => "Down",
            Self::Ring => "Ring",
            Self::Ringing => "Ringing",
            Self::Up => "Up",
        }
    }
}

/// What a channel is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Doing {
    /// In an application, or about to go on in the dialplan.
    Alone,
    /// Waits until the one that it calls answers.
    Calling(ChannelId),
    /// Is called.
    Called(Called),
    /// Waits in a queue; the member's channel that rings for it, if any.
    Queued { queue: String, rings: Option<ChannelId> },
    /// In a bridge.
    Talking(BridgeId),
    /// Waits in a space of the parking lot.
    Parked(u32),
    /// In a conference.
    Conferring(String),
    /// Listens in on another channel.
    Listening(ChannelId),
}

/// Why a channel is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Called {
    /// Somebody dialled it.
    Dialled { by: ChannelId },
    /// A queue offers it a caller.
    Offered { by: ChannelId, queue: String, since_ms: u64 },
    /// The action Originate.
    Originated(Originated),
}

/// What an Originate asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Originated {
    pub(crate) action_id: Option<String>,
    pub(crate) dialled: String,
    /// The number and name that it was asked to show; each may be left out.
    pub(crate) shown: Option<Party>,
    pub(crate) target: Target,
}

/// Where a channel goes when it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Extension { context: String, exten: String },
    Application { name: String, data: String },
}

/// One leg of a call.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    pub(crate) name: String,
    pub(crate) device: String,
    pub(crate) state: State,
    pub(crate) caller: Party,
    pub(crate) connected: Option<Party>,
    pub(crate) context: String,
    pub(crate) exten: String,
    pub(crate) priority: u32,
    pub(crate) uniqueid: String,
    pub(crate) linkedid: String,
    pub(crate) application: String,
    pub(crate) data: String,
    pub(crate) started_ms: u64,
    /// The other side put it on hold.
    pub(crate) held: bool,
    pub(crate) doing: Doing,
    /// What was set on it.
    pub(crate) variables: BTreeMap<String, String>,
    /// How many recordings of it run.
    pub(crate) recordings: u32,
    /// The other half of a `Local` channel.
    pub(crate) half: Option<ChannelId>,
}

impl Channel {
    /// The channel snapshot, its keys beginning with a role.
    pub(crate) fn show(&self, role: &str, text: Text) -> Text {
        let unknown = || UNKNOWN.to_owned();
        let (number, name) = match &self.connected {
            Some(party) => (party.number.clone(), escaped(&party.name)),
            None => (unknown(), unknown()),
        };
        text.role(role, "Channel", &self.name)
            .role(role, "ChannelState", self.state as u8)
            .role(role, "ChannelStateDesc", self.state.word())
            .role(role, "CallerIDNum", &self.caller.number)
            .role(role, "CallerIDName", escaped(&self.caller.name))
            .role(role, "ConnectedLineNum", number)
            .role(role, "ConnectedLineName", name)
            .role(role, "Language", "en")
            .role(role, "AccountCode", "")
            .role(role, "Context", &self.context)
            .role(role, "Exten", &self.exten)
            .role(role, "Priority", self.priority)
            .role(role, "Uniqueid", &self.uniqueid)
            .role(role, "Linkedid", &self.linkedid)
    }
}

/// Channels that hear each other.
#[derive(Debug, Clone)]
pub(crate) struct Bridge {
    pub(crate) uniqueid: String,
    pub(crate) purpose: Purpose,
    /// In the order that they came.
    pub(crate) channels: Vec<ChannelId>,
    /// The one whose dialplan goes on when the bridge ends.
    pub(crate) owner: Option<ChannelId>,
    /// The caller came through a queue.
    pub(crate) service: Option<Service>,
}

/// What a bridge is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// People talk.
    Talk,
    /// The parking lot.
    Parking,
    /// The conference of that name, in which Asterisk's own announcer counts as well.
    Conference(String),
}

/// A queue's caller and member who talk.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) queue: String,
    pub(crate) interface: String,
    pub(crate) hold_s: u64,
    pub(crate) since_ms: u64,
    pub(crate) caller: ChannelId,
    pub(crate) member: ChannelId,
}

impl Bridge {
    /// A bridge that nobody is in yet.
    pub(crate) fn new(uniqueid: String, purpose: Purpose) -> Self {
        Self { uniqueid, purpose, channels: Vec::new(), owner: None, service: None }
    }

    /// The bridge snapshot.
    pub(crate) fn show(&self, text: Text) -> Text {
        self.show_as("", text)
    }

    /// The bridge snapshot, its keys beginning with a role.
    pub(crate) fn show_as(&self, role: &str, text: Text) -> Text {
        let (kind, technology, creator, name) = match &self.purpose {
            Purpose::Talk => ("basic", "simple_bridge", UNKNOWN, UNKNOWN),
            Purpose::Parking => ("parking", "holding_bridge", "Parking", "default"),
            Purpose::Conference(name) => ("base", "softmix", "ConfBridge", name.as_str()),
        };
        let announcer = usize::from(matches!(self.purpose, Purpose::Conference(_)));
        text.role(role, "BridgeUniqueid", &self.uniqueid)
            .role(role, "BridgeType", kind)
            .role(role, "BridgeTechnology", technology)
            .role(role, "BridgeCreator", creator)
            .role(role, "BridgeName", name)
            .role(role, "BridgeNumChannels", self.channels.len() + announcer)
            .role(role, "BridgeVideoSourceMode", "none")
    }
}
