//! The lists that a client fills its model from.

use super::{Answer, Asked};
use crate::centre::Centre;
use crate::channel::{Bridge, Channel, Doing};
use crate::device::Device;
use crate::moment::Moment;
use crate::queue::{Caller, Member, Queue};
use crate::wire::{Text, escaped};

/// A list in the making.
pub(super) struct List<'a> {
    asked: &'a Asked<'a>,
    text: String,
    items: usize,
}

impl<'a> List<'a> {
    pub(super) fn start(asked: &'a Asked, message: &str) -> Self {
        let head = asked.response().field("EventList", "start").field("Message", message);
        Self { asked, text: head.end(), items: 0 }
    }

    /// An item that names the question right after its own name.
    pub(super) fn item(&self, name: &str) -> Text {
        Text::item(name).action_id(self.asked.id)
    }

    pub(super) fn add(&mut self, item: Text) {
        self.items += 1;
        self.text.push_str(&item.end());
    }

    /// An item that names the question last.
    pub(super) fn add_with_id(&mut self, item: Text) {
        self.add(item.action_id(self.asked.id));
    }

    pub(super) fn complete(self, name: &str) -> Answer {
        self.complete_with(name, None)
    }

    /// Some lists say their length once more, under a name of their own.
    pub(super) fn complete_with(mut self, name: &str, again: Option<&str>) -> Answer {
        let end = self.item(name).field("EventList", "Complete").field("ListItems", self.items);
        let end = match again {
            Some(key) => end.field(key, self.items),
            None => end,
        };
        self.text.push_str(&end.end());
        self.text
    }
}

impl Centre {
    pub(super) fn list_status(&self, asked: &Asked) -> Answer {
        if let Some(name) = asked.get("Channel")
            && self.channel_named(name).is_none()
        {
            return asked.error("No such channel");
        }
        let mut list = List::start(asked, "Channel status will follow");
        let wanted = |channel: &&Channel| {
            asked.get("Channel").is_none_or(|name| name == channel.name || name == channel.uniqueid)
        };
        for channel in self.channels.values().filter(wanted) {
            let text = channel.show("", Text::item("Status").field("Privilege", "Call"));
            let (number, name) = match &channel.connected {
                Some(party) => (party.number.as_str(), escaped(&party.name)),
                None => ("<unknown>", "<unknown>".to_owned()),
            };
            let item = text
                .field("Type", "PJSIP")
                .field(
                    "DNID",
                    if channel.application.starts_with("App") { "" } else { &channel.exten },
                )
                .field("EffectiveConnectedLineNum", number)
                .field("EffectiveConnectedLineName", name)
                .field("TimeToHangup", 0)
                .field("BridgeID", self.bridge_of(channel))
                .field("Application", &channel.application)
                .field("Data", &channel.data)
                .field("Nativeformats", "(ulaw)")
                .field("Readformat", "ulaw")
                .field("Readtrans", "")
                .field("Writeformat", "ulaw")
                .field("Writetrans", "")
                .field("Callgroup", 0)
                .field("Pickupgroup", 0)
                .field("Seconds", self.seconds_of(channel));
            let wanted = asked.get("Variables").unwrap_or_default().split(',');
            let item = wanted.filter(|name| !name.is_empty()).fold(item, |item, name| {
                let value = channel.variables.get(name).map(String::as_str).unwrap_or_default();
                item.field("Variable", format_args!("{name}={value}"))
            });
            list.add_with_id(item);
        }
        list.complete_with("StatusComplete", Some("Items"))
    }

    pub(super) fn list_channels(&self, asked: &Asked) -> Answer {
        let mut list = List::start(asked, "Channels will follow");
        for channel in self.channels.values() {
            let seconds = self.seconds_of(channel);
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            let item = channel
                .show("", list.item("CoreShowChannel"))
                .field("Application", &channel.application)
                .field("ApplicationData", &channel.data)
                .field("Duration", format_args!("{hours:02}:{minutes:02}:{:02}", seconds % 60))
                .field("BridgeId", self.bridge_of(channel));
            list.add(item);
        }
        list.complete("CoreShowChannelsComplete")
    }

    fn bridge_of(&self, channel: &Channel) -> &str {
        match &channel.doing {
            Doing::Talking(id) => self.bridges.get(id).map_or("", |bridge| &bridge.uniqueid),
            Doing::Parked(_) => self.lot.bridge.as_ref().map_or("", |bridge| &bridge.uniqueid),
            Doing::Conferring(room) => self.room_bridge(room).map_or("", |b| &b.uniqueid),
            _ => "",
        }
    }

    fn seconds_of(&self, channel: &Channel) -> u64 {
        self.now_ms.saturating_sub(channel.started_ms) / 1000
    }

    pub(super) fn list_bridges(&self, asked: &Asked) -> Answer {
        let mut list = List::start(asked, "Bridge listing will follow");
        for bridge in self.all_bridges() {
            list.add(bridge.show(list.item("BridgeListItem")));
        }
        list.complete("BridgeListComplete")
    }

    fn all_bridges(&self) -> impl Iterator<Item = &Bridge> {
        self.lot.bridge.iter().chain(self.bridges.values()).chain(self.room_bridges())
    }

    pub(super) fn list_bridge(&self, asked: &Asked) -> Answer {
        let Some(id) = asked.get("BridgeUniqueid") else {
            return asked.error("BridgeUniqueid must be provided");
        };
        let Some(bridge) = self.all_bridges().find(|bridge| bridge.uniqueid == id) else {
            return asked.error("Bridge not found");
        };
        let mut list = List::start(asked, "Bridge channel listing will follow");
        for channel in bridge.channels.iter().filter_map(|id| self.channels.get(id)) {
            list.add(channel.show("", list.item("BridgeInfoChannel")));
        }
        let mut text = list.text;
        let end = Text::item("BridgeInfoComplete")
            .action_id(asked.id)
            .field("EventList", "Complete")
            .field("ListItems", list.items);
        text.push_str(&bridge.show(end).end());
        text
    }

    pub(super) fn list_queues(&self, asked: &Asked) -> Answer {
        let mut list = List::start(asked, "Queue status will follow");
        let wanted = |queue: &&Queue| asked.get("Queue").is_none_or(|name| name == queue.name);
        for queue in self.queues.iter().filter(wanted) {
            let (served, all) = queue.service_levels();
            let item = Text::item("QueueParams")
                .field("Queue", &queue.name)
                .field("Max", 0)
                .field("Strategy", "rrmemory")
                .field("Calls", queue.callers.len())
                .field("Holdtime", queue.hold_s)
                .field("TalkTime", queue.talk_s)
                .field("Completed", queue.completed)
                .field("Abandoned", queue.abandoned)
                .field("ServiceLevel", queue.service_level_s)
                .field("ServicelevelPerf", format_args!("{served:.1}"))
                .field("ServicelevelPerf2", format_args!("{all:.1}"))
                .field("Weight", 0);
            list.add_with_id(item);
            for member in &queue.members {
                list.add_with_id(member.list(&queue.name, Text::item("QueueMember")));
            }
            self.list_callers(queue, &mut list);
        }
        list.complete("QueueStatusComplete")
    }

    fn list_callers(&self, queue: &Queue, list: &mut List) {
        for (position, caller) in (1..).zip(&queue.callers) {
            let Some(channel) = self.channels.get(&caller.channel) else { continue };
            // Here, and only here, names are not escaped and nobody is `unknown`.
            let party = |party: Option<&crate::channel::Party>| match party {
                Some(party) => (party.number.clone(), party.name.clone()),
                None => ("unknown".to_owned(), "unknown".to_owned()),
            };
            let (number, name) = party(channel.connected.as_ref());
            let item = Text::item("QueueEntry")
                .field("Queue", &queue.name)
                .field("Position", u32::to_string(&position))
                .field("Channel", &channel.name)
                .field("Uniqueid", &channel.uniqueid)
                .field("CallerIDNum", &channel.caller.number)
                .field("CallerIDName", &channel.caller.name)
                .field("ConnectedLineNum", number)
                .field("ConnectedLineName", name)
                .field("Wait", self.now_ms.saturating_sub(caller.joined_ms) / 1000)
                .field("Priority", 0);
            list.add_with_id(item);
        }
    }

    pub(super) fn list_extensions(&self, asked: &Asked) -> Answer {
        let mut list = List::start(asked, "Extension Statuses will follow");
        for device in self.devices.values() {
            if let Some(extension) = &device.extension {
                let item = list.item("ExtensionStatus");
                list.add(Device::show_extension(extension, device.told, item));
            }
        }
        list.complete("ExtensionStateListComplete")
    }

    pub(super) fn list_devices(&self, asked: &Asked) -> Answer {
        let mut list = List::start(asked, "Device State Changes will follow");
        let state = |device: String, state: &str, list: &mut List| {
            let item = list.item("DeviceStateChange").field("Device", device).field("State", state);
            list.add(item);
        };
        for (name, device) in &self.devices {
            state(name.clone(), device.told.word(), &mut list);
        }
        for space in self.lot.spaces.keys() {
            state(format!("park:{space}@parkedcalls"), "INUSE", &mut list);
        }
        for room in self.rooms.keys() {
            state(format!("confbridge:{room}"), "INUSE", &mut list);
        }
        let told = |in_use: bool| if in_use { "INUSE" } else { "NOT_INUSE" };
        for queue in &self.queues {
            let calls = if queue.callers.is_empty() { "NOT_INUSE" } else { "RINGING" };
            state(format!("Queue:{}", queue.name), calls, &mut list);
            state(format!("Queue:{}_avail", queue.name), told(!queue.available), &mut list);
            for member in &queue.members {
                let device = format!("Queue:{}_pause_{}", queue.name, member.interface);
                state(device, told(member.paused), &mut list);
            }
        }
        list.complete("DeviceStateListComplete")
    }

    pub(super) fn summarize_queues(&self, asked: &Asked) -> Answer {
        let mut list = List::start(asked, "Queue summary will follow");
        let wanted = |queue: &&Queue| asked.get("Queue").is_none_or(|name| name == queue.name);
        for queue in self.queues.iter().filter(wanted) {
            let there = |member: &&Member| !matches!(member.status, 4 | 5);
            let waits = |caller: &Caller| self.now_ms.saturating_sub(caller.joined_ms) / 1000;
            let item = Text::item("QueueSummary")
                .field("Queue", &queue.name)
                .field("LoggedIn", queue.members.iter().filter(there).count())
                .field("Available", queue.members.iter().filter(|m| m.is_available()).count())
                .field("Callers", queue.callers.len())
                .field("HoldTime", queue.hold_s)
                .field("TalkTime", queue.talk_s)
                .field("LongestHoldTime", queue.callers.iter().map(waits).max().unwrap_or(0));
            list.add_with_id(item);
        }
        list.complete("QueueSummaryComplete")
    }

    pub(super) fn list_presences(&self, asked: &Asked) -> Answer {
        let mut list = List::start(asked, "Presence State Changes will follow");
        for (presentity, presence) in &self.presences {
            let item = list.item("PresenceStateChange").field("Presentity", presentity);
            list.add(presence.show(item));
        }
        list.complete("PresenceStateListComplete")
    }

    pub(super) fn list_parked(&self, asked: &Asked) -> Answer {
        let mut list = List::start(asked, "Parked calls will follow");
        for (space, parked) in &self.lot.spaces {
            let item = self.show_parked(parked, *space, Text::item("ParkedCall"), |text| text);
            list.add_with_id(item);
        }
        list.complete_with("ParkedCallsComplete", Some("Total"))
    }

    pub(super) fn core_settings(&self, asked: &Asked) -> Answer {
        asked
            .response()
            .field("AMIversion", "11.0.0")
            .field("AsteriskVersion", "22.10.0")
            .field("SystemName", &self.settings.system_name)
            .field("CoreMaxCalls", 0)
            .field("CoreMaxLoadAvg", "0.000000")
            .field("CoreRunUser", "")
            .field("CoreRunGroup", "")
            .field("CoreMaxFilehandles", 0)
            .field("CoreRealTimeEnabled", "No")
            .field("CoreCDRenabled", "No")
            .field("CoreHTTPenabled", "No")
            .field("SoundsSearchCustomDir", "No")
            .end()
    }

    pub(super) fn core_status(&self, asked: &Asked) -> Answer {
        let started = Moment::of(self.started_ms);
        asked
            .response()
            .field("CoreStartupDate", started.date())
            .field("CoreStartupTime", started.time())
            .field("CoreReloadDate", started.date())
            .field("CoreReloadTime", started.time())
            .field("CoreCurrentCalls", self.channels.len())
            .end()
    }
}
