//! Plays a recorded AMI session into a model, as the link of a server would.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ami_proto::{Decoder, Frame, Limits, Message, recording};
use call_model::{Listing, Pbx, PbxConfig};
use telepulse_language::{Event, Timestamp};

/// When every recording begins.
const ORIGIN: u64 = 1_795_215_840_000;

/// A recording that was played to its end.
pub(crate) struct Replay {
    pub(crate) pbx: Pbx,
    /// Every event, but for the states of phones and queues that the first listing tells.
    pub(crate) told: Vec<String>,
    /// What listings after the first told.
    pub(crate) surprises: Vec<String>,
    now: Timestamp,
    /// Actions that were sent, by ActionID.
    sent: BTreeMap<String, String>,
    /// List answers that are still coming.
    open: BTreeMap<String, (Message, Vec<Message>)>,
    syncs: usize,
    is_syncing: bool,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings")
}

/// The recordings that there are.
pub(crate) fn names() -> Vec<String> {
    let files = std::fs::read_dir(folder()).expect("the folder of recordings");
    let names = files.filter_map(|file| {
        let name = file.expect("a file").file_name().into_string().expect("a plain name");
        name.strip_suffix(".amirec").map(str::to_owned)
    });
    names.collect()
}

pub(crate) fn pbx() -> Pbx {
    Pbx::new(PbxConfig {
        server: "pbx1".into(),
        device: "PJSIP/{ext}".into(),
        extensions: "^[0-9]{2,6}$".parse().expect("a pattern"),
        context: "internal".into(),
        voicemail: None,
        max_calls: None,
    })
}

impl Replay {
    pub(crate) fn of(name: &str) -> Self {
        let read = |ending: &str| {
            let path = folder().join(format!("{name}.{ending}"));
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let mut replay = Self {
            pbx: pbx(),
            told: Vec::new(),
            surprises: Vec::new(),
            now: Timestamp(ORIGIN),
            sent: actions(&read("amisent")),
            open: BTreeMap::new(),
            syncs: 0,
            is_syncing: false,
        };
        let mut decoder = Decoder::new(Limits::default());
        for chunk in recording::chunks(&read("amirec")) {
            let chunk = chunk.expect("a recording");
            replay.now = Timestamp(ORIGIN + chunk.at_ms);
            decoder.buffer().extend_from_slice(chunk.bytes);
            for frame in decoder.by_ref() {
                if let Frame::Message(message) = frame.expect("well-formed") {
                    replay.take(&message);
                }
            }
        }
        replay
    }

    fn take(&mut self, message: &Message) {
        let Some(id) = message.action_id().filter(|id| self.sent.contains_key(*id)) else {
            return self.live(message);
        };
        // Not an answer: it bears the id of the action that it is the outcome of.
        if message.event() == Some("OriginateResponse") {
            return self.live(message);
        }
        let id = id.to_owned();
        let ends = |list: &str| list.eq_ignore_ascii_case("Complete");
        if message.response().is_some() {
            let is_list = message.get("EventList").is_some();
            self.open.insert(id.clone(), (message.clone(), Vec::new()));
            if is_list {
                return;
            }
        } else if !message.get("EventList").is_some_and(ends) {
            if let Some((_, items)) = self.open.get_mut(&id) {
                items.push(message.clone());
            }
            return;
        }
        if let Some((response, items)) = self.open.remove(&id) {
            self.answer(&id, &response, &items);
        }
    }

    fn live(&mut self, message: &Message) {
        let mut events = Vec::new();
        self.pbx.apply(message, self.now, &mut events);
        for question in self.pbx.take_questions() {
            // Nobody asked it when this was recorded.
            self.pbx.answered(&question, None, self.now, &mut events);
        }
        self.tell(&events, false);
    }

    fn answer(&mut self, id: &str, response: &Message, items: &[Message]) {
        let name = self.sent[id].clone();
        if name == "Status" {
            self.pbx.begin_sync(self.now);
            self.is_syncing = true;
            self.syncs += 1;
        }
        let listing = match name.as_str() {
            "Status" => Listing::Channels,
            "BridgeList" => Listing::Bridges,
            "QueueStatus" => Listing::Queues,
            "ExtensionStateList" => Listing::Hints,
            "DeviceStateList" => Listing::Devices,
            "PresenceStateList" => Listing::Presences,
            "PJSIPShowContacts" => Listing::Contacts,
            "ParkedCalls" => Listing::Parked,
            "ConfbridgeListRooms" => Listing::Rooms,
            "ConfbridgeList" => Listing::Room("700".into()),
            _ => return,
        };
        if !self.is_syncing {
            return;
        }
        let mut events = Vec::new();
        let more = self.pbx.fold(&listing, response, items, self.now, &mut events);
        // Those that record list conferences last, and then the members of the one that there is.
        let is_last = matches!(listing, Listing::Rooms if more.is_empty())
            || matches!(listing, Listing::Room(_));
        if is_last {
            self.pbx.finish_sync(self.now, &mut events);
            self.is_syncing = false;
        }
        self.tell(&events, true);
    }

    fn tell(&mut self, events: &[Event], is_listed: bool) {
        for event in events {
            let line = line(event);
            if !is_listed {
                self.told.push(line);
            } else if self.syncs > 1 {
                self.surprises.push(line);
            } else if !["userStatus", "extensionStatus", "queueCount"]
                .contains(&event.details.kind())
            {
                self.told.push(line);
            }
        }
    }
}

/// `+<ms> <type> <agent or -> <details as JSON>`.
pub(crate) fn line(event: &Event) -> String {
    let details = serde_json::to_string(&event.details).expect("JSON");
    let agent = event.agent.as_deref().unwrap_or("-");
    let queue = event.queue.as_ref().map(|queue| format!(" [{queue}]")).unwrap_or_default();
    let time = event.time.0 - ORIGIN;
    format!("+{time} {} {agent}{queue} {details}", event.details.kind())
}

fn actions(sent: &[u8]) -> BTreeMap<String, String> {
    let stream = recording::stream(sent).expect("a recording");
    let text = String::from_utf8_lossy(&stream);
    let blocks = text.split("\r\n\r\n");
    let field = |block: &str, key: &str| {
        block.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim().to_owned())
    };
    blocks
        .filter_map(|block| Some((field(block, "ActionID:")?, field(block, "Action:")?)))
        .collect()
}
