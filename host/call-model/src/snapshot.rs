//! The channel and bridge snapshots that Asterisk puts into most of its events, read once each.

use std::borrow::Cow;

use ami_proto::{Key, Message};

use crate::text::{Group, field};

/// `ChannelState` of AMI, in the order in which a channel goes through them: a later one is never
/// left for an earlier one, whatever order messages come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Exists, and nothing else yet.
    #[default]
    Down,
    Reserved,
    OffHook,
    DialingOffHook,
    PreRing,
    Dialing,
    /// It rings at the far end of a channel that calls: a caller.
    Ring,
    /// The channel's own phone rings: a callee.
    Ringing,
    Busy,
    Up,
}

impl State {
    /// From AMI's number.
    pub(crate) fn from_ami(number: &str) -> Option<Self> {
        Some(match number {
            "0" => Self::Down,
            "1" => Self::Reserved,
            "2" => Self::OffHook,
            "3" => Self::Dialing,
            "4" => Self::Ring,
            "5" => Self::Ringing,
            "6" => Self::Up,
            "7" => Self::Busy,
            "8" => Self::DialingOffHook,
            "9" => Self::PreRing,
            _ => return None,
        })
    }

    /// The language's word: Asterisk's in lower case.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Reserved => "reserved",
            Self::OffHook => "offhook",
            Self::DialingOffHook => "dialing offhook",
            Self::PreRing => "pre-ring",
            Self::Dialing => "dialing",
            Self::Ring => "ring",
            Self::Ringing => "ringing",
            Self::Busy => "busy",
            Self::Up => "up",
        }
    }
}

/// A channel as an event or a list item shows it.
pub(crate) struct Snapshot<'m> {
    pub(crate) channel: &'m str,
    pub(crate) uniqueid: &'m str,
    pub(crate) linkedid: &'m str,
    pub(crate) state: Option<State>,
    pub(crate) exten: &'m str,
    pub(crate) caller_number: &'m str,
    pub(crate) caller_name: Cow<'m, str>,
    pub(crate) connected_number: &'m str,
    pub(crate) connected_name: Cow<'m, str>,
}

/// A key of one channel's part of an event, checked when this is compiled.
macro_rules! key {
    ($role:literal, $name:literal) => {
        const { Key::new(concat!($role, $name)) }
    };
}

macro_rules! snapshot {
    ($message:expr, $role:literal) => {{
        let message: &Message = $message;
        // In Asterisk's own order, so that each is right behind the last.
        let mut at = Group::of(message);
        let snapshot = Snapshot {
            channel: at.field(key!($role, "Channel")),
            state: State::from_ami(at.field(key!($role, "ChannelState"))),
            caller_number: at.field(key!($role, "CallerIDNum")),
            caller_name: at.name(key!($role, "CallerIDName")),
            connected_number: at.field(key!($role, "ConnectedLineNum")),
            connected_name: at.name(key!($role, "ConnectedLineName")),
            exten: at.field(key!($role, "Exten")),
            uniqueid: at.field(key!($role, "Uniqueid")),
            linkedid: at.field(key!($role, "Linkedid")),
        };
        (!snapshot.uniqueid.is_empty()).then(|| snapshot.linked())
    }};
}

impl<'m> Snapshot<'m> {
    /// A channel that no call is named for is the first of its own.
    fn linked(mut self) -> Self {
        if self.linkedid.is_empty() {
            self.linkedid = self.uniqueid;
        }
        self
    }

    /// The channel that the message is about; `None` if it has none.
    pub(crate) fn read(message: &'m Message) -> Option<Self> {
        snapshot!(message, "")
    }

    /// The channel that is dialled.
    pub(crate) fn dest(message: &'m Message) -> Option<Self> {
        snapshot!(message, "Dest")
    }

    /// Whether this is half of a `Local/` channel: a wire inside Asterisk, nobody's phone.
    pub(crate) fn is_local(&self) -> bool {
        self.channel.starts_with("Local/")
    }
}

/// What a bridge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BridgeKind {
    /// Its channels talk with each other.
    Talk,
    /// A conference: they all talk with all, and each call stays one of its own.
    Conference,
    /// A parking lot: they wait, and nobody talks.
    Parking,
    /// Another place to wait: nobody talks.
    Holding,
}

impl BridgeKind {
    /// From the bridge snapshot of an event or a list item.
    pub(crate) fn read(message: &Message) -> Self {
        if field(message, "BridgeType") == "parking" {
            Self::Parking
        } else if field(message, "BridgeCreator") == "ConfBridge" {
            Self::Conference
        } else if field(message, "BridgeTechnology") == "holding_bridge" {
            Self::Holding
        } else {
            Self::Talk
        }
    }

    /// Whether channels in it have somebody to talk with.
    pub(crate) fn joins(self) -> bool {
        matches!(self, Self::Talk | Self::Conference)
    }
}
