//! The model of one Asterisk server: its state, and which event goes where.

use ami_proto::Message;
use rustc_hash::{FxHashMap, FxHashSet};
use slab::Slab;
use telepulse_language::{Details, Event, SmolStr, Timestamp};

use crate::bridges::Bridge;
use crate::call::Call;
use crate::channel::{Channel, Ix};
use crate::completing::Completing;
use crate::conferences::Conference;
use crate::config::{DeviceTemplate, PbxConfig};
use crate::device::Extension;
use crate::early::Early;
use crate::ended::Ended;
use crate::people::Roll;
use crate::plan::Pending;
use crate::question::Question;
use crate::queue::Queue;
use crate::snapshot::BridgeKind;
use crate::sync::Listing;
use crate::text::field;

/// What one Asterisk server is doing.
///
/// Entities lie in slabs and know each other by index; names lead to indices by hash. Whoever ends
/// an entity clears every index of it in the same step.
pub struct Pbx {
    pub(crate) config: PbxConfig,
    pub(crate) template: DeviceTemplate,
    pub(crate) channels: Slab<Channel>,
    /// Uniqueid to channel.
    pub(crate) by_uniqueid: FxHashMap<SmolStr, Ix>,
    pub(crate) bridges: Slab<Bridge>,
    /// BridgeUniqueid to bridge. A bridge is here while somebody is in it.
    pub(crate) by_bridge: FxHashMap<SmolStr, Ix>,
    pub(crate) calls: Slab<Call>,
    /// Linkedid to call.
    pub(crate) by_linkedid: FxHashMap<SmolStr, Ix>,
    pub(crate) ended: Ended,
    pub(crate) completing: Completing,
    /// Extensions are never forgotten: their number is bounded by the numbering plan.
    pub(crate) extensions: Vec<Extension>,
    pub(crate) by_number: FxHashMap<SmolStr, Ix>,
    /// Device to extension, by hints and by the template.
    pub(crate) by_device: FxHashMap<SmolStr, Ix>,
    /// What the presence part of a hint names, to extension.
    pub(crate) by_presentity: FxHashMap<SmolStr, Ix>,
    pub(crate) roll: Roll,
    pub(crate) conferences: Slab<Conference>,
    pub(crate) by_conference: FxHashMap<SmolStr, Ix>,
    pub(crate) early: Early,
    /// What is to be asked of the server.
    pub(crate) questions: Vec<Question>,
    pub(crate) queues: Vec<Queue>,
    /// Dials that were planned and whose outcome Asterisk has not told yet, by their channel's id.
    pub(crate) pending: FxHashMap<SmolStr, Pending>,
    /// Extensions whose lines may have changed.
    pub(crate) dirty: Vec<Ix>,
    pub(crate) sync: Sync,
    /// When Asterisk was started, in its own words.
    pub(crate) started: Option<SmolStr>,
}

/// Where the synchronisation with the server's own listings stands.
#[derive(Default)]
pub(crate) struct Sync {
    /// Counts synchronisations. What was last seen in an earlier round is to be confirmed.
    pub(crate) round: u32,
    pub(crate) is_running: bool,
    /// Uniqueids that were hung up since it began: a listing may still have them.
    pub(crate) hung_up: FxHashSet<SmolStr>,
    /// Uniqueids of channels that left a bridge before a listing told of them.
    pub(crate) unbridged: FxHashSet<SmolStr>,
    /// Waiting callers (queue, Uniqueid) that left since it began.
    pub(crate) left: FxHashSet<(SmolStr, SmolStr)>,
    /// Members (queue, interface) that were removed since it began.
    pub(crate) removed: FxHashSet<(SmolStr, SmolStr)>,
    /// Uniqueids of channels that left a conference since it began.
    pub(crate) left_room: FxHashSet<SmolStr>,
    /// Listings that the server refused: what they would have confirmed is left as it is.
    pub(crate) refused: Vec<Listing>,
    /// The queues in which listed calls are, by Linkedid.
    pub(crate) call_queues: FxHashMap<SmolStr, SmolStr>,
    /// What the listed bridges are for.
    pub(crate) bridge_kinds: FxHashMap<SmolStr, BridgeKind>,
}

/// How much there is, for tests and for figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Live channels.
    pub channels: usize,
    /// Bridges with somebody in them.
    pub bridges: usize,
    /// Calls in progress.
    pub calls: usize,
    /// Extensions that are known.
    pub extensions: usize,
    /// Queues.
    pub queues: usize,
    /// Callers who wait in queues.
    pub waiting: usize,
    /// Channels in parking lots.
    pub parked: usize,
    /// Conferences.
    pub conferences: usize,
}

/// Where events of the language go: the list to fill, and what all of them have.
pub(crate) struct Out<'o> {
    pub(crate) now: Timestamp,
    pub(crate) events: &'o mut Vec<Event>,
}

impl Pbx {
    /// The AMI events that the model reads; the rest of the stream is none of its business.
    pub const EVENTS: &[&str] = &[
        "Newchannel",
        "Newstate",
        "NewCallerid",
        "NewConnectedLine",
        "Rename",
        "Hangup",
        "HangupRequest",
        "SoftHangupRequest",
        "DialBegin",
        "DialState",
        "DialEnd",
        "BridgeEnter",
        "BridgeLeave",
        "BridgeDestroy",
        "Hold",
        "Unhold",
        "MusicOnHoldStart",
        "MusicOnHoldStop",
        "MixMonitorStart",
        "MixMonitorStop",
        "MixMonitorMute",
        "ChanSpyStart",
        "ChanSpyStop",
        "BlindTransfer",
        "AttendedTransfer",
        "ParkedCall",
        "UnParkedCall",
        "ParkedCallTimeOut",
        "ParkedCallGiveUp",
        "ParkedCallSwap",
        "ConfbridgeStart",
        "ConfbridgeEnd",
        "ConfbridgeJoin",
        "ConfbridgeLeave",
        "ConfbridgeMute",
        "ConfbridgeUnmute",
        "ConfbridgeTalking",
        "PresenceStatus",
        "ContactStatus",
        "OriginateResponse",
        "QueueMemberAdded",
        "QueueMemberRemoved",
        "QueueMemberPause",
        "QueueMemberStatus",
        "QueueMemberPenalty",
        "QueueMemberRinginuse",
        "QueueCallerJoin",
        "QueueCallerLeave",
        "QueueCallerAbandon",
        "AgentCalled",
        "AgentConnect",
        "AgentComplete",
        "DeviceStateChange",
        "ExtensionStatus",
    ];

    /// The model of a server of which nothing is known yet.
    pub fn new(config: PbxConfig) -> Self {
        Self {
            template: DeviceTemplate::new(&config),
            config,
            channels: Slab::new(),
            by_uniqueid: FxHashMap::default(),
            bridges: Slab::new(),
            by_bridge: FxHashMap::default(),
            calls: Slab::new(),
            by_linkedid: FxHashMap::default(),
            ended: Ended::default(),
            completing: Completing::default(),
            extensions: Vec::new(),
            by_number: FxHashMap::default(),
            by_device: FxHashMap::default(),
            by_presentity: FxHashMap::default(),
            roll: Roll::default(),
            conferences: Slab::new(),
            by_conference: FxHashMap::default(),
            early: Early::default(),
            questions: Vec::new(),
            queues: Vec::new(),
            pending: FxHashMap::default(),
            dirty: Vec::new(),
            sync: Sync::default(),
            started: None,
        }
    }

    /// Takes in one live AMI event, in the order in which it came, and appends what changed.
    ///
    /// Anything else than one of [`Pbx::EVENTS`] changes nothing. List items do not belong here:
    /// they go to [`Pbx::fold`].
    pub fn apply(&mut self, message: &Message, now: Timestamp, events: &mut Vec<Event>) {
        let Some(event) = message.event() else { return };
        let out = &mut Out { now, events };
        if self.dispatch(event, message, out) {
            self.flush_lines(out);
        }
    }

    /// Whether the model reads such events.
    pub(crate) fn dispatch(&mut self, event: &str, message: &Message, out: &mut Out<'_>) -> bool {
        match event {
            "Newchannel" => self.on_new_channel(message, out),
            "Newstate" | "NewCallerid" | "NewConnectedLine" => self.on_channel(message, out),
            "Rename" => self.on_rename(message),
            "HangupRequest" | "SoftHangupRequest" => self.on_hangup_request(message, out),
            "Hangup" => self.on_hangup(message, out),
            "DialBegin" | "DialState" => self.on_dial(message, out),
            "DialEnd" => self.on_dial_end(message, out),
            "OriginateResponse" => self.on_originate_response(message, out),
            "BridgeEnter" => self.on_bridge_enter(message, out),
            "BridgeLeave" => self.on_bridge_leave(message, out),
            "BridgeDestroy" => self.on_bridge_destroy(message, out),
            "Hold" => self.on_hold(message, out),
            "Unhold" => self.on_unhold(message, out),
            "MusicOnHoldStart" | "MusicOnHoldStop" => {
                self.on_music(event == "MusicOnHoldStart", message, out);
            }
            "MixMonitorStart" | "MixMonitorStop" | "MixMonitorMute" => {
                self.on_recording(event, message, out);
            }
            "BlindTransfer" => self.on_blind_transfer(message, out),
            "AttendedTransfer" => self.on_attended_transfer(message, out),
            "ParkedCall" => self.on_parked(message, out),
            "ParkedCallSwap" => self.on_parked_swap(message, out),
            "UnParkedCall" | "ParkedCallTimeOut" | "ParkedCallGiveUp" => {
                self.on_unparked(event, message, out);
            }
            "ConfbridgeStart" | "ConfbridgeEnd" | "ConfbridgeJoin" | "ConfbridgeLeave"
            | "ConfbridgeMute" | "ConfbridgeUnmute" | "ConfbridgeTalking" => {
                self.on_conference(event, message, out);
            }
            "PresenceStatus" => self.on_presence(message),
            "ContactStatus" => self.on_contact(message),
            "ChanSpyStart" | "ChanSpyStop" => self.on_spy(event == "ChanSpyStart", message, out),
            "QueueMemberAdded"
            | "QueueMemberPause"
            | "QueueMemberStatus"
            | "QueueMemberPenalty"
            | "QueueMemberRinginuse" => self.on_member(message, out),
            "QueueMemberRemoved" => self.on_member_removed(message, out),
            "QueueCallerJoin" => self.on_caller_join(message, out),
            "QueueCallerLeave" => self.on_caller_leave(message, out),
            "QueueCallerAbandon" => self.on_caller_abandon(message, out),
            "AgentCalled" | "AgentConnect" => self.on_agent_called(message, out),
            "AgentComplete" => self.on_agent_complete(message, out),
            "DeviceStateChange" => self.on_device_state(message, out),
            "ExtensionStatus" => self.on_extension_status(message, out),
            _ => return false,
        }
        true
    }

    /// How much there is.
    pub fn counts(&self) -> Counts {
        Counts {
            channels: self.channels.len(),
            bridges: self.bridges.len(),
            calls: self.calls.len(),
            extensions: self.extensions.len(),
            queues: self.queues.len(),
            waiting: self.queues.iter().map(|queue| queue.callers.len()).sum(),
            parked: self.channels.iter().filter(|(_, channel)| channel.parked.is_some()).count(),
            conferences: self.conferences.len(),
        }
    }

    /// Whether no channel, bridge, call or waiting caller is left.
    pub fn is_empty(&self) -> bool {
        let counts = self.counts();
        [counts.channels, counts.bridges, counts.calls, counts.waiting, counts.conferences]
            == [0; 5]
            && self.by_uniqueid.is_empty()
            && self.by_bridge.is_empty()
            && self.by_linkedid.is_empty()
    }

    /// The channel with the Uniqueid under `key`, if it is known.
    pub(crate) fn known_channel(&self, message: &Message, key: &str) -> Option<Ix> {
        self.by_uniqueid.get(field(message, key)).copied()
    }

    /// Has the extension's lines looked at when this message is done with.
    pub(crate) fn touch(&mut self, agent: Option<Ix>) {
        if let Some(agent) = agent
            && !self.extensions[agent].is_dirty
        {
            self.extensions[agent].is_dirty = true;
            self.dirty.push(agent);
        }
    }

    /// The same for every extension that has a channel in the call.
    pub(crate) fn touch_call(&mut self, call: Ix) {
        for at in 0..self.calls[call].channels.len() {
            let channel = self.calls[call].channels[at];
            self.touch(self.channels[channel].agent);
        }
    }

    /// Appends an event; `agent` and `queue` are its scope.
    pub(crate) fn tell(
        &self,
        agent: Option<&SmolStr>,
        queue: Option<&SmolStr>,
        details: impl Into<Details>,
        out: &mut Out<'_>,
    ) {
        out.events.push(Event {
            server: self.config.server.clone(),
            time: out.now,
            agent: agent.cloned(),
            queue: queue.cloned(),
            details: details.into(),
        });
    }

    /// The number of an extension.
    pub(crate) fn number(&self, agent: Ix) -> &SmolStr {
        &self.extensions[agent].number
    }
}
